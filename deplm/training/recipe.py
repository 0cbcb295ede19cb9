"""How a network is trained by gradient, and the loop that does it.

Adam, weight decay 1e-4, negative log-likelihood, learning rate in steps (DEPLM, published scripts).
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from deplm.encoder import batch_size
from deplm.network import Batch, CloudNetwork
from deplm.points import CloudSet
from deplm.training.augment import Augmentation, AugmentedSet
from deplm.training.layers import GradientLayer
from deplm.training.readout import SeededDropout
from harness.scale.parallel import map_in_order


class CloudModel(nn.Module):
    """A network on clouds that learns by gradient: base class of all models here.

    Attributes:
        network: how clouds are sampled and grouped for it.
        epoch: which epoch is being trained or scored; names the read-noise streams.
    """

    network: CloudNetwork
    epoch: int = 0

    def forward(self, batches: list[Batch]) -> torch.Tensor:
        """Log-probabilities (clouds, ..., classes) of all clouds of all batches."""
        raise NotImplementedError

    def targets(self, source: CloudSet, indices: np.ndarray) -> np.ndarray:
        """Labels (clouds, ...) int64 that belong to `forward`."""
        raise NotImplementedError

    @property
    def trained_weights(self) -> int:
        """Number of trained weights; biases, scalars and norms are not counted, as in the paper."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad and p.ndim > 1)

    def initialise(self, seed: int) -> None:
        """Draw the trained weights' start from `seed` alone, as torch's layers would."""
        generator = torch.Generator().manual_seed(seed)
        for layer in self.modules():
            if isinstance(layer, GradientLayer):
                layer.initialise(generator)
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    drawn = torch.empty(parameter.shape)
                    parameter.data.copy_(drawn.uniform_(-bound, bound, generator=generator))

    def start_epoch(self, epoch: int, seed: int, norm_momentum: float) -> None:
        """Get ready to train an epoch.

        Args:
            epoch: its number, counted from 0.
            seed: of the training.
            norm_momentum: of all running batch-norm statistics.
        """
        self.train()
        self.epoch = epoch
        for number, layer in enumerate(self.modules()):
            if isinstance(layer, nn.BatchNorm1d):
                layer.momentum = norm_momentum
            if isinstance(layer, SeededDropout):
                stream = np.random.default_rng((seed, epoch, number))
                layer.generator.manual_seed(int(stream.integers(2**63)))


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: passes over the training set.
        batch_size: clouds a step.
        learning_rate: of Adam, at the start.
        step_epochs: the learning rate is multiplied by `step_factor` every so many epochs.
        step_factor: see above.
        augmentation: of the training clouds.
        first_step_early: whether the first step comes an epoch early, as in the published
            classification scripts, whose scheduler is stepped before the epoch.
        lowest_rate: the learning rate falls no lower.
        weight_decay: of Adam, added to the gradient.
        norm_momentum: of running batch-norm statistics, at the start (torch's default).
        norm_factor: the momentum is multiplied by it every `step_epochs` epochs.
        lowest_norm_momentum: the momentum falls no lower.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    step_epochs: int
    step_factor: float
    augmentation: Augmentation
    first_step_early: bool
    lowest_rate: float
    weight_decay: float = 1e-4
    norm_momentum: float = 0.1
    norm_factor: float = 1.0
    lowest_norm_momentum: float = 0.01

    def rate_at(self, epoch: int) -> float:
        """Learning rate of `epoch`, counted from 0."""
        steps = (epoch + self.first_step_early) // self.step_epochs
        return max(self.learning_rate * self.step_factor**steps, self.lowest_rate)

    def norm_momentum_at(self, epoch: int) -> float:
        """Momentum of running batch-norm statistics in `epoch`, counted from 0."""
        steps = epoch // self.step_epochs
        return max(self.norm_momentum * self.norm_factor**steps, self.lowest_norm_momentum)

    def optimiser(self, model: nn.Module) -> torch.optim.Adam:
        """Adam on all of the model's weights that are to be trained."""
        trained = [p for p in model.parameters() if p.requires_grad]
        return torch.optim.Adam(trained, lr=self.learning_rate, weight_decay=self.weight_decay)

    def identity(self) -> dict[str, Any]:
        """What a checkpoint's digits depend on, but for the number of epochs.

        Fields with a default are named where they differ from it only, so that a checkpoint
        outlives a new field.
        """
        usual = {f.name: f.default for f in dataclasses.fields(self)}
        values = dataclasses.asdict(self)
        return {n: v for n, v in values.items() if n != "epochs" and v != usual[n]}


def train(
    model: CloudModel,
    recipe: Recipe,
    source: CloudSet,
    optimiser: torch.optim.Optimizer,
    seed: int,
    *,
    first: int = 0,
) -> Iterator[int]:
    """Train `model` on `source`, epoch after epoch, from its present state.

    Every epoch draws from random streams of its own, named by seed and epoch, so that a training
    that is cut short goes on to the same digits. The last batch of an epoch is left out where it
    is not full (published scripts: `drop_last`). A set that can be redrawn gives other points of
    the same clouds in every epoch.

    Args:
        model: to train, initialised.
        recipe: how.
        source: training clouds.
        optimiser: from `recipe.optimiser`.
        seed: of order, augmentation and sampling starts.
        first: the first epoch to train, when those before it are done.

    Yields:
        The number of each epoch, counted from 0, when it is done.
    """
    for epoch in range(first, recipe.epochs):
        model.start_epoch(epoch, seed, recipe.norm_momentum_at(epoch))
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate_at(epoch)
        rng = np.random.default_rng((seed, epoch))
        for batches, targets in shuffled(model, recipe, source, rng):
            loss = functional.nll_loss(model(batches).flatten(0, -2), targets.flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        yield epoch


def shuffled(
    model: CloudModel, recipe: Recipe, source: CloudSet, rng: np.random.Generator
) -> Iterator[tuple[list[Batch], torch.Tensor]]:
    """The steps of one epoch: the clouds of each, augmented and grouped, and their labels.

    Args:
        model: names the labels, and how clouds are grouped.
        recipe: batch size and augmentation.
        source: training clouds.
        rng: of this epoch.
    """
    device = next(model.parameters()).device
    if source.redrawable:
        source = source.redrawn(int(rng.integers(2**31)))

    def augmented(part: tuple[np.ndarray, np.random.Generator]) -> Batch:
        indices, stream = part
        clouds = AugmentedSet(source, recipe.augmentation, stream)
        return model.network.batch(clouds, indices, device, stream)

    order = rng.permutation(len(source))
    size = min(recipe.batch_size, len(order))
    for start in range(0, len(order) - size + 1, size):
        indices = order[start : start + size]
        parts = source.in_batches(indices)
        streams = rng.spawn(len(parts))  # each its own, for any number of threads
        batches = list(map_in_order(augmented, zip(parts, streams, strict=True)))
        yield batches, torch.from_numpy(model.targets(source, indices)).to(device)


def predictions(model: CloudModel, source: CloudSet) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices (B,) and log-probabilities (B, ...) of all clouds, evaluated deterministically."""
    model.eval()
    device = next(model.parameters()).device

    @torch.no_grad()
    def scored(indices: np.ndarray) -> np.ndarray:
        return model([model.network.batch(source, indices, device)]).cpu().numpy()

    batches = source.in_batches(size=batch_size(source, model.network, device))
    yield from zip(batches, map_in_order(scored, batches), strict=True)


def accuracy(model: CloudModel, source: CloudSet) -> dict[str, float]:
    """Accuracy in % of `model` on `source`, by its name."""
    correct = sum(
        int((scores.argmax(-1) == model.targets(source, indices)).sum())
        for indices, scores in predictions(model, source)
    )
    return {"accuracy": 100 * correct / len(source)}
