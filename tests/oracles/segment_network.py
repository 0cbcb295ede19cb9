"""The plain, obvious DEPLM segmentation network: what the fast one must equal.

Propagations sort all distances, interpolate features point by point, and apply a 1x1 convolution
to the concatenation: as PointNet++ code in torch usually does it.
"""

import torch
from torch import nn

from tests.oracles.point_network import SetAbstraction, index_points, square_distance


class FeaturePropagation(nn.Module):
    """Interpolate, concatenate, 1x1 convolution, batch norm, ReLU."""

    def __init__(self, weights):
        super().__init__()
        self.convolution = nn.Conv1d(*weights.shape, 1, bias=False)
        self.convolution.weight.data = weights.T[..., None].clone()
        self.norm = nn.BatchNorm1d(weights.shape[1], affine=False, momentum=None)

    def forward(self, fine_xyz, coarse_xyz, skip, coarse):
        if coarse.shape[1] == 1:
            interpolated = coarse.expand(-1, fine_xyz.shape[1], -1)
        else:
            distance, index = square_distance(fine_xyz, coarse_xyz).sort(dim=-1, stable=True)
            inverse = 1 / (distance[..., :3] + 1e-8)
            weights = inverse / inverse.sum(-1, keepdim=True)
            interpolated = (index_points(coarse, index[..., :3]) * weights[..., None]).sum(2)
        inputs = torch.cat([skip, interpolated], -1).permute(0, 2, 1)
        return self.norm(self.convolution(inputs)).relu().permute(0, 2, 1)


class SegmentNetwork(nn.Module):
    """The whole network; `weights` are those of the chip by block, already scaled."""

    def __init__(self, network, weights):
        super().__init__()
        names = [f"sa{n}" for n in range(1, len(network.abstractions) + 1)]
        specs = zip(network.abstractions, names, strict=True)
        self.down = nn.ModuleList(SetAbstraction(spec, weights[name]) for spec, name in specs)
        names = [name for name in weights if name.startswith("fp")]
        self.up = nn.ModuleList(FeaturePropagation(weights[name]) for name in names)
        self.categories = network.categories

    @torch.no_grad()
    def forward(self, xyz, features, kinds, calibrate=False):
        """Features (B, N, C); with `calibrate` normalised by the statistics of these clouds."""
        self.train(calibrate)
        one_hot = torch.eye(self.categories)[kinds][:, None].expand(-1, xyz.shape[1], -1)
        places, skips = [xyz], [torch.cat([one_hot, xyz, features], -1)]
        hidden = features
        for level in self.down:
            place, hidden = level(places[-1], hidden)
            places.append(place)
            skips.append(hidden)
        for n, level in zip(range(len(self.up) - 1, -1, -1), self.up, strict=True):
            hidden = level(places[n], places[n + 1], skips[n], hidden)
        return hidden

    def match_biased_variances(self, clouds, points):
        """torch keeps unbiased variances; the network uses those of its batch, divided by n."""
        number = points
        for level in self.down:
            count = clouds * (level.spec.centres or 1) * (level.spec.neighbours or number)
            level.norm.running_var *= (count - 1) / count
            number = level.spec.centres or 1
        places = [points, *(level.spec.centres for level in self.down[:-1])]
        for n, level in zip(range(len(self.up) - 1, -1, -1), self.up, strict=True):
            count = clouds * places[n]
            level.norm.running_var *= (count - 1) / count
