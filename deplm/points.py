"""Clouds of points: what a set of them is, and how they are sampled and grouped.

Sampling and grouping depend on coordinates only. All functions take float32 tensors with
coordinates last. On the CPU they run compiled (`deplm.kernels`); elsewhere, or with
`plain=True`, in plain torch with equal results.
"""

from typing import NamedTuple

import numpy as np
import torch

from deplm import kernels
from rram.errors import UserError
from rram.kernels import runs_compiled

FAR = 1e10  # larger than any squared distance
FARTHEST = 1e4  # largest coordinate; float32 has steps of 0.001 there, radii are about 0.1


class Clouds(NamedTuple):
    """A batch of clouds: points (B, N, 3) and features (B, N, F), float32; F may be 0."""

    points: torch.Tensor
    features: torch.Tensor

    def to(self, device: torch.device | str) -> "Clouds":
        """These clouds on `device`."""
        return Clouds(self.points.to(device), self.features.to(device))


class Grouping(NamedTuple):
    """What one set abstraction needs of the coordinates, for any chip and epoch.

    centres (B, S, 3) float32; neighbours (B, S, K) int32, indices into the points before.
    """

    centres: torch.Tensor
    neighbours: torch.Tensor


class NoiseKey(NamedTuple):
    """Names the read-noise streams of a batch: its set, and the clouds' indices in that set."""

    source: str
    indices: tuple[int, ...]


class CloudSet:
    """A set of clouds that are made batch by batch; subclass it for clouds of your own.

    Attributes:
        name: "train", "validation" or "test"; names the read-noise streams.
        batch_size: clouds encoded at a time: few enough that their projections stay in the
            processor's cache. Also the batch of read noise "per batch".
        redrawable: whether `redrawn` gives other points of the same clouds.
        categories: (clouds,) int64 where a network sees the category of a shape, else None.
    """

    name: str
    batch_size: int = 8
    redrawable: bool = False
    categories: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of clouds."""
        raise NotImplementedError

    def clouds(self, indices: np.ndarray) -> Clouds:
        """The clouds `indices` (B,) of the set."""
        raise NotImplementedError

    def redrawn(self, seed: int) -> "CloudSet":
        """This set with its points drawn anew from `seed`, where the set draws points."""
        raise UserError(f"clouds {self.name}: their points are not drawn, seed {seed} is not used")

    def in_batches(
        self, indices: np.ndarray | None = None, size: int | None = None
    ) -> list[np.ndarray]:
        """Clouds `indices`, default all, in batches of nearly equal size.

        Args:
            indices: of clouds.
            size: clouds of a batch at most; default `batch_size`.
        """
        indices = np.arange(len(self)) if indices is None else indices
        return np.array_split(indices, -(-len(indices) // (size or self.batch_size)))


class ArrayClouds(CloudSet):
    """Clouds that lie in memory as arrays: the shortest way to clouds of your own.

    Args:
        name: of the set: "train", "validation" or "test".
        points: (clouds, N, 3) coordinates.
        features: (clouds, N, F) of the points; None: none.
        labels: (clouds,) classes, where there are any.
        categories: (clouds,) of shapes, for networks that see them.

    Raises:
        UserError: arrays of other shapes, or of values that are no numbers.
    """

    def __init__(
        self,
        name: str,
        points: np.ndarray,
        features: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        categories: np.ndarray | None = None,
    ) -> None:
        points = as_float32(points, f"{name} points")
        features = points[..., :0] if features is None else as_float32(features, "features")
        if points.ndim != 3 or points.shape[-1] != 3:
            raise UserError(f"{name} points {points.shape}: expected (clouds, points, 3)")
        if features.ndim != 3 or features.shape[:2] != points.shape[:2]:
            raise UserError(f"{name} features {features.shape} do not fit points {points.shape}")
        for what, values in (("labels", labels), ("categories", categories)):
            if values is not None and len(values) != len(points):
                raise UserError(f"{name}: {len(values)} {what} of {len(points)} clouds")
        self.name, self.labels, self.categories = name, labels, categories
        self._points, self._features = torch.from_numpy(points), torch.from_numpy(features)

    def __len__(self) -> int:
        return len(self._points)

    def clouds(self, indices: np.ndarray) -> Clouds:
        """The clouds `indices` (B,)."""
        return Clouds(self._points[indices], self._features[indices])


def as_float32(values: np.ndarray, what: str) -> np.ndarray:
    """An array of numbers as float32; `what` names it in the error."""
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        raise UserError(f"{what} of {values.dtype}: expected numbers")
    return np.ascontiguousarray(values, dtype=np.float32)


def image_points(images: np.ndarray, low: float = 0.0, high: float = 255.0) -> np.ndarray:
    """Images as point sets, a point (intensity, x, y) for every pixel (DEPLM, code).

    Args:
        images: (n, rows, columns).
        low: intensity that becomes -1.
        high: intensity that becomes 1.

    Returns:
        (n, rows columns, 3) float32; x is column / columns - 0.5, y is row / rows - 0.5.
    """
    count, rows, columns = images.shape
    x = np.arange(columns, dtype=np.float32) / columns - np.float32(0.5)
    y = np.arange(rows, dtype=np.float32) / rows - np.float32(0.5)
    points = np.empty((count, rows * columns, 3), np.float32)
    half = np.float32((high - low) / 2)
    points[..., 0] = (images.reshape(count, -1).astype(np.float32) - np.float32(low)) / half - 1
    points[..., 1:] = np.stack([np.tile(x, rows), np.repeat(y, columns)], -1)
    return points


def farthest_point_sample(
    points: torch.Tensor, count: int, start: torch.Tensor | None = None, *, plain: bool = False
) -> torch.Tensor:
    """Choose `count` points, each the farthest from those before it (PointNet++).

    Args:
        points: (B, N, 3).
        count: how many; at most N are different.
        start: (B,) index of the first one. Default 0, so that evaluation repeats; the paper
            starts at random in training.
        plain: use torch on the CPU too.

    Returns:
        (B, count) int32 indices; of equally far points the one with the lowest index.
    """
    _check(points)
    if start is None:
        start = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    chosen = torch.empty(len(points), count, dtype=torch.int32, device=points.device)
    if not plain and runs_compiled(points):
        kernels.farthest_points(points.numpy(), start.numpy(), chosen.numpy())
        return chosen
    nearest = torch.full(points.shape[:2], FAR, device=points.device)
    rows = torch.arange(len(points), device=points.device)
    centre = start
    for m in range(count):
        chosen[:, m] = centre
        distance = _squared_distance(points, points[rows, centre][:, None])
        nearest = torch.minimum(nearest, distance)
        centre = nearest.argmax(1)
    return chosen


def ball_query(
    points: torch.Tensor,
    centres: torch.Tensor,
    radius: float,
    count: int,
    *,
    plain: bool = False,
) -> torch.Tensor:
    """The first `count` points, in index order, inside the ball around each centre.

    Args:
        points: (B, N, 3).
        centres: (B, S, 3).
        radius: of the ball, in the unit of the coordinates; its surface is inside.
        count: neighbours a centre; too few are padded with the first.
        plain: use torch on the CPU too.

    Returns:
        (B, S, count) int32 indices into the points.

    Raises:
        UserError: no point lies inside a ball.
    """
    _check(points)
    _check(centres)
    limit = torch.tensor(radius, dtype=torch.float32).square().item()
    if not plain and runs_compiled(points):
        neighbours = torch.empty(*centres.shape[:2], count, dtype=torch.int32)
        kernels.ball_neighbours(
            points.numpy(), centres.numpy(), np.float32(limit), neighbours.numpy()
        )
        _check_filled(neighbours[..., 0] >= 0, radius)
        return neighbours
    inside = _squared_distance(points[:, None], centres[:, :, None]) <= limit
    total = points.shape[1]
    order = torch.arange(total, device=points.device, dtype=torch.int32)
    order = torch.where(inside, order, total)
    neighbours = order.topk(min(count, total), largest=False, sorted=True).values
    if count > total:
        neighbours = torch.nn.functional.pad(neighbours, (0, count - total), value=total)
    _check_filled(neighbours[..., 0] < total, radius)
    return torch.where(neighbours == total, neighbours[..., :1], neighbours)


def three_nearest(
    points: torch.Tensor, known: torch.Tensor, *, plain: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """The three nearest of `known` (B, S, 3), S >= 3, to each of `points` (B, N, 3).

    Returns:
        Indices (B, N, 3) int32, nearest first, lower index first among equals; squared
        distances (B, N, 3).
    """
    _check(points)
    _check(known)
    if known.shape[1] < 3:
        raise UserError(f"three nearest of {known.shape[1]} points: there must be 3 or more")
    if not plain and runs_compiled(points):
        index = torch.empty(*points.shape[:2], 3, dtype=torch.int32)
        squared = torch.empty(*points.shape[:2], 3)
        kernels.three_nearest(points.numpy(), known.numpy(), index.numpy(), squared.numpy())
        return index, squared
    distance = _squared_distance(known[:, None], points[:, :, None])
    squared, index = distance.sort(dim=-1, stable=True)
    return index[..., :3].to(torch.int32), squared[..., :3].contiguous()


def gather(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """values (B, N, C) at index (B, ...) -> (B, ..., C)."""
    flat = index.reshape(len(index), -1, 1).long().expand(-1, -1, values.shape[-1])
    return values.gather(1, flat).reshape(*index.shape, values.shape[-1])


def _squared_distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    # Written out, and not as a sum over an axis, to fix the order of the additions.
    dx, dy, dz = (a - b).unbind(-1)
    return dx * dx + dy * dy + dz * dz


def _check_filled(filled: torch.Tensor, radius: float) -> None:
    if not filled.all():
        cloud, centre = (~filled).nonzero()[0].tolist()
        raise UserError(
            f"ball query: no point within {radius:g} of centre {centre} of cloud {cloud}; "
            "take centres among the points, or a larger radius"
        )


def _check(points: torch.Tensor) -> None:
    if points.ndim != 3 or points.shape[-1] != 3 or points.dtype != torch.float32:
        raise UserError(
            f"points {tuple(points.shape)} of {points.dtype}: expected (clouds, points, 3) float32"
        )
    if points.shape[1] == 0:
        raise UserError(f"points {tuple(points.shape)}: a cloud without points")
