"""What the tables of supervised learning, N-MNIST and N-TIDIGITS, have in common."""

import time
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from sklearn.metrics import confusion_matrix

from harness.config import constant
from harness.logistic import LogisticReadout
from harness.protocol import Measurement, Run, split, split_groups
from harness.readout import DiscriminativeRidge, Readout, RidgeReadout, Rows
from harness.selection import History, Published, Validation
from lsm.data.storage import SpikeSet
from lsm.encode import StateFeatures, encode
from lsm.reservoir import Reservoir, ReservoirSpec
from lsm.spikes import SpikeTrains
from lsm.tables.common import CHIP, LsmConfig, make_reservoir
from lsm.training.readout import Recipe, train_readout

PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
PROBE_PENALTIES = (1e-3, 1e-4, 1e-5)
DRAG_STEPS = 16
WIDE = 1000  # features from which the products are taken in float32
PAPER_READ = StateFeatures()
SIZES = (25, 50, 100, 200, 400, 800)


@dataclass(frozen=True)
class SupervisedConfig(LsmConfig):
    """Constants that both tables have; edit them here or with --set name=value."""

    neurons: int = constant(200, "of the reservoir (LSM, code)", low=1, high=65536)
    validation_fraction: float = constant(
        1 / 6, "part of the training set (of its speakers, where known) on which choices are made",
        low=0.001, high=0.9,
    )  # fmt: skip
    large_gain: float = constant(
        0.5, "recurrent drive of the larger LSM+ over that of the paper's reservoir", low=0
    )
    trained_epochs: int | None = constant(
        None, "of SRNN-ANN, SRNN-SNN and RNN; none: the paper's", low=1, smoke=1
    )
    trained_samples: int | None = constant(
        None, "train these three on so many samples only; none: all", low=20, smoke=100
    )
    curve_samples: int = constant(
        5000, "training samples of the curve over reservoir sizes", low=20, smoke=100
    )
    probing_iterations: int = constant(40, "of L-BFGS in linear probing", low=1, smoke=10)
    plus_windows: int = constant(5, "time windows in which LSM+ counts spikes", low=1, high=25)
    plus_membranes: int = constant(5, "times at which LSM+ reads membranes", low=0, high=25)


class Parts(NamedTuple):
    """Training samples in a new order: `count` to fit, then those to choose on."""

    trains: SpikeTrains
    labels: np.ndarray
    count: int

    def rows(self, features: np.ndarray) -> tuple[Rows, Rows]:
        """Features (samples, D) and labels, to fit and to choose on."""
        n = self.count
        return (features[:n], self.labels[:n]), (features[n:], self.labels[n:])


@dataclass(frozen=True)
class Features:
    """Features of all samples, training samples as `Parts` has them, and what they cost."""

    train: np.ndarray
    test: np.ndarray
    encode_seconds: float = 0.0
    fixed_weights: int = 0


def parts(run: Run) -> Parts:
    """The training set, split once and for all."""
    return run.cached("parts", lambda: ordered(run.data, run.config.validation_fraction))


def ordered(data: SpikeSet, fraction: float) -> Parts:
    """Samples to fit, then samples to choose on: of other speakers, where they are known."""
    fit, held = (
        split(len(data.train), fraction)
        if data.train_groups is None
        else split_groups(data.train_groups, fraction)
    )
    order = np.concatenate([fit, held])
    return Parts(data.train.take(order), data.train_labels[order], len(fit))


def spec_of(run: Run, neurons: int | None = None, gain: float = 1.0) -> ReservoirSpec:
    """The reservoir of the run's constants; one of another size keeps its recurrent drive."""
    c, neurons = run.config, neurons or run.config.neurons
    gain *= (c.neurons / neurons) ** 0.5
    train = run.data.train
    return ReservoirSpec(train.inputs, neurons, c.decay, c.threshold, c.const, train.steps, gain)


def reservoir_of(run: Run, seed: int, kind: str, spec: ReservoirSpec | None = None) -> Reservoir:
    """Reservoir number `seed` of the run, by default of the paper's size."""
    return make_reservoir(run.config, seed, kind, spec or spec_of(run))


def features(
    run: Run,
    seed: int,
    kind: str,
    reads: StateFeatures = PAPER_READ,
    spec: ReservoirSpec | None = None,
) -> Features:
    """What is read from a reservoir for all samples; each of them meets its own read noise."""
    started = time.perf_counter()
    reservoir = reservoir_of(run, seed, kind, spec)
    train, test = (
        encode(trains, reservoir, reads, seed=2 * seed + n, device=run.device)
        for n, trains in enumerate((parts(run).trains, run.data.test))
    )
    return Features(train, test, time.perf_counter() - started, reservoir.spec.weights)


def paper_features(run: Run, seed: int, kind: str) -> Features:
    """The paper's read, spikes per step of every neuron: shared by the rows that use it."""
    return run.cached(("rates", kind, seed), lambda: features(run, seed, kind))


def counts(run: Run, windows: int) -> Features:
    """Events of every channel in equal parts of the time: no reservoir."""
    return Features(parts(run).trains.counts(windows), run.data.test.counts(windows))


def closed_form(run: Run, found: Features) -> Measurement:
    """Ridge regression with dragged targets, and the plain one beside it."""
    started = time.perf_counter()
    readout = DiscriminativeRidge(
        len(run.data.classes), PENALTIES, DRAG_STEPS, _products(found.train[: parts(run).count])
    )
    readout.fit(*parts(run).rows(found.train))
    measurement = _measurement(run, found, readout, time.perf_counter() - started)
    plain = readout.ridge_.predict(found.test) == run.data.test_labels
    measurement.values["accuracy, plain ridge"] = 100 * float(plain.mean())
    return measurement


def linear_probing(run: Run, seed: int) -> Measurement:
    """Logistic regression, run to its minimum, on the chip's features."""
    started = time.perf_counter()
    found = paper_features(run, seed, CHIP)
    limit = run.config.probing_iterations
    readout = LogisticReadout(len(run.data.classes), PROBE_PENALTIES, limit)
    readout.fit(*parts(run).rows(found.train))
    note = "the paper names linear probing without figures: here logistic regression by L-BFGS"
    measurement = _measurement(run, found, readout, time.perf_counter() - started)
    return replace(measurement, note=note)


def paper_readout(run: Run, seed: int, kind: str, optimizer: str) -> Measurement:
    """The published training of the readout, on the training samples alone."""
    started = time.perf_counter()
    c, found = run.config, paper_features(run, seed, kind)
    recipe = Recipe(optimizer, c.learning_rate, c.batch_size, c.epochs)
    # The published readout is on the counters, spikes and not spikes a step: with rates, so
    # small a learning rate ends far from the minimum (N-MNIST, validation: 81.1 against 88.2 %).
    steps = np.float32(run.data.train.steps)
    training, validation = parts(run).rows(found.train * steps)
    test, classes = (found.test * steps, run.data.test_labels), len(run.data.classes)
    history = train_readout(training, validation, test, classes, recipe, seed)
    return Measurement(
        values=accuracies(history),
        fixed_weights=found.fixed_weights,
        trained_weights=found.train.shape[1] * classes,
        train_seconds=time.perf_counter() - started,
        encode_seconds=found.encode_seconds,
        details={f"history {seed}": history.curves()},
        note=f"{c.epochs} epochs, {optimizer} {c.learning_rate:g}, batch {c.batch_size}; "
        "spike counts as features",
    )


def accuracies(history: History) -> dict[str, float]:
    """Test accuracy of the epoch that each protocol chooses, by `Metric.key`."""
    return {
        "accuracy": history.test[Validation().choose(history).candidate]["accuracy"],
        "accuracy (published)": history.test[Published().choose(history).candidate]["accuracy"],
    }


def size_curve(run: Run, seed: int, windows: int) -> list[list[float]]:
    """[neurons, accuracy of one window, of `windows`], in %, on validation samples."""
    cut = parts(run)
    limit = run.config.curve_samples
    chosen = np.r_[0 : min(limit, cut.count), cut.count : min(len(cut.labels), cut.count + limit)]
    part = Parts(cut.trains.take(chosen), cut.labels[chosen], min(limit, cut.count))
    points = []
    for neurons in SIZES[:3] if run.smoke else SIZES:
        reservoir = reservoir_of(run, seed, CHIP, spec_of(run, neurons))
        wide = encode(
            part.trains, reservoir, StateFeatures(windows), seed=2 * seed, device=run.device
        )
        one = wide.reshape(len(wide), windows, neurons).mean(1)
        points.append([neurons, *(_validated(run, part.rows(x)) for x in (one, wide))])
    return points


def _products(x: np.ndarray) -> type:
    # float32 takes half the time, but cannot carry small penalties where rows are few.
    return np.float32 if x.shape[1] >= WIDE and len(x) > 2 * x.shape[1] else np.float64


def _validated(run: Run, rows: tuple[Rows, Rows]) -> float:
    # The best penalty on the validation rows, and the accuracy there: a curve, not a result.
    training, (held, labels) = rows
    ridge = RidgeReadout(len(run.data.classes), PENALTIES, _products(training[0]))
    ridge.partial_fit(*training)
    right = [np.mean(ridge.solve(p).predict(held) == labels) for p in PENALTIES]
    return 100 * float(max(right))


def _measurement(run: Run, found: Features, readout: Readout, seconds: float) -> Measurement:
    """Look at the test set: once, when all is chosen."""
    labels, classes = run.data.test_labels, len(run.data.classes)
    guesses = readout.predict(found.test)
    confusion = confusion_matrix(labels, guesses, labels=np.arange(classes))
    return Measurement(
        values={"accuracy": 100 * float((guesses == labels).mean())},
        fixed_weights=found.fixed_weights,
        trained_weights=found.train.shape[1] * classes,
        train_seconds=seconds,
        encode_seconds=found.encode_seconds,
        details={"confusion": confusion.tolist()},
    )
