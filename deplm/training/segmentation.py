"""The segmentation network trained by gradient descent: the paper's recipe, and its trained twin.

In the recipe of the segmentation run the random weights stay frozen, while readout, biases, batch
norm's affine maps and the scalar at the input of each layer are trained (DEPLM, code).
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from deplm.data.seg_categories import PARTS
from deplm.data.seg_clouds import PartClouds
from deplm.segmentation import Link, PartBatch, PartNetwork, finest_skip
from deplm.tables.seg_readout import PartReadout, ShapeScores, mean_scores, score_shapes
from deplm.training.grouped_norm import GroupNormMaxReLU
from deplm.training.recipe import Task, guesses
from rram import Chip


class PartLayer(nn.Module):
    """A 1x1 layer and its batch norm.

    Args:
        shape: (inputs, outputs).
        weights: of a chip, (inputs, outputs), frozen behind a trained input scalar; None: trained.
        input_scale: the scalar at the start.
    """

    def __init__(
        self, shape: tuple[int, int], weights: torch.Tensor | None, input_scale: float
    ) -> None:
        super().__init__()
        self.layer = nn.Linear(*shape) if weights is None else None
        if weights is not None:
            self.register_buffer("weights", weights)
            self.input_scale = nn.Parameter(torch.tensor(input_scale))
            self.bias = nn.Parameter(torch.zeros(shape[1]))
        self.norm = GroupNormMaxReLU(shape[1])

    def matrix(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (inputs, outputs), with the input scalar, and bias (outputs,)."""
        if self.layer is None:
            return self.weights * self.input_scale, self.bias
        return self.layer.weight.T, self.layer.bias


class PartSegmenter(nn.Module):
    """The network of `deplm.segmentation` with gradients.

    Args:
        network: sizes.
        chip: whose weights are kept; None trains all weights.
        device: where to compute.
    """

    def __init__(self, network: PartNetwork, chip: Chip | None, device: torch.device | str) -> None:
        super().__init__()
        self.network = network
        self.frozen = chip is not None
        scale = network.encoder.input_scale
        self.layers = nn.ModuleDict(
            {
                name: PartLayer(shape, chip and chip.weights(name, shape), scale)
                for name, shape in network.shapes.items()
            }
        )
        self.readout = nn.Linear(network.width, PARTS)
        self.to(device)

    def forward(self, batches: list[PartBatch]) -> torch.Tensor:
        """Log-probabilities (clouds, points, 50)."""
        batch = joined(batches)
        points, features = batch.clouds
        skips = [finest_skip(batch, self.network.categories)]
        for number, grouping in enumerate(batch.groupings, 1):
            layer = self.layers[f"sa{number}"]
            matrix, bias = layer.matrix()
            projected, norm = torch.cat([points, features], -1) @ matrix + bias, layer.norm
            if grouping is None:
                features = norm(projected)
            else:
                points = grouping.centres
                features = norm(projected, grouping.neighbours, points @ matrix[:3])
            skips.append(features)
        hidden = skips.pop()
        for name, where in zip(self.network.propagation_shapes, batch.links, strict=True):
            skip = skips.pop()
            matrix, bias = self.layers[name].matrix()
            width = skip.shape[-1]
            projected = skip @ matrix[:width] + interpolated(hidden @ matrix[width:], where) + bias
            hidden = self.layers[name].norm.rows(projected).relu()
        return functional.log_softmax(self.readout(hidden), -1)


def interpolated(coarse: torch.Tensor, where: Link | None) -> torch.Tensor:
    """Coarse (B, S, C) at the fine points: (B, N, C), or as it is without a link."""
    if where is None:
        return coarse
    clouds, coarse_points, channels = coarse.shape
    first = torch.arange(clouds, device=coarse.device)[:, None, None] * coarse_points
    index = (where.nearest + first).flatten(0, 1)
    weights = where.weights.flatten(0, 1)
    rows = functional.embedding_bag(
        index, coarse.flatten(0, 1), per_sample_weights=weights, mode="sum"
    )
    return rows.view(clouds, -1, channels)


def joined(batches: list[PartBatch]) -> PartBatch:
    """One batch of several."""
    if len(batches) == 1:
        return batches[0]

    def cat(parts: tuple) -> tuple | None:
        first = parts[0]
        return first and type(first)(*(torch.cat(column) for column in zip(*parts, strict=True)))

    return PartBatch(
        cat(tuple(batch.clouds for batch in batches)),
        [cat(parts) for parts in zip(*(batch.groupings for batch in batches), strict=True)],
        batches[0].noise_key,
        torch.cat([batch.categories for batch in batches]),
        [cat(parts) for parts in zip(*(batch.links for batch in batches), strict=True)],
    )


def part_scores(model: PartSegmenter, network: PartNetwork, source: PartClouds) -> dict[str, float]:
    """The table's metrics of `model` on `source`, instance mIoU first."""
    identity = PartReadout(np.eye(PARTS, dtype=np.float32), np.zeros(PARTS, np.float32))
    found = []
    for numbers, scores in guesses(model, network, source):
        kinds = source.categories[numbers]
        parts = identity.predict(scores, kinds)
        found.append(score_shapes(source.labels(numbers), parts, kinds))
    columns = (np.concatenate(column) for column in zip(*found, strict=True))
    return mean_scores(ShapeScores(*columns), source.categories)


SEGMENTATION = Task(
    labels=lambda source, numbers: source.labels(numbers),
    scores=part_scores,
)
