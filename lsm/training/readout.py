"""The paper's way to train a readout: a linear layer, cross-entropy and Adam.

The steps are written out here because torch's cost more than their products: with 200 features,
100 rows a step and one thread of an AMD EPYC, `torch.optim.Adam` and autograd take 8.1 times as
long (6.3 times with its fused kernel), and `torch.optim.AdamW` with 256 rows a step 6.3 times.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from harness.errors import UserError
from harness.readouts.ridge import Rows
from harness.run.checkpoint import check_converging

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # Adam's decays and its epsilon, as in torch
DECAY = {"adam": 0.0, "adamw": 0.01}  # of weights, as in torch


@dataclass(frozen=True)
class Recipe:
    """How a readout is trained (LSM paper, `lsm_sim_gaussian.py` of each data set).

    Attributes:
        optimizer: "adam" or "adamw".
        learning_rate: of it.
        batch_size: rows a step; the last batch of an epoch may have fewer.
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
    """Adam and AdamW of one array (Kingma and Ba 2015; Loshchilov and Hutter 2019).

        m += (1 - 0.9) (g - m);   v += (1 - 0.999) (g^2 - v)
        w *= 1 - rate * decay;    w -= rate m^ / (sqrt(v^) + 1e-8)

    with m^ = m / (1 - 0.9^k) and v^ = v / (1 - 0.999^k) after k steps.

    Args:
        weights: changed in place.
        recipe: its optimiser and learning rate.
    """

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
    training: Rows, classes: int, recipe: Recipe, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Train a linear layer, and yield its coefficients and intercept after every epoch.

    The batches are the same in every epoch, as in the published scripts: features are encoded
    in one random order and kept in it.

    Args:
        training: features (n, D) float32 and labels (n,).
        classes: number of classes.
        recipe: of the training.
        seed: of the first weights and of the order of rows.

    Yields:
        Coefficients (D, classes) and intercept (classes,), valid until the next epoch.

    Raises:
        UserError: the training diverged.
    """
    generator = np.random.default_rng([seed, classes])
    features, labels = training
    bound = features.shape[1] ** -0.5  # as torch starts a linear layer
    weights = generator.uniform(-bound, bound, (features.shape[1] + 1, classes))
    adam = Adam(weights.astype(np.float32), recipe)
    order = generator.permutation(len(features))
    x, labels = np.ones((len(order), len(weights)), np.float32), labels[order]
    x[:, :-1] = features[order]
    for epoch in range(1, recipe.epochs + 1):
        with threadpool_limits(1):  # products this small only wait for one another on more
            for start in range(0, len(x), recipe.batch_size):
                rows = slice(start, start + recipe.batch_size)
                adam.step(cross_entropy_gradient(x[rows], labels[rows], adam.weights))
        check_converging([adam.weights], epoch)
        yield adam.weights[:-1], adam.weights[-1]


def cross_entropy_gradient(x: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Gradient (D, classes) of the mean cross-entropy of scores x @ weights.

    Args:
        x: (n, D).
        labels: (n,) int64.
        weights: (D, classes).
    """
    scores = x @ weights
    error = np.exp(scores - scores.max(1, keepdims=True))
    error /= error.sum(1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    return x.T @ error / np.float32(len(labels))
