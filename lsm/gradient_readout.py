"""The papers' way to train a readout: a linear layer, cross-entropy and Adam."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from harness.errors import UserError
from harness.readout import Rows


@dataclass(frozen=True)
class Recipe:
    """How a readout is trained (LSM paper, published code).

    Attributes:
        optimizer: "adam" or "adamw".
        learning_rate: of it.
        batch_size: rows a step.
        epochs: passes over the rows.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-4
    batch_size: int = 100
    epochs: int = 100

    def __post_init__(self) -> None:
        if self.optimizer not in ("adam", "adamw"):
            raise UserError(f"optimizer is {self.optimizer!r}: adam or adamw")

    def over(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of these parameters."""
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.optimizer]
        return kind(parameters, self.learning_rate)


@dataclass(frozen=True)
class History:
    """Accuracy in % after each epoch on the validation and on the test set."""

    validation: list[float]
    test: list[float]

    def by_validation(self) -> float:
        """Test accuracy of the epoch that is best on the validation set."""
        return self.test[int(np.argmax(self.validation))]

    def by_test(self) -> float:
        """The paper's way: the best epoch on the test set."""
        return max(self.test)


def train_readout(
    training: Rows, validation: Rows, test: Rows, classes: int, recipe: Recipe, seed: int
) -> History:
    """Train a linear readout and watch it; weights follow the training rows alone.

    Args:
        training: features (n, D) and labels (n,).
        validation: the same, to choose the epoch on.
        test: the same, to measure on.
        classes: number of classes.
        recipe: of the training.
        seed: of the first weights and of the order of rows.
    """
    generator = torch.Generator().manual_seed(seed)
    x, labels = (torch.from_numpy(np.ascontiguousarray(part)) for part in training)
    bound = x.shape[1] ** -0.5  # as torch starts a linear layer
    start = (torch.rand(classes, x.shape[1] + 1, generator=generator) * 2 - 1) * bound
    weight, bias = nn.Parameter(start[:, :-1].clone()), nn.Parameter(start[:, -1].clone())
    optimizer = recipe.over([weight, bias])
    history = History([], [])
    for _ in range(recipe.epochs):
        order = torch.randperm(len(x), generator=generator)
        for rows in order.split(recipe.batch_size):
            scores = nn.functional.linear(x[rows], weight, bias)
            loss = nn.functional.cross_entropy(scores, labels[rows])
            weight.grad, bias.grad = torch.autograd.grad(loss, [weight, bias])
            optimizer.step()
        for record, part in ((history.validation, validation), (history.test, test)):
            record.append(_accuracy(weight.detach(), bias.detach(), part))
    return history


def _accuracy(weight: torch.Tensor, bias: torch.Tensor, rows: Rows) -> float:
    scores = nn.functional.linear(torch.from_numpy(rows[0]), weight, bias).argmax(1)
    return 100 * float((scores.numpy() == rows[1]).mean())
