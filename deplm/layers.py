"""Fixed random layers on points: project, group, normalise, keep the maximum.

Batch normalisation has no trained affine here, so its scale is positive and it commutes with
the maximum over the neighbours. Without per-product effects the layer therefore projects every
point once, takes the maximum over the neighbours' projections, and subtracts the projection of
the centre: W [p - c, f] = W [p, f] - W_xyz c.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch

from deplm import kernels
from deplm.points import Grouping, NoiseKey, gather
from deplm.products import product_currents
from deplm.project import project
from rram import Chip, Crossbar, Pair
from rram.crossbar import ReadConfig
from rram.errors import UserError

NORM_EPSILON = 1e-5


class Moments(NamedTuple):
    """Sums over rows, (C,) float64, from which batch-norm statistics follow."""

    count: int
    total: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, rows: torch.Tensor) -> "Moments":
        """Moments of rows (..., C)."""
        rows = rows.flatten(0, -2)
        total, squares = (x.sum(0, dtype=torch.float64) for x in (rows, rows.square()))
        return cls(len(rows), total.cpu().numpy(), squares.cpu().numpy())

    @property
    def mean(self) -> np.ndarray:
        """Mean over the rows, (C,)."""
        return self.total / self.count

    @property
    def variance(self) -> np.ndarray:
        """Variance over the rows, (C,)."""
        return np.maximum(self.squares / self.count - self.mean**2, 0)

    @classmethod
    def added(cls, parts: "Iterable[Moments]") -> "Moments":
        """Moments of all rows of all parts."""
        return cls(*(sum(values) for values in zip(*parts, strict=True)))


class Norm(NamedTuple):
    """Batch normalisation as an affine map: x * scale + shift, each (C,)."""

    scale: torch.Tensor
    shift: torch.Tensor

    @classmethod
    def of(cls, mean: np.ndarray, variance: np.ndarray, device: torch.device | str) -> "Norm":
        """The map that takes `mean` and `variance`, each (C,), to 0 and 1."""
        scale = 1 / np.sqrt(variance + NORM_EPSILON)
        parts = (scale, -mean * scale)
        return cls(*(torch.tensor(x, dtype=torch.float32).to(device) for x in parts))

    def rectified(self, x: torch.Tensor, offset: torch.Tensor | None = None) -> torch.Tensor:
        """ReLU of the normalised x - offset, each (..., C), in place."""
        if offset is None:
            return x.mul_(self.scale).add_(self.shift).relu_()
        if x.device.type != "cpu":
            return self.rectified(x.sub_(offset))
        rows = x.flatten(0, -2), offset.flatten(0, -2), self.scale, self.shift
        kernels.rectify(*(part.numpy() for part in rows))
        return x


class RandomLayer:
    """The fixed random 1x1 layer of one set abstraction, with the weights of a chip.

    Args:
        name: its block on the chip.
        shape: (3 coordinates + features, channels).
        chip: where the weights come from.
        reading: non-idealities of the read.
        input_scale: multiplies the input of the layer; here it scales the conductances.
        device: where to compute.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, int],
        chip: Chip,
        reading: ReadConfig,
        input_scale: float,
        device: torch.device,
    ) -> None:
        pair = chip.conductances(name, shape)
        self.name = name
        self.chip = chip
        self.crossbar = Crossbar(Pair(*((g * input_scale).to(device) for g in pair)), reading)
        self.norm: Norm | None = None

    def __call__(
        self, inputs: torch.Tensor, grouping: Grouping | None, noise_key: NoiseKey
    ) -> torch.Tensor:
        """ReLU of the normalised maxima over the neighbours.

        Args:
            inputs: (B, N, 3 + F), coordinates first.
            grouping: of the abstraction, None for one group of all points.
            noise_key: names the read-noise streams.

        Returns:
            (B, S, C); S is 1 without a grouping.
        """
        if self.norm is None:
            raise UserError(f"layer {self.name} has no batch-norm statistics: calibrate first")
        return self.norm.rectified(*self._maxima(inputs, grouping, noise_key))

    def maxima(
        self, inputs: torch.Tensor, grouping: Grouping | None, noise_key: NoiseKey
    ) -> torch.Tensor:
        """Maxima (B, S, C) of the projections over the neighbours, not normalised."""
        maxima, offset = self._maxima(inputs, grouping, noise_key)
        return maxima if offset is None else maxima.sub_(offset)

    def measured(
        self, inputs: torch.Tensor, grouping: Grouping | None, noise_key: NoiseKey
    ) -> tuple[torch.Tensor, Moments]:
        """The same, and the moments of the projections over all clouds, centres, neighbours."""
        moments: list[Moments] = []
        maxima, offset = self._maxima(inputs, grouping, noise_key, moments)
        return maxima if offset is None else maxima.sub_(offset), Moments.added(moments)

    def _maxima(
        self,
        inputs: torch.Tensor,
        grouping: Grouping | None,
        noise_key: NoiseKey,
        moments: list[Moments] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Maxima (B, S, C), and what of the centres is still to be subtracted.

        Adds the projections' moments to `moments` where they are wanted.
        """
        if self.crossbar.reading.per_product:
            parts = []
            for current in self._products(inputs, grouping, noise_key):
                parts.append(current.amax(1))
                if moments is not None:
                    moments.append(Moments.of(current))
            return torch.cat(parts).view(len(inputs), -1, parts[0].shape[-1]), None
        weights = self._weights(noise_key)
        projected = project(inputs, weights)
        if grouping is None:
            if moments is None:
                return projected.amax(1, keepdim=True), None
            grouping = everything(projected)
        offset = grouping.centres @ weights[:3]
        if moments is None:
            return neighbour_max(projected, grouping.neighbours), offset
        maxima, found = max_and_moments(projected, grouping.neighbours, offset)
        moments.append(found)
        return maxima, offset

    def _weights(self, noise_key: NoiseKey) -> torch.Tensor:
        """The weights as one read gives them to the whole batch."""
        if self.crossbar.reading.read_noise == 0:
            return self.crossbar.weights
        key = self._key(noise_key.source, noise_key.indices[0])
        return self.crossbar.read_weights(torch.Generator().manual_seed(key))

    def _products(
        self, inputs: torch.Tensor, grouping: Grouping | None, noise_key: NoiseKey
    ) -> Iterable[torch.Tensor]:
        grouping = everything(inputs) if grouping is None else grouping
        keys = [self._key(noise_key.source, index) for index in noise_key.indices]
        return product_currents(inputs, *grouping, self.crossbar, keys)

    def _key(self, source: str, index: int) -> int:
        return int(self.chip.generator(self.name, "read", source, index).integers(2**63))


def neighbour_max(projected: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
    """Maximum over each group: projected (B, N, C), neighbours (B, S, K) -> (B, S, C)."""
    if projected.device.type == "cpu":
        out = projected.new_empty(*neighbours.shape[:2], projected.shape[-1])
        kernels.neighbour_max(projected.numpy(), neighbours.numpy(), out.numpy())
        return out
    out = gather(projected, neighbours[..., 0])
    for k in range(1, neighbours.shape[-1]):
        out = torch.maximum(out, gather(projected, neighbours[..., k]))
    return out


def max_and_moments(
    projected: torch.Tensor, neighbours: torch.Tensor, offset: torch.Tensor
) -> tuple[torch.Tensor, Moments]:
    """`neighbour_max`, and the moments of projected at the neighbours minus offset (B, S, C)."""
    if projected.device.type != "cpu":
        rows = gather(projected, neighbours) - offset[:, :, None]
        return neighbour_max(projected, neighbours), Moments.of(rows)
    best = projected.new_empty(*neighbours.shape[:2], projected.shape[-1])
    total, squares = np.zeros((2, projected.shape[-1]))
    arrays = projected.numpy(), offset.numpy(), neighbours.numpy(), best.numpy()
    kernels.neighbour_max_and_moments(*arrays, total, squares)
    return best, Moments(neighbours.numel(), total, squares)


def everything(inputs: torch.Tensor) -> Grouping:
    """One group of all points of inputs (B, N, ...), about the origin."""
    clouds, points, _ = inputs.shape
    order = torch.arange(points, dtype=torch.int32, device=inputs.device)
    return Grouping(inputs.new_zeros(clouds, 1, 3), order.expand(clouds, 1, points))
