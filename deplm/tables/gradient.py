"""Rows trained by gradient: epochs that are scored one by one, kept on disk, and chosen among."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from deplm.points import CloudSet
from deplm.tables.common import DeplmConfig, chip_of, limited
from deplm.training.recipe import CloudModel, Recipe, train
from harness.run.chips import identity
from harness.run.protocol import Measurement, Run
from harness.run.selection import EpochLog, History, Published, Validation
from harness.scale.distributed import by_first
from rram import Chip

LAST_EPOCH = "beside the best on test data stands the last epoch: nothing is chosen there"
Score = Callable[[CloudModel, CloudSet], dict[str, float]]  # scores in %, by name


@dataclass(frozen=True)
class GradientRow:
    """A row trained by gradient: from which weights, what learns, and on which clouds.

    Attributes:
        name: of its checkpoint.
        from_chip: whether the weights start as the chip's; else as torch draws them.
        all_learn: whether all weights learn; else the chip's stay as they are.
        published: whether it trains on the validation clouds too, and redraws the points of the
            evaluated clouds in every epoch, as the published scripts do.
    """

    name: str
    from_chip: bool = True
    all_learn: bool = False
    published: bool = False

    def chip(self, run: Run, seed: int) -> Chip | None:
        """Whose weights the network starts with; None: torch's start."""
        return chip_of(run, seed) if self.from_chip else None

    def sets(self, run: Run, all_rows: np.ndarray) -> tuple[CloudSet, dict[str, CloudSet]]:
        """Clouds to train on, and those that are scored after every epoch.

        Args:
            run: whose data.
            all_rows: of the training clouds and those to choose on.
        """
        data = run.data
        if self.published:
            return limited(run, all_rows), {"test": data.test}
        return limited(run, data.train.rows), {"validation": data.validation, "test": data.test}


PAPER_RECIPE = GradientRow("paper recipe")
PUBLISHED_RECIPE = GradientRow("published recipe", published=True)
TRAINED_TWIN = GradientRow("trained twin", from_chip=False, all_learn=True)
PUBLISHED_TWIN = GradientRow("published twin", all_learn=True, published=True)  # --trainable


@by_first
def measure_trained(
    run: Run,
    seed: int,
    model: CloudModel,
    recipe: Recipe,
    source: CloudSet,
    evaluated: Mapping[str, CloudSet],
    score: Score,
    *,
    row: str,
    frozen: bool,
    redraw: bool = False,
    note: str = "",
) -> Measurement:
    """Train a model, and look at the test set in the protocols that its data allow.

    With validation data, the epoch is chosen there, and the published choice stands beside it.
    Without, the published choice stands beside the last epoch, where nothing is chosen.

    Args:
        run: whose constants a checkpoint depends on.
        seed: of the chip, and of all that is drawn in training.
        model: to train.
        recipe: how.
        source: training clouds.
        evaluated: "test" and perhaps "validation" clouds.
        score: model and clouds -> its metrics.
        row: names the checkpoint.
        frozen: whether the network's weights before the readout are the chip's.
        redraw: whether the evaluated clouds are drawn anew in every epoch, as the published
            scripts do.
        note: what a reader of the row has to know.
    """
    model.initialise(seed)
    optimiser = recipe.optimiser(model)
    depends_on = changed(run.config) | recipe.identity() | {"clouds": len(source)}
    checkpoint = run.checkpoint(row, seed, **depends_on)
    log = EpochLog(checkpoint, model, optimiser)
    with tqdm(
        desc=f"chip {seed}",
        unit=" epochs",
        total=recipe.epochs,
        initial=log.finished,
        disable=None,
    ) as bar:
        for epoch in train(model, recipe, source, optimiser, seed, first=log.finished):
            sets = {n: s.redrawn(epoch) if redraw else s for n, s in evaluated.items()}
            log.add(epoch + 1, **{name: score(model, clouds) for name, clouds in sets.items()})
            bar.set_postfix({n: f"{log.history.curve(n)[-1]:.2f} %" for n in evaluated})
            bar.update()
    history = log.history.first(recipe.epochs)  # a checkpoint may be of a longer training
    return Measurement(
        values=chosen_values(history),
        fixed_weights=model.network.fixed_weights if frozen else 0,
        trained_weights=model.trained_weights,
        train_seconds=log.seconds,
        details={f"history {seed}": history.curves()},
        note=note if history.validation else f"{note}; {LAST_EPOCH}",
    )


def chosen_values(history: History) -> dict[str, float]:
    """The test scores of the chosen epoch, and each one's best by the published rule.

    The published scripts keep the best epoch of every metric separately.
    """
    chosen = Validation().choose(history) if history.validation else -1
    values = dict(history.test[chosen])
    for name in history.test[0]:
        best = Published(score=name).choose(history)
        values[f"{name} ({Published.name})"] = history.test[best][name]
    return values


def changed(config: DeplmConfig) -> dict[str, Any]:
    """The constants of a table that are not the default, but for the number of epochs."""
    usual = {f.name: f.default for f in dataclasses.fields(config)}
    values = identity(config)
    return {n: v for n, v in values.items() if n != "epochs" and v != usual[n]}
