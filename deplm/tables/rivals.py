"""Rivals without random layers: features that any classifier could count or compute."""

from itertools import combinations_with_replacement

import torch

from deplm.network import Batch, CloudNetwork, SetAbstraction
from rram.crossbar import ReadConfig


class WithoutLayers(CloudNetwork):
    """Clouds that are neither sampled nor grouped; there are no random weights."""

    abstractions: tuple[SetAbstraction, ...] = ()
    features = 0
    fixed_weights = 0


class EventCounts(WithoutLayers):
    """Sizes of the event rival.

    Args:
        windows: equal parts of a window's time.
        cells: of the image along x and along y.
    """

    def __init__(self, windows: int, cells: int) -> None:
        self.windows = windows
        self.cells = cells
        self.width = windows * cells**2


class PlainEncoder:
    """An encoder without a chip: it takes what an encoder takes, and has nothing to calibrate."""

    def __init__(self, network: WithoutLayers, *_: object) -> None:
        self.network = network
        self.width = network.width
        self.read_config = ReadConfig()

    def calibrate(self, batches: list[Batch]) -> None:
        """Nothing to do."""


class CountEncoder(PlainEncoder):
    """Square roots of counts of events (t, x, y): a count's spread grows with its root."""

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Features (B, windows * cells^2)."""
        shape = torch.tensor([self.network.windows, self.network.cells, self.network.cells])
        shape = shape.to(batch.clouds.points.device)
        place = (batch.clouds.points * shape).long().clamp(min=0).minimum(shape - 1)
        flat = (place[..., 0] * self.network.cells + place[..., 1]) * self.network.cells
        counts = torch.zeros(len(flat), self.width, device=flat.device)
        index = flat + place[..., 2]
        return counts.scatter_add_(1, index, torch.ones_like(index, dtype=counts.dtype)).sqrt_()


class Monomials(WithoutLayers):
    """Sizes of the rival of points, whose features are their coordinates: all monomials of these.

    Args:
        degree: the highest; 3 gives x, y, z, x^2, x y, ..., z^3.
    """

    features = 3

    def __init__(self, degree: int) -> None:
        axes = range(3)
        self.terms = [
            term for n in range(1, degree + 1) for term in combinations_with_replacement(axes, n)
        ]
        self.width = len(self.terms)


class MonomialEncoder(PlainEncoder):
    """A polynomial of a point's coordinates as its features."""

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Features (B, N, terms)."""
        points = batch.clouds.points
        columns = [points[..., list(term)].prod(-1) for term in self.network.terms]
        return torch.stack(columns, -1)
