"""What the tables of supervised learning, N-MNIST and N-TIDIGITS, share: samples, features, rows.

    spike trains -> reservoir of one chip -> spikes a step of every neuron -> readout

A row is a function (run, seed) -> measurement. Rows of networks trained by gradient are in
`lsm.tables.supervised_trained`.
"""

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from harness.readouts.discriminative import DiscriminativeRidge
from harness.readouts.features import PLAIN_RIDGE, FrozenFeatures, fit_and_measure
from harness.readouts.logistic import LogisticReadout
from harness.readouts.ridge import RidgeReadout
from harness.run.config import constant
from harness.run.protocol import Measurement, Metric, Row, Run, split, split_groups
from lsm.counts import count_products
from lsm.data.spike_set import SpikeSet
from lsm.encode import StateFeatures, encode
from lsm.reservoir import Reservoir, ReservoirSpec
from lsm.spikes import SpikeTrains
from lsm.tables.common import CHIP, SOFTWARE, LsmConfig, make_reservoir
from rram.cost import Product

COUNTED = 200  # samples whose spikes are counted for the costs
WIDE = 1000  # features from which the products are taken in float32
PAPER_FEATURES = StateFeatures()  # spikes a step of every neuron


@dataclass(frozen=True)
class SupervisedConfig(LsmConfig):
    """Constants that both tables have; edit them here or with --set name=value."""

    neurons: int = constant(200, "of the reservoir (LSM, lsm_sim_gaussian.py)", low=1, high=65536)
    validation_fraction: float = constant(
        1 / 6, "part of the training set (of its speakers, where known) on which choices are made",
        low=0.001, high=0.9,
    )  # fmt: skip
    penalties: tuple[float, ...] = constant(
        (1e-5, 1e-4, 1e-3, 1e-2, 1e-1), "of ridge, chosen among on validation samples", low=1e-12
    )
    discriminative_steps: int = constant(
        16, "new targets at most, of discriminative ridge", low=1, high=64
    )
    probing_penalties: tuple[float, ...] = constant(
        (1e-3, 1e-4, 1e-5), "of linear probing, chosen among on validation samples", low=1e-12
    )
    probing_iterations: int = constant(40, "of L-BFGS in linear probing", low=1, smoke=10)
    plus_windows: int = constant(5, "time windows in which LSM+ counts spikes", low=1, high=25)
    plus_membranes: int = constant(5, "times at which LSM+ reads membranes", low=0, high=25)
    large_gain: float = constant(
        0.5, "recurrent drive of the larger LSM+ over that of the paper's reservoir", low=0
    )
    curve_neurons: tuple[int, ...] = constant(
        (25, 50, 100, 200, 400, 800), "sizes in the curve over reservoir sizes",
        low=1, smoke=(25, 50, 100),
    )  # fmt: skip
    curve_samples: int = constant(
        5000, "training samples of the curve over reservoir sizes", low=20, smoke=100
    )
    trained_samples: int | None = constant(
        None, "train SRNN-ANN, SRNN-SNN and RNN on so many samples only; none: all",
        low=20, smoke=100,
    )  # fmt: skip
    srnn_weight_std: float = constant(
        1.0, "of the first Gaussian weights of SRNN-ANN and SRNN-SNN, times const (not visible)",
        low=0,
    )  # fmt: skip


class TrainingSamples(NamedTuple):
    """Training samples in a new order: first `fitted` to fit, then those to choose on."""

    trains: SpikeTrains
    labels: np.ndarray
    fitted: int

    def subset(self, samples: slice) -> tuple[SpikeTrains, np.ndarray]:
        """Some of them, spike trains and labels."""
        return self.trains.take(samples), self.labels[samples]


def training_samples(run: Run) -> TrainingSamples:
    """The run's training samples, split once."""
    split_once = partial(fitted_first, run.data, run.config.validation_fraction)
    return run.cached("samples", split_once)


def fitted_first(data: SpikeSet, fraction: float) -> TrainingSamples:
    """Split a training set; where its speakers are known, no speaker is in both parts.

    Args:
        data: with the training set.
        fraction: of the samples, or of the speakers, to choose on.
    """
    fit, validation = (
        split(len(data.train), fraction)
        if data.train_groups is None
        else split_groups(data.train_groups, fraction)
    )
    order = np.concatenate([fit, validation])
    return TrainingSamples(data.train.take(order), data.train_labels[order], len(fit))


def spec_of(run: Run, neurons: int | None = None, gain: float = 1.0) -> ReservoirSpec:
    """The reservoir of the run's constants; one of another size keeps its recurrent drive."""
    c, neurons = run.config, neurons or run.config.neurons
    gain *= (c.neurons / neurons) ** 0.5
    train = run.data.train
    return ReservoirSpec(train.inputs, neurons, c.decay, c.threshold, c.const, train.steps, gain)


def reservoir_of(run: Run, seed: int, kind: str, spec: ReservoirSpec | None = None) -> Reservoir:
    """Reservoir number `seed` of the run, by default of the paper's size."""
    return make_reservoir(run.config, seed, kind, spec or spec_of(run))


def encoded(
    run: Run,
    seed: int,
    kind: str = CHIP,
    state: StateFeatures = PAPER_FEATURES,
    spec: ReservoirSpec | None = None,
) -> FrozenFeatures:
    """Features of all samples from one reservoir; each sample meets its own read noise.

    Args:
        run: with the data set.
        seed: of the reservoir.
        kind: `CHIP` or `SOFTWARE`.
        state: what is read from the reservoir.
        spec: of the reservoir; None: the paper's.
    """
    started = time.perf_counter()
    reservoir = reservoir_of(run, seed, kind, spec)
    train, test = (
        encode(trains, reservoir, state, seed=2 * seed + n, device=run.device)
        for n, trains in enumerate((training_samples(run).trains, run.data.test))
    )
    seconds = time.perf_counter() - started
    return _labelled(run, train, test, seconds, reservoir.spec.weights)


def rates(run: Run, seed: int, kind: str = CHIP) -> FrozenFeatures:
    """The paper's features of one reservoir, encoded once for the rows that share them."""
    return run.shared(("rates", kind), seed, lambda _: {seed: encoded(run, seed, kind)})


def costs(run: Run) -> list[Product]:
    """Products of one sample on chip 0, counted on some test samples."""
    some = run.data.test.take(slice(0, COUNTED))
    return count_products(reservoir_of(run, 0, CHIP), some, len(run.data.classes))


def event_counts(run: Run, windows: int) -> FrozenFeatures:
    """Events of every channel in equal parts of the time: no reservoir."""
    return _labelled(
        run, training_samples(run).trains.counts(windows), run.data.test.counts(windows)
    )


def _labelled(
    run: Run, train: np.ndarray, test: np.ndarray, seconds: float = 0.0, weights: int = 0
) -> FrozenFeatures:
    samples = training_samples(run)
    rows = (train, samples.labels), samples.fitted, (test, run.data.test_labels)
    return FrozenFeatures(*rows, len(run.data.classes), seconds, weights)


def discriminative_ridge(run: Run, features: FrozenFeatures) -> Measurement:
    """Discriminative ridge, and plain ridge of the same penalty beside it."""
    c, products = run.config, _products(features.fit[0])
    readout = DiscriminativeRidge(features.classes, c.penalties, c.discriminative_steps, products)
    return fit_and_measure(readout, features)


# The rows.


def chip_ridge(run: Run, seed: int) -> Measurement:
    """The chip's rates with a closed-form readout."""
    return discriminative_ridge(run, rates(run, seed, CHIP))


def chip_ridge_and_sizes(run: Run, seed: int) -> Measurement:
    """The chip's rates with a closed-form readout, and the curve over reservoir sizes."""
    measurement = chip_ridge(run, seed)
    measurement.details[f"sizes {seed}"] = size_curve(run, seed)
    return measurement


def software_ridge(run: Run, seed: int) -> Measurement:
    """Rates of a Gaussian reservoir with a closed-form readout."""
    return discriminative_ridge(run, rates(run, seed, SOFTWARE))


def chip_logistic(run: Run, seed: int) -> Measurement:
    """Linear probing: logistic regression of the chip's rates, run to its minimum."""
    features = rates(run, seed, CHIP)
    c = run.config
    readout = LogisticReadout(features.classes, c.probing_penalties, c.probing_iterations)
    note = "linear probing, which the paper names without figures: logistic regression by L-BFGS"
    return replace(fit_and_measure(readout, features), note=note)


def chip_plus(run: Run, seed: int) -> Measurement:
    """LSM+: more of the state of the paper's neurons is read."""
    state = plus_features(run.config)
    note = f"the paper's {run.config.neurons} neurons: spikes in {state.windows} time windows"
    if state.membranes:
        note += f" and membranes at {state.membranes} times"
    measurement = discriminative_ridge(run, encoded(run, seed, CHIP, state))
    return replace(measurement, note=f"{note}; {without_reservoir(run)}")


def chip_large(run: Run, seed: int) -> Measurement:
    """LSM+ with more neurons: spikes in time windows."""
    c = run.config
    spec = spec_of(run, c.large_neurons, c.large_gain)
    measurement = discriminative_ridge(
        run, encoded(run, seed, CHIP, StateFeatures(c.large_windows), spec)
    )
    note = f"{c.large_neurons:,} neurons: spikes in {c.large_windows} time windows"
    return replace(measurement, note=f"{note}; {without_reservoir(run)}")


def counts_ridge(run: Run, _: int) -> Measurement:
    """Events of every channel, no reservoir: what a reservoir has to beat."""
    return discriminative_ridge(run, event_counts(run, 1))


def windowed_counts_ridge(run: Run, _: int) -> Measurement:
    """Events of every channel in time windows, no reservoir: what LSM+ has to beat."""
    note = f"{count_windows(run)} windows: as many features as LSM+, without a reservoir"
    return replace(_windowed_counts(run), note=note)


def without_reservoir(run: Run) -> str:
    """What event counts in as many features as LSM+ reach, for the notes of its rows."""
    value = _windowed_counts(run).values["accuracy"]
    return f"without a reservoir, event counts in {count_windows(run)} windows reach {value:.2f} %"


def _windowed_counts(run: Run) -> Measurement:
    return run.cached(
        "windowed counts", lambda: discriminative_ridge(run, event_counts(run, count_windows(run)))
    )


def count_windows(run: Run) -> int:
    """As many time windows as give the features of LSM+, or a few features more."""
    width = plus_features(run.config).width(run.config.neurons)
    return min(run.data.train.steps, -(-width // run.data.train.inputs))


def plus_features(config: SupervisedConfig) -> StateFeatures:
    """What LSM+ reads from the paper's neurons."""
    return StateFeatures(config.plus_windows, (), config.plus_membranes)


PLAIN = Metric(PLAIN_RIDGE)
COUNTS = Row("event counts, discriminative ridge", counts_ridge, (Metric(), PLAIN), chips=1)
WINDOWED_COUNTS = Row(
    "event counts in time windows, discriminative ridge",
    windowed_counts_ridge, (Metric(), PLAIN), chips=1,
)  # fmt: skip
PLUS = Row("LSM+, discriminative ridge", chip_plus, (Metric(), PLAIN))


def ridge_rows(software: Metric, chip: Metric) -> tuple[Row, ...]:
    """The rows on frozen features, in the order of the table.

    Args:
        software: with the paper's figure of its Gaussian reservoir.
        chip: with that of the chip.
    """
    return (
        Row("LSM, chip, discriminative ridge", chip_ridge_and_sizes, (chip, PLAIN)),
        Row("LSM, software, discriminative ridge", software_ridge, (software, PLAIN)),
        Row("LSM, chip, logistic readout", chip_logistic),
        COUNTS,
        WINDOWED_COUNTS,
        PLUS,
        Row("LSM+, at most 4,000 neurons, discriminative ridge", chip_large, (Metric(), PLAIN)),
    )


def size_curve(run: Run, seed: int) -> list[list[float]]:
    """[neurons, accuracy of one time window, of `large_windows`], in %, on validation samples."""
    samples, c = training_samples(run), run.config
    fitted = min(c.curve_samples, samples.fitted)
    last = min(len(samples.labels), samples.fitted + c.curve_samples)
    chosen = np.r_[0:fitted, samples.fitted : last]
    trains, labels = samples.subset(chosen)
    points = []
    for neurons in c.curve_neurons:
        reservoir = reservoir_of(run, seed, CHIP, spec_of(run, neurons))
        state = StateFeatures(c.large_windows)
        wide = encode(trains, reservoir, state, seed=2 * seed, device=run.device)
        one = wide.reshape(len(wide), c.large_windows, neurons).mean(1)
        points.append(
            [neurons, *(_best_on_validation(run, x, labels, fitted) for x in (one, wide))]
        )
    return points


def _best_on_validation(run: Run, x: np.ndarray, labels: np.ndarray, fitted: int) -> float:
    # The best penalty on the validation rows, and the accuracy there: a curve, not a result.
    ridge = RidgeReadout(len(run.data.classes), run.config.penalties, _products(x[:fitted]))
    ridge.partial_fit(x[:fitted], labels[:fitted])
    correct = [
        np.mean(ridge.solve(p).predict(x[fitted:]) == labels[fitted:]) for p in ridge.penalties
    ]
    return 100 * float(max(correct))


def _products(x: np.ndarray) -> type:
    # float32 takes half the time, but cannot carry small penalties where rows are few.
    return np.float32 if x.shape[1] >= WIDE and len(x) > 2 * x.shape[1] else np.float64
