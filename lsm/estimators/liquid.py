"""Spikes or events -> a fixed random liquid -> features, and a readout of them."""

import warnings
from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import ClassifierMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, column_or_1d

from harness.readouts.estimators import ReadoutClassifier, SavedEstimator, check_classes
from harness.readouts.model_file import Arrays
from harness.readouts.ridge import Readout, RidgeReadout
from harness.run.protocol import train_rows_first
from lsm.encode import StateFeatures, encode
from lsm.estimators.events import (
    Sensor,
    Spikes,
    bin_events,
    from_dense,
    is_events,
    read_events,
    sensor_of,
)
from lsm.reservoir import NMNIST, Reservoir, ReservoirSpec, from_chip
from lsm.spikes import SpikeTrains
from rram import LSM_40NM, Chip, ReadConfig, UserError


class LSMEncoder(TransformerMixin, SavedEstimator):
    """The liquid of a liquid state machine: spikes in, features of its neurons out.

    A reservoir of leaky integrate-and-fire neurons whose weights are those of one chip; its
    equation is in `lsm.Reservoir`. Nothing is fitted but the number of channels and steps. The
    defaults are the LSM paper's for N-MNIST.

    Args:
        neurons: of the reservoir.
        decay: d, what is left of a membrane after a step.
        threshold: Vth, in membrane units.
        const: scale of the weights, membrane units per uS. Where nothing fires, raise it.
        features: what is read from the neurons; None: firing rates over the whole time.
        chip: where the random weights come from: the seed of one of the paper's kind, or a chip
            of your own, whose weights are scaled to the spread of the paper's.
        read: how it is read; None: without noise.
        steps: that a recording of events is cut into, equal parts of its time.
        sensor: (width, height, polarities) of the sensor of events, as tonic's `sensor_size`;
            None: as large as the recordings of `fit` need.
        threads: of the reservoir; None: all that the process may use.

    Attributes:
        reservoir_: the liquid.
        sensor_: of events; None where dense spikes were fitted.
        n_features_in_: channels.

    Example:
        >>> import numpy as np
        >>> from lsm import LSMEncoder
        >>> rng = np.random.default_rng(0)
        >>> events = [np.sort(rng.integers(0, 3000, (n, 2)), 0) % [3000, 60] for n in (80, 90)]
        >>> LSMEncoder(const=0.2).fit_transform(events).shape  # columns t, x; rates of 200 neurons
        (2, 200)
    """

    kinds = (StateFeatures,)
    learned = ("n_features_in_", "sensor_", "steps_")

    def __init__(
        self,
        neurons: int = NMNIST.neurons,
        *,
        decay: float = NMNIST.decay,
        threshold: float = NMNIST.threshold,
        const: float = NMNIST.const,
        features: StateFeatures | None = None,
        chip: Chip | int = 0,
        read: ReadConfig | None = None,
        steps: int = NMNIST.steps,
        sensor: tuple[int, int, int] | None = None,
        threads: int | None = None,
    ) -> None:
        self.neurons = neurons
        self.decay = decay
        self.threshold = threshold
        self.const = const
        self.features = features
        self.chip = chip
        self.read = read
        self.steps = steps
        self.sensor = sensor
        self.threads = threads

    def fit(self, X: Spikes, y: np.ndarray | None = None) -> Self:  # noqa: ARG002
        """Draw the reservoir from the chip.

        Args:
            X: spikes of 0 and 1, (n, T, C) samples, steps, channels; or `SpikeTrains`; or a list
                of n recordings, each an array of events: structured with fields x, y, t, p (as
                tonic gives them) or t, x; or of columns (t, x), (x, y, t) or (x, y, t, p). Whole
                numbers, in order of time.
            y: not used.

        Raises:
            ValueError: spikes or events that do not fit, or no samples.
        """
        self._fit_liquid(X)
        return self

    def fit_transform(self, X: Spikes, y: np.ndarray | None = None) -> np.ndarray:  # noqa: ARG002
        """Features of the samples to fit; each meets read noise of its own, see `transform`."""
        trains = self._fit_liquid(X)
        return self._encoded(trains, fitting=True)

    def transform(self, X: Spikes) -> np.ndarray:
        """Features (n, D) float32; X as of `fit`. Read noise depends on a sample's place in X."""
        check_is_fitted(self, "reservoir_")
        trains, _ = self._trains(X)
        expected = self.steps_, self.reservoir_.spec.inputs
        if (trains.steps, trains.inputs) != expected:
            raise UserError(
                f"X has {trains.steps} steps and {trains.inputs} channels, but "
                f"{type(self).__name__} is expecting {expected[0]} and {expected[1]} features as "
                "input"
            )
        return self._encoded(trains, fitting=False)

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:  # noqa: ARG002
        """Names of the features: rate_window0_neuron0 and so on, then traces, then membranes."""
        check_is_fitted(self, "reservoir_")
        read = self._read_features
        blocks = [f"rate_window{n}" for n in range(read.windows)]
        blocks += [f"trace{n}" for n in range(len(read.traces))]
        blocks += [f"membrane{n}" for n in range(read.membranes)]
        return np.array([f"{b}_neuron{n}" for b in blocks for n in range(self.neurons)], object)

    @property
    def _read_features(self) -> StateFeatures:
        return StateFeatures() if self.features is None else self.features

    def _fit_liquid(self, X: Spikes) -> SpikeTrains:
        self.sensor_ = None if self.sensor is None else Sensor(*self.sensor)
        trains, self.sensor_ = self._trains(X)
        self.n_features_in_, self.steps_ = trains.inputs, trains.steps
        self.reservoir_ = self._reservoir()
        return trains

    def _fitted_readouts(self) -> dict[str, Readout]:
        return {}

    def _restore(self, readouts: dict[str, Readout], arrays: Arrays) -> None:  # noqa: ARG002
        self.sensor_ = self.sensor_ and Sensor(*self.sensor_)
        self.reservoir_ = self._reservoir()

    def _trains(self, X: Spikes) -> tuple[SpikeTrains, Sensor | None]:
        """Spike trains of X, and the sensor of its events."""
        if isinstance(X, SpikeTrains):
            if len(X) == 0:
                raise UserError("0 samples: a minimum of 1 is required")
            return X, self.sensor_
        if not is_events(X):
            return from_dense(X), self.sensor_
        recordings = read_events(X)
        sensor = self.sensor_ or sensor_of(recordings)
        return bin_events(recordings, self.steps, sensor), sensor

    def _reservoir(self) -> Reservoir:
        constants = self.neurons, self.decay, self.threshold, self.const, self.steps_
        spec = ReservoirSpec(self.n_features_in_, *constants)
        own = isinstance(self.chip, Chip)
        read = ReadConfig() if self.read is None else self.read
        return from_chip(spec, self._chip, read, match_std=own)

    @property
    def _chip(self) -> Chip:
        own = isinstance(self.chip, Chip)
        return self.chip if own else Chip(LSM_40NM, self.chip, sparsity=0.0)

    def _encoded(self, trains: SpikeTrains, *, fitting: bool) -> np.ndarray:
        seed = 2 * self._chip.seed + (not fitting)  # of the read noise, as in the tables
        read = self._read_features
        options = {"threads": self.threads, "label": "fit" if fitting else "encode"}
        features = encode(trains, self.reservoir_, read, seed=seed, **options)
        if fitting and not features[:, : self.neurons * read.windows].any():
            warnings.warn(
                f"no neuron fired in {len(trains)} samples with {trains.density:.2%} of all steps "
                f"and channels active: raise const, {self.const:g} now",
                UserWarning,
                stacklevel=4,
            )
        return features

    def __sklearn_tags__(self):  # noqa: ANN204
        """Samples are matrices of steps and channels."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class LSMClassifier(ReadoutClassifier, LSMEncoder):
    """Liquid state machine: a fixed random reservoir on one chip, and a readout of it.

    The features h(X), by default the firing rates of the neurons, are fixed; only the readout is
    fitted, in closed form: W = (H^T H + n p s I)^-1 H^T Y on centred features H and one-hot
    targets Y, with p the penalty and s the mean variance of a feature. It is the code that the
    tables run: with the readout of a table's row it gives that row's digits.

    Args:
        neurons: this and the other arguments as of `LSMEncoder`.
        readout: a classifier of the features; None: `RidgeReadout()`, which chooses its penalty
            on a sixth of the samples and then fits to all.

    Attributes:
        classes_: (classes,) labels, ascending.
        readout_: the fitted readout.
        reservoir_, sensor_, n_features_in_: as of `LSMEncoder`.

    Example:
        >>> import numpy as np
        >>> from lsm import LSMClassifier
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 80)  # 0: the first channels are busy, 1: the last
        >>> busy = np.where(np.arange(40) < 20, y[:, None] == 0, y[:, None] == 1)
        >>> X = rng.random((80, 25, 40)) < np.where(busy, 0.2, 0.05)[:, None]  # (n, T, C)
        >>> LSMClassifier().fit(X[:60], y[:60]).score(X[60:], y[60:]) > 0.9
        True
    """

    learned = (*LSMEncoder.learned, "classes_")

    def __init__(
        self,
        neurons: int = NMNIST.neurons,
        *,
        decay: float = NMNIST.decay,
        threshold: float = NMNIST.threshold,
        const: float = NMNIST.const,
        features: StateFeatures | None = None,
        chip: Chip | int = 0,
        read: ReadConfig | None = None,
        readout: ClassifierMixin | None = None,
        steps: int = NMNIST.steps,
        sensor: tuple[int, int, int] | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__(
            neurons,
            decay=decay,
            threshold=threshold,
            const=const,
            features=features,
            chip=chip,
            read=read,
            steps=steps,
            sensor=sensor,
            threads=threads,
        )
        self.readout = readout

    def fit(self, X: Spikes, y: np.ndarray) -> Self:
        """Draw the reservoir from the chip, and fit the readout.

        Args:
            X: spikes or events, see `LSMEncoder.fit`.
            y: (n,) labels.

        Raises:
            ValueError: spikes, events or labels that do not fit, no samples, or one class only.
        """
        if y is None:
            name = type(self).__name__
            raise UserError(f"{name} requires y to be passed, but the target y is None")
        y = column_or_1d(y, warn=True)
        trains = self._fit_liquid(X)
        if len(y) != len(trains):
            raise UserError(f"{len(trains)} samples and {len(y)} labels: expected one label each")
        readout = RidgeReadout() if self.readout is None else clone(self.readout)
        self.classes_ = check_classes(y, readout)
        # Read noise belongs to a place in a set: the samples to fit come first, as in the tables.
        order, _ = train_rows_first(len(y))
        encoded = self._encoded(trains.take(order), fitting=True)
        features = np.empty_like(encoded)
        features[order] = encoded
        self.readout_ = readout.fit(features, y)
        return self

    def fit_transform(self, X: Spikes, y: np.ndarray) -> np.ndarray:
        """`fit`, then `transform`."""
        return self.fit(X, y).transform(X)
