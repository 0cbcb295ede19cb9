"""Fixed random layers on points: project, group, normalise, keep the maximum.

Batch normalisation has no trained affine here, so its scale is positive and it commutes with
the maximum over the neighbours. Where one linear map serves a whole batch a layer therefore
projects every point once, takes the maximum over the neighbours' projections, and subtracts the
projection of the centre: W [p - c, f] = W [p, f] - W_xyz c. Where it does not (fresh noise in
every product, inputs quantised vector by vector) every neighbour of every centre is multiplied.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from deplm import kernels
from deplm.points import Grouping, NoiseKey, gather
from harness.scale.parallel import map_in_order
from rram import Chip, Crossbar, Pair
from rram.crossbar import ReadConfig
from rram.errors import UserError
from rram.kernels import runs_compiled

NORM_EPSILON = 1e-5
PRODUCTS = 1024  # vectors multiplied at a time on the CPU: they stay in the cache
GROUPED = 4096  # the same where groups are padded: about half of their vectors are copies


class Moments(NamedTuple):
    """Sums over rows, (C,) float64, from which batch-norm statistics follow."""

    count: int
    total: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, rows: torch.Tensor) -> Self:
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
    def added(cls, parts: "Iterable[Moments]") -> Self:
        """Moments of all rows of all parts."""
        return cls(*(sum(values) for values in zip(*parts, strict=True)))


class Norm(NamedTuple):
    """Batch normalisation as an affine map: x * scale + shift, each (C,)."""

    scale: torch.Tensor
    shift: torch.Tensor

    @classmethod
    def of(cls, mean: np.ndarray, variance: np.ndarray, device: torch.device | str) -> Self:
        """The map that takes `mean` and `variance`, each (C,), to 0 and 1."""
        scale = 1 / np.sqrt(variance + NORM_EPSILON)
        parts = (scale, -mean * scale)
        return cls(*(torch.tensor(x, dtype=torch.float32).to(device) for x in parts))

    def rectified(self, x: torch.Tensor, offset: torch.Tensor | None = None) -> torch.Tensor:
        """ReLU of the normalised x - offset, each (..., C), in place."""
        x = x if offset is None else x.sub_(offset)
        return x.mul_(self.scale).add_(self.shift).relu_()


class RandomLayer:
    """A fixed random 1x1 layer, with the weights of a chip, and its batch norm.

    Args:
        name: its block on the chip.
        shape: (inputs, channels).
        chip: where the weights come from.
        read_config: how the chip is read.
        input_scale: multiplies the input of the layer; here it scales the conductances.
        device: where to compute.

    Attributes:
        norm: its batch norm; None before `calibrate`.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, int],
        chip: Chip,
        read_config: ReadConfig,
        input_scale: float,
        device: torch.device | str,
    ) -> None:
        pair = chip.conductances(name, shape)
        self.name = name
        self.chip = chip
        self.crossbar = Crossbar(Pair(*((g * input_scale).to(device) for g in pair)), read_config)
        self.norm: Norm | None = None

    def calibrate(
        self, calls: Sequence[tuple], threads: int | None = None
    ) -> tuple[list[torch.Tensor], Moments]:
        """Take the batch-norm statistics of all `calls` together.

        Args:
            calls: arguments as of calling the layer, a tuple for each batch.
            threads: default all cores.

        Returns:
            Features of each call, normalised by these statistics, and their moments.
        """
        results = map_in_order(self.measured, calls, threads)
        outputs, moments = zip(*results, strict=True)
        total = Moments.added(moments)
        self.norm = Norm.of(total.mean, total.variance, self.crossbar.weights.device)
        return list(map_in_order(self.norm.rectified, outputs, threads)), total

    def measured(self, call: tuple) -> tuple[torch.Tensor, Moments]:
        """Output of a call before batch norm, and the moments that batch norm is to have.

        Args:
            call: arguments as of calling the layer.
        """
        raise NotImplementedError

    def calibrated(self) -> Norm:
        """The batch norm.

        Raises:
            UserError: there is none yet.
        """
        if self.norm is None:
            raise UserError(f"layer {self.name} has no batch-norm statistics: calibrate first")
        return self.norm

    def array(self, noise_key: NoiseKey) -> Crossbar:
        """The array for one batch: read once where the noise lasts a batch."""
        config = self.crossbar.read_config
        if config.read_noise == 0 or config.noise_per != "batch":
            return self.crossbar
        key = self.stream(noise_key.source, noise_key.indices[0])
        return self.crossbar.read(torch.Generator().manual_seed(key))

    def stream(self, source: str, index: int) -> int:
        """Key of the read noise of cloud `index` of the set `source`."""
        return int(self.chip.generator(self.name, "read", source, index).integers(2**63))


# Points (B, N, 3), their features (B, N, F), centres and neighbours, names of the noise streams
Call = tuple[torch.Tensor, torch.Tensor, Grouping | None, NoiseKey]


class AbstractionLayer(RandomLayer):
    """The layer of a set abstraction: h_s = ReLU(BN(max over k of W [p_k - c_s, f_k])).

    p_k and f_k are coordinates and features of the K neighbours of the centre c_s.

    Args:
        *layer: as of `RandomLayer`, shape (3 coordinates + features, channels).
        norm_of: what batch norm makes 0 and 1: "neighbours", the projections of all neighbours
            of all centres (the paper), or "maxima", the maxima over them (DEPLM+), so that ReLU
            cuts about half of the values.
    """

    def __init__(self, *layer: Any, norm_of: str = "neighbours") -> None:  # noqa: ANN401
        super().__init__(*layer)
        self.norm_of = norm_of

    def __call__(
        self,
        points: torch.Tensor,
        features: torch.Tensor,
        grouping: Grouping | None,
        noise_key: NoiseKey,
    ) -> torch.Tensor:
        """Features (B, S, channels) of the centres; S is 1 without a grouping.

        Args:
            points: (B, N, 3).
            features: (B, N, F) of the points.
            grouping: centres and neighbours, None for one group of all points.
            noise_key: names the read-noise streams.
        """
        norm = self.calibrated()
        maxima, offset, _ = self._maxima(points, features, grouping, noise_key)
        return norm.rectified(maxima, offset)

    def measured(self, call: Call) -> tuple[torch.Tensor, Moments]:
        """Maxima (B, S, channels) before batch norm, and the moments for it."""
        all_rows = self.norm_of == "neighbours"
        maxima, offset, moments = self._maxima(*call, all_rows)
        maxima = maxima if offset is None else maxima.sub_(offset)
        return maxima, Moments.added(moments) if all_rows else Moments.of(maxima)

    def _maxima(
        self,
        points: torch.Tensor,
        features: torch.Tensor,
        grouping: Grouping | None,
        noise_key: NoiseKey,
        measure: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None, list[Moments]]:
        """Maxima (B, S, C), what of the centres is still to be subtracted, and moments."""
        array, inputs = self.array(noise_key), torch.cat([points, features], -1)
        if not array.read_config.linear:
            currents = list(self._maxima_of_products(array, inputs, grouping, noise_key, measure))
            maxima = torch.cat([current for current, _ in currents])
            return maxima.view(len(inputs), -1, maxima.shape[-1]), None, [m for _, m in currents]
        projected = array.product(inputs)
        if grouping is None and not measure:
            return projected.amax(1, keepdim=True), None, []
        centres, neighbours = grouping or everything(projected)
        offset = centres @ array.weights[:3]
        if not measure:
            return neighbour_max(projected, neighbours), offset, []
        maxima, moments = max_and_moments(projected, neighbours, offset)
        return maxima, offset, [moments]

    def _maxima_of_products(
        self,
        array: Crossbar,
        inputs: torch.Tensor,
        grouping: Grouping | None,
        noise_key: NoiseKey,
        measure: bool,
    ) -> Iterator[tuple[torch.Tensor, Moments | None]]:
        """A product for every neighbour: maxima (s, C) of a few centres at a time, moments."""
        centres, neighbours = grouping or everything(inputs)
        count, wanted = neighbours.shape[1:]
        step = max(1, GROUPED // wanted) if runs_compiled(inputs) else count
        for cloud, index in enumerate(noise_key.indices):
            key = self.stream(noise_key.source, index)
            for start in range(0, count, step):
                some = slice(start, start + step)
                vectors, sizes = distinct_vectors(
                    inputs[cloud], centres[cloud, some], neighbours[cloud, some]
                )
                maxima, sums = array.group_max(
                    vectors, sizes, wanted, key, first=start, measure=measure
                )
                yield maxima, Moments(len(sizes) * wanted, *sums.numpy()) if measure else None


def distinct_vectors(
    inputs: torch.Tensor, centres: torch.Tensor, neighbours: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors of the groups of a cloud, without the copies that pad a ball with few points.

    Only the CPU leaves them out: elsewhere to know how many are left would mean to wait for the
    device, and every neighbour is a vector.

    Args:
        inputs: (N, I) of the points, coordinates first.
        centres: (S, 3), subtracted from the coordinates.
        neighbours: (S, K) int32; a group ends where its first point comes again.

    Returns:
        Vectors (n, I), group after group, and how many each group has, (S,) int64.
    """
    copies = neighbours[:, 1:] == neighbours[:, :1]
    sizes = neighbours.shape[1] - copies.sum(-1)
    if runs_compiled(inputs):
        vectors = inputs.new_empty(int(sizes.sum()), inputs.shape[-1])
        arrays = (inputs, centres, neighbours, sizes, vectors)
        kernels.gather_relative(*(array.numpy() for array in arrays))
        return vectors, sizes
    vectors = inputs[neighbours.long()]
    vectors[..., :3] -= centres[:, None]
    return vectors.flatten(0, 1), torch.full_like(sizes, neighbours.shape[1])


def neighbour_max(projected: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
    """Maximum over each group: projected (B, N, C), neighbours (B, S, K) -> (B, S, C)."""
    if runs_compiled(projected):
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
    if not runs_compiled(projected):
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
