"""Networks that tell clouds apart, with what is trained of them by gradient."""

from typing import Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from deplm.encoder import FrozenEncoder
from deplm.layers import Norm
from deplm.network import Batch, PointNetwork
from deplm.points import CloudSet, NoiseKey
from deplm.training.layers import GradientLayer
from deplm.training.recipe import CloudModel
from rram import Chip


class Classifier(CloudModel):
    """A model whose sets have `labels`, (clouds,) int64."""

    def targets(self, source: CloudSet, indices: np.ndarray) -> np.ndarray:
        """Labels (B,) of the clouds `indices`."""
        return source.labels[indices]


class FrozenClassifier(Classifier):
    """The frozen network of a chip with a trained readout: nothing before the readout learns.

    In training the layers are normalised by the statistics of the batch, in evaluation by their
    running means, as batch normalisation does.

    Args:
        network: sizes.
        chip: weights.
        readout: from `network.width` features to scores.
        device: where to compute.
    """

    def __init__(
        self, network: PointNetwork, chip: Chip, readout: nn.Module, device: torch.device | str
    ) -> None:
        super().__init__()
        self.network = network
        self.encoder = FrozenEncoder(network, chip, device=device)
        self.readout = readout.to(device)
        self.momentum = 0.1  # of the running statistics; each epoch sets it
        for n, layer in enumerate(self.encoder.layers):
            channels = layer.crossbar.weights.shape[1]
            nothing = torch.full((2, channels), torch.nan, dtype=torch.float64)
            self.register_buffer(f"running{n}", nothing)  # mean and variance

    def start_epoch(self, epoch: int, seed: int, norm_momentum: float) -> None:
        """Get ready to train an epoch; arguments as of `CloudModel.start_epoch`."""
        super().start_epoch(epoch, seed, norm_momentum)
        self.momentum = norm_momentum

    def train(self, mode: bool = True) -> Self:
        """As of torch; evaluation takes the running means as the layers' statistics."""
        if not mode and not self.running0.isnan().any():
            for n, layer in enumerate(self.encoder.layers):
                mean, variance = getattr(self, f"running{n}").numpy()
                layer.norm = Norm.of(mean, variance, layer.crossbar.weights.device)
        return super().train(mode)

    def forward(self, batches: list[Batch]) -> torch.Tensor:
        """Log-probabilities (clouds, classes)."""
        if self.training:
            features = self._normalised_by_batch(batches)
        else:
            features = torch.cat([self.encoder(batch) for batch in batches])
        return functional.log_softmax(self.readout(features), -1)

    def _normalised_by_batch(self, batches: list[Batch]) -> torch.Tensor:
        """Features of all batches as one; moves the running means towards their statistics."""
        levels, moments = self.encoder.calibrate(batches)
        for n, m in enumerate(moments):
            fresh = np.stack([m.mean, m.variance * m.count / max(m.count - 1, 1)])
            running = getattr(self, f"running{n}")
            was = fresh if running.isnan().any() else running.numpy()
            mixed = (1 - self.momentum) * was + self.momentum * fresh
            running.copy_(torch.from_numpy(mixed))
        return torch.cat(levels[-1])[:, 0]


class GradientClassifier(Classifier):
    """The network with gradients: 1x1 layers, batch norm, max, ReLU, readout.

    Args:
        network: sizes.
        chip: whose weights the layers have; None: all weights are trained from torch's start.
        readout: from `network.width` features to scores.
        trained: whether the chip's weights are only the start of trained ones. Else the input
            scalars and the readout learn, as in train_classification_dvs.py.
        device: where to compute.
    """

    def __init__(
        self,
        network: PointNetwork,
        chip: Chip | None,
        readout: nn.Module,
        *,
        trained: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        self.network = network
        all_learn = trained or chip is None
        self.layers = nn.ModuleList(
            GradientLayer(
                name, shape, chip,
                trained=trained, input_scale=network.input_scale, affine=all_learn,
            )
            for name, shape in network.shapes.items()
        )  # fmt: skip
        self.readout = readout
        self.to(device)

    def forward(self, batches: list[Batch]) -> torch.Tensor:
        """Log-probabilities (clouds, classes)."""
        batch = joined(batches)
        points, features = batch.clouds
        for layer, grouping in zip(self.layers, batch.groupings, strict=True):
            inputs = torch.cat([points, features], -1)
            features = layer.groups(inputs, grouping, batch.noise_key, self.epoch)
            points = points if grouping is None else grouping.centres
        return functional.log_softmax(self.readout(features[:, 0]), -1)


def joined(batches: list[Batch]) -> Batch:
    """One batch of several; of any kind of batch, the fields that are tensors or tuples of them."""
    first = batches[0]
    if len(batches) == 1:
        return first
    columns = zip(*batches, strict=True)
    return type(first)(*(_joined(column) for column in columns))


def _joined(parts: tuple) -> object:
    first = parts[0]
    if first is None:
        return None
    if isinstance(first, torch.Tensor):
        return torch.cat(parts)
    if isinstance(first, NoiseKey):
        return NoiseKey(first.source, sum((part.indices for part in parts), ()))
    fields = [_joined(column) for column in zip(*parts, strict=True)]
    return fields if isinstance(first, list) else type(first)(*fields)
