"""Clouds -> frozen random network of a chip, back to every point -> readout -> labels of points."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from deplm.encoder import encode
from deplm.estimators.classifier import CALIBRATION_CLOUDS, CloudEstimator
from deplm.estimators.inputs import (
    Samples,
    as_clouds,
    as_samples,
    fewer_centres,
    values_a_point,
)
from deplm.network import PointNetwork
from deplm.segmentation import PART_NETWORK, PartNetwork
from harness.readouts.model_file import Arrays
from harness.readouts.ridge import Readout, RidgeReadout, Rows
from harness.run.protocol import train_rows_first
from rram import Chip, ReadConfig, UserError

PENALTIES = tuple(10.0**e for e in (-9, -8, -7, -6, -5, -4, -3, -2))


class DEPLMSegmenter(CloudEstimator):
    """Deep extreme point learning machine for parts: a frozen random network, a ridge on points.

    The network gives every point features; only a `RidgeReadout` of them is fitted, from sums
    over all points, so that memory does not grow with the clouds. Where the category of a cloud
    is known (chair, plane), there is a readout for every category, among its parts only.

    Args:
        network: None: the paper's for ShapeNet-part, for shapes scaled to about 1; of fewer
            points with fewer centres and wider balls; without `categories` not seeing them.
        chip: see `DEPLMClassifier`.
        read: how it is read; None: without noise, analogue inputs.
        readout: None: `RidgeReadout` with the tables' penalties; the best is chosen on a sixth
            of the clouds, by the points that are right, and it is then fitted to all.
        calibration_clouds: clouds that give the batch-norm statistics of the frozen layers.
        device: where the network computes, "cpu" or "cuda".

    Attributes:
        classes_: (classes,) labels of points, ascending.
        network_: the network in use.
        encoder_: it on the chip, calibrated.
        readouts_: the fitted readouts by category; without categories by 0.
        n_features_in_: values of a point.

    Example:
        >>> import numpy as np
        >>> from deplm import DEPLMSegmenter
        >>> rng = np.random.default_rng(0)
        >>> X = [rng.uniform(-1, 1, (n, 3)) for n in (90, 100, 110, 120, 100, 100)]
        >>> y = [cloud[:, 2] > 0.2 for cloud in X]  # the upper part
        >>> DEPLMSegmenter().fit(X[:4], y[:4]).score(X[4:], y[4:]) > 0.8
        True
    """

    learned = ("classes_", "network_", "n_features_in_")

    def __init__(
        self,
        network: PartNetwork | None = None,
        *,
        chip: Chip | int = 0,
        read: ReadConfig | None = None,
        readout: RidgeReadout | None = None,
        calibration_clouds: int = CALIBRATION_CLOUDS,
        device: str = "cpu",
    ) -> None:
        self.network = network
        self.chip = chip
        self.read = read
        self.readout = readout
        self.calibration_clouds = calibration_clouds
        self.device = device

    def fit(
        self, X: Samples, y: Sequence[np.ndarray], categories: np.ndarray | None = None
    ) -> Self:
        """Calibrate the frozen network, and fit the readouts.

        Args:
            X: clouds, an array (n, points, 3 + F) or a list of n arrays (points, 3 + F).
            y: labels of the points: (n, points), or a list of n arrays (points,).
            categories: (n,) whole numbers from 0, what each cloud shows.

        Raises:
            ValueError: clouds or labels that do not fit, or a category with a single cloud.
        """
        X = self._checked(X)
        labels = [np.asarray(row) for row in y]
        check_consistent_length(X, labels)
        for n, (cloud, row) in enumerate(zip(X, labels, strict=True)):
            if row.shape != (len(cloud),):
                raise UserError(f"cloud {n}: labels of shape {row.shape}, {len(cloud)} points")
        self.n_features_in_ = values_a_point(X)
        self.classes_ = np.unique(np.concatenate(labels))
        kinds = self._kinds(X, categories)
        network = self._network(X, categories)
        self._calibrate(network, as_clouds(X, network, "train", categories=kinds))
        self.readouts_ = {
            int(kind): self._fitted(X, labels, kinds, np.flatnonzero(kinds == kind))
            for kind in np.unique(kinds)
        }
        return self

    def predict(self, X: Samples, categories: np.ndarray | None = None) -> Samples:
        """Labels of the points, an array where X is one, else a list; see `fit`."""
        check_is_fitted(self)
        X = self._checked(X)
        if (found := values_a_point(X)) != self.n_features_in_:
            raise UserError(f"{found} values a point, expected {self.n_features_in_} as in fit")
        kinds = self._kinds(X, categories)
        if strange := sorted(set(kinds.tolist()) - set(self.readouts_)):
            raise UserError(f"category {strange[0]}: expected one of {sorted(self.readouts_)}")
        clouds = as_clouds(X, self.network_, "test", categories=kinds)
        predicted = []
        for indices, (features,) in encode(clouds, [self.encoder_], device=self.device):
            for n, rows in zip(indices, features, strict=True):
                predicted.append(self.readouts_[int(kinds[n])].predict(rows[: len(X[n])]))
        return predicted if isinstance(X, list) else np.array(predicted)

    def score(
        self, X: Samples, y: Sequence[np.ndarray], categories: np.ndarray | None = None
    ) -> float:
        """Share of the points of all clouds that get their label; arguments as of `fit`."""
        predicted = self.predict(X, categories)
        return float(np.mean(np.concatenate(list(predicted)) == np.concatenate(list(y))))

    def _fitted_readouts(self) -> dict[str, Readout]:
        return {f"readout {kind}": readout for kind, readout in self.readouts_.items()}

    def _restore(self, readouts: dict[str, Readout], arrays: Arrays) -> None:
        super()._restore(readouts, arrays)
        self.readouts_ = {int(name.split()[1]): readout for name, readout in readouts.items()}

    def _fitted(
        self, X: Samples, labels: list[np.ndarray], kinds: np.ndarray, clouds: np.ndarray
    ) -> RidgeReadout:
        """The readout of the clouds of one category, from three passes over their points."""
        if len(clouds) < 2:
            raise UserError(f"category {kinds[clouds[0]]} has 1 cloud: expected 2 or more of each")
        order, fitted = train_rows_first(len(clouds))
        readout = RidgeReadout(penalties=PENALTIES) if self.readout is None else clone(self.readout)
        parts = np.unique(np.concatenate([labels[n] for n in clouds]))
        for features, of_points in self._points(X, labels, kinds, clouds[order[:fitted]], "train"):
            readout.partial_fit(features, of_points, classes=parts)
        validation = clouds[order[fitted:]]
        return readout.choose_penalty(self._points(X, labels, kinds, validation, "validation"))

    def _points(
        self,
        X: Samples,
        labels: list[np.ndarray],
        kinds: np.ndarray,
        chosen: np.ndarray,
        name: str,
    ) -> Iterator[Rows]:
        """Features and labels of the points of some clouds, cloud by cloud."""
        some = [X[n] for n in chosen]
        samples = some if isinstance(X, list) else np.array(some)
        clouds = as_clouds(samples, self.network_, name, categories=kinds[chosen])
        for indices, (features,) in encode(clouds, [self.encoder_], device=self.device, label=name):
            for n, rows in zip(indices, features, strict=True):
                of_points = labels[chosen[n]]
                yield rows[: len(of_points)], of_points

    def _checked(self, X: Samples) -> Samples:
        X = as_samples(X)
        if isinstance(X, list):
            return X
        return validate_data(self, X, ensure_2d=False, allow_nd=True, reset=False)

    def _kinds(self, X: Samples, categories: np.ndarray | None) -> np.ndarray:
        if categories is None:
            return np.zeros(len(X), np.int64)
        kinds = np.asarray(categories)
        if kinds.shape != (len(X),) or kinds.dtype.kind not in "iu" or kinds.min() < 0:
            raise UserError(
                f"categories {kinds.shape} of {kinds.dtype}: expected {(len(X),)} of whole numbers "
                "from 0"
            )
        return kinds.astype(np.int64)

    def _network(self, X: Samples, categories: np.ndarray | None) -> PartNetwork:
        if self.network is not None:
            if not isinstance(self.network, PartNetwork):
                raise UserError(f"network {self.network!r}: expected None or a PartNetwork")
            return self.network
        points, (*local, last) = min(map(len, X)), PART_NETWORK.abstractions
        local = fewer_centres(local, points, usual=2048)
        encoder = PointNetwork(max(3, values_a_point(X) - 3), (*local, last))
        kinds = 0 if categories is None else int(np.max(categories)) + 1
        return replace(PART_NETWORK, encoder=encoder, categories=kinds)
