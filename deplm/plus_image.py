"""DEPLM+: random point layers on the full pixel grid, pooled where they are.

The paper's network keeps one maximum over the whole image, which forgets positions. Here every
pixel stays a centre, its neighbours are the pixels in a small window, and the features are
averaged on a coarse grid of positions. Windows depend on positions only, so the groups are the
same for all images. Nothing but the linear readout is trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import adaptive_avg_pool2d

from deplm.layers import Moments, Norm, RandomLayer
from deplm.network import Batch, CloudNetwork
from deplm.points import Grouping, NoiseKey
from harness.parallel import map_in_order
from rram import Chip
from rram.crossbar import ReadConfig
from rram.errors import UserError


@dataclass(frozen=True)
class Window:
    """Random channels that see the (2 radius + 1)^2 pixels around each pixel.

    `slope` is the factor on positions, so that a pixel's distance weighs as much as a difference
    in intensity.
    """

    channels: int
    radius: int
    slope: float = 8.0


@dataclass(frozen=True)
class PixelGridNetwork(CloudNetwork):
    """Sizes of a DEPLM+ network on side x side images.

    Attributes:
        levels: each a set of windows whose channels stand side by side, on top of the level
            before; the first sees intensity and position.
        cells: features of a level are averaged on cells x cells places, one number a level.
        side: of the image, in pixels.
        input_scale: as in `deplm.network.PointNetwork`.
    """

    levels: tuple[tuple[Window, ...], ...]
    cells: tuple[int, ...]
    side: int = 28
    input_scale: float = 0.005

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.cells) or max(self.cells, default=0) > self.side:
            raise UserError(f"{self}: one number of cells a level, none smaller than a pixel")

    @property
    def channels(self) -> list[int]:
        """Channels of each level."""
        return [sum(window.channels for window in level) for level in self.levels]

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each fixed random layer, by the name of its block."""
        inputs = [3 + below for below in (3, *self.channels)]
        return {
            f"level{n}window{m}": (inputs[n - 1], window.channels)
            for n, level in enumerate(self.levels, 1)
            for m, window in enumerate(level, 1)
        }

    @property
    def fixed_weights(self) -> int:
        """Number of fixed random weights."""
        return sum(rows * columns for rows, columns in self.shapes.values())

    @property
    def width(self) -> int:
        """Features of one image."""
        return sum(c * n**2 for c, n in zip(self.channels, self.cells, strict=True))

    @property
    def abstractions(self) -> tuple:
        """None that samples or groups by coordinates: the windows are always the same."""
        return ()


class PixelGridEncoder:
    """A DEPLM+ network on one chip; a pure function of a batch once `calibrate` was called.

    Args:
        network: sizes.
        chip: weights, blocks "level1window1" and so on.
        reading: non-idealities of every read.
        device: where to compute.
    """

    def __init__(
        self,
        network: PixelGridNetwork,
        chip: Chip,
        reading: ReadConfig = ReadConfig(),
        device: torch.device | str = "cpu",
    ) -> None:
        self.network = network
        self.width = network.width
        self._levels = [
            [
                WindowLayer(
                    RandomLayer(name, shape, chip, reading, network.input_scale, device),
                    window_table(network.side, window.radius).to(device),
                    torch.tensor([1.0, window.slope, window.slope], device=device),
                )
                for window, (name, shape) in zip(level, shapes, strict=True)
            ]
            for level, shapes in zip(network.levels, _by_level(network), strict=True)
        ]

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Features (B, width) of images as points (intensity, x, y) in raster order."""
        points, hidden = batch.clouds
        pooled = []
        for level, cells in zip(self._levels, self.network.cells, strict=True):
            hidden = torch.cat([layer(points, hidden, batch.noise_key) for layer in level], -1)
            pooled.append(self._pool(hidden, cells))
        return torch.cat(pooled, -1)

    def calibrate(self, batches: Sequence[Batch], threads: int | None = None) -> None:
        """Gather batch-norm statistics: of the maxima over the windows, level after level.

        They are of the maxima, and not of all neighbours as in the paper's network, so that
        ReLU cuts about half of the values.
        """
        states = [(*batch.clouds, batch.noise_key) for batch in batches]
        for level in self._levels:
            for layer in level:
                layer.calibrate(states, threads)
            states = [
                (
                    points,
                    torch.cat([layer(points, hidden, noise_key) for layer in level], -1),
                    noise_key,
                )
                for points, hidden, noise_key in states
            ]

    def _pool(self, hidden: torch.Tensor, cells: int) -> torch.Tensor:
        """Means (B, cells^2 C) of hidden (B, side^2, C) over cells x cells places."""
        image = hidden.unflatten(1, (self.network.side, self.network.side)).permute(0, 3, 1, 2)
        return adaptive_avg_pool2d(image, cells).permute(0, 2, 3, 1).flatten(1)


class WindowLayer:
    """A random layer on the windows of all pixels; positions are scaled by the slope."""

    def __init__(self, layer: RandomLayer, table: torch.Tensor, scale: torch.Tensor) -> None:
        self.layer = layer
        self.table = table
        self.scale = scale

    def __call__(
        self, points: torch.Tensor, hidden: torch.Tensor, noise_key: NoiseKey
    ) -> torch.Tensor:
        """Points (B, N, 3) and the level below (B, N, F) -> (B, N, channels)."""
        return self.layer(*self._grouped(points, hidden), noise_key)

    def calibrate(self, states: Sequence[tuple], threads: int | None) -> None:
        """Set the norm from the maxima over `states` of (points, hidden, noise_key)."""

        def moments(state: tuple) -> Moments:
            points, hidden, noise_key = state
            return Moments.of(self.layer.maxima(*self._grouped(points, hidden), noise_key))

        total = Moments.added(map_in_order(moments, states, threads))
        self.layer.norm = Norm.of(total.mean, total.variance, self.scale.device)

    def _grouped(self, points: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, Grouping]:
        points = points * self.scale
        grouping = Grouping(points, self.table.expand(len(points), -1, -1))
        return torch.cat([points, hidden], -1), grouping


def window_table(side: int, radius: int) -> torch.Tensor:
    """Pixels of the window around each pixel of a side x side image, in raster order.

    Returns:
        (side^2, (2 radius + 1)^2) int32, rising; at the border padded with the first.
    """
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    place = torch.stack([row.flatten(), column.flatten()], -1)
    inside = (place[:, None] - place[None]).abs().amax(-1) <= radius
    number = torch.where(inside, torch.arange(side**2), side**2)
    table = number.sort(1).values[:, : (2 * radius + 1) ** 2]
    return torch.where(table == side**2, table[:, :1], table).to(torch.int32)


def _by_level(network: PixelGridNetwork) -> list[list[tuple[str, tuple[int, int]]]]:
    shapes = iter(network.shapes.items())
    return [[next(shapes) for _ in level] for level in network.levels]
