"""Training by gradient descent: the paper's recipe, and the fully trained twin.

Adam, weight decay 1e-4, negative log-likelihood, learning rate in steps (DEPLM, code). In the
recipe the random layers stay frozen and only the readout learns, while batch-norm statistics
adapt; the twin trains every weight of the same network.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import trange

from deplm.encoder import FrozenEncoder
from deplm.layers import Norm
from deplm.network import Batch, CloudNetwork, PointNetwork
from deplm.points import CloudSet
from deplm.training.augment import Augmentation, AugmentedSet
from deplm.training.grouped_norm import GroupNormMaxReLU
from harness.checkpoint import Checkpoint, Progress
from harness.parallel import map_in_order
from harness.selection import History
from rram import Chip

MOMENTUM = 0.1  # of running batch-norm statistics, torch's default
WEIGHT_DECAY = 1e-4


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: passes over the training set.
        batch_size: clouds a step.
        learning_rate: at the start.
        step_epochs: the learning rate is multiplied by `step_factor` every so many epochs.
        step_factor: see above.
        augmentation: of the training clouds.
        first_step_early: whether the first step comes an epoch early, as in the published
            classification scripts, whose scheduler is stepped before the epoch.
        lowest_rate: the learning rate falls no lower.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    step_epochs: int
    step_factor: float
    augmentation: Augmentation
    first_step_early: bool = True
    lowest_rate: float = 0.0

    def rate(self, epoch: int) -> float:
        """Learning rate of `epoch`, counted from 0."""
        steps = (epoch + self.first_step_early) // self.step_epochs
        return max(self.learning_rate * self.step_factor**steps, self.lowest_rate)


class Task(NamedTuple):
    """What is learned: what the labels of clouds are, how to score.

    Attributes:
        labels: (set, numbers) -> int64 labels of the clouds, or of their points.
        scores: (model, network, set) -> scores in %, by name.
    """

    labels: Callable[[CloudSet, np.ndarray], np.ndarray]
    scores: Callable[[nn.Module, PointNetwork, CloudSet], dict[str, float]]


class FrozenClassifier(nn.Module):
    """The frozen network of a chip with a trained linear readout.

    In training the layers are normalised by the statistics of the batch, in evaluation by their
    running means, as batch normalisation does.
    """

    def __init__(
        self, network: PointNetwork, chip: Chip, classes: int, device: torch.device | str
    ) -> None:
        super().__init__()
        self.encoder = FrozenEncoder(network, chip, device=device)
        self.readout = nn.Linear(self.encoder.width, classes, device=device)
        for n, layer in enumerate(self.encoder.layers):
            channels = layer.crossbar.weights.shape[1]
            nothing = torch.full((2, channels), torch.nan, dtype=torch.float64)
            self.register_buffer(f"running{n}", nothing)  # mean and variance

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
        features, moments = self.encoder.calibrate(batches)
        for n, m in enumerate(moments):
            fresh = np.stack([m.mean, m.variance * m.count / max(m.count - 1, 1)])
            running = getattr(self, f"running{n}")
            was = fresh if running.isnan().any() else running.numpy()
            running.copy_(torch.from_numpy((1 - MOMENTUM) * was + MOMENTUM * fresh))
        return features


class TrainedClassifier(nn.Module):
    """The same network with every weight trained: 1x1 layer, batch norm, max, ReLU."""

    def __init__(self, network: PointNetwork, classes: int, device: torch.device | str) -> None:
        super().__init__()
        self.network = network
        shapes = network.shapes.values()
        self.layers = nn.ModuleList(nn.Linear(*shape, device=device) for shape in shapes)
        self.norms = nn.ModuleList(GroupNormMaxReLU(width, device=device) for _, width in shapes)
        self.readout = nn.Linear(network.width, classes, device=device)

    def forward(self, batches: list[Batch]) -> torch.Tensor:
        """Log-probabilities (clouds, classes)."""
        points = torch.cat([batch.clouds.points for batch in batches])
        features = torch.cat([batch.clouds.features for batch in batches])
        groupings = zip(*(batch.groupings for batch in batches), strict=True)
        for layer, norm, parts in zip(self.layers, self.norms, groupings, strict=True):
            projected = layer(torch.cat([points, features], -1))
            if parts[0] is None:
                features = norm(projected)
                continue
            points = torch.cat([part.centres for part in parts])
            neighbours = torch.cat([part.neighbours for part in parts])
            features = norm(projected, neighbours, points @ layer.weight[:, :3].T)
        return functional.log_softmax(self.readout(features[:, 0]), -1)


def train(
    model: nn.Module,
    network: PointNetwork,
    recipe: Recipe,
    source: CloudSet,
    evaluated: dict[str, CloudSet],
    seed: int,
    label: str,
    task: Task | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[History, float]:
    """Train `model` on `source`; score it on the sets `evaluated` after every epoch.

    Every epoch draws from random streams of its own, so that a run that is cut short goes on
    from its checkpoint to the same digits. The last batch of an epoch is left out where it is
    not full (published scripts: `drop_last`). A set that can be `redrawn` gives other points of
    the same clouds in every epoch.

    Args:
        model: a `FrozenClassifier` or `TrainedClassifier`.
        network: what the clouds are grouped for.
        recipe: how.
        source: training clouds, with `labels` (n,) int64 or as `task` wants.
        evaluated: "test" and perhaps "validation" clouds.
        seed: of order, augmentation, sampling starts and initial readout.
        label: of the progress bar.
        task: default `CLASSIFICATION`.
        checkpoint: where each epoch is kept; None keeps none.

    Returns:
        The scores after each epoch, and the seconds of all of them.
    """
    task = task or CLASSIFICATION
    initialise(model, seed)
    optimiser = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad],
        lr=recipe.learning_rate,
        weight_decay=WEIGHT_DECAY,
    )
    progress = checkpoint.load(model, optimiser) if checkpoint else Progress()
    history = History.from_dict(progress.history)
    epochs = trange(
        progress.epoch, recipe.epochs, desc=label, unit="epoch", disable=None,
        initial=progress.epoch, total=recipe.epochs,
    )  # fmt: skip
    for epoch in epochs:
        started = time.perf_counter()
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate(epoch)
        _epoch(
            model, network, recipe, source, optimiser, np.random.default_rng((seed, epoch)), task
        )
        scores = {name: task.scores(model, network, part) for name, part in evaluated.items()}
        history.add(**scores)
        seconds = progress.seconds + time.perf_counter() - started
        progress = Progress(epoch + 1, seconds, history.as_dict())
        if checkpoint:
            checkpoint.save(progress, model, optimiser)
        epochs.set_postfix({name: f"{history.curve(name)[-1]:.2f} %" for name in evaluated})
    return history, progress.seconds


def _epoch(
    model: nn.Module,
    network: PointNetwork,
    recipe: Recipe,
    source: CloudSet,
    optimiser: torch.optim.Optimizer,
    rng: np.random.Generator,
    task: Task,
) -> None:
    model.train()
    device = next(model.parameters()).device
    if source.redrawable:
        source = source.redrawn(int(rng.integers(2**31)))

    def augmented(part: tuple[np.ndarray, np.random.Generator]) -> Batch:
        chunk, stream = part
        clouds = AugmentedSet(source, recipe.augmentation, stream)
        return network.batch(clouds, chunk, device, stream)

    order = rng.permutation(len(source))
    size = min(recipe.batch_size, len(order))
    for start in range(0, len(order) - size + 1, size):
        numbers = order[start : start + size]
        chunks = source.in_batches(numbers)
        streams = rng.spawn(len(chunks))  # each its own, for any number of threads
        batches = list(map_in_order(augmented, zip(chunks, streams, strict=True)))
        labels = torch.from_numpy(task.labels(source, numbers)).to(device)
        loss = functional.nll_loss(model(batches).flatten(0, -2), labels.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def guesses(
    model: nn.Module, network: CloudNetwork, source: CloudSet
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers (B,) and log-probabilities (B, ...) of all clouds, evaluated deterministically."""
    model.eval()
    device = next(model.parameters()).device

    @torch.no_grad()
    def scored(numbers: np.ndarray) -> np.ndarray:
        return model([network.batch(source, numbers, device)]).cpu().numpy()

    chunks = source.in_batches()
    yield from zip(chunks, map_in_order(scored, chunks), strict=True)


def accuracy(model: nn.Module, network: PointNetwork, source: CloudSet) -> float:
    """Accuracy in % of `model` on `source`."""
    right = sum(
        int((scores.argmax(-1) == source.labels[numbers]).sum())
        for numbers, scores in guesses(model, network, source)
    )
    return 100 * right / len(source)


CLASSIFICATION = Task(
    labels=lambda source, numbers: source.labels[numbers],
    scores=lambda model, network, source: {"accuracy": accuracy(model, network, source)},
)


def initialise(model: nn.Module, seed: int) -> None:
    """Draw the initial trained weights from `seed` alone, as torch's layers would."""
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            bound = layer.in_features**-0.5
            for parameter in (layer.weight, layer.bias):
                drawn = torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator)
                parameter.data.copy_(drawn)
