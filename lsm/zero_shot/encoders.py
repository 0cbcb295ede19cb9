"""Pairs of encoders that are trained one model after the other, by contrast or by prototypes.

`SpikingEncoders` are the LSM paper's SRNN-CLIP and SRNN-Prototype: recurrent spiking networks
trained end to end (`zero_shot_train.py`, `zero_shot_prototype_trainable.py`).
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from harness.errors import UserError
from lsm.spikes import SpikeTrains
from lsm.training.recurrent import RecurrentNetwork, TrainedSpec
from lsm.zero_shot.projections import ACTIVATIONS, Features, ProjectionConfig, Projections
from lsm.zero_shot.retrieval import Embed, Pool
from lsm.zero_shot.training import (
    Batches,
    GradientTraining,
    Pairs,
    Seed,
    adam,
    check_pairs,
    contrastive_loss,
)

AT_ONCE = 512  # items embedded together


class PairEncoder(nn.Module):
    """Two encoders, one a modality: `forward(modality, items)` gives embeddings (B, d)."""


class SpikingEncoders(PairEncoder):
    """One trained spiking network a modality; its linear readout of rates gives the embedding.

    Args:
        specs: of both networks; their number of classes is the width of the embedding.
        config: its activation and whether embeddings have length 1.
        seed: of the first weights.
        recurrent_gain: what the first recurrent weights are multiplied by.
    """

    def __init__(
        self,
        specs: tuple[TrainedSpec, TrainedSpec],
        config: ProjectionConfig,
        seed: int,
        recurrent_gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.config = config
        self.networks = nn.ModuleList(
            RecurrentNetwork(spec, 2 * seed + n) for n, spec in enumerate(specs)
        )
        for network in self.networks:
            network.recurrent.data.mul_(recurrent_gain)

    def forward(self, modality: int, trains: SpikeTrains) -> torch.Tensor:
        """Embeddings (B, d) of the spike trains of modality 0 or 1."""
        out = ACTIVATIONS[self.config.activation](self.networks[modality](trains))
        return functional.normalize(out, dim=-1) if self.config.normalise else out

    @property
    def trained_weights(self) -> int:
        """Of both networks, without biases."""
        return sum(network.trained_weights for network in self.networks)


class LinearEncoders(PairEncoder):
    """One projection a modality on frozen features, as an encoder of its own.

    Args:
        inputs: features of the first and of the second modality.
        config: of the projections.
        seed: of the first weights.
    """

    def __init__(self, inputs: tuple[int, int], config: ProjectionConfig, seed: Seed) -> None:
        super().__init__()
        self.projections = Projections(inputs, config, [seed])

    def forward(self, modality: int, x: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, d) of features (B, D) of modality 0 or 1."""
        return self.projections(modality, x)[0]


def first_weights(seed: Seed) -> int:
    """A number for torch's generators from a seed of several numbers."""
    return int(np.random.default_rng(seed).integers(2**31))


class EncoderTraining(GradientTraining):
    """Train M pairs of encoders, one after the other within an epoch.

    Args:
        inputs: items of both modalities: features (items, D) or spike trains.
        encoders: M pairs of encoders.
        pairs: M sets of training pairs.
        seeds: M seeds of the order of pairs.
        config: of the training.
        largest_gradient: norm that a model's gradient is cut to; None: not cut (LSM, code).
        device: of torch.

    Raises:
        UserError: see `check_pairs`.
    """

    def __init__(
        self,
        inputs: Features | tuple[SpikeTrains, SpikeTrains],
        encoders: Sequence[PairEncoder],
        pairs: Sequence[Pairs],
        seeds: Sequence[Seed],
        config: ProjectionConfig,
        largest_gradient: float | None = None,
        device: str = "cpu",
    ) -> None:
        check_pairs(pairs, seeds)
        self.inputs, self.config, self.device = inputs, config, device
        self.largest_gradient = largest_gradient
        self.model = nn.ModuleList(encoders).to(device)
        self.batches = [
            Batches([p], config.batch_size, [s], device) for p, s in zip(pairs, seeds, strict=True)
        ]
        self.optimiser = adam(self.model, config.learning_rate)

    @abstractmethod
    def loss(
        self, encoder: PairEncoder, rows: list[torch.Tensor], labels: torch.Tensor
    ) -> torch.Tensor:
        """Of one batch of pairs: rows of both modalities and labels, each (1, B)."""

    def epochs(self, after: int = 0) -> Iterator[tuple[int, Embed]]:
        """One epoch at a time."""
        for batches in self.batches:
            batches.skip(after)
        for epoch in range(after + 1, self.config.epochs + 1):
            for encoder, batches in zip(self.model, self.batches, strict=True):
                steps = 0
                for *rows, labels in batches:
                    self.optimiser.zero_grad()  # the other models' stay None: they take no step
                    self.loss(encoder, rows, labels).backward()
                    if self._finite_gradient(encoder):
                        self.optimiser.step()
                        steps += 1
                if steps == 0:
                    raise UserError(
                        f"no gradient of epoch {epoch} is a finite number: smaller first weights "
                        "(trained_recurrent_gain, const) keep them finite"
                    )
            yield epoch, self.embed

    def encode(self, encoder: PairEncoder, modality: int, rows: np.ndarray) -> torch.Tensor:
        """Embeddings (B, d) of items of modality 0 or 1."""
        items = self.inputs[modality]
        if isinstance(items, SpikeTrains):
            return encoder(modality, items.take(rows))
        return encoder(modality, torch.from_numpy(items[rows]).to(self.device))

    @torch.no_grad()
    def embed(self, modality: int, rows: np.ndarray, models: slice = slice(None)) -> torch.Tensor:
        """Embeddings (models, rows, d) of items of modality 0 or 1."""
        chunks = [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]
        parts = [
            torch.stack([self.encode(encoder, modality, part) for encoder in self.model[models]])
            for part in chunks
        ]
        return torch.cat(parts, 1)

    def _finite_gradient(self, encoder: PairEncoder) -> bool:
        # Through a hundred steps gradients may overflow: such a step is skipped, as the published
        # prototype scripts skip a backward pass that fails.
        limit = self.largest_gradient or float("inf")
        norm = nn.utils.clip_grad_norm_(encoder.parameters(), limit)
        return bool(torch.isfinite(norm))


class ContrastiveTraining(EncoderTraining):
    """Encoders trained by `contrastive_loss` (SRNN-CLIP)."""

    def loss(
        self, encoder: PairEncoder, rows: list[torch.Tensor], labels: torch.Tensor
    ) -> torch.Tensor:
        """Of one batch of pairs."""
        first, second = (self.encode(encoder, n, rows[n][0].cpu().numpy())[None] for n in (0, 1))
        options = {"targets": self.config.targets, "scale": 1 / self.config.temperature}
        return contrastive_loss(first, second, labels, **options).sum()


class PrototypeTraining(EncoderTraining):
    """Encoders trained by `prototype_loss` (LSM-Prototype, SRNN-Prototype).

    Attributes:
        queries: items that the loss is taken on. The published script takes *test* items of the
            seen classes. None: the support itself, which is training items.
    """

    queries: Pool | None = None

    def loss(
        self, encoder: PairEncoder, rows: list[torch.Tensor], labels: torch.Tensor
    ) -> torch.Tensor:
        """Of one batch of support pairs."""
        parts = [self.encode(encoder, n, rows[n][0].cpu().numpy()) for n in (0, 1)]
        support, support_labels = torch.cat(parts), labels[0].repeat(2)
        queries, query_labels = support, support_labels
        if self.queries is not None:
            queries = torch.cat([self.encode(encoder, n, self.queries.rows[n]) for n in (0, 1)])
            query_labels = torch.from_numpy(np.concatenate(self.queries.labels)).to(labels.device)
        temperature = self.config.temperature
        return prototype_loss(queries, query_labels, support, support_labels, temperature)


def prototype_loss(
    queries: torch.Tensor,
    query_labels: torch.Tensor,
    support: torch.Tensor,
    support_labels: torch.Tensor,
    temperature: float = 1.0,
) -> torch.Tensor:
    """Cross-entropy of queries against class prototypes (Snell et al., 2017).

    p_c is the mean of the support embeddings of class c, of both modalities; the loss is

        - log softmax_c(-|q - p_c|^2 / temperature) at the query's own class

    averaged over queries. The published scripts show one score of image and audio queries
    together and one set of prototypes; distance and inner form are not visible.

    Args:
        queries: (Q, d) embeddings, of both modalities one after the other.
        query_labels: (Q,) classes; queries of a class without support do not count.
        support: (S, d) embeddings, likewise.
        support_labels: (S,) classes.
        temperature: what scores are divided by.
    """
    classes, index = torch.unique(support_labels, return_inverse=True)
    member = functional.one_hot(index, len(classes)).to(support.dtype)
    prototypes = member.T @ support / member.sum(0)[:, None]
    known = torch.isin(query_labels, classes)
    q, own = queries[known], torch.searchsorted(classes, query_labels[known])
    squares = q.square().sum(-1)[:, None] + prototypes.square().sum(-1) - 2 * q @ prototypes.T
    return functional.cross_entropy(-squares / temperature, own)
