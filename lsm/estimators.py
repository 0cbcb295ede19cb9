"""The liquid state machine on spikes of your own, in scikit-learn's conventions."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from harness.readout import RIDGE_PENALTIES, RidgeReadout
from lsm.encode import StateFeatures, encode
from lsm.reservoir import NMNIST, Reservoir, ReservoirSpec, from_chip
from lsm.spikes import SpikeTrains
from rram import LSM_40NM, Chip, ReadConfig, UserError

FIT_NOISE, PREDICT_NOISE = 0, 1  # seeds of the read noise


class LiquidClassifier(ClassifierMixin, BaseEstimator):
    """Liquid state machine: a fixed random reservoir on one chip, and a ridge readout of it.

    The features h(X), by default the firing rates of the neurons, are fixed; only the readout is
    fitted, in closed form: W = (H^T H + n p s I)^-1 H^T Y on centred features H and one-hot
    targets Y, with p the penalty and s the mean variance of a feature. The reservoir's equation
    is in `lsm.Reservoir`; the defaults are the LSM paper's for N-MNIST.

    Args:
        neurons: of the reservoir.
        decay: d, what is left of a membrane after a step.
        threshold: Vth, in membrane units.
        const: scale of the weights, membrane units per uS. Where nothing fires, raise it.
        features: what is read from the neurons; None: firing rates over the whole time.
        chip_seed: which chip the random weights come from, instead of `chip`.
        chip: a chip of your own; its weights are scaled to the spread of the paper's.
        read_config: how it is read; None: without noise.
        penalty: p of the ridge readout; None: the best of `harness.readout.RIDGE_PENALTIES` on
            a sixth of the samples, which are then fitted too.
        threads: of the reservoir; None: all that the process may use.

    Attributes:
        classes_: (classes,) labels, ascending.
        reservoir_: the liquid.
        readout_: the fitted `RidgeReadout`.
        n_features_in_: channels.

    Example:
        >>> import numpy as np
        >>> from lsm import LiquidClassifier
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 80)  # 0: the first channels are busy, 1: the last
        >>> busy = np.where(np.arange(40) < 20, y[:, None] == 0, y[:, None] == 1)
        >>> X = rng.random((80, 25, 40)) < np.where(busy, 0.2, 0.05)[:, None]  # (n, T, C)
        >>> LiquidClassifier().fit(X[:60], y[:60]).score(X[60:], y[60:]) > 0.9
        True
    """

    def __init__(
        self,
        neurons: int = NMNIST.neurons,
        *,
        decay: float = NMNIST.decay,
        threshold: float = NMNIST.threshold,
        const: float = NMNIST.const,
        features: StateFeatures | None = None,
        chip_seed: int = 0,
        chip: Chip | None = None,
        read_config: ReadConfig | None = None,
        penalty: float | None = None,
        threads: int | None = None,
    ) -> None:
        self.neurons = neurons
        self.decay = decay
        self.threshold = threshold
        self.const = const
        self.features = features
        self.chip_seed = chip_seed
        self.chip = chip
        self.read_config = read_config
        self.penalty = penalty
        self.threads = threads

    def fit(self, X: np.ndarray | SpikeTrains, y: np.ndarray) -> Self:
        """Draw the reservoir from the chip, and fit the readout.

        Args:
            X: spikes of 0 and 1, (n, T, C) samples, steps, channels; or `SpikeTrains`.
            y: (n,) labels.

        Raises:
            ValueError: spikes or labels that do not fit, no samples, or one class only.
        """
        trains = _trains(X)
        if y is None:
            raise UserError("LiquidClassifier requires y to be passed, but the target y is None")
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if len(y) != len(trains):
            raise UserError(f"{len(trains)} samples and {len(y)} labels")
        if len(np.unique(y)) < 2:
            raise UserError(f"all {len(y)} samples are of one class: two are needed")
        if self.penalty is not None and not 0 < self.penalty < np.inf:
            raise UserError(f"penalty is {self.penalty}: it must be above 0, or none")
        self.n_features_in_ = trains.inputs
        self.reservoir_ = self._reservoir(trains)
        penalties = RIDGE_PENALTIES if self.penalty is None else (self.penalty,)
        self.readout_ = RidgeReadout(penalties=penalties)
        self.readout_.fit(self._encoded(trains, FIT_NOISE), y)
        self.classes_ = self.readout_.classes_
        return self

    def decision_function(self, X: np.ndarray | SpikeTrains) -> np.ndarray:
        """Scores (n, classes), or (n,) of the second of two classes; X as of `fit`."""
        features = self._features_of(X)
        return self.readout_.decision_function(features)

    def predict(self, X: np.ndarray | SpikeTrains) -> np.ndarray:
        """Labels (n,); X as of `fit`."""
        features = self._features_of(X)
        return self.readout_.predict(features)

    def _reservoir(self, trains: SpikeTrains) -> Reservoir:
        spec = ReservoirSpec(
            trains.inputs, self.neurons, self.decay, self.threshold, self.const, trains.steps
        )
        own = self.chip is not None
        chip = self.chip if own else Chip(LSM_40NM, self.chip_seed, sparsity=0.0)
        read_config = ReadConfig() if self.read_config is None else self.read_config
        return from_chip(spec, chip, read_config, match_std=own)

    def _features_of(self, X: np.ndarray | SpikeTrains) -> np.ndarray:
        check_is_fitted(self)
        trains, spec = _trains(X), self.reservoir_.spec
        if (trains.steps, trains.inputs) != (spec.steps, spec.inputs):
            raise UserError(
                f"X has {trains.steps} steps and {trains.inputs} channels, but LiquidClassifier "
                f"is expecting {spec.steps} and {spec.inputs} features as input"
            )
        return self._encoded(trains, PREDICT_NOISE)

    def _encoded(self, trains: SpikeTrains, seed: int) -> np.ndarray:
        features = StateFeatures() if self.features is None else self.features
        return encode(trains, self.reservoir_, features, seed=seed, threads=self.threads)

    def __sklearn_tags__(self):  # noqa: ANN204
        """Samples are matrices of steps and channels."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def _trains(X: np.ndarray | SpikeTrains) -> SpikeTrains:
    if not isinstance(X, SpikeTrains):
        X = np.asarray(X)
        if X.ndim != 3:
            raise UserError(
                f"X of shape {X.shape}: Reshape your data to (samples, steps, channels)"
            )
        X = SpikeTrains.from_dense(X.transpose(1, 0, 2))
    if len(X) == 0:
        raise UserError("0 samples: a minimum of 1 is required")
    return X
