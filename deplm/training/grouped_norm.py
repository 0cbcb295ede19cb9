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
from harness.parallel import map_in_order

PART = 16  # clouds that a thread takes at a time


class GroupNormMaxReLU(nn.BatchNorm1d):
    """max over k of batch_norm(projected[neighbours[k]] - offset), then ReLU.

    The same as `nn.BatchNorm1d` on all rows of all groups, its parameters and running statistics
    included; `tests/oracles/grouped_norm.py` spells it out.
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
            neighbours: (B, S, K) numbers of points; None: one group of all.
            offset: (B, S, C) of the centres.
        """
        if neighbours is None:
            return self.rows(projected).max(1, keepdim=True).values.relu()
        # A negative scale turns the maximum into a minimum.
        sign = torch.where(self.weight < 0, -1.0, 1.0)
        sums, best = group_sums(projected, sign, neighbours)
        if self.training:
            mean, variance = self._measure(projected, neighbours, sums, offset)
        else:
            mean, variance = self.running_mean, self.running_var
        scale = self.weight / (variance + self.eps).sqrt()
        return ((best - offset - mean) * scale + self.bias).relu()

    def rows(self, projected: torch.Tensor) -> torch.Tensor:
        """Plain batch norm over all but the last axis."""
        return super().forward(projected.flatten(0, -2)).view_as(projected)

    def _measure(
        self,
        projected: torch.Tensor,
        neighbours: torch.Tensor,
        sums: torch.Tensor,
        offset: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance (C,) of all rows; moves the running ones towards them."""
        points, wide, index = projected.flatten(0, 1), torch.float64, _flat(projected, neighbours)
        uses = torch.bincount(index.flatten(), minlength=len(points))[:, None]
        count, each = index.numel(), index.shape[1]
        mean = (sums - each * offset).sum((0, 1), dtype=wide) / count
        squares = (uses * points.square()).sum(0, dtype=wide)
        squares = squares + (offset * (each * offset - 2 * sums)).sum((0, 1), dtype=wide)
        variance = (squares / count - mean.square()).clamp(min=0)
        with torch.no_grad():
            self.running_mean.lerp_(mean.float(), self.momentum)
            self.running_var.lerp_((variance * count / max(count - 1, 1)).float(), self.momentum)
            self.num_batches_tracked += 1
        return mean.float(), variance.float()


def group_sums(
    projected: torch.Tensor, sign: torch.Tensor, neighbours: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums (B, S, C) and extremes (B, S, C) of the rows of every group, with gradients.

    Args:
        projected: (B, N, C) of the points.
        sign: (C,) 1 for the maximum, -1 for the minimum.
        neighbours: (B, S, K) numbers of points.
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
        best, who = torch.empty_like(sums), torch.empty_like(sums, dtype=torch.int32)
        filled = [x.numpy() for x in (sums, best, who)]

        def run(part: slice) -> None:
            kernels.group_sums(rows[part], sign.numpy(), near[part], *(x[part] for x in filled))

        list(map_in_order(run, _parts(len(rows))))
        ctx.points, ctx.near, ctx.who = rows.shape[1], near, filled[2]
        return sums, best

    @staticmethod
    def backward(ctx: Any, of_sums: torch.Tensor, of_best: torch.Tensor) -> tuple:  # noqa: ANN401
        gradients = [x.contiguous().numpy() for x in (of_sums, of_best)]
        out = of_best.new_zeros(len(ctx.near), ctx.points, of_best.shape[2])
        filled = out.numpy()

        def run(part: slice) -> None:
            parts = [x[part] for x in (*gradients, ctx.near, ctx.who)]
            kernels.group_sums_gradient(*parts, filled[part])

        list(map_in_order(run, _parts(len(out))))
        return out, None, None


def _parts(clouds: int) -> list[slice]:
    return [slice(first, first + PART) for first in range(0, clouds, PART)]


def _flat(projected: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
    """Numbers (B S, K) of the neighbours among the points of all clouds."""
    first = torch.arange(len(projected), device=projected.device) * projected.shape[1]
    return (neighbours + first[:, None, None]).flatten(0, 1)
