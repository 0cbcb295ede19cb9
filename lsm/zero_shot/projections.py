"""Learning of two linear projections, one a modality, on frozen features (LSM paper).

Many models, of other splits, seeds or chips' pairings, are trained as one stack: their losses are
added and share no parameter, so each gets the gradients that it would get alone.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from harness.errors import UserError
from lsm.zero_shot.retrieval import Embed
from lsm.zero_shot.training import (
    TARGETS,
    Batches,
    GradientTraining,
    Pairs,
    Seed,
    adam,
    check_pairs,
    contrastive_loss,
)

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "none": lambda x: x,
}
LARGEST_SCALE = 100.0  # of a learned logit scale, as in CLIP, or where it starts if that is more
Features = tuple[np.ndarray, np.ndarray]  # (items, D) of the first and of the second modality


@dataclass(frozen=True)
class ProjectionConfig:
    """Projections and how they are trained; defaults of `zero_shot_sim.py` (LSM, code).

    Attributes:
        width: d, of the common space.
        layers: linear layers of a projection, 1 to 3, each followed by the activation.
        activation: "gelu", "relu", "sigmoid", "tanh" or "none".
        targets: "identity", "soft" or "labels", see `contrastive_loss`.
        temperature: what logits are divided by.
        learned_scale: learn 1 / temperature, at most 100 or its start if that is more.
        normalise: embeddings of length 1.
        learning_rate: of Adam.
        batch_size: pairs a step.
        epochs: passes over the pairs.
    """

    width: int = 64
    layers: int = 1
    activation: str = "gelu"
    targets: str = "identity"
    temperature: float = 1.0
    learned_scale: bool = False
    normalise: bool = False
    learning_rate: float = 1e-3
    batch_size: int = 8
    epochs: int = 100

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("activation", self.activation, tuple(ACTIVATIONS)),
            ("targets", self.targets, TARGETS),
            ("layers", self.layers, (1, 2, 3)),
        ):
            if value not in allowed:
                raise UserError(f"{name} is {value!r}: one of {', '.join(map(str, allowed))}")
        if min(self.width, self.epochs) < 1 or self.batch_size < 2:
            raise UserError(f"{self}: width and epochs must be 1 or more, batch_size 2 or more")
        if not (self.temperature > 0 and self.learning_rate > 0):
            raise UserError(f"{self}: temperature and learning_rate must be above 0")


class Projections(nn.Module):
    """Two projections into a common space, for M models at once.

    Args:
        inputs: features of the first and of the second modality.
        config: what to build.
        seeds: (M,) of the first weights, one a model; drawn on the CPU as torch starts a
            linear layer.
    """

    def __init__(
        self,
        inputs: tuple[int, int],
        config: ProjectionConfig,
        seeds: Sequence[Seed],
    ) -> None:
        super().__init__()
        self.config = config
        widths = [config.width] * config.layers
        generators = [np.random.default_rng([0, *np.atleast_1d(seed)]) for seed in seeds]
        self.modalities = nn.ModuleList(
            nn.ParameterList(
                parameter
                for rows, columns in zip([first, *widths], widths, strict=False)
                for parameter in _linear(rows, columns, generators)
            )
            for first in inputs
        )
        start = torch.full((len(seeds), 1, 1), -math.log(config.temperature))
        self.log_scale = nn.Parameter(start, requires_grad=config.learned_scale)

    def forward(self, modality: int, x: torch.Tensor, models: slice = slice(None)) -> torch.Tensor:
        """Embeddings (M, B, d) of features (M, B, D), or (B, D) for all models, of modality 0 or 1.

        Args:
            modality: of the features.
            x: the features.
            models: which M of them; default all.
        """
        parameters = [parameter[models] for parameter in self.modalities[modality]]
        if x.shape[-1] != parameters[0].shape[1]:
            raise UserError(f"{x.shape[-1]} features, expected {parameters[0].shape[1]}")
        for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
            x = x.expand(len(weight), *x.shape[-2:])
            x = ACTIVATIONS[self.config.activation](torch.baddbmm(bias, x, weight))
        return functional.normalize(x, dim=-1) if self.config.normalise else x

    @torch.no_grad()
    def embed(self, modality: int, x: np.ndarray, models: slice = slice(None)) -> torch.Tensor:
        """As `forward` of features (B, D), without gradients."""
        return self(modality, torch.from_numpy(x).to(self.log_scale.device), models)

    @property
    def scale(self) -> torch.Tensor:
        """(M, 1, 1), 1 / temperature."""
        return self.log_scale.exp()

    def logit_scale(self) -> torch.Tensor | float:
        """What logits are multiplied by: `scale` where it is learned."""
        return self.scale if self.config.learned_scale else 1 / self.config.temperature

    def limit_scale(self) -> None:
        """Keep a learned scale at or below its largest value."""
        if self.config.learned_scale:
            largest = max(LARGEST_SCALE, 1 / self.config.temperature)
            self.log_scale.data.clamp_(max=math.log(largest))

    @property
    def trained_weights(self) -> int:
        """Of one model; biases and the scale are not counted."""
        return sum(weight[0].numel() for linear in self.modalities for weight in linear[::2])


class ProjectionTraining(GradientTraining):
    """Train M pairs of projections as one stack (LSM paper, methods).

    Every epoch takes the pairs of each model in a new order, in batches of equal size. The model
    with most pairs sets the number of steps; one with fewer goes round again, in another order,
    so that all have taken as many steps after an epoch. What fills no batch is left out.

    Args:
        features: (items, D) float32 of both modalities, shared by all models.
        pairs: M sets of training pairs.
        seeds: M seeds, each of one model's first weights and order of pairs.
        config: projections and training.
        device: of torch.

    Raises:
        UserError: see `check_pairs`.
    """

    def __init__(
        self,
        features: Features,
        pairs: Sequence[Pairs],
        seeds: Sequence[Seed],
        config: ProjectionConfig,
        device: str = "cpu",
    ) -> None:
        check_pairs(pairs, seeds)
        self.features, self.config = features, config
        self.tables = [torch.from_numpy(x).to(device) for x in features]
        self.model = Projections((features[0].shape[1], features[1].shape[1]), config, seeds)
        self.model = self.model.to(device)
        self.batches = Batches(pairs, config.batch_size, seeds, device)
        self.optimiser = adam(self.model, config.learning_rate)

    def epochs(self, after: int = 0) -> Iterator[tuple[int, Embed]]:
        """One epoch at a time."""
        self.batches.skip(after)
        for epoch in range(after + 1, self.config.epochs + 1):
            for *rows, labels in self.batches:
                self.optimiser.zero_grad()
                first, second = (self.model(n, self.tables[n][rows[n]]) for n in (0, 1))
                targets, scale = self.config.targets, self.model.logit_scale()
                loss = contrastive_loss(first, second, labels, targets=targets, scale=scale)
                loss.sum().backward()
                self.optimiser.step()
                self.model.limit_scale()
            yield epoch, self.embed

    def embed(self, modality: int, rows: np.ndarray, models: slice = slice(None)) -> torch.Tensor:
        """Embeddings (models, rows, d) of items of modality 0 or 1."""
        return self.model.embed(modality, self.features[modality][rows], models)


def _linear(
    rows: int, columns: int, generators: list[np.random.Generator]
) -> tuple[nn.Parameter, nn.Parameter]:
    bound = rows**-0.5
    shapes = (rows, columns), (1, columns)
    drawn = [[g.uniform(-bound, bound, shape) for shape in shapes] for g in generators]
    return tuple(
        nn.Parameter(torch.from_numpy(np.stack(parts).astype(np.float32)))
        for parts in zip(*drawn, strict=True)
    )
