"""What a user gives, as clouds for a network: images, an array of clouds, clouds of any lengths."""

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from deplm.network import FASHION_MNIST, Batch, CloudNetwork, PointNetwork, SetAbstraction
from deplm.points import ArrayClouds, Clouds, CloudSet, as_float32, image_points
from rram import UserError

Samples = np.ndarray | list[np.ndarray]  # (n, ...) of one shape, or n clouds of different lengths
ALONE = 0.5  # share of groups with a single point from which on a user is warned


class RaggedClouds(CloudSet):
    """Clouds of different numbers of points.

    A batch is filled up to its longest cloud by going through the others' points again. A point
    that is there twice is no new centre, comes after the points that fill a ball, and changes no
    maximum: the features are those of the cloud alone.

    Args:
        name: of the set.
        points: a cloud each, (N, 3).
        features: of its points, (N, F) each.
        categories: (clouds,) of shapes, for networks that see them.
    """

    def __init__(
        self,
        name: str,
        points: Sequence[np.ndarray],
        features: Sequence[np.ndarray],
        categories: np.ndarray | None = None,
    ) -> None:
        self.name, self.categories = name, categories
        self._points, self._features = points, features

    def __len__(self) -> int:
        return len(self._points)

    def clouds(self, indices: np.ndarray) -> Clouds:
        """The clouds `indices` (B,), each as long as the longest of them."""
        longest = max(len(self._points[n]) for n in indices)
        return Clouds(
            *(
                torch.from_numpy(
                    np.stack([values[n][np.arange(longest) % len(values[n])] for n in indices])
                )
                for values in (self._points, self._features)
            )
        )


def as_samples(X: Sequence | np.ndarray) -> Samples:
    """An array where all samples have one shape, else a list of arrays (N, columns).

    Raises:
        UserError: samples of different lengths that are no clouds of numbers, or of different
            numbers of columns; no samples.
    """
    if not isinstance(X, list | tuple):
        return X
    clouds = [np.asarray(sample) for sample in X]
    if len({cloud.shape for cloud in clouds}) <= 1:
        return np.array(clouds)
    for n, cloud in enumerate(clouds):
        if cloud.ndim != 2 or cloud.shape[1] < 3 or len(cloud) == 0:
            raise UserError(f"cloud {n} of shape {cloud.shape}: expected (points, 3 or more)")
        if cloud.shape[1] != clouds[0].shape[1]:
            raise UserError(
                f"cloud {n} has {cloud.shape[1]} values a point, cloud 0 {clouds[0].shape[1]}"
            )
        if not np.isfinite(as_float32(cloud, f"cloud {n}")).all():
            raise UserError(f"cloud {n}: NaN or infinite values")
    return clouds


def values_a_point(X: Samples) -> int:
    """Columns of the clouds, or of the images.

    Raises:
        UserError: an array that is neither.
    """
    if isinstance(X, list):
        return X[0].shape[1]
    if X.ndim != 3:
        raise UserError(
            f"X of shape {X.shape}: Reshape your data to (images, rows, columns) in grey, or "
            "(clouds, points, 3 or more)"
        )
    return X.shape[2]


def are_images(X: Samples, network: CloudNetwork | None) -> bool:
    """Whether samples are images: an array whose last axis is not that of the network's clouds."""
    columns = values_a_point(X)
    if network is None:
        return not isinstance(X, list) and columns != 3
    return not isinstance(X, list) and network.features == 3 and columns not in (3, 6)


def default_network(X: Samples) -> PointNetwork:
    """The paper's image network; for clouds its channels, for shapes scaled to about 1.

    Radii are those of PointNet++ for 1,024 points of such a shape, 0.2 and 0.4.
    """
    *local, last = FASHION_MNIST.abstractions
    if are_images(X, None):
        pixels = X.shape[1] * X.shape[2]
        return PointNetwork(3, (*fewer_centres(local, pixels), last))
    local = [replace(layer, radius=r) for layer, r in zip(local, (0.2, 0.4), strict=True)]
    local = fewer_centres(local, min(map(len, X)), usual=1024)
    return PointNetwork(max(3, values_a_point(X) - 3), (*local, last))


def fewer_centres(
    layers: Sequence[SetAbstraction], points: int, usual: int = 0
) -> list[SetAbstraction]:
    """Layers with no more centres than `points`.

    Args:
        layers: local ones.
        points: of the smallest cloud.
        usual: points of a surface that the radii are made for; of fewer, a ball as large as
            holds as many.
    """
    wider = max(1.0, usual / points) ** 0.5
    return [
        replace(layer, centres=min(layer.centres, points), radius=layer.radius * wider)
        for layer in layers
    ]


def as_clouds(
    X: Samples,
    network: CloudNetwork,
    name: str,
    pixel_range: tuple[float, float] = (0.0, 255.0),
    categories: np.ndarray | None = None,
) -> CloudSet:
    """Samples as clouds for a network.

    A point of a cloud has three coordinates, then its features; where there are none, and the
    network wants three, they are the coordinates once more, as in the paper.

    Args:
        X: the samples.
        network: that is to see them.
        name: of the set: "train" or "test".
        pixel_range: intensities that are black and white.
        categories: (n,) of the clouds.

    Raises:
        UserError: samples that do not fit the network.
    """
    if are_images(X, network):
        low, high = pixel_range
        if low == high:
            raise UserError(f"all pixels are {low:g}: nothing to tell images apart by")
        points = image_points(X, low, high)
        return ArrayClouds(name, points, points)
    columns, wanted = values_a_point(X), network.features
    if columns - 3 != wanted and not (columns == 3 and wanted == 3):
        shape = "points" if isinstance(X, list) else X.shape
        raise UserError(
            f"clouds {shape} with {columns} values a point: expected (clouds, points, "
            f"{3 + wanted}), 3 coordinates and {wanted} features"
        )
    _check_lengths(X, network)
    if isinstance(X, list):
        clouds = [as_float32(cloud, "clouds") for cloud in X]
        points = [np.ascontiguousarray(cloud[:, :3]) for cloud in clouds]
        features = [cloud[:, -wanted:] if wanted else cloud[:, :0] for cloud in clouds]
        return RaggedClouds(name, points, features, categories)
    features = X[..., -wanted:] if wanted else None
    return ArrayClouds(name, X[..., :3], features, categories=categories)


def _check_lengths(X: Samples, network: CloudNetwork) -> None:
    wanted = network.abstractions[0].centres if network.abstractions else None
    lengths = np.array([len(cloud) for cloud in X])
    if len(X) and lengths.min() < (wanted or 1):
        n = int(lengths.argmin())
        raise UserError(
            f"cloud {n} has {lengths[n]} points a cloud, this network needs {wanted}: the centres "
            "of its first layer; give more points, or a network of fewer centres"
        )


def warn_of_groups(network: CloudNetwork, batches: Sequence[Batch]) -> None:
    """Warn where the clouds' coordinates do not suit the radii of the network's groups.

    Args:
        network: with radii.
        batches: clouds, sampled and grouped for it.
    """
    points = [batch.clouds.points for batch in batches]
    span = float(np.mean([(p.amax(1) - p.amin(1)).amax(-1).mean().item() for p in points]))
    for depth, layer in enumerate(network.abstractions):
        if layer.centres is None:
            continue
        neighbours = [batch.groupings[depth].neighbours for batch in batches]
        alone = float(
            np.mean([(n == n[..., :1]).all(-1).float().mean().item() for n in neighbours])
        )
        what = f"layer {depth + 1}, radius {layer.radius:g}, clouds that span {span:.3g} on average"
        if np.mean(alone) > ALONE and layer.neighbours > 1:
            share = f"{np.mean(alone):.0%} of its groups hold a single point"
            _warn(f"{what}: {share}; make the clouds smaller")
        if depth == 0 and span < layer.radius:
            _warn(f"{what}: every group holds the same points; make the clouds larger")


def _warn(message: str) -> None:
    warnings.warn(f"{message}, or give a network of other radii", UserWarning, stacklevel=5)
