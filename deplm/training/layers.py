"""A 1x1 layer with gradients: trained anew, or with the weights of a chip behind a scalar."""

import torch
from torch import nn

from deplm.layers import everything
from deplm.points import Grouping, NoiseKey
from deplm.training.grouped_norm import GroupNormMaxReLU
from deplm.training.noisy_groups import NoisyGroups
from rram import Chip, Crossbar, Pair
from rram.crossbar import ReadConfig


class GradientLayer(nn.Module):
    """A 1x1 layer x -> s W x, and its batch norm; a bias would be cancelled by the norm.

    Args:
        name: its block on the chip.
        shape: (inputs, outputs).
        chip: whose weights W are; None: W is trained from torch's usual start, without s.
        trained: whether the chip's weights are only the start of trained ones, as with
            `--trainable` of the published scripts.
        input_scale: the trained scalar s at the start (published scripts: 0.005).
        affine: whether batch norm's scale and shift are trained too.
        read_noise: n in w (1 + n e), e ~ N(0, 1), on every signed weight w, as
            models/noise_layers.py has it: fresh for every vector in `groups`, for every batch
            in `points`. The noise passes no gradient.
    """

    def __init__(
        self,
        name: str,
        shape: tuple[int, int],
        chip: Chip | None,
        *,
        trained: bool = False,
        input_scale: float = 0.005,
        affine: bool = True,
        read_noise: float = 0.0,
    ) -> None:
        super().__init__()
        self.name = name
        self.chip = chip
        self.read_noise = read_noise
        weights = torch.empty(shape) if chip is None else chip.weights(name, shape)
        if chip is None or trained:
            self.weights = nn.Parameter(weights)
        else:
            self.register_buffer("weights", weights)
        self.input_scale = None if chip is None else nn.Parameter(torch.tensor(input_scale))
        self.norm = GroupNormMaxReLU(shape[1])
        for parameter in self.norm.parameters():
            parameter.requires_grad_(affine)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw weights that are trained anew, as torch's layers would."""
        if self.chip is None:
            bound = len(self.weights) ** -0.5
            drawn = torch.empty(self.weights.shape).uniform_(-bound, bound, generator=generator)
            self.weights.data.copy_(drawn)

    def matrix(self) -> torch.Tensor:
        """Weights (inputs, outputs), the scalar multiplied in."""
        return self.weights if self.input_scale is None else self.weights * self.input_scale

    def groups(
        self, inputs: torch.Tensor, grouping: Grouping | None, key: NoiseKey, epoch: int
    ) -> torch.Tensor:
        """ReLU of the normalised maxima over the neighbours, (B, S, C).

        Args:
            inputs: (B, N, I), coordinates first.
            grouping: of the abstraction; None for one group of all points (S = 1).
            key: names the clouds of the read noise.
            epoch: names its epoch.
        """
        matrix = self.matrix()
        projected = inputs @ matrix
        if self.read_noise:
            noisy = self._noisy(inputs.detach(), grouping, matrix.detach(), key, epoch)
            offset = noisy.grouping.centres @ matrix[:3]
            return self.norm.of_noisy(projected, offset, noisy)
        if grouping is None:
            return self.norm(projected)
        return self.norm(projected, grouping.neighbours, grouping.centres @ matrix[:3])

    def batch_noise(self, key: NoiseKey, epoch: int) -> torch.Tensor | None:
        """What one read of the whole batch adds to `matrix()`, (inputs, outputs)."""
        if not self.read_noise:
            return None
        generator = torch.Generator().manual_seed(self._stream(key.source, epoch, key.indices[0]))
        matrix = self.matrix().detach()
        error = torch.randn(matrix.shape, generator=generator).to(matrix.device)
        return self.read_noise * error * matrix

    def _noisy(
        self,
        inputs: torch.Tensor,
        grouping: Grouping | None,
        matrix: torch.Tensor,
        key: NoiseKey,
        epoch: int,
    ) -> NoisyGroups:
        pair = Pair(matrix, torch.zeros_like(matrix))
        read_config = ReadConfig(read_noise=self.read_noise, noise_on="weight")
        return NoisyGroups(
            inputs,
            everything(inputs) if grouping is None else grouping,
            Crossbar(pair, read_config),
            [self._stream(key.source, epoch, index) for index in key.indices],
        )

    def _stream(self, source: str, epoch: int, index: int) -> int:
        generator = self.chip.generator(self.name, "read", source, epoch, int(index))
        return int(generator.integers(2**63))
