"""Sizes of the paper's networks (DEPLM, published code; table in its supplement).

A random network is a list of set abstractions. Only its sizes stand here, and how clouds are
sampled and grouped for it: the weights come from a `rram.Chip`, the arithmetic is in
`deplm.encoder`.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from deplm.points import (
    FARTHEST,
    Clouds,
    CloudSet,
    Grouping,
    NoiseKey,
    ball_query,
    farthest_point_sample,
    gather,
)
from rram.errors import UserError

PAIR_BYTES = 40  # of a centre and a point: differences, their squares, order, what is inside
GATHERED_BYTES = 16  # of a channel of a point or centre: float32, and three more for what follows


@dataclass(frozen=True)
class SetAbstraction:
    """Sample centres, group their neighbours, project, normalise, keep the maximum.

    Attributes:
        channels: outputs of the fixed random 1x1 layer.
        centres: how many points farthest-point sampling keeps; None: one group of all points.
        neighbours: points a group, padded with the first.
        radius: of the ball, in the unit of the coordinates.
    """

    channels: int
    centres: int | None = None
    neighbours: int | None = None
    radius: float | None = None

    def __post_init__(self) -> None:
        local = (self.centres, self.neighbours, self.radius)
        if None in local and local != (None, None, None):
            raise UserError(f"{self}: centres, neighbours and radius go together")
        if not all(size is None or 0 < size < np.inf for size in (self.channels, *local)):
            raise UserError(f"{self}: every size must be a number above 0")

    def group(self, points: torch.Tensor, start: torch.Tensor | None = None) -> Grouping | None:
        """Sample the centres and find their neighbours; None where all points are one group.

        Args:
            points: (B, N, 3) float32.
            start: (B,) index of the first centre; None: point 0.
        """
        if self.centres is None:
            return None
        centres = gather(points, farthest_point_sample(points, self.centres, start))
        return Grouping(centres, ball_query(points, centres, self.radius, self.neighbours))


class Batch(NamedTuple):
    """Clouds with what depends on their coordinates only, and the key of their read noise."""

    clouds: Clouds
    groupings: list[Grouping | None]
    noise_key: NoiseKey


class CloudNetwork:
    """Base of all networks on clouds.

    Attributes:
        features: values a point beside its three coordinates.
        abstractions: how clouds are sampled and grouped, from the first to the last.
        shapes: (inputs, outputs) of each fixed random layer, by the name of its block.
        width: features of one cloud, or of one point.
    """

    features: int
    abstractions: tuple[SetAbstraction, ...]
    shapes: dict[str, tuple[int, int]]
    width: int

    @property
    def fixed_weights(self) -> int:
        """Number of fixed random weights."""
        return sum(rows * columns for rows, columns in self.shapes.values())

    def bytes_a_cloud(self, points: int) -> int:
        """Memory in which a GPU groups and projects one cloud, its largest arrays.

        Args:
            points: of the cloud.
        """
        widest = max((outputs for _, outputs in self.shapes.values()), default=1)
        largest, before = points * widest * GATHERED_BYTES, points
        for layer in self.abstractions:
            centres = layer.centres or 1
            pairs = centres * before * PAIR_BYTES
            gathered = centres * widest * GATHERED_BYTES
            largest = max(largest, pairs + gathered + before * widest * GATHERED_BYTES)
            before = centres
        return largest

    def batch(
        self,
        source: CloudSet,
        indices: np.ndarray,
        device: torch.device | str = "cpu",
        rng: np.random.Generator | None = None,
    ) -> Batch:
        """Make the clouds `indices` of `source`, sampled and grouped for this network.

        Args:
            source: the set.
            indices: (B,) of its clouds.
            device: where the encoder computes.
            rng: of the samplings' first points in training; None: point 0, so that it repeats.

        Raises:
            UserError: clouds that do not fit, see `check`.
        """
        clouds = source.clouds(indices)
        self.check(clouds, f"{source.name} clouds {indices[0]} to {indices[-1]}")
        clouds = clouds.to(device)
        groupings = self.group(clouds.points, rng)
        return Batch(clouds, groupings, NoiseKey(source.name, tuple(indices)))

    def check(self, clouds: Clouds, name: str) -> None:
        """Refuse clouds that this network cannot take.

        Args:
            clouds: points and features.
            name: of the clouds, for the error.

        Raises:
            UserError: other shapes or types, values that are not finite, too few points, or
                points too far off for float32.
        """
        points, features = clouds
        shape = tuple(points.shape)
        if points.ndim != 3 or shape[-1] != 3 or points.dtype != torch.float32:
            raise UserError(f"{name}: points {shape} {points.dtype}, expected (B, N, 3) float32")
        if tuple(features.shape) != (*shape[:2], self.features) or features.dtype != points.dtype:
            raise UserError(
                f"{name}: features {tuple(features.shape)} {features.dtype}, "
                f"expected {(*shape[:2], self.features)} float32: {self.features} values a point"
            )
        if not (torch.isfinite(points).all() and torch.isfinite(features).all()):
            raise UserError(f"{name}: NaN or infinite values")
        wanted = self.abstractions[0].centres if self.abstractions else None
        if shape[1] < (wanted or 1):
            raise UserError(f"{name}: {shape[1]} points a cloud, this network needs {wanted or 1}")
        if (farthest := points.abs().max()) > FARTHEST:
            raise UserError(
                f"{name}: a coordinate of {farthest:.3g}: scale the clouds to about 1, "
                f"at most {FARTHEST:g}"
            )

    def group(
        self, points: torch.Tensor, rng: np.random.Generator | None = None
    ) -> list[Grouping | None]:
        """Groupings of every abstraction: each groups the centres of the one before.

        Args:
            points: (B, N, 3) float32.
            rng: of the samplings' first points; None: point 0.
        """
        groupings: list[Grouping | None] = []
        for layer in self.abstractions:
            start = None
            if rng is not None and layer.centres is not None:
                start = torch.from_numpy(rng.integers(points.shape[1], size=len(points)))
            groupings.append(grouping := layer.group(points, start))
            points = points if grouping is None else grouping.centres
        return groupings


@dataclass(frozen=True)
class PointNetwork(CloudNetwork):
    """A cascade of random set abstractions on points with `features` values each.

    Attributes:
        features: values a point beside its three coordinates.
        abstractions: from the first to the last.
        input_scale: scalar that multiplies the input of every random layer (code: starts at
            0.005; batch normalisation cancels it but for its epsilon).
    """

    features: int
    abstractions: tuple[SetAbstraction, ...]
    input_scale: float = 0.005

    def __post_init__(self) -> None:
        if self.features < 0 or not self.abstractions or not 0 < self.input_scale < np.inf:
            raise UserError(f"{self}: features from 0, an abstraction, an input scale above 0")
        centres = [layer.centres for layer in self.abstractions]
        if None in centres[:-1]:
            raise UserError(f"{self}: only the last abstraction can group all points")
        local = [count for count in centres if count is not None]
        if local != sorted(local, reverse=True):
            raise UserError(f"{self}: an abstraction cannot have more centres than the one before")

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each fixed random layer, by the name of its block."""
        widths = [self.features, *(layer.channels for layer in self.abstractions)]
        return {
            f"sa{n}": (3 + before, after) for n, (before, after) in enumerate(pairwise(widths), 1)
        }

    @property
    def width(self) -> int:
        """Features of one cloud."""
        return self.abstractions[-1].channels


FASHION_MNIST = PointNetwork(
    features=3,
    abstractions=(
        SetAbstraction(51, centres=512, neighbours=32, radius=0.15),
        SetAbstraction(102, centres=128, neighbours=64, radius=0.2),
        SetAbstraction(819),
    ),
)

DVS_GESTURE = PointNetwork(
    features=0,
    abstractions=(
        SetAbstraction(53, centres=256, neighbours=32, radius=0.18),
        SetAbstraction(107, centres=128, neighbours=64, radius=0.081),
        SetAbstraction(512),
    ),
)

SHAPENET_PART = PointNetwork(
    features=3,
    abstractions=(
        SetAbstraction(117, centres=512, neighbours=32, radius=0.1),
        SetAbstraction(80, centres=128, neighbours=64, radius=0.3),
        SetAbstraction(234),
    ),
)
