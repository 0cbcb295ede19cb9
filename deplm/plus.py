"""DEPLM+: random point layers whose features are averaged where they are.

The paper's network ends in one maximum over the whole cloud, which forgets positions. Here there
is no global abstraction: the features of every local one are averaged on a coarse grid of image
places. Positions enter the random layers with a slope, so that where a neighbour lies weighs as
much as what it is like. Batch norm's statistics are those of the maxima, and not of all
neighbours as in the paper's network. Nothing but the linear readout is trained.

`ImagePlusNetwork` keeps every pixel of an image as a centre and groups the pixels in a window
around it; `DvsPlusNetwork` samples and groups events as the paper's network does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import adaptive_avg_pool2d

from deplm.layers import AbstractionLayer, Call
from deplm.network import Batch, CloudNetwork, PointNetwork, SetAbstraction
from deplm.points import Clouds, Grouping
from rram import Chip
from rram.crossbar import ReadConfig
from rram.errors import UserError


@dataclass(frozen=True)
class Window:
    """Random channels that see the (2 radius + 1)^2 pixels around each pixel.

    Attributes:
        channels: outputs of the fixed random layer.
        radius: of the window, in pixels.
        slope: factor on positions, so that a pixel's distance weighs as much as a difference in
            intensity.
    """

    channels: int
    radius: int
    slope: float = 8.0

    def __post_init__(self) -> None:
        if self.channels < 1 or self.radius < 0 or not 0 < self.slope < float("inf"):
            raise UserError(f"{self}: channels from 1, radius from 0, slope above 0")


@dataclass(frozen=True)
class ImagePlusNetwork(CloudNetwork):
    """Sizes of a DEPLM+ network on side x side images.

    Attributes:
        levels: each a set of windows whose channels stand side by side, on top of the level
            before; the first sees intensity and position.
        cells: features of a level are averaged on cells x cells places, one value a level.
        side: of the image, in pixels.
        input_scale: as in `deplm.network.PointNetwork`.
    """

    levels: tuple[tuple[Window, ...], ...]
    cells: tuple[int, ...]
    side: int = 28
    input_scale: float = 0.005

    def __post_init__(self) -> None:
        fits = len(self.levels) == len(self.cells) > 0 and all(self.levels)
        if not fits or min(self.cells) < 1 or max(self.cells) > self.side:
            raise UserError(f"{self}: one cells a level, from 1 to the image's {self.side} pixels")

    @property
    def abstractions(self) -> tuple[SetAbstraction, ...]:
        """None that samples or groups by coordinates: the windows are always the same."""
        return ()

    @property
    def features(self) -> int:
        """Values a point beside its coordinates: intensity, x and y once more."""
        return 3

    @property
    def channels(self) -> list[int]:
        """Channels of each level."""
        return [sum(window.channels for window in level) for level in self.levels]

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each fixed random layer, by the name of its block."""
        inputs = [3 + below for below in (self.features, *self.channels)]
        return {
            f"level{n}window{m}": (inputs[n - 1], window.channels)
            for n, level in enumerate(self.levels, 1)
            for m, window in enumerate(level, 1)
        }

    @property
    def width(self) -> int:
        """Features of one image."""
        return sum(c * n**2 for c, n in zip(self.channels, self.cells, strict=True))

    def check(self, clouds: Clouds, name: str) -> None:
        """Refuse clouds that do not fit; see `CloudNetwork.check`."""
        super().check(clouds, name)
        if clouds.points.shape[1] != self.side**2:
            raise UserError(
                f"{name}: {clouds.points.shape[1]} points a cloud, "
                f"an image of {self.side} x {self.side} pixels has {self.side**2}"
            )


@dataclass(frozen=True, kw_only=True)
class DvsPlusNetwork(PointNetwork):
    """Sizes of a DEPLM+ network on events (t, x, y): abstractions that are all local.

    Attributes:
        cells: features of an abstraction are averaged on cells x cells places, one value each.
        slope: factor on t, x and y at the input of the random layers.
    """

    cells: tuple[int, ...]
    slope: float = 15.0

    def __post_init__(self) -> None:
        super().__post_init__()
        local = all(layer.centres for layer in self.abstractions)
        if len(self.cells) != len(self.abstractions) or min(self.cells) < 2 or not local:
            raise UserError(f"{self}: each abstraction must be local and have 2 cells or more")
        if not 0 < self.slope < float("inf"):
            raise UserError(f"{self}: the slope must be above 0")

    @property
    def width(self) -> int:
        """Features of one window."""
        channels = (layer.channels for layer in self.abstractions)
        return sum(c * n**2 for c, n in zip(channels, self.cells, strict=True))


class PlusEncoder:
    """Base of both encoders: levels of random layers, pooled one by one.

    A pure function of a batch, once `calibrate` has set the batch-norm statistics.

    Args:
        network: sizes.
        chip: weights, blocks as in `network.shapes`.
        read_config: how the chip is read.
        device: where to compute.
    """

    levels: list[list[AbstractionLayer]]

    def __init__(
        self,
        network: ImagePlusNetwork | DvsPlusNetwork,
        chip: Chip,
        read_config: ReadConfig = ReadConfig(),
        device: torch.device | str = "cpu",
    ) -> None:
        self.network = network
        self.read_config = read_config
        options = chip, read_config, network.input_scale, device
        self.layers = [
            AbstractionLayer(*block, *options, norm_of="maxima") for block in network.shapes.items()
        ]

    @property
    def width(self) -> int:
        """Features of one cloud."""
        return self.network.width

    def calls(self, depth: int, batch: Batch, state: Clouds) -> list[Call]:
        """Arguments of each layer of a level, from points and features of the level below."""
        raise NotImplementedError

    def centres(self, depth: int, batch: Batch, points: torch.Tensor) -> torch.Tensor:
        """Coordinates (B, S, 3) that the features of a level belong to."""
        raise NotImplementedError

    def pool(self, state: Clouds, cells: int) -> torch.Tensor:
        """Averages (B, cells^2 C) of features (B, S, C) on cells x cells places."""
        raise NotImplementedError

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Features (B, width) of the clouds."""
        state, pooled = batch.clouds, []
        for depth, level in enumerate(self.levels):
            calls = self.calls(depth, batch, state)
            features = [layer(*call) for layer, call in zip(level, calls, strict=True)]
            centres = self.centres(depth, batch, state.points)
            state = Clouds(centres, torch.cat(features, -1))
            pooled.append(self.pool(state, self.network.cells[depth]))
        return torch.cat(pooled, -1)

    def calibrate(self, batches: Sequence[Batch], threads: int | None = None) -> None:
        """Take the batch-norm statistics, level after level, over all clouds of `batches`.

        Args:
            batches: of `network.batch`.
            threads: default all cores.
        """
        states = [batch.clouds for batch in batches]
        for depth, level in enumerate(self.levels):
            pairs = list(zip(batches, states, strict=True))
            features = [
                layer.calibrate([self.calls(depth, *pair)[n] for pair in pairs], threads)[0]
                for n, layer in enumerate(level)
            ]
            states = [
                Clouds(self.centres(depth, batch, state.points), torch.cat(parts, -1))
                for (batch, state), *parts in zip(pairs, *features, strict=True)
            ]


class ImagePlusEncoder(PlusEncoder):
    """DEPLM+ for images on one chip: points (intensity, x, y) in raster order.

    Args as of `PlusEncoder`; blocks "level1window1" and so on.
    """

    def __init__(
        self,
        network: ImagePlusNetwork,
        chip: Chip,
        read_config: ReadConfig = ReadConfig(),
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(network, chip, read_config, device)
        layers = iter(self.layers)
        self.levels = [[next(layers) for _ in level] for level in network.levels]
        windows = {window for level in network.levels for window in level}
        self._tables = {w: window_table(network.side, w.radius).to(device) for w in windows}
        self._scales = {w: torch.tensor([1.0, w.slope, w.slope], device=device) for w in windows}

    def calls(self, depth: int, batch: Batch, state: Clouds) -> list[Call]:
        """See `PlusEncoder`."""
        calls = []
        for window in self.network.levels[depth]:
            points = state.points * self._scales[window]
            neighbours = self._tables[window].expand(len(points), -1, -1)
            calls.append((points, state.features, Grouping(points, neighbours), batch.noise_key))
        return calls

    def centres(self, depth: int, batch: Batch, points: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """See `PlusEncoder`: every pixel stays a centre."""
        return points

    def pool(self, state: Clouds, cells: int) -> torch.Tensor:
        """Means over cells x cells places of the image."""
        side = self.network.side
        image = state.features.unflatten(1, (side, side)).permute(0, 3, 1, 2)
        return adaptive_avg_pool2d(image, cells).permute(0, 2, 3, 1).flatten(1)


class DvsPlusEncoder(PlusEncoder):
    """DEPLM+ for events on one chip: args as of `PlusEncoder`; blocks "sa1" and so on."""

    @property
    def levels(self) -> list[list[AbstractionLayer]]:
        """A level a layer."""
        return [[layer] for layer in self.layers]

    def calls(self, depth: int, batch: Batch, state: Clouds) -> list[Call]:
        """See `PlusEncoder`."""
        slope, (centres, neighbours) = self.network.slope, batch.groupings[depth]
        grouping = Grouping(centres * slope, neighbours)
        return [(state.points * slope, state.features, grouping, batch.noise_key)]

    def centres(self, depth: int, batch: Batch, points: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """See `PlusEncoder`."""
        return batch.groupings[depth].centres

    def pool(self, state: Clouds, cells: int) -> torch.Tensor:
        """See `pool`."""
        return pool(*state, cells)


def pool(centres: torch.Tensor, features: torch.Tensor, cells: int) -> torch.Tensor:
    """Features on a grid of places, each centre's shared linearly between the nearest four.

    Args:
        centres: (B, S, 3) of (t, x, y), x and y in [0, 1].
        features: (B, S, C).
        cells: places along x and y; the outer ones lie at 0 and 1.

    Returns:
        (B, cells^2 C): sums over the centres / S, so that a place's weight tells how many.
    """
    places = torch.linspace(0, 1, cells, device=centres.device)
    near = (1 - (centres[..., 1:, None] - places).abs() * (cells - 1)).clamp(min=0)
    share = (near[:, :, 1, :, None] * near[:, :, 0, None, :]).flatten(2)
    return (share.transpose(1, 2) @ features / features.shape[1]).flatten(1)


def window_table(side: int, radius: int) -> torch.Tensor:
    """Pixels of the window around each pixel of a side x side image, in raster order.

    Args:
        side: of the image, in pixels.
        radius: of the window, in pixels.

    Returns:
        (side^2, (2 radius + 1)^2) int32, rising; at the border padded with the first.
    """
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    place = torch.stack([row.flatten(), column.flatten()], -1)
    inside = (place[:, None] - place[None]).abs().amax(-1) <= radius
    index = torch.where(inside, torch.arange(side**2), side**2)
    table = index.sort(1).values[:, : (2 * radius + 1) ** 2]
    return torch.where(table == side**2, table[:, :1], table).to(torch.int32)
