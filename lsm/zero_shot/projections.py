"""ProjectionConfig learning of two projections, one a modality, on frozen features (LSM paper).

Many models, of other splits, seeds or chips' pairings, are trained as one stack: their losses are
added and share no parameter, so each gets the gradients that it would get alone.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from harness.errors import UserError

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": functional.gelu,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
TARGETS = ("identity", "soft", "labels")
LARGEST_SCALE = 100.0  # of a learned logit scale, as in CLIP
Features = tuple[np.ndarray, np.ndarray]  # (items, D) of the first and of the second modality
# (M, B, d) and (M, B, d) embeddings, (M, B) labels -> (M,)
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Pairs(NamedTuple):
    """Training pairs: rows of the first and of the second modality, and their class, each (n,)."""

    first: np.ndarray
    second: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class ProjectionConfig:
    """Projections and how they are trained; the defaults are the published script's.

    Attributes:
        width: d, of the common space.
        layers: linear layers of a projection, 1 to 3, each followed by the activation.
        activation: "gelu", "relu", "sigmoid" or "tanh".
        targets: "identity", "soft" or "labels", see `contrastive_loss`.
        temperature: what logits are divided by.
        learned_scale: learn 1 / temperature, at most 100; starts at 1 / `temperature`.
        normalise: embeddings of length 1.
        learning_rate: of Adam.
        weight_decay: of AdamW; 0 is Adam.
        batch_size: pairs a step.
        epochs: passes over the pairs.
    """

    width: int = 64
    layers: int = 1
    activation: str = "gelu"
    targets: str = "soft"
    temperature: float = 1.0
    learned_scale: bool = False
    normalise: bool = False
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
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
        if not (self.temperature > 0 and self.learning_rate > 0 and self.weight_decay >= 0):
            raise UserError(f"{self}: temperature and learning_rate must be above 0")


def contrastive_loss(
    first: torch.Tensor,
    second: torch.Tensor,
    labels: torch.Tensor,
    *,
    targets: str = "identity",
    scale: torch.Tensor | float = 1.0,
) -> torch.Tensor:
    """Symmetric cross-entropy between the similarities of a batch and its targets.

    Logits are scale * first @ second^T. The targets of a row are

        identity   1 for its own partner (CLIP)
        soft       softmax((first first^T + second second^T) / (2 scale)), gradients included,
                   as in the public simple-CLIP code, on which the LSM paper's seems to build
        labels     the same for all items of its class, which add to 1

    and those of a column are the transposed matrix, as in simple-CLIP.

    Args:
        first: (M, B, d) embeddings of M models.
        second: (M, B, d), item i is the partner of `first` i.
        labels: (M, B) classes; only `targets="labels"` looks at them.
        targets: "identity", "soft" or "labels".
        scale: 1 / temperature, a number or (M, 1, 1).

    Returns:
        (M,) losses, each the mean over its batch.
    """
    logits = scale * (first @ second.mT)
    wanted = _targets(first, second, labels, targets, scale)
    rows = (wanted * logits.log_softmax(-1)).sum(-1)
    columns = (wanted * logits.log_softmax(-2)).sum(-2)
    return -(rows + columns).mean(-1) / 2


def _targets(
    first: torch.Tensor,
    second: torch.Tensor,
    labels: torch.Tensor,
    targets: str,
    scale: torch.Tensor | float,
) -> torch.Tensor:
    if targets == "identity":
        return torch.eye(first.shape[1], dtype=first.dtype, device=first.device)
    if targets == "soft":
        return ((first @ first.mT + second @ second.mT) / (2 * scale)).softmax(-1)
    same = (labels[:, :, None] == labels[:, None, :]).to(first.dtype)
    return same / same.sum(-1, keepdim=True)


class Projections(nn.Module):
    """Two projections into a common space, for M models at once.

    Args:
        inputs: features of the first and of the second modality.
        recipe: what to build.
        seeds: (M,) of the first weights, one a model; drawn on the CPU as torch starts a
            linear layer.
    """

    def __init__(
        self,
        inputs: tuple[int, int],
        recipe: ProjectionConfig,
        seeds: Sequence[int | Sequence[int]],
    ) -> None:
        super().__init__()
        self.recipe = recipe
        widths = [recipe.width] * recipe.layers
        generators = [np.random.default_rng([0, *np.atleast_1d(seed)]) for seed in seeds]
        self.sides = nn.ModuleList(
            nn.ParameterList(
                parameter
                for rows, columns in zip([first, *widths], widths, strict=False)
                for parameter in _linear(rows, columns, generators)
            )
            for first in inputs
        )
        start = torch.full((len(seeds), 1, 1), -math.log(recipe.temperature))
        self.log_scale = nn.Parameter(start, requires_grad=recipe.learned_scale)

    def forward(self, side: int, x: torch.Tensor, models: slice = slice(None)) -> torch.Tensor:
        """Embeddings (M, B, d) of features (M, B, D), or (B, D) for all models, of side 0 or 1.

        Args:
            side: of the features.
            x: the features.
            models: which M of them; default all.
        """
        parameters = [parameter[models] for parameter in self.sides[side]]
        if x.shape[-1] != parameters[0].shape[1]:
            raise UserError(f"{x.shape[-1]} features, expected {parameters[0].shape[1]}")
        for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
            x = x.expand(len(weight), *x.shape[-2:])
            x = ACTIVATIONS[self.recipe.activation](torch.baddbmm(bias, x, weight))
        return functional.normalize(x, dim=-1) if self.recipe.normalise else x

    @torch.no_grad()
    def embed(self, side: int, x: np.ndarray, models: slice = slice(None)) -> torch.Tensor:
        """As `forward` of features (B, D), without gradients."""
        return self(side, torch.from_numpy(x).to(self.log_scale.device), models)

    @property
    def scale(self) -> torch.Tensor:
        """(M, 1, 1), 1 / temperature."""
        return self.log_scale.exp()

    @property
    def trained_weights(self) -> int:
        """Of one model; biases and the scale are not counted."""
        return sum(weight[0].numel() for side in self.sides for weight in side[::2])


def train_projections(
    features: Features,
    pairs: Sequence[Pairs],
    recipe: ProjectionConfig,
    *,
    seeds: Sequence[int | Sequence[int]],
    loss: Loss | None = None,
    device: str = "cpu",
    after_epoch: Callable[[int, Projections], None] | None = None,
) -> Projections:
    """Train M models as one stack (LSM paper, methods).

    Every epoch takes the pairs of each model in a new order, in batches of equal size. The model
    with most pairs sets the number of steps; one with fewer goes round again, in another order,
    so that all have taken as many steps after an epoch. What fills no batch is left out.

    Args:
        features: (items, D) float32 of both modalities, shared by all models.
        pairs: M sets of training pairs.
        recipe: projections and training.
        seeds: M seeds, each of one model's first weights and order of pairs.
        loss: of embeddings and labels, another than the recipe's `contrastive_loss`.
        device: of torch.
        after_epoch: called with the epoch (from 1) and the projections.

    Raises:
        UserError: as many seeds as sets of pairs are needed, of 2 pairs or more.
    """
    if not len(pairs) == len(seeds) >= 1:
        raise UserError(f"{len(pairs)} sets of pairs and {len(seeds)} seeds: one each is needed")
    fewest = min(len(p.labels) for p in pairs)
    if fewest < 2:
        raise UserError(f"a model with {fewest} training pairs: contrast needs 2 or more")
    projections = Projections((features[0].shape[1], features[1].shape[1]), recipe, seeds)
    projections = projections.to(device)
    batches = Batches(pairs, recipe.batch_size, seeds, device)
    tables = [torch.from_numpy(x).to(device) for x in features]
    optimizer = adam(projections, recipe)
    for epoch in range(1, recipe.epochs + 1):
        for first, second, labels in batches:
            optimizer.zero_grad()
            sides = projections(0, tables[0][first]), projections(1, tables[1][second])
            if loss is None:
                scale = projections.scale if recipe.learned_scale else 1 / recipe.temperature
                losses = contrastive_loss(*sides, labels, targets=recipe.targets, scale=scale)
            else:
                losses = loss(*sides, labels)
            losses.sum().backward()
            optimizer.step()
            if recipe.learned_scale:
                projections.log_scale.data.clamp_(max=math.log(LARGEST_SCALE))
        if after_epoch is not None:
            after_epoch(epoch, projections)
    return projections


def adam(model: nn.Module, recipe: ProjectionConfig) -> torch.optim.Optimizer:
    """The recipe's optimiser for what is trained of a model."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    kind = torch.optim.AdamW if recipe.weight_decay else torch.optim.Adam
    return kind(parameters, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)


class Batches:
    """Batches of M models; iterating over it is one epoch.

    It gives rows of the first and of the second side and labels, each (M, B).

    Args:
        pairs: of each model.
        size: pairs a batch, fewer where a model has fewer.
        seeds: of each model's orders.
        device: of the tensors.
    """

    def __init__(
        self,
        pairs: Sequence[Pairs],
        size: int,
        seeds: Sequence[int | Sequence[int]],
        device: str = "cpu",
    ) -> None:
        self.pairs, self.device = pairs, device
        self.size = min(size, *(len(p.labels) for p in pairs))
        self.steps = max(len(p.labels) for p in pairs) // self.size
        self.generators = [np.random.default_rng([1, *np.atleast_1d(seed)]) for seed in seeds]

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        used = self.steps * self.size
        orders = [
            _order(generator, len(p.labels), used)
            for generator, p in zip(self.generators, self.pairs, strict=True)
        ]
        first, second, labels = (
            torch.from_numpy(
                np.stack([column[order] for column, order in zip(columns, orders, strict=True)])
            )
            .to(self.device)
            .split(self.size, 1)
            for columns in zip(*self.pairs, strict=True)
        )
        yield from zip(first, second, labels, strict=True)


def _order(generator: np.random.Generator, count: int, used: int) -> np.ndarray:
    rounds = -(-used // count)
    return np.concatenate([generator.permutation(count) for _ in range(rounds)])[:used]


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
