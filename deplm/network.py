"""Sizes of the paper's networks (DEPLM, published code; table in its supplement).

A random network is a list of set abstractions. Only its sizes stand here: the weights come
from a `rram.Chip`, the arithmetic is in `deplm.layers`.
"""

from dataclasses import dataclass
from itertools import pairwise

from rram.errors import UserError


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
        if any(size is not None and size <= 0 for size in (self.channels, *local)):
            raise UserError(f"{self}: every size must be above 0")


@dataclass(frozen=True)
class PointNetwork:
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

    @property
    def fixed_weights(self) -> int:
        """Number of fixed random weights."""
        return sum(rows * columns for rows, columns in self.shapes.values())


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
