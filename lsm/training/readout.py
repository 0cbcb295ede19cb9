"""The paper's way to train a readout: a linear layer, cross-entropy and Adam."""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from harness.errors import UserError
from harness.readout import Rows
from harness.selection import History

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # Adam's decays and its epsilon, as in torch
DECAY = {"adam": 0.0, "adamw": 0.01}  # of weights, as in torch


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
        if self.optimizer not in DECAY:
            raise UserError(f"optimizer is {self.optimizer!r}: one of {', '.join(DECAY)}")


class Adam:
    """torch's Adam and AdamW for one array, without torch's hundred microseconds a step."""

    def __init__(self, weights: np.ndarray, recipe: Recipe) -> None:
        self.weights, self.recipe = weights, recipe
        self.mean, self.square = np.zeros_like(weights), np.zeros_like(weights)
        self.steps = 0

    def step(self, gradient: np.ndarray) -> None:
        """Change the weights in place."""
        rate, decay = self.recipe.learning_rate, DECAY[self.recipe.optimizer]
        self.steps += 1
        self.mean += (1 - FIRST) * (gradient - self.mean)
        self.square += (1 - SECOND) * (gradient * gradient - self.square)
        scale = np.sqrt(self.square / (1 - SECOND**self.steps)) + TINY
        self.weights *= 1 - rate * decay
        self.weights -= rate / (1 - FIRST**self.steps) * self.mean / scale


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
    generator = np.random.default_rng([seed, classes])
    x, labels = _with_ones(training[0]), training[1]
    bound = training[0].shape[1] ** -0.5  # as torch starts a linear layer
    weights = generator.uniform(-bound, bound, (x.shape[1], classes)).astype(np.float32)
    adam, history = Adam(weights, recipe), History()
    # One thread: products this small only wait for one another on more.
    with threadpool_limits(1):
        for _ in range(recipe.epochs):
            order = generator.permutation(len(x))
            for start in range(0, len(x), recipe.batch_size):
                rows = order[start : start + recipe.batch_size]
                adam.step(cross_entropy_gradient(x[rows], labels[rows], weights))
            history.add(
                validation={"accuracy": _accuracy(weights, *validation)},
                test={"accuracy": _accuracy(weights, *test)},
            )
    return history


def cross_entropy_gradient(x: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Gradient (D, classes) of the mean cross-entropy of scores x @ weights."""
    scores = x @ weights
    error = np.exp(scores - scores.max(1, keepdims=True))
    error /= error.sum(1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    return x.T @ error / np.float32(len(labels))


def _accuracy(weights: np.ndarray, x: np.ndarray, labels: np.ndarray) -> float:
    guesses = (x @ weights[:-1] + weights[-1]).argmax(1)
    return 100 * float((guesses == labels).mean())


def _with_ones(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, np.ones((len(x), 1), x.dtype)], 1)
