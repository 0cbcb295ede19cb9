"""Rows trained by gradient: the published readout, and the baselines trained end to end.

The published scripts train on all training samples and report the best test epoch. Here that is
the figure of protocol "published"; a second training leaves the validation samples out and
chooses its epoch on them, which is the headline.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from harness.readouts.features import FrozenFeatures, accuracy
from harness.run.protocol import Measurement, Metric, Row, Run
from harness.run.selection import EpochLog, History, Published, Validation
from harness.scale.distributed import by_first
from lsm.data.spike_set import SpikeSet
from lsm.spikes import SpikeTrains
from lsm.tables.common import CHIP, SOFTWARE
from lsm.tables.supervised import fitted_first, rates, ridge_rows
from lsm.training.readout import Recipe, train_readout
from lsm.training.recurrent import (
    RecurrentNetwork,
    TrainedSpec,
    make_optimizer,
    predict,
    train_epochs,
)

Samples = tuple[SpikeTrains, np.ndarray]  # spike trains and labels
PUBLISHED = "(published)"


class Histories(NamedTuple):
    """Scores of two trainings of a row.

    Attributes:
        split: of the training that leaves the validation samples out.
        everything: of the training on all samples, as published.
    """

    split: History
    everything: History

    def values(self) -> dict[str, float]:
        """Test accuracy of the epoch that each protocol chooses, by `Metric.key`."""
        chosen = Validation().choose(self.split)
        best = Published().choose(self.everything)
        return {
            "accuracy": self.split.test[chosen]["accuracy"],
            f"accuracy {PUBLISHED}": self.everything.test[best]["accuracy"],
        }

    def details(self, seed: int) -> dict[str, list]:
        """Curves of one chip, for the figure: validation, test, and test trained on all."""
        return {f"history {seed}": [*self.split.curves(), self.everything.curve("test")]}


def both_protocols(metric: Metric) -> tuple[Metric, Metric]:
    """The metrics of a row trained by gradient."""
    return metric, metric._replace(protocol="published")


# The published readout of frozen features.


def chip_published_readout(run: Run, seed: int) -> Measurement:
    """The chip's spike counts with the published readout."""
    return published_readout(run, seed, CHIP)


def software_published_readout(run: Run, seed: int) -> Measurement:
    """Spike counts of a Gaussian reservoir with the published readout."""
    return published_readout(run, seed, SOFTWARE)


def published_readout(run: Run, seed: int, kind: str) -> Measurement:
    """A linear layer trained on spike counts by Adam (`lsm_sim_gaussian.py`).

    Counts, not rates: which of the two the script takes is not visible, but with rates so small
    a learning rate ends far from the minimum (N-MNIST, validation: 81.1 against 88.2 %).

    Args:
        run: with `readout_...` among its constants.
        seed: of the reservoir, and of what is drawn in training.
        kind: `CHIP` or `SOFTWARE`.
    """
    started = time.perf_counter()
    c, features = run.config, rates(run, seed, kind)
    recipe = Recipe(
        c.readout_optimizer, c.readout_learning_rate, c.readout_batch_size, c.readout_epochs
    )
    histories = readout_histories(features, run.data.train.steps, recipe, seed)
    return Measurement(
        values=histories.values(),
        fixed_weights=features.fixed_weights,
        trained_weights=features.width * features.classes,
        train_seconds=time.perf_counter() - started,
        encode_seconds=features.encode_seconds,
        details=histories.details(seed),
        note=f"{recipe.epochs} epochs, {recipe.optimizer} {recipe.learning_rate:g}, batch "
        f"{recipe.batch_size}; spike counts as features; "
        + _two_trainings(features.fitted, len(features.train[1])),
    )


@by_first
def readout_histories(features: FrozenFeatures, steps: int, recipe: Recipe, seed: int) -> Histories:
    """Train the published readout twice, without the validation samples and with them.

    Args:
        features: rates, spikes a step of every neuron.
        steps: T, which turns rates into counts.
        recipe: of both trainings.
        seed: of what they draw.
    """
    counts, labels = features.train[0] * np.float32(steps), features.train[1]
    test = features.test[0] * np.float32(steps), features.test[1]
    n = features.fitted
    histories = Histories(History(), History())
    for layer in train_readout((counts[:n], labels[:n]), features.classes, recipe, seed):
        histories.split.add(
            validation=_layer_score(layer, counts[n:], labels[n:]),
            test=_layer_score(layer, *test),
        )
    for layer in train_readout((counts, labels), features.classes, recipe, seed):
        histories.everything.add(test=_layer_score(layer, *test))
    return histories


def _layer_score(
    layer: tuple[np.ndarray, np.ndarray], x: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    coefficients, intercept = layer
    return {"accuracy": accuracy((x @ coefficients + intercept).argmax(1), labels)}


Measure = Callable[[Run, int], Measurement]


def table_rows(
    software: Metric, chip: Metric, baselines: dict[str, tuple[Measure, Metric]]
) -> tuple[Row, ...]:
    """All rows of a table, in its order.

    Args:
        software: with the paper's figure of its Gaussian reservoir.
        chip: with that of the chip.
        baselines: by name, how each is measured, and the paper's figure.
    """
    return (
        Row("LSM, chip, published readout", chip_published_readout, both_protocols(chip)),
        Row(
            "LSM, software, published readout",
            software_published_readout,
            both_protocols(software),
        ),
        *ridge_rows(software, chip),
        *(
            Row(name, measure, both_protocols(metric), default=False)
            for name, (measure, metric) in baselines.items()
        ),
    )


# The baselines.


@by_first
def trained(
    run: Run,
    seed: int,
    row: str,
    spec: TrainedSpec,
    data: SpikeSet,
    **binned: Any,  # noqa: ANN401
) -> Measurement:
    """One baseline, trained without the validation samples and once more on all samples.

    Args:
        run: with `trained_samples` and `validation_fraction` among its constants.
        seed: of the first weights and of the orders of samples.
        row: names the checkpoints.
        spec: network and recipe.
        data: the data set, binned as this baseline wants it.
        binned: how that is, for the checkpoints and the note.
    """
    samples = fitted_first(data, run.config.validation_fraction)
    limit = run.config.trained_samples
    fit = samples.subset(slice(min(limit or samples.fitted, samples.fitted)))
    validation = samples.subset(slice(samples.fitted, None))
    everything = samples.subset(slice(limit))
    test = data.test, data.test_labels
    about = {"spec": _recorded(spec), **binned}
    split, seconds = score_epochs(
        run, seed, row, spec, fit, {"validation": validation, "test": test}, about
    )
    all_samples, more = score_epochs(
        run, seed, f"{row} published", spec, everything, {"test": test}, about
    )
    histories = Histories(split, all_samples)
    return Measurement(
        values=histories.values(),
        trained_weights=RecurrentNetwork(spec, seed).trained_weights,
        train_seconds=seconds + more,
        details=histories.details(seed),
        note=_baseline_note(spec, binned) + _two_trainings(len(fit[1]), len(everything[1])),
    )


def score_epochs(
    run: Run,
    seed: int,
    row: str,
    spec: TrainedSpec,
    training: Samples,
    scored: dict[str, Samples],
    about: dict[str, Any],
) -> tuple[History, float]:
    """Train a network; after every epoch score it and keep it on disk.

    Args:
        run: keeps the checkpoint.
        seed: of the first weights and of the orders of samples.
        row: names the checkpoint.
        spec: network and recipe.
        training: samples to train on.
        scored: "test" and perhaps "validation" samples.
        about: what the digits depend on beside chip, data and seed.

    Returns:
        Accuracy after every epoch, and the seconds of all of them, those of a run that was cut
        included.
    """
    network = RecurrentNetwork(spec, seed).to(run.device)
    optimizer = make_optimizer(network)
    checkpoint = run.checkpoint(row, seed, samples=len(training[1]), **about)
    log = EpochLog(checkpoint, network, optimizer)
    for epoch in train_epochs(network, optimizer, *training, seed=seed, finished=log.finished):
        log.add(epoch, **{name: _score(network, *samples) for name, samples in scored.items()})
        now = ", ".join(f"{name} {log.history.curve(name)[-1]:.2f} %" for name in scored)
        print(f"{row}, chip {seed}: epoch {epoch} of {spec.epochs}: {now}", flush=True)
    return log.history.first(spec.epochs), log.seconds


def _score(network: RecurrentNetwork, trains: SpikeTrains, labels: np.ndarray) -> dict[str, float]:
    return {"accuracy": accuracy(predict(network, trains), labels)}


def _recorded(spec: TrainedSpec) -> dict[str, Any]:
    # The number of epochs is no part of it: a training of 10 epochs can be continued to 100.
    return {name: value for name, value in vars(spec).items() if name != "epochs"}


def _baseline_note(spec: TrainedSpec, binned: dict[str, Any]) -> str:
    bins = "".join(f", {name.replace('_', ' ')} {value:g}" for name, value in binned.items())
    return (
        f"{spec.epochs} epochs; {spec.steps} steps{bins}, {spec.optimizer} "
        f"{spec.learning_rate:g}, batch {spec.batch_size}, {spec.loss}; "
    )


def _two_trainings(fitted: int, everything: int) -> str:
    return (
        f"validation: trained on {fitted:,} samples, epoch chosen on others; published: trained "
        f"on all {everything:,}, best test epoch"
    )
