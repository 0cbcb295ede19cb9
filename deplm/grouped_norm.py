"""Batch norm, maximum and ReLU of grouped projections with gradients, without the groups.

A group's rows are rows of the points less the centre's, so its sum follows from the sum of the
points' rows, and its squares from how often each point is somebody's neighbour: neither pass needs
the array (clouds, centres, neighbours, channels), which has a few hundred megabytes a batch.
"""

import torch
from torch import nn
from torch.nn import functional


class GroupedNorm(nn.BatchNorm1d):
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
        first = torch.arange(len(projected), device=projected.device) * projected.shape[1]
        index = (neighbours + first[:, None, None]).flatten(0, 1)
        if self.training:
            mean, variance = self._measure(projected, index, offset)
        else:
            mean, variance = self.running_mean, self.running_var
        # A negative scale turns the maximum into a minimum.
        sign = torch.where(self.weight < 0, -1.0, 1.0)
        rows = (projected * sign).flatten(0, 1)
        best = functional.embedding_bag(index, rows, mode="max").view_as(offset) * sign - offset
        scale = self.weight / (variance + self.eps).sqrt()
        return ((best - mean) * scale + self.bias).relu()

    def rows(self, projected: torch.Tensor) -> torch.Tensor:
        """Plain batch norm over all but the last axis."""
        return super().forward(projected.flatten(0, -2)).view_as(projected)

    def _measure(
        self, projected: torch.Tensor, index: torch.Tensor, offset: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance (C,) of all rows; moves the running ones towards them."""
        points, wide = projected.flatten(0, 1), torch.float64
        sums = functional.embedding_bag(index, points, mode="sum").view_as(offset)
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
