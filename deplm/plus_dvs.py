"""DEPLM+ for events: random set abstractions, pooled where they are.

The paper's network ends in one maximum over the whole window, which forgets where things moved.
Here the features of two local abstractions are averaged on a coarse grid of image places, each
shared between the nearest places; there is no global abstraction. Positions enter the random
layers with a slope, so that where a neighbour lies weighs as much as what it is like. Nothing
but the linear readout is trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from deplm.layers import Moments, Norm, RandomLayer
from deplm.network import Batch, CloudNetwork, PointNetwork, SetAbstraction
from deplm.points import Grouping
from harness.parallel import map_in_order
from rram import Chip
from rram.crossbar import ReadConfig
from rram.errors import UserError


@dataclass(frozen=True)
class EventGridNetwork(CloudNetwork):
    """Sizes of a DEPLM+ network on events (t, x, y).

    Attributes:
        encoder: its abstractions, all of them local.
        cells: features of an abstraction are averaged on cells x cells places, one number each.
        slope: factor on t, x and y at the input of the random layers.
    """

    encoder: PointNetwork
    cells: tuple[int, ...]
    slope: float = 15.0

    def __post_init__(self) -> None:
        local = all(layer.centres for layer in self.abstractions)
        if len(self.cells) != len(self.abstractions) or min(self.cells) < 2 or not local:
            raise UserError(f"{self}: each abstraction must be local and have 2 cells or more")

    @property
    def abstractions(self) -> tuple[SetAbstraction, ...]:
        """What clouds are sampled and grouped for."""
        return self.encoder.abstractions

    @property
    def fixed_weights(self) -> int:
        """Number of fixed random weights."""
        return self.encoder.fixed_weights

    @property
    def width(self) -> int:
        """Features of one window."""
        channels = (layer.channels for layer in self.abstractions)
        return sum(c * n**2 for c, n in zip(channels, self.cells, strict=True))


class EventGridEncoder:
    """A DEPLM+ network on one chip; a pure function of a batch once `calibrate` was called.

    Args:
        network: sizes.
        chip: weights, blocks "sa1" and so on.
        reading: non-idealities of every read.
        device: where to compute.
    """

    def __init__(
        self,
        network: EventGridNetwork,
        chip: Chip,
        reading: ReadConfig = ReadConfig(),
        device: torch.device | str = "cpu",
    ) -> None:
        self.network = network
        self.width = network.width
        self.layers = [
            RandomLayer(name, shape, chip, reading, network.encoder.input_scale, device)
            for name, shape in network.encoder.shapes.items()
        ]

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Features (B, width) of events (B, N, 3) without further features."""
        points, hidden = batch.clouds
        pooled = []
        for depth, (layer, cells) in enumerate(zip(self.layers, self.network.cells, strict=True)):
            inputs, grouping = self._scaled(points, hidden, batch.groupings[depth])
            hidden = layer(inputs, grouping, batch.noise_key)
            points = batch.groupings[depth].centres
            pooled.append(pool(points, hidden, cells))
        return torch.cat(pooled, -1)

    def calibrate(self, batches: Sequence[Batch], threads: int | None = None) -> None:
        """Gather batch-norm statistics: of the maxima over the neighbours, level after level.

        They are of the maxima, as in `deplm.plus_image`, so that ReLU cuts about half of them.
        """
        states = [tuple(batch.clouds) for batch in batches]
        for depth, layer in enumerate(self.layers):
            tasks = [
                (*self._scaled(*state, batch.groupings[depth]), batch.noise_key)
                for state, batch in zip(states, batches, strict=True)
            ]
            maxima = list(map_in_order(lambda task, run=layer.maxima: run(*task), tasks, threads))
            total = Moments.added(map(Moments.of, maxima))
            layer.norm = Norm.of(total.mean, total.variance, maxima[0].device)
            states = [
                (batch.groupings[depth].centres, layer.norm.rectified(hidden))
                for batch, hidden in zip(batches, maxima, strict=True)
            ]

    def _scaled(
        self, points: torch.Tensor, hidden: torch.Tensor, grouping: Grouping
    ) -> tuple[torch.Tensor, Grouping]:
        slope = self.network.slope
        inputs = torch.cat([points * slope, hidden], -1)
        return inputs, Grouping(grouping.centres * slope, grouping.neighbours)


def pool(centres: torch.Tensor, hidden: torch.Tensor, cells: int) -> torch.Tensor:
    """Features on a grid of places, each centre's shared linearly between the nearest four.

    Args:
        centres: (B, S, 3) of (t, x, y), x and y in [0, 1].
        hidden: (B, S, C).
        cells: places along x and y; the outer ones lie at 0 and 1.

    Returns:
        (B, cells^2 C): sums over the centres / S, so that a place's weight tells how many.
    """
    places = torch.linspace(0, 1, cells, device=centres.device)
    near = (1 - (centres[..., 1:, None] - places).abs() * (cells - 1)).clamp(min=0)
    share = (near[:, :, 1, :, None] * near[:, :, 0, None, :]).flatten(2)
    return (share.transpose(1, 2) @ hidden / hidden.shape[1]).flatten(1)
