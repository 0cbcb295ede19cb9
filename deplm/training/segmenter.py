"""The segmentation network with gradients: the published recipe, and its fully trained twins.

In the recipe the random weights stay frozen, while readout, batch norm's affine maps and the
scalar at the input of each layer are trained (train_segmentation.py).
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from deplm.data.seg_categories import PARTS
from deplm.data.seg_clouds import PartClouds
from deplm.segmentation import Link, PartBatch, PartNetwork, finest_skip
from deplm.training.classifiers import joined
from deplm.training.layers import GradientLayer
from deplm.training.recipe import CloudModel, predictions
from deplm.training.seg_scores import ShapeScores, best_parts, mean_scores, score_shapes
from rram import Chip

READOUT_BLOCK = "conv2"  # of the chip: where the published script's readout starts


class PartSegmenter(CloudModel):
    """The network of `deplm.segmentation` with gradients.

    Args:
        network: sizes.
        chip: whose weights the layers have, and the readout at the start; None: all weights are
            trained from torch's start.
        trained: whether the chip's weights are only the start of trained ones (`--trainable`).
        read_noise: of every random layer, in training and in evaluation: see `GradientLayer`.
        device: where to compute.
    """

    def __init__(
        self,
        network: PartNetwork,
        chip: Chip | None,
        *,
        trained: bool = False,
        read_noise: float = 0.0,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.network = network
        self.chip = chip
        scale = network.encoder.input_scale
        self.layers = nn.ModuleDict(
            {
                name: GradientLayer(
                    name, shape, chip,
                    trained=trained, input_scale=scale, read_noise=read_noise,
                )
                for name, shape in network.shapes.items()
            }
        )  # fmt: skip
        self.readout = nn.Linear(network.width, PARTS)
        self.to(device)

    def initialise(self, seed: int) -> None:
        """Draw the trained weights' start; with a chip, its block "conv2" is the readout's."""
        super().initialise(seed)
        if self.chip is not None:
            weights = self.chip.weights(READOUT_BLOCK, (self.network.width, PARTS))
            self.readout.weight.data.copy_(weights.T)

    def targets(self, source: PartClouds, indices: np.ndarray) -> np.ndarray:
        """Parts (B, N) of the points of the clouds `indices`."""
        return source.labels(indices)

    def forward(self, batches: list[PartBatch]) -> torch.Tensor:
        """Log-probabilities (clouds, points, 50)."""
        batch = joined(batches)
        points, features = batch.clouds
        skips = [finest_skip(batch, self.network.categories)]
        for number, grouping in enumerate(batch.groupings, 1):
            inputs, layer = torch.cat([points, features], -1), self.layers[f"sa{number}"]
            features = layer.groups(inputs, grouping, batch.noise_key, self.epoch)
            points = points if grouping is None else grouping.centres
            skips.append(features)
        hidden = skips.pop()
        for name, where in zip(self.network.propagation_shapes, batch.links, strict=True):
            hidden = self._propagated(self.layers[name], skips.pop(), hidden, where, batch)
        return functional.log_softmax(self.readout(hidden), -1)

    def _propagated(
        self,
        layer: GradientLayer,
        skip: torch.Tensor,
        coarse: torch.Tensor,
        where: Link | None,
        batch: PartBatch,
    ) -> torch.Tensor:
        """Features (B, N, C) of the finer points."""
        width = skip.shape[-1]

        def product(skip: torch.Tensor, coarse: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
            return skip @ matrix[:width] + interpolated(coarse @ matrix[width:], where)

        projected = product(skip, coarse, layer.matrix())
        noise = layer.batch_noise(batch.noise_key, self.epoch)
        if noise is not None:
            projected = projected + product(skip.detach(), coarse.detach(), noise)
        return layer.norm.rows(projected).relu()


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


def part_scores(model: PartSegmenter, source: PartClouds) -> dict[str, float]:
    """The table's metrics of `model` on `source`, instance mIoU first."""
    scored = []
    for indices, scores in predictions(model, source):
        categories = source.categories[indices]
        parts = best_parts(scores, categories)
        scored.append(score_shapes(source.labels(indices), parts, categories))
    columns = (np.concatenate(column) for column in zip(*scored, strict=True))
    return mean_scores(ShapeScores(*columns), source.categories)
