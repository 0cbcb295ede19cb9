"""DEPLM on arrays of your own, in scikit-learn's conventions."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from deplm.encoder import FrozenEncoder, calibration_batches, encode_all
from deplm.network import DVS_GESTURE, FASHION_MNIST, PointNetwork
from deplm.plus import DvsPlusEncoder, DvsPlusNetwork, ImagePlusEncoder, ImagePlusNetwork
from deplm.points import ArrayClouds, image_points
from harness.readout import RIDGE_PENALTIES, RidgeReadout
from rram import Chip, ReadConfig, UserError

NETWORKS = {"image": FASHION_MNIST, "dvs": DVS_GESTURE}
ENCODERS = {
    PointNetwork: FrozenEncoder,
    ImagePlusNetwork: ImagePlusEncoder,
    DvsPlusNetwork: DvsPlusEncoder,
}


class DeplmClassifier(ClassifierMixin, BaseEstimator):
    """Deep extreme point learning machine: a frozen random network, and a ridge readout of it.

    The features h(X) of a random network on one chip are fixed; only the readout is fitted, in
    closed form: W = (H^T H + n p s I)^-1 H^T Y on centred features H and one-hot targets Y, with
    p the penalty and s the mean variance of a feature.

    Args:
        network: "image", the paper's network for images of at least 512 pixels; "dvs", its
            network for clouds of at least 256 events; or a network of your own, a `PointNetwork`,
            `ImagePlusNetwork` or `DvsPlusNetwork`.
        chip_seed: which chip the random weights come from, instead of `chip`.
        chip: a chip of your own, a measured one for instance.
        read_config: how it is read; None: without noise, analogue inputs.
        penalty: p of the ridge readout; None: the best of `harness.readout.RIDGE_PENALTIES` on
            `validation_fraction` of the samples, which are then fitted too.
        validation_fraction: part of the samples on which the penalty is chosen.
        calibration_clouds: samples that give the batch-norm statistics of the frozen layers.
        device: where the network computes, "cpu" or "cuda".

    Attributes:
        classes_: (classes,) labels, ascending.
        encoder_: the frozen network, calibrated.
        readout_: the fitted `RidgeReadout`.
        penalty_: its penalty.
        pixel_range_: intensities that are black and white, for images.
        n_features_in_: rows of an image, or points of a cloud.

    Example:
        >>> import numpy as np
        >>> from deplm import DeplmClassifier
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 60)  # 0: bright on the left, 1: bright on the right
        >>> X = rng.integers(0, 100, (60, 28, 28))
        >>> X[y == 0, :, :14] += 100
        >>> X[y == 1, :, 14:] += 100
        >>> DeplmClassifier(penalty=1e-3).fit(X[:40], y[:40]).score(X[40:], y[40:]) > 0.9
        True
    """

    def __init__(
        self,
        network: str | PointNetwork | ImagePlusNetwork | DvsPlusNetwork = "image",
        *,
        chip_seed: int = 0,
        chip: Chip | None = None,
        read_config: ReadConfig | None = None,
        penalty: float | None = None,
        validation_fraction: float = 0.1,
        calibration_clouds: int = 512,
        device: str = "cpu",
    ) -> None:
        self.network = network
        self.chip_seed = chip_seed
        self.chip = chip
        self.read_config = read_config
        self.penalty = penalty
        self.validation_fraction = validation_fraction
        self.calibration_clouds = calibration_clouds
        self.device = device

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Calibrate the frozen network, and fit the readout.

        Args:
            X: images (n, rows, columns), of whole numbers 0 to 255 or of any other range, which
                is then that of `X`; or clouds (n, points, 3 + F), coordinates first: for "dvs"
                events (t, x, y), each in 0 to 1.
            y: (n,) labels.

        Raises:
            ValueError: input that does not fit, not finite, or of one class only.
        """
        X, y = validate_data(self, X, y, ensure_2d=False, allow_nd=True)
        self.n_features_in_ = _rows_of_a_sample(X)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise UserError(f"all samples are of one class, {self.classes_[0]}: two are needed")
        if self.penalty is not None and not 0 < self.penalty < np.inf:
            raise UserError(f"penalty is {self.penalty}: it must be above 0, or none")
        if not 0 < self.validation_fraction < 1:
            raise UserError(f"validation_fraction is {self.validation_fraction}: above 0, below 1")
        self.pixel_range_ = (0.0, 255.0)
        if X.dtype.kind not in "iu" or X.min() < 0 or X.max() > 255:
            self.pixel_range_ = float(X.min()), float(X.max())
        clouds = self._clouds(X, "train")
        self._calibrate(clouds)
        self._fit_readout(encode_all(clouds, [self.encoder_], device=self.device)[0], labels)
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Scores (n, classes), or (n,) of the second of two classes; X as of `fit`."""
        check_is_fitted(self)
        X = validate_data(self, X, ensure_2d=False, allow_nd=True, reset=False)
        if (rows := _rows_of_a_sample(X)) != self.n_features_in_:
            raise UserError(
                f"X has {rows} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input: rows or points of a sample"
            )
        features = encode_all(self._clouds(X, "test"), [self.encoder_], device=self.device)[0]
        return self.readout_.decision_function(features)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Labels (n,); X as of `fit`."""
        scores = self.decision_function(X)
        chosen = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)
        return self.classes_[chosen]

    def _network(self) -> PointNetwork | ImagePlusNetwork | DvsPlusNetwork:
        network = NETWORKS.get(self.network) if isinstance(self.network, str) else self.network
        if type(network) not in ENCODERS:
            raise UserError(f"network {self.network!r}: 'image', 'dvs', or one of your own")
        return network

    def _clouds(self, X: np.ndarray, name: str) -> ArrayClouds:
        """The samples as clouds for the network."""
        if self.network == "image" or isinstance(self.network, ImagePlusNetwork):
            if X.ndim != 3:
                raise UserError(f"images of shape {X.shape}: expected (images, rows, columns)")
            low, high = self.pixel_range_
            if low == high:
                raise UserError(f"all pixels are {low:g}: nothing to tell images apart by")
            points = image_points(X, low, high)
            return ArrayClouds(name, points, points)
        width = 3 + self._network().features
        if X.ndim != 3 or X.shape[2] != width:
            raise UserError(f"clouds of shape {X.shape}: expected (clouds, points, {width})")
        return ArrayClouds(name, X[..., :3], X[..., 3:])

    def _calibrate(self, clouds: ArrayClouds) -> None:
        network = self._network()
        chip = Chip(seed=self.chip_seed) if self.chip is None else self.chip
        read_config = ReadConfig() if self.read_config is None else self.read_config
        self.encoder_ = ENCODERS[type(network)](network, chip, read_config, self.device)
        batches = calibration_batches(clouds, network, self.calibration_clouds, self.device)
        self.encoder_.calibrate(batches)

    def _fit_readout(self, features: np.ndarray, labels: np.ndarray) -> None:
        penalties = RIDGE_PENALTIES if self.penalty is None else (self.penalty,)
        self.readout_ = RidgeReadout(len(self.classes_), penalties)
        if self.penalty is not None:
            self.readout_.partial_fit(features, labels).solve(self.penalty)
        else:
            order = np.random.default_rng(0).permutation(len(labels))
            count = max(1, round(self.validation_fraction * len(labels)))
            validation, rest = order[:count], order[count:]
            self.readout_.partial_fit(features[rest], labels[rest])
            self.readout_.choose_penalty([(features[validation], labels[validation])])
        self.penalty_ = self.readout_.penalty_

    def __sklearn_tags__(self):  # noqa: ANN204
        """Samples are matrices, one a row of X."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def _rows_of_a_sample(X: np.ndarray) -> int:
    if X.ndim < 2:
        raise UserError(f"X of shape {X.shape}: Reshape your data to a matrix for every sample")
    return X.shape[1]
