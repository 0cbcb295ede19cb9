"""Batch norm of every row of every group, spelt out: oracle of `deplm.training.grouped_norm`."""

import torch
from torch import nn

from deplm.points import gather


def grouped_norm(
    norm: nn.BatchNorm1d,
    projected: torch.Tensor,
    neighbours: torch.Tensor | None,
    offset: torch.Tensor | None,
) -> torch.Tensor:
    """Arguments as of `GroupNormMaxReLU.forward`, with torch's own norm."""
    grouped = projected[:, None]
    if neighbours is not None:
        grouped = gather(projected, neighbours) - offset[:, :, None]
    return norm(grouped.flatten(0, 2)).view_as(grouped).amax(2).relu()
