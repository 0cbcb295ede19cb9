"""Batch norm, maximum and ReLU of grouped projections with gradients, without the groups.

A group's rows are rows of the points less the centre's, so its sum follows from the sum of the
points' rows, and its squares from how often each point is somebody's neighbour: neither pass needs
the array (clouds, centres, neighbours, channels), which has a few hundred megabytes a batch.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from deplm import kernels
from deplm.training.noisy_groups import NoisyGroups, noisy_group_sums
from harness.scale.parallel import map_in_order

PART = 16  # clouds that a thread takes at a time


class GroupNormMaxReLU(nn.BatchNorm1d):
    """max over k of batch_norm(projected[neighbours[k]] - offset), then ReLU.

    It computes what `nn.BatchNorm1d` does on all rows of all groups, its parameters and running
    statistics included; `tests/oracles/grouped_norm.py` spells it out.
    """

    def forward(
        self,
        projected: torch.Tensor,
        neighbours: torch.Tensor | None = None,
        offset: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Features (B, S, C).

        Args:
            projected: (B, N, C) of the points.
            neighbours: (B, S, K) indices of points; None: one group of all.
            offset: (B, S, C) of the centres.
        """
        if neighbours is None:
            return self.rows(projected).max(1, keepdim=True).values.relu()
        sums, best = group_sums(projected, self._sign(), neighbours)
        moments = self._moments(projected, neighbours, sums, offset) if self.training else None
        return self._normalised(best - offset, moments)

    def of_noisy(
        self, projected: torch.Tensor, offset: torch.Tensor, noisy: NoisyGroups
    ) -> torch.Tensor:
        """Features (B, S, C) of products that are each read with noise.

        Args:
            projected: (B, N, C) products of the points without noise; it passes the gradients.
            offset: (B, S, C) of the centres; likewise.
            noisy: the products themselves.
        """
        sums, squares, best = noisy_group_sums(projected, offset, self._sign(), noisy)
        count, wide = noisy.grouping.neighbours.numel(), torch.float64
        totals = (sums.sum((0, 1), dtype=wide), squares.sum((0, 1), dtype=wide))
        return self._normalised(best, (count, *totals) if self.training else None)

    def rows(self, projected: torch.Tensor) -> torch.Tensor:
        """Plain batch norm over all but the last axis."""
        return super().forward(projected.flatten(0, -2)).view_as(projected)

    def _sign(self) -> torch.Tensor:
        """(C,): a negative scale turns the maximum into a minimum."""
        return torch.where(self.weight < 0, -1.0, 1.0)

    def _moments(
        self,
        projected: torch.Tensor,
        neighbours: torch.Tensor,
        sums: torch.Tensor,
        offset: torch.Tensor,
    ) -> tuple[int, torch.Tensor, torch.Tensor]:
        """How many rows there are, their sum and their sum of squares (C,) float64."""
        points, wide, index = projected.flatten(0, 1), torch.float64, _flat(projected, neighbours)
        uses = torch.bincount(index.flatten(), minlength=len(points))[:, None]
        count, each = index.numel(), index.shape[1]
        total = (sums - each * offset).sum((0, 1), dtype=wide)
        squares = (uses * points.square()).sum(0, dtype=wide)
        squares = squares + (offset * (each * offset - 2 * sums)).sum((0, 1), dtype=wide)
        return count, total, squares

    def _normalised(
        self, best: torch.Tensor, moments: tuple[int, torch.Tensor, torch.Tensor] | None
    ) -> torch.Tensor:
        """ReLU of the normalised extremes (B, S, C), by these moments or the running ones."""
        mean, variance = self.running_mean, self.running_var
        if moments is not None:
            count, total, squares = moments
            mean = total / count
            variance = (squares / count - mean.square()).clamp(min=0)
            self._follow(mean.detach(), variance.detach() * count / max(count - 1, 1))
        scale = self.weight / (variance + self.eps).sqrt().float()
        return ((best - mean.float()) * scale + self.bias).relu()

    @torch.no_grad()
    def _follow(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Move the running statistics towards those of a batch."""
        self.running_mean.lerp_(mean.float(), self.momentum)
        self.running_var.lerp_(variance.float(), self.momentum)
        self.num_batches_tracked += 1


def group_sums(
    projected: torch.Tensor, sign: torch.Tensor, neighbours: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums (B, S, C) and extremes (B, S, C) of the rows of every group, with gradients.

    Args:
        projected: (B, N, C) of the points.
        sign: (C,) 1 for the maximum, -1 for the minimum.
        neighbours: (B, S, K) indices of points.
    """
    if projected.device.type == "cpu":
        return _GroupSums.apply(projected, sign, neighbours)
    return group_sums_in_bags(projected, sign, neighbours)


def group_sums_in_bags(
    projected: torch.Tensor, sign: torch.Tensor, neighbours: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """`group_sums` in plain torch, for any device."""
    index, rows = _flat(projected, neighbours), projected.flatten(0, 1)
    shape = (*neighbours.shape[:2], projected.shape[2])
    best = functional.embedding_bag(index, rows * sign, mode="max") * sign
    return functional.embedding_bag(index, rows, mode="sum").view(shape), best.view(shape)


class _GroupSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        projected: torch.Tensor,
        sign: torch.Tensor,
        neighbours: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rows, near = projected.detach().contiguous().numpy(), neighbours.contiguous().numpy()
        sums = projected.new_empty(*near.shape[:2], rows.shape[2])
        best, argmax = torch.empty_like(sums), torch.empty_like(sums, dtype=torch.int32)
        filled = [x.numpy() for x in (sums, best, argmax)]

        def run(part: slice) -> None:
            kernels.group_sums(rows[part], sign.numpy(), near[part], *(x[part] for x in filled))

        list(map_in_order(run, _parts(len(rows))))
        ctx.points, ctx.near, ctx.argmax = rows.shape[1], near, filled[2]
        return sums, best

    @staticmethod
    def backward(ctx: Any, of_sums: torch.Tensor, of_best: torch.Tensor) -> tuple:  # noqa: ANN401
        gradients = [x.contiguous().numpy() for x in (of_sums, of_best)]
        out = of_best.new_zeros(len(ctx.near), ctx.points, of_best.shape[2])
        filled = out.numpy()

        def run(part: slice) -> None:
            parts = [x[part] for x in (*gradients, ctx.near, ctx.argmax)]
            kernels.group_sums_gradient(*parts, filled[part])

        list(map_in_order(run, _parts(len(out))))
        return out, None, None


def _parts(clouds: int) -> list[slice]:
    return [slice(first, first + PART) for first in range(0, clouds, PART)]


def _flat(projected: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
    """Indices (B S, K) of the neighbours among the points of all clouds."""
    first = torch.arange(len(projected), device=projected.device) * projected.shape[1]
    return (neighbours + first[:, None, None]).flatten(0, 1)
