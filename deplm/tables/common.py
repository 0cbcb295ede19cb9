"""What the rows of the three DEPLM tables share: chips, their effects, training by gradient."""

from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from deplm.network import PointNetwork
from deplm.points import CloudSet
from deplm.segmentation import PartNetwork
from deplm.training.augment import Augmentation
from deplm.training.recipe import CLASSIFICATION, Recipe, Task, train
from harness.chips import make_chip
from harness.protocol import Measurement, Run
from harness.selection import Published, Validation
from rram import DEPLM_40NM, Chip
from rram.crossbar import ReadConfig


def chip_of(run: Run, seed: int) -> Chip:
    """Chip number `seed` of the run."""
    return make_chip(run.config, DEPLM_40NM, seed)


def together(run: Run, seed: int) -> list[int]:
    """Chips that are measured in one pass with chip `seed`.

    The first is alone, so that its figure is soon there; the others share sampling and grouping.
    """
    first = run.seeds[:1]
    return first if seed in first else run.seeds[1:]


def with_effects(run: Run) -> tuple[ReadConfig, str]:
    """A reading with noise in every product and bit-serial inputs, and its words for a note."""
    reading = ReadConfig(read_noise=run.config.read_noise, input_bits=run.config.input_bits)
    return (
        reading,
        f"{reading.read_noise:.1%} read noise a product, {reading.input_bits}-bit inputs",
    )


@dataclass(frozen=True)
class Training:
    """The published training of a table (DEPLM, code).

    Attributes:
        network: whose layers the model has.
        outputs: of the readout.
        epochs: published.
        items: what the training set consists of, for the note: "images".
        step_epochs: see `Recipe`.
        step_factor: see `Recipe`.
        augmentation: see `Recipe`.
        task: see `train`.
        first_step_early: see `Recipe`.
        lowest_rate: see `Recipe`.
    """

    network: PointNetwork | PartNetwork
    outputs: int
    epochs: int
    items: str
    step_epochs: int
    step_factor: float
    augmentation: Augmentation
    task: Task = CLASSIFICATION
    first_step_early: bool = True
    lowest_rate: float = 0.0

    @property
    def readout(self) -> int:
        """Weights of the readout."""
        return self.outputs * self.network.width


def measure_trained(
    run: Run,
    seed: int,
    model: nn.Module,
    training: Training,
    source: CloudSet,
    evaluated: dict[str, CloudSet],
    *,
    row: str,
    frozen: bool,
) -> Measurement:
    """Train `model`, and look at the test set in the protocols that its data allow.

    With validation data, the epoch is chosen there, and the published choice stands beside it.
    Without, the published choice stands beside the last epoch, where nothing is chosen.

    Args:
        run: with `epochs`, `batch_size` and `learning_rate` in its constants.
        seed: of the chip, and of all that is drawn in training.
        model: to train.
        training: how.
        source: training clouds.
        evaluated: "test" and perhaps "validation" clouds.
        row: names the checkpoint.
        frozen: whether the layers before the readout are the chip's.
    """
    config = run.config
    recipe = Recipe(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        step_epochs=training.step_epochs,
        step_factor=training.step_factor,
        augmentation=training.augmentation,
        first_step_early=training.first_step_early,
        lowest_rate=training.lowest_rate,
    )
    checkpoint = run.checkpoint(row, seed, clouds=len(source), **recorded_recipe(recipe))
    history, seconds = train(
        model, training.network, recipe, source, evaluated, seed, f"chip {seed}", training.task,
        checkpoint,
    )  # fmt: skip
    layers = training.network.fixed_weights
    published = history.test[Published().choose(history).candidate]
    # Without validation data nothing is chosen: the figure is that of the last epoch.
    chosen = Validation().choose(history).candidate if history.validation else -1
    return Measurement(
        values={
            **history.test[chosen],
            **{f"{name} (published)": value for name, value in published.items()},
        },
        fixed_weights=layers if frozen else 0,
        trained_weights=training.readout + (0 if frozen else layers),
        train_seconds=seconds,
        details={
            f"history {seed}": history.curves() if history.validation else [history.curve("test")]
        },
        note=f"{config.epochs} of the paper's {training.epochs} epochs, "
        f"batch {config.batch_size}, {len(source):,} {training.items}",
    )


def recorded_recipe(recipe: Recipe) -> dict[str, Any]:
    """What a checkpoint's digits depend on, but for the number of epochs."""
    return {name: value for name, value in asdict(recipe).items() if name != "epochs"}
