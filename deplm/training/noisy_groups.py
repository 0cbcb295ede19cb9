"""Sums, squares and extremes of grouped products that are each read with fresh noise.

The noise differs from vector to vector, so the products of a group can no longer be shared. They
are made a few centres at a time, forwards and once more backwards from the same random streams:
the array (clouds, centres, neighbours, channels) would take gigabytes a batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from deplm.layers import PRODUCTS
from deplm.points import Grouping
from harness.scale.parallel import map_in_order
from rram import Crossbar


@dataclass(frozen=True)
class NoisyGroups:
    """The noisy products of grouped vectors, made when asked for.

    Attributes:
        inputs: (B, N, I), coordinates first.
        grouping: centres (B, S, 3), subtracted from the coordinates, and neighbours (B, S, K).
        crossbar: the array, with its read noise.
        streams: B integers, the noise stream of each cloud.
    """

    inputs: torch.Tensor
    grouping: Grouping
    crossbar: Crossbar
    streams: list[int]

    def products(self, cloud: int) -> Iterator[tuple[slice, torch.Tensor]]:
        """Centres, and their products (s, K, C): equal every time."""
        centres, neighbours = (values[cloud] for values in self.grouping)
        count, wanted = neighbours.shape
        step = max(1, PRODUCTS // wanted)
        for start in range(0, count, step):
            some = slice(start, start + step)
            vectors = self.inputs[cloud][neighbours[some].long()]
            vectors[..., :3] -= centres[some, None]
            key = self.streams[cloud]
            yield some, self.crossbar.product(vectors, key, first=start * wanted)


def noisy_group_sums(
    projected: torch.Tensor, offset: torch.Tensor, sign: torch.Tensor, noisy: NoisyGroups
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sums, sums of squares and extremes (B, S, C) of every group's products, with gradients.

    Args:
        projected: (B, N, C) products of the points without noise; it passes the gradients.
        offset: (B, S, C) of the centres; likewise.
        sign: (C,) 1 for the maximum, -1 for the minimum.
        noisy: the products themselves.
    """
    return _NoisyGroupSums.apply(projected, offset, sign, noisy)


class _NoisyGroupSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        projected: torch.Tensor,
        offset: torch.Tensor,
        sign: torch.Tensor,
        noisy: NoisyGroups,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        sums, squares, best = (torch.empty_like(offset) for _ in range(3))
        chosen = torch.empty_like(offset, dtype=torch.int64)

        def run(cloud: int) -> None:
            for centres, rows in noisy.products(cloud):
                sums[cloud, centres] = rows.sum(1)
                squares[cloud, centres] = rows.square().sum(1)
                extremes, chosen[cloud, centres] = (rows * sign).max(1)
                best[cloud, centres] = extremes * sign

        list(map_in_order(run, range(len(projected))))
        ctx.noisy, ctx.chosen, ctx.shape = noisy, chosen, projected.shape
        return sums, squares, best

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401
        of_sums: torch.Tensor,
        of_squares: torch.Tensor,
        of_best: torch.Tensor,
    ) -> tuple:
        of_projected, of_offset = of_best.new_zeros(ctx.shape), torch.empty_like(of_best)
        neighbours = ctx.noisy.grouping.neighbours

        def run(cloud: int) -> None:
            for centres, rows in ctx.noisy.products(cloud):
                of_rows = rows.mul_(2 * of_squares[cloud, centres, None])
                of_rows += of_sums[cloud, centres, None]
                place = ctx.chosen[cloud, centres, None]
                of_rows.scatter_add_(1, place, of_best[cloud, centres, None])
                of_offset[cloud, centres] = -of_rows.sum(1)
                points = neighbours[cloud, centres].flatten().long()
                of_projected[cloud].index_add_(0, points, of_rows.flatten(0, 1))

        list(map_in_order(run, range(len(of_best))))
        return of_projected, of_offset, None, None
