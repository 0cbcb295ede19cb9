"""SRNN-CLIP and SRNN-Prototype: spiking recurrent encoders trained end to end (LSM paper).

Each side is the supervised tables' SRNN-ANN network, whose linear readout gives the embedding;
the losses are those on frozen reservoirs. The paper publishes no constants of these encoders:
those of its supervised networks stand in.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from harness.errors import UserError
from lsm.spikes import SpikeTrains
from lsm.training.recurrent import RecurrentNetwork, TrainedSpec
from lsm.zero_shot.projections import (
    ACTIVATIONS,
    Batches,
    Loss,
    Pairs,
    ProjectionConfig,
    adam,
    contrastive_loss,
)
from lsm.zero_shot.selection import Embed, Trainer

AT_ONCE = 512  # items embedded together
LARGEST_GRADIENT = 1.0  # norm of a model's gradient

Sides = tuple[SpikeTrains, SpikeTrains]


class Encoders(nn.Module):
    """One trained network a side.

    Args:
        specs: of both networks; their number of classes is the width of the embedding.
        recipe: its activation and whether embeddings have length 1.
        seed: of the first weights.
    """

    def __init__(
        self, specs: tuple[TrainedSpec, TrainedSpec], recipe: ProjectionConfig, seed: int
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.sides = nn.ModuleList(
            RecurrentNetwork(spec, 2 * seed + n) for n, spec in enumerate(specs)
        )

    def forward(self, side: int, trains: SpikeTrains) -> torch.Tensor:
        """Embeddings (B, d) of the spike trains of side 0 or 1."""
        out = ACTIVATIONS[self.recipe.activation](self.sides[side](trains))
        return nn.functional.normalize(out, dim=-1) if self.recipe.normalise else out

    @property
    def trained_weights(self) -> int:
        """Of both sides, without biases."""
        return sum(side.trained_weights for side in self.sides)


def srnn_trainer(
    trains: Sides,
    specs: tuple[TrainedSpec, TrainedSpec],
    recipe: ProjectionConfig,
    loss: Loss | None,
    device: str,
) -> Trainer:
    """A trainer for `lsm.zero_shot.study`: the candidates are the epochs.

    Args:
        trains: spike trains of both sides.
        specs: of both networks.
        recipe: of the training; its layers and learned scale do not apply.
        loss: another than the recipe's.
        device: of torch.
    """

    def of_batch(model: Encoders, batch: list[torch.Tensor]) -> torch.Tensor:
        sides = (
            model(n, trains[n].take(rows[0].cpu().numpy()))[None]
            for n, rows in enumerate(batch[:2])
        )
        if loss is not None:
            return loss(*sides, batch[2])
        options = {"targets": recipe.targets, "scale": 1 / recipe.temperature}
        return contrastive_loss(*sides, batch[2], **options)

    def train(pairs: list[Pairs], seeds: list[list[int]], measure: Callable[[Embed], None]) -> None:
        numbers = [int(np.random.default_rng(seed).integers(2**31)) for seed in seeds]
        models = [Encoders(specs, recipe, number).to(device) for number in numbers]
        optimizers = [adam(model, recipe) for model in models]
        batches = [
            Batches([p], recipe.batch_size, [s], device) for p, s in zip(pairs, seeds, strict=True)
        ]
        for epoch in range(1, recipe.epochs + 1):
            for model, optimizer, mine in zip(models, optimizers, batches, strict=True):
                for batch in mine:
                    optimizer.zero_grad()
                    of_batch(model, batch).sum().backward()
                    _limit_gradients(model)
                    optimizer.step()
            measure(lambda side, rows, chosen: _embedded(models[chosen], trains[side], side, rows))
            print(f"epoch {epoch} of {recipe.epochs}", flush=True)

    return train


def _limit_gradients(model: Encoders) -> None:
    # Through a hundred steps they may grow without bound.
    norm = nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
    if not torch.isfinite(norm):
        raise UserError(
            "SRNN: the gradient is no finite number; start from smaller weights (const)"
        )


@torch.no_grad()
def _embedded(
    models: list[Encoders], trains: SpikeTrains, side: int, rows: np.ndarray
) -> torch.Tensor:
    """(M, rows, d)."""
    parts = []
    for start in range(0, len(rows), AT_ONCE):
        x = trains.take(rows[start : start + AT_ONCE])
        parts.append(torch.stack([model(side, x) for model in models]))
    return torch.cat(parts, 1)
