"""Images or clouds -> frozen random network of a chip -> readout -> labels."""

from typing import Self

import numpy as np
import torch
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from deplm.encoder import Encoder, FrozenEncoder, calibration_batches, encode_all
from deplm.estimators.inputs import (
    Samples,
    are_images,
    as_clouds,
    as_samples,
    default_network,
    values_a_point,
    warn_of_groups,
)
from deplm.layers import Norm
from deplm.network import CloudNetwork, PointNetwork, SetAbstraction
from deplm.plus import (
    DvsPlusEncoder,
    DvsPlusNetwork,
    ImagePlusEncoder,
    ImagePlusNetwork,
    Window,
)
from deplm.points import CloudSet
from deplm.segmentation import PartEncoder, PartNetwork
from harness.readouts.estimators import ReadoutClassifier, SavedEstimator, check_classes
from harness.readouts.model_file import Arrays
from harness.readouts.ridge import Readout, RidgeReadout
from harness.run.protocol import train_rows_first
from rram import Chip, ReadConfig, UserError

ENCODERS = {
    PointNetwork: FrozenEncoder,
    ImagePlusNetwork: ImagePlusEncoder,
    DvsPlusNetwork: DvsPlusEncoder,
    PartNetwork: PartEncoder,
}
CLASSIFYING = (PointNetwork, ImagePlusNetwork, DvsPlusNetwork)
CALIBRATION_CLOUDS = 1000  # as in the tables


class CloudEstimator(SavedEstimator):
    """Base of the estimators on clouds: a frozen random network on one chip, calibrated.

    Args and attributes as of `DEPLMClassifier`.
    """

    kinds = (*ENCODERS, SetAbstraction, Window)

    network: CloudNetwork | None
    chip: Chip | int
    read: ReadConfig | None
    calibration_clouds: int
    device: str

    def _calibrate(self, network: CloudNetwork, clouds: CloudSet) -> None:
        """Put the network on the chip, and take the batch-norm statistics of some clouds."""
        self.network_ = network
        self.encoder_ = self._encoder()
        batches = calibration_batches(clouds, network, self.calibration_clouds, self.device)
        warn_of_groups(network, batches)
        self.encoder_.calibrate(batches)

    def _learned_arrays(self) -> Arrays:
        return {
            f"norm/{layer.name}/{part}": values.cpu().numpy()
            for layer in self.encoder_.layers
            for part, values in layer.calibrated()._asdict().items()
        }

    def _restore(self, readouts: dict[str, Readout], arrays: Arrays) -> None:  # noqa: ARG002
        self.encoder_ = self._encoder()
        for layer in self.encoder_.layers:
            parts = (arrays[f"norm/{layer.name}/{part}"] for part in Norm._fields)
            layer.norm = Norm(*(torch.from_numpy(values).to(self.device) for values in parts))

    def _encoder(self) -> Encoder:
        chip = self.chip if isinstance(self.chip, Chip) else Chip(seed=self.chip)
        read = ReadConfig() if self.read is None else self.read
        return ENCODERS[type(self.network_)](self.network_, chip, read, self.device)


class DEPLMClassifier(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ReadoutClassifier, CloudEstimator
):
    """Deep extreme point learning machine: a frozen random network, and a readout of it.

    The features h(X) of a random network on one chip are fixed; only the readout is fitted, in
    closed form: W = (H^T H + n p s I)^-1 H^T Y on centred features H and one-hot targets Y, with
    p the penalty and s the mean variance of a feature. It is the code that the tables run: with
    the readout of a table's row it gives that row's digits.

    Args:
        network: None: the paper's network for images; for clouds one of as many channels, for
            shapes scaled to about 1. Or a network of your own: a `PointNetwork` (the paper's for
            gestures is `DVS_GESTURE`), `ImagePlusNetwork` or `DvsPlusNetwork`.
        chip: where the random weights come from: a chip, a measured one for instance, or the
            seed of one of the paper's kind.
        read: how it is read; None: without noise, analogue inputs.
        readout: a classifier of the features; None: `RidgeReadout()`, which chooses its penalty
            on a sixth of the samples and then fits to all.
        calibration_clouds: samples that give the batch-norm statistics of the frozen layers.
        device: where the network computes, "cpu" or "cuda".

    Attributes:
        classes_: (classes,) labels, ascending.
        network_: the network in use.
        encoder_: it on the chip, calibrated.
        readout_: the fitted readout.
        pixel_range_: intensities that are black and white, for images.
        n_features_in_: rows of an image, or values of a point.

    Example:
        >>> import numpy as np
        >>> from deplm import DEPLMClassifier
        >>> rng = np.random.default_rng(0)
        >>> y = rng.integers(0, 2, 60)  # 0: bright on the left, 1: bright on the right
        >>> X = rng.integers(0, 100, (60, 28, 28))
        >>> X[y == 0, :, :14] += 100
        >>> X[y == 1, :, 14:] += 100
        >>> DEPLMClassifier().fit(X[:40], y[:40]).score(X[40:], y[40:]) > 0.9
        True
    """

    learned = ("classes_", "network_", "n_features_in_", "pixel_range_")

    def __init__(
        self,
        network: CloudNetwork | None = None,
        *,
        chip: Chip | int = 0,
        read: ReadConfig | None = None,
        readout: ClassifierMixin | None = None,
        calibration_clouds: int = CALIBRATION_CLOUDS,
        device: str = "cpu",
    ) -> None:
        self.network = network
        self.chip = chip
        self.read = read
        self.readout = readout
        self.calibration_clouds = calibration_clouds
        self.device = device

    def fit(self, X: Samples, y: np.ndarray) -> Self:
        """Calibrate the frozen network, and fit the readout.

        Args:
            X: images (n, rows, columns), of whole numbers 0 to 255 or of any other range, which
                is then that of `X`; or clouds, an array (n, points, 3 + F) or a list of n arrays
                (points, 3 + F), coordinates first: for `DVS_GESTURE` events (t, x, y), each in 0
                to 1. F features a point, or none.
            y: (n,) labels.

        Raises:
            ValueError: input that does not fit, not finite, or of one class only.
        """
        if self.network is not None and type(self.network) not in CLASSIFYING:
            names = ", ".join(kind.__name__ for kind in CLASSIFYING)
            raise UserError(f"network {self.network!r}: expected None, or one of {names}")
        X, y = self._checked(X, y)
        self.n_features_in_ = self._features_in(X)
        readout = RidgeReadout() if self.readout is None else clone(self.readout)
        self.classes_ = check_classes(y, readout)
        network = default_network(X) if self.network is None else self.network
        self.pixel_range_ = _pixel_range(X)
        self._calibrate(network, self._clouds(X, network, "train"))
        # Read noise belongs to a place in a set: the samples to fit come first, as in the tables.
        order, _ = train_rows_first(len(y))
        in_order = X[order] if isinstance(X, np.ndarray) else [X[n] for n in order]
        features = np.empty((len(y), self.encoder_.width), np.float32)
        features[order] = self._encoded(self._clouds(in_order, network, "train"))
        self.readout_ = readout.fit(features, y)
        return self

    def transform(self, X: Samples) -> np.ndarray:
        """Features (n, D) float32 that the readout sees; X as of `fit`."""
        check_is_fitted(self, "readout_")
        X = self._checked(X)
        if (found := self._features_in(X)) != self.n_features_in_:
            raise UserError(
                f"X has {found} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input: rows of an image, or values of a point"
            )
        return self._encoded(self._clouds(X, self.network_, "test"))

    def _checked(self, X: Samples, *labels: np.ndarray) -> Samples | tuple[Samples, np.ndarray]:
        X = as_samples(X)
        if not isinstance(X, list):
            return validate_data(
                self, X, *labels, ensure_2d=False, allow_nd=True, reset=bool(labels)
            )
        if not labels:
            return X
        y = column_or_1d(labels[0], warn=True)
        check_consistent_length(X, y)
        return X, y

    def _features_in(self, X: Samples) -> int:
        columns = values_a_point(X)
        return X.shape[1] if are_images(X, self.network) else columns

    def _clouds(self, X: Samples, network: CloudNetwork, name: str) -> CloudSet:
        return as_clouds(X, network, name, self.pixel_range_)

    def _encoded(self, clouds: CloudSet) -> np.ndarray:
        return encode_all(clouds, [self.encoder_], device=self.device, label=clouds.name)[0]

    @property
    def _n_features_out(self) -> int:
        return self.encoder_.width

    def __sklearn_tags__(self):  # noqa: ANN204
        """Samples are matrices, one a row of X."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _pixel_range(X: Samples) -> tuple[float, float]:
    if isinstance(X, list) or (X.dtype.kind in "iu" and X.min() >= 0 and X.max() <= 255):
        return 0.0, 255.0
    return float(X.min()), float(X.max())
