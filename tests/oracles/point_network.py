"""The plain, obvious DEPLM encoder: what the fast one must equal, and what it is timed against.

One torch step a sampled centre, ball query by sorting, a 1x1 convolution of every grouped
neighbour, batch norm, maximum, ReLU: as PointNet++ code in torch usually does it.
"""

import torch
from torch import nn


def square_distance(a, b):
    """(B, S, 3), (B, N, 3) -> (B, S, N)."""
    return ((a[:, :, None] - b[:, None]) ** 2).sum(-1)


def index_points(points, index):
    """points (B, N, C), index (B, ...) -> (B, ..., C)."""
    rows = torch.arange(len(points)).view(-1, *[1] * (index.ndim - 1)).expand_as(index)
    return points[rows, index]


def farthest_point_sample(xyz, count):
    """Indices (B, count), from point 0 on."""
    batch, number, _ = xyz.shape
    centroids = torch.zeros(batch, count, dtype=torch.long)
    distance = torch.full((batch, number), 1e10)
    farthest = torch.zeros(batch, dtype=torch.long)
    rows = torch.arange(batch)
    for i in range(count):
        centroids[:, i] = farthest
        centroid = xyz[rows, farthest][:, None]
        distance = torch.minimum(distance, ((xyz - centroid) ** 2).sum(-1))
        farthest = distance.max(-1)[1]
    return centroids


def query_ball_point(radius, count, xyz, centres):
    """First `count` indices inside the radius, by sorting all of them: (B, S, count)."""
    batch, number, _ = xyz.shape
    index = torch.arange(number).expand(batch, centres.shape[1], number).clone()
    index[square_distance(centres, xyz) > radius**2] = number
    index = index.sort(dim=-1)[0][:, :, :count]
    if index.shape[-1] < count:
        index = torch.nn.functional.pad(index, (0, count - index.shape[-1]), value=number)
    first = index[:, :, :1].expand_as(index)
    return torch.where(index == number, first, index)


class SetAbstraction(nn.Module):
    """Sample, group, 1x1 convolution, batch norm, maximum, ReLU."""

    def __init__(self, spec, weights):
        super().__init__()
        self.spec = spec
        self.convolution = nn.Conv2d(*weights.shape, 1, bias=False)
        self.convolution.weight.data = weights.T[..., None, None].clone()
        self.norm = nn.BatchNorm2d(weights.shape[1], affine=False, momentum=None)

    def forward(self, xyz, features):
        if self.spec.centres is None:
            centres = torch.zeros(len(xyz), 1, 3)
            grouped = torch.cat([xyz, features], -1)[:, None]
        else:
            centres = index_points(xyz, farthest_point_sample(xyz, self.spec.centres))
            index = query_ball_point(self.spec.radius, self.spec.neighbours, xyz, centres)
            offsets = index_points(xyz, index) - centres[:, :, None]
            grouped = torch.cat([offsets, index_points(features, index)], -1)
        out = self.norm(self.convolution(grouped.permute(0, 3, 2, 1)))
        return centres, out.max(2)[0].relu().permute(0, 2, 1)


class PointNetwork(nn.Module):
    """The cascade; `weights` are those of the chip, already scaled."""

    def __init__(self, network, weights):
        super().__init__()
        pairs = zip(network.abstractions, weights, strict=True)
        self.levels = nn.ModuleList(SetAbstraction(spec, matrix) for spec, matrix in pairs)

    def forward(self, xyz, features):
        for level in self.levels:
            xyz, features = level(xyz, features)
        return features[:, 0]

    @torch.no_grad()
    def calibrate(self, xyz, features):
        """Statistics over all clouds, one level after another, as one batch."""
        for level in self.levels:
            level.train()
            level(xyz, features)
            level.eval()
            # torch keeps the unbiased variance; the network uses the biased one of the batch.
            count = len(xyz) * (level.spec.centres or 1) * (level.spec.neighbours or xyz.shape[1])
            level.norm.running_var *= (count - 1) / count
            xyz, features = level(xyz, features)
