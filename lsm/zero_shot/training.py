"""Training by contrast of pairs: it can be looked at after every epoch, left, and gone on with."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from harness.errors import UserError
from lsm.zero_shot.retrieval import Embed

Seed = int | Sequence[int]
TARGETS = ("identity", "soft", "labels")  # of the contrastive loss


class Pairs(NamedTuple):
    """Training pairs: rows of the first and of the second modality, and their class, each (n,)."""

    first: np.ndarray
    second: np.ndarray
    labels: np.ndarray


class Training(ABC):
    """M models in training: what `epochs` yields can embed items of both modalities."""

    @abstractmethod
    def epochs(self, after: int = 0) -> Iterator[tuple[int, Embed]]:
        """Train, yielding the epoch (or the number of a candidate) and how to embed then.

        Args:
            after: epochs that were finished before.
        """


class GradientTraining(Training):
    """A training whose state after an epoch is `model` and `optimiser`: it can be kept on disk."""

    model: nn.Module
    optimiser: torch.optim.Optimizer


# (pairs of M models, seeds of M models) -> their training
MakeTraining = Callable[[Sequence[Pairs], Sequence[Seed]], Training]


def check_pairs(pairs: Sequence[Pairs], seeds: Sequence[Seed]) -> None:
    """Refuse what cannot be trained.

    Raises:
        UserError: as many seeds as sets of pairs are needed, of 2 pairs or more.
    """
    if not len(pairs) == len(seeds) >= 1:
        raise UserError(f"{len(pairs)} sets of pairs and {len(seeds)} seeds: one each is needed")
    fewest = min(len(p.labels) for p in pairs)
    if fewest < 2:
        raise UserError(f"a model with {fewest} training pairs: contrast needs 2 or more")


def adam(model: nn.Module, learning_rate: float) -> torch.optim.Adam:
    """Adam for what is trained of a model."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.Adam(parameters, learning_rate, fused=True)


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
                   as in the public simple-CLIP code
        labels     equal for all items of its class, which add to 1 (supervised contrast)

    and those of a column are the transposed matrix, as in simple-CLIP. Which of them the LSM
    paper trains with is not visible: the module with its loss is not published.

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


class Batches:
    """Batches of M models; iterating over it is one epoch.

    It gives rows of the first and of the second modality and labels, each (M, B).

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
        seeds: Sequence[Seed],
        device: str = "cpu",
    ) -> None:
        self.pairs, self.device = pairs, device
        self.size = min(size, *(len(p.labels) for p in pairs))
        self.steps = max(len(p.labels) for p in pairs) // self.size
        self.generators = [np.random.default_rng([1, *np.atleast_1d(seed)]) for seed in seeds]

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        orders = self._orders()
        first, second, labels = (
            torch.from_numpy(
                np.stack([column[order] for column, order in zip(columns, orders, strict=True)])
            )
            .to(self.device)
            .split(self.size, 1)
            for columns in zip(*self.pairs, strict=True)
        )
        yield from zip(first, second, labels, strict=True)

    def skip(self, epochs: int) -> None:
        """Go on as if so many epochs had been taken."""
        for _ in range(epochs):
            self._orders()

    def _orders(self) -> list[np.ndarray]:
        used = self.steps * self.size
        return [
            _order(generator, len(p.labels), used)
            for generator, p in zip(self.generators, self.pairs, strict=True)
        ]


def _order(generator: np.random.Generator, count: int, used: int) -> np.ndarray:
    rounds = -(-used // count)
    return np.concatenate([generator.permutation(count) for _ in range(rounds)])[:used]
