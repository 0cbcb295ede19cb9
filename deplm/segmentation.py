"""Segmentation: random set abstractions, then random feature propagations back to every point.

A propagation gives each point of the finer level the features of the coarser level, interpolated
between its three nearest points with weights 1 / squared distance (PointNet++), puts them behind
the finer level's own features, and applies a fixed random 1x1 layer, batch norm and ReLU. Both
interpolation and 1x1 layer are linear, so the coarse features are multiplied by the weights
before they are interpolated: once a coarse point instead of once a fine one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from deplm import kernels
from deplm.encoder import FrozenEncoder
from deplm.layers import Moments, RandomLayer
from deplm.network import SHAPENET_PART, CloudNetwork, PointNetwork, SetAbstraction
from deplm.points import Clouds, CloudSet, Grouping, NoiseKey, gather, three_nearest
from rram import Chip
from rram.crossbar import ReadConfig
from rram.errors import UserError
from rram.kernels import runs_compiled

DISTANCE_EPSILON = 1e-8  # added to squared distances before 1 / d (PointNet++, code)


class Link(NamedTuple):
    """Where fine points lie among coarse ones: (B, N, 3) nearest int32, and weights float32."""

    nearest: torch.Tensor
    weights: torch.Tensor


class PartBatch(NamedTuple):
    """Clouds of shapes with what depends on coordinates and category only.

    `categories` is (B,) int64; `links` has a link a propagation, coarsest first, None where the
    coarse level is a single point.
    """

    clouds: Clouds
    groupings: list[Grouping | None]
    noise_key: NoiseKey
    categories: torch.Tensor
    links: list[Link | None]


@dataclass(frozen=True)
class PartNetwork(CloudNetwork):
    """Sizes of a segmentation network.

    Attributes:
        encoder: its set abstractions; the last one groups all points.
        propagations: channels of the propagations, from the coarsest to the finest.
        categories: length of the one-hot category that the finest propagation sees; 0: it does
            not see any.
        slope: factor on coordinates at the input of the random layers; 1 in the paper.
        multiscale: whether the readout sees, beside the finest propagation's features, those of
            all coarser levels but the last, interpolated (DEPLM+).
    """

    encoder: PointNetwork
    propagations: tuple[int, ...]
    categories: int = 16
    slope: float = 1.0
    multiscale: bool = False

    def __post_init__(self) -> None:
        if [layer.centres is None for layer in self.abstractions] != [False, False, True]:
            raise UserError(f"{self}: expected two local abstractions and one of all points")
        if len(self.propagations) != len(self.abstractions):
            raise UserError(f"{self}: there must be one propagation for each abstraction")
        if min(self.propagations) < 1 or self.categories < 0 or not 0 < self.slope < np.inf:
            raise UserError(f"{self}: channels from 1, categories from 0, a slope above 0")
        if any(layer.centres is not None and layer.centres < 3 for layer in self.abstractions):
            raise UserError(f"{self}: interpolation needs 3 centres or more")

    @property
    def abstractions(self) -> tuple[SetAbstraction, ...]:
        """Of the encoder: what clouds are sampled and grouped for."""
        return self.encoder.abstractions

    @property
    def features(self) -> int:
        """Values a point beside its coordinates."""
        return self.encoder.features

    @property
    def skips(self) -> list[int]:
        """Features of the points of each level, finest first, that enter its propagation."""
        own = self.categories + 3 + self.encoder.features
        return [own, *(layer.channels for layer in self.abstractions[:-1])]

    @property
    def propagation_shapes(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each propagation, coarsest first, by the name of its block."""
        below, shapes = self.abstractions[-1].channels, {}
        levels = range(len(self.skips), 0, -1)
        for n, skip, channels in zip(levels, self.skips[::-1], self.propagations, strict=True):
            shapes[f"fp{n}"] = (skip + below, channels)
            below = channels
        return shapes

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of every fixed random layer, by the name of its block."""
        return self.encoder.shapes | self.propagation_shapes

    @property
    def width(self) -> int:
        """Features of one point."""
        coarser = sum(self.skips[1:]) + sum(self.propagations[:-1])
        return self.propagations[-1] + (coarser if self.multiscale else 0)

    def batch(
        self,
        source: CloudSet,
        indices: np.ndarray,
        device: torch.device | str = "cpu",
        rng: np.random.Generator | None = None,
    ) -> PartBatch:
        """`CloudNetwork.batch`, with the categories and the links of the propagations."""
        batch = super().batch(source, indices, device, rng)
        kinds = np.zeros(len(source), np.int64) if source.categories is None else source.categories
        kinds, wanted = kinds[indices], self.categories
        if wanted and (source.categories is None or kinds.min() < 0 or kinds.max() >= wanted):
            raise UserError(f"{source.name} clouds: categories must be 0 to {wanted - 1}")
        categories = torch.from_numpy(kinds).to(device)
        return PartBatch(*batch, categories, link(batch.clouds.points, batch.groupings))


PART_NETWORK = PartNetwork(SHAPENET_PART, propagations=(80, 117, 117))  # DEPLM, code


def link(points: torch.Tensor, groupings: Sequence[Grouping | None]) -> list[Link | None]:
    """Links of every propagation, coarsest first; points (B, N, 3)."""
    links: list[Link | None] = []
    for grouping in groupings:
        if grouping is None:
            links.append(None)
            continue
        nearest, squared = three_nearest(points, grouping.centres)
        inverse = 1 / (squared + DISTANCE_EPSILON)
        links.append(Link(nearest, inverse / inverse.sum(-1, keepdim=True)))
        points = grouping.centres
    return links[::-1]


def add_interpolated(coarse: torch.Tensor, where: Link | None, fine: torch.Tensor) -> torch.Tensor:
    """Add coarse (B, S, C), interpolated, to fine (B, N, C), in place.

    Without a link S is 1, and every fine point gets the same.
    """
    if where is None:
        return fine.add_(coarse)
    if runs_compiled(fine):
        arrays = (coarse.contiguous(), *where, fine)
        kernels.add_interpolated(*(array.numpy() for array in arrays))
        return fine
    for k in range(3):
        fine.addcmul_(gather(coarse, where.nearest[..., k]), where.weights[..., k : k + 1])
    return fine


def interpolate(coarse: torch.Tensor, where: Link) -> torch.Tensor:
    """Coarse (B, S, C) at the fine points, (B, N, C)."""
    fine = coarse.new_zeros(*where.nearest.shape[:2], coarse.shape[-1])
    return add_interpolated(coarse, where, fine)


class PropagationLayer(RandomLayer):
    """The layer of a feature propagation: h = ReLU(BN(W [skip, interpolated coarse features])).

    Arguments as of `RandomLayer`.
    """

    def __call__(
        self, skip: torch.Tensor, coarse: torch.Tensor, where: Link | None, noise_key: NoiseKey
    ) -> torch.Tensor:
        """Features (B, N, channels) of the fine points.

        Args:
            skip: (B, N, F) features that the fine points have already.
            coarse: (B, S, C) features of the coarse points.
            where: the fine points among the coarse ones; None where S is 1.
            noise_key: names the read-noise streams.
        """
        return self.calibrated().rectified(self._projections(skip, coarse, where, noise_key))

    def measured(self, call: tuple) -> tuple[torch.Tensor, Moments]:
        """Projections (B, N, channels) before batch norm, and their moments."""
        projected = self._projections(*call)
        return projected, Moments.of(projected)

    def _projections(
        self, skip: torch.Tensor, coarse: torch.Tensor, where: Link | None, noise_key: NoiseKey
    ) -> torch.Tensor:
        array, features = self.array(noise_key), skip.shape[-1]
        if array.read_config.linear:
            fine = skip @ array.weights[:features]
            return add_interpolated(coarse @ array.weights[features:], where, fine)
        fine = skip.new_zeros(*skip.shape[:2], coarse.shape[-1])
        inputs = torch.cat([skip, add_interpolated(coarse, where, fine)], -1)
        keys = [self.stream(noise_key.source, index) for index in noise_key.indices]
        return torch.stack([array.product(*pair) for pair in zip(inputs, keys, strict=True)])


class PartEncoder:
    """A segmentation network on one chip: three set abstractions, three propagations back.

    A pure function of a batch, once `calibrate` has set the batch-norm statistics.

    Args:
        network: sizes.
        chip: weights, blocks "sa1", "sa2", "sa3", "fp3", "fp2", "fp1".
        read_config: how the chip is read.
        device: where to compute.
    """

    def __init__(
        self,
        network: PartNetwork,
        chip: Chip,
        read_config: ReadConfig = ReadConfig(),
        device: torch.device | str = "cpu",
    ) -> None:
        self.network = network
        self.width = network.width
        self.read_config = read_config
        self.encoder = FrozenEncoder(network.encoder, chip, read_config, device)
        options, shapes = (
            (chip, read_config, network.encoder.input_scale, device),
            network.propagation_shapes,
        )
        self.propagations = [PropagationLayer(*block, *options) for block in shapes.items()]
        self.sa1, self.sa2, self.sa3 = self.encoder.layers
        self.fp3, self.fp2, self.fp1 = self.propagations
        self.layers = [*self.encoder.layers, *self.propagations]

    def __call__(self, batch: PartBatch) -> torch.Tensor:
        """Features (B, N, C) of every point; sizes in the comments are those of ShapeNet-part."""
        batch = self._scaled(batch)
        points, features = batch.clouds  # (B, 2048, 3), (B, 2048, 3)
        groups1, groups2, _ = batch.groupings  # 512 centres of 2048 points, 128 centres of 512
        link3, link2, link1 = batch.links  # 128 points to 1, 512 to 128, 2048 to 512
        key = batch.noise_key

        x0 = finest_skip(batch, self.network.categories)  # (B, 2048, 16 + 3 + 3)
        x1 = self.sa1(points, features, groups1, key)  # (B, 2048, 3 + 3)  -> (B, 512, 117)
        x2 = self.sa2(groups1.centres, x1, groups2, key)  # (B, 512, 3 + 117) -> (B, 128, 80)
        x3 = self.sa3(groups2.centres, x2, None, key)  # (B, 128, 3 + 80)  -> (B, 1, 234)
        y2 = self.fp3(x2, x3, link3, key)  # (B, 128, 80 + 234)  -> (B, 128, 80)
        y1 = self.fp2(x1, y2, link2, key)  # (B, 512, 117 + 80)  -> (B, 512, 117)
        y0 = self.fp1(x0, y1, link1, key)  # (B, 2048, 22 + 117) -> (B, 2048, 117)
        if not self.network.multiscale:
            return y0
        seen = torch.cat([y2, x2], -1)
        seen = torch.cat([y1, x1, interpolate(seen, link2)], -1)
        return torch.cat([y0, interpolate(seen, link1)], -1)

    def calibrate(self, batches: Sequence[PartBatch], threads: int | None = None) -> None:
        """Take the batch-norm statistics, layer after layer, over all points of `batches`.

        Args:
            batches: of `network.batch`.
            threads: default all cores.
        """
        batches = [self._scaled(batch) for batch in batches]
        levels, _ = self.encoder.calibrate(batches, threads)
        finest = [finest_skip(batch, self.network.categories) for batch in batches]
        *skips, coarse = finest, *levels
        keys = [batch.noise_key for batch in batches]
        for depth, layer in enumerate(self.propagations):
            links = [batch.links[depth] for batch in batches]
            calls = list(zip(skips.pop(), coarse, links, keys, strict=True))
            coarse, _ = layer.calibrate(calls, threads)

    def _scaled(self, batch: PartBatch) -> PartBatch:
        """The batch with its coordinates times the slope; links do not depend on it."""
        slope = self.network.slope
        if slope == 1:
            return batch
        groupings = [g and Grouping(g.centres * slope, g.neighbours) for g in batch.groupings]
        clouds = Clouds(*(values * slope for values in batch.clouds))
        return batch._replace(clouds=clouds, groupings=groupings)


def finest_skip(batch: PartBatch, categories: int) -> torch.Tensor:
    """(B, N, categories + 3 + F): one-hot category, coordinates, features (code's order)."""
    points, features = batch.clouds
    if not categories:
        return torch.cat([points, features], -1)
    numbers = torch.arange(categories, device=points.device)  # one_hot waits for the device
    kind = (batch.categories[:, None] == numbers).to(points.dtype)
    return torch.cat([kind[:, None].expand(-1, points.shape[1], -1), points, features], -1)
