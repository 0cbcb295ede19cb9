"""The readout of a classifier trained by gradient: one linear layer, or two or three."""

from itertools import pairwise

import torch
from torch import nn

HIDDEN = (512, 256)  # channels before pruning (published scripts, num_fc 2 and 3)
DROPOUT = 0.4  # ratio of hidden channels dropped in training (published scripts)


class SeededDropout(nn.Module):
    """Drop-out whose random numbers are its own, so that an epoch can be repeated.

    Args:
        ratio: of the channels dropped, 0 to 1.
    """

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self.ratio = ratio
        self.generator = torch.Generator()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, C), in training with some channels 0 and the others larger."""
        if not self.training:
            return x
        kept = torch.rand(x.shape, generator=self.generator) >= self.ratio
        return x * kept.to(x.device) / (1 - self.ratio)


def make_readout(width: int, classes: int, depth: int = 1, prune_rate: float = 1.0) -> nn.Module:
    """A linear readout, or a perceptron as the published scripts make it for num_fc above 1.

    Args:
        width: features of a cloud.
        classes: scores of a cloud.
        depth: number of linear layers, 1 to 3.
        prune_rate: the hidden channels, 512 and 256, are divided by it, rounded down.
    """
    sizes = [width, *(int(channels / prune_rate) for channels in HIDDEN[: depth - 1])]
    hidden = []
    for inputs, outputs in pairwise(sizes):
        norm = nn.BatchNorm1d(outputs)
        for parameter in norm.parameters():  # the scripts freeze whatever is named "bn"
            parameter.requires_grad_(False)
        hidden += [nn.Linear(inputs, outputs), norm, nn.ReLU(), SeededDropout(DROPOUT)]
    last = nn.Linear(sizes[-1], classes)
    return nn.Sequential(*hidden, last) if hidden else last
