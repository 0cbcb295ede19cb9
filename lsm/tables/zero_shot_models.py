"""What the zero-shot tables train: frozen features, and models on them or on the spikes."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from harness.run.protocol import Run
from lsm.encode import StateFeatures, encode
from lsm.reservoir import ReservoirSpec
from lsm.tables.common import make_reservoir
from lsm.training.recurrent import TrainedSpec
from lsm.zero_shot.alignment import RidgeAlignment
from lsm.zero_shot.encoders import (
    ContrastiveTraining,
    LinearEncoders,
    PrototypeTraining,
    SpikingEncoders,
    first_weights,
)
from lsm.zero_shot.modalities import TEST, PairedModalities, Split
from lsm.zero_shot.principal import principal
from lsm.zero_shot.projections import Features, ProjectionConfig, ProjectionTraining
from lsm.zero_shot.retrieval import Similarity, centred_cosine, cosine
from lsm.zero_shot.training import Pairs, Seed, Training

PENALTIES = tuple(10.0**e for e in range(-3, 5))
PROTOTYPE_WIDTHS = (64, 128, 256, 512, 1024)
Specs = tuple[ReservoirSpec, ReservoirSpec]
EVENTS = "event counts"  # the rival of both kinds of reservoir: no random layer
RATES = StateFeatures(), StateFeatures()


class Encoded(NamedTuple):
    """Features of all items of both modalities, and what they cost."""

    features: Features
    seconds: float
    fixed_weights: int


@dataclass(frozen=True)
class FrozenFeatures:
    """What projections are trained on: nothing in it is trained but principal axes.

    Attributes:
        source: SOFTWARE or CHIP reservoirs, or EVENTS: counts of the input itself.
        specs: of both reservoirs.
        reads: of both; of EVENTS the windows alone.
        standardised: mean 0 and deviation 1 over the training items.
        components: so many principal components a modality, see `principal`; None: all features.
    """

    source: str
    specs: Specs
    reads: tuple[StateFeatures, StateFeatures] = RATES
    standardised: bool = False
    components: int | None = None

    def encode(self, run: Run, seed: int, split: Split) -> Encoded:
        """Features of chip `seed`; reservoirs run once, shared by all rows of the chip.

        Args:
            run: its data, device and constants.
            seed: of the chip.
            split: principal axes are those of its seen classes.
        """
        both = []
        for n in (0, 1):
            key = (self.source, self.specs[n], self.reads[n], n)
            both.append(run.shared(key, seed, partial(self._of_chip, run, seed, n)))
        features, seconds = zip(*both, strict=True)
        weights = 0 if self.source == EVENTS else sum(spec.weights for spec in self.specs)
        if self.standardised:
            features = standardised(features, run.data)
        if self.components is not None:
            features = principal(features, run.data, split, self.components)
        return Encoded(features, sum(seconds), weights)

    def _of_chip(
        self, run: Run, seed: int, n: int, _: list[int]
    ) -> dict[int, tuple[np.ndarray, float]]:
        # A chip at a time: encoding several at once saves nothing.
        started, modality = time.perf_counter(), run.data.modalities[n]
        trains, windows = modality.trains, self.reads[n].windows
        if self.source == EVENTS:
            x = trains.counts(windows) * np.float32(windows / trains.steps)
        else:
            spec = self.specs[n]
            reservoir = make_reservoir(run.config, seed, self.source, spec, f"{modality.name} ")
            options = {"seed": 2 * seed + n, "device": run.device}
            x = encode(trains, reservoir, self.reads[n], **options)
        if run.config.spike_counts:
            x = x * np.float32(trains.steps / windows)
        return {seed: (x, time.perf_counter() - started)}

    def width(self, run: Run) -> int:
        """Features of both modalities before principal components are taken."""
        if self.source == EVENTS:
            inputs = [modality.trains.inputs for modality in run.data.modalities]
            return sum(n * r.windows for n, r in zip(inputs, self.reads, strict=True))
        return sum(r.width(s.neurons) for r, s in zip(self.reads, self.specs, strict=True))

    @property
    def note(self) -> str:
        """What a reader has to know."""
        first = self.reads[0]
        parts = [self.source] if self.source == EVENTS else []
        parts += [f"{first.windows} windows" if first.windows > 1 else "rates"]
        parts += [f"{first.membranes} membranes"] if first.membranes else []
        parts += ["standardised"] if self.standardised else []
        parts += [f"{self.components} principal components"] if self.components else []
        return ", ".join(parts)


def standardised(features: Features, data: PairedModalities) -> Features:
    """Mean 0 and deviation 1 of each feature over the training items."""
    scaled = []
    for x, modality in zip(features, data.modalities, strict=True):
        train = x[modality.subset != TEST]
        deviation = train.std(0)
        scaled.append((x - train.mean(0)) / np.where(deviation > 0, deviation, 1))
    return tuple(scaled)


class Cost(NamedTuple):
    """Weights and seconds of a model."""

    fixed_weights: int
    trained_weights: int
    encode_seconds: float = 0.0


class ZeroShotModel(ABC):
    """Something that can be trained on pairs and embeds items of both modalities.

    Attributes:
        similarity: of its embeddings.
        unseen_only: never to be chosen for seen pools.
        trained_through_time: slow: every epoch is kept on disk.
        copies: how often each training item of the first modality is paired.
    """

    similarity: Similarity = staticmethod(cosine)
    unseen_only: bool = False
    trained_through_time: bool = False
    copies: int = 1

    @abstractmethod
    def training(
        self, run: Run, seed: int, split: Split, pairs: Sequence[Pairs], seeds: Sequence[Seed]
    ) -> Training:
        """Training of as many models as there are sets of pairs.

        Args:
            run: its data, device and constants.
            seed: of the chip.
            split: of the classes.
            pairs: of each model.
            seeds: of each model.
        """

    @abstractmethod
    def cost(self, run: Run, seed: int, split: Split) -> Cost:
        """Weights and seconds of one model."""

    @property
    @abstractmethod
    def note(self) -> str:
        """What a reader has to know."""


class OnFeatures(ZeroShotModel):
    """A model whose items are frozen features.

    Attributes:
        features: of both modalities.
    """

    features: FrozenFeatures

    def cost(self, run: Run, seed: int, split: Split) -> Cost:
        """Weights and seconds of one model."""
        encoded = self.features.encode(run, seed, split)
        trained = self.trained_weights(self.features.width(run), split)
        return Cost(encoded.fixed_weights, trained, encoded.seconds)

    @abstractmethod
    def trained_weights(self, inputs: int, split: Split) -> int:
        """Of one model.

        Args:
            inputs: features of both modalities before principal components are taken.
            split: of the classes.
        """


@dataclass(frozen=True)
class Clip(OnFeatures):
    """LSM-CLIP: two projections of frozen features, trained by contrast."""

    features: FrozenFeatures
    config: ProjectionConfig
    similarity: Similarity = cosine
    unseen_only: bool = False
    copies: int = 1

    def training(
        self, run: Run, seed: int, split: Split, pairs: Sequence[Pairs], seeds: Sequence[Seed]
    ) -> Training:
        """All models as one stack."""
        x = self.features.encode(run, seed, split).features
        return ProjectionTraining(x, pairs, seeds, self.config, run.device)

    def trained_weights(self, inputs: int, split: Split) -> int:  # noqa: ARG002
        """Principal axes count as trained."""
        axes, count = 0, self.features.components
        if count is not None:
            axes, inputs = count * inputs, 2 * count
        width, layers = self.config.width, self.config.layers
        return axes + inputs * width + 2 * (layers - 1) * width**2

    @property
    def note(self) -> str:
        """Features and recipe."""
        return f"{self.features.note}; {_contrast_note(self.config)}"


@dataclass(frozen=True)
class Alignment(OnFeatures):
    """Closed-form alignment, see `lsm.zero_shot.alignment`; the candidates are the penalties."""

    features: FrozenFeatures
    similarity: Similarity = centred_cosine
    copies: int = 1

    def training(
        self,
        run: Run,
        seed: int,
        split: Split,
        pairs: Sequence[Pairs],
        seeds: Sequence[Seed],  # noqa: ARG002
    ) -> Training:
        """Ridge regressions of each model's pairs."""
        return RidgeAlignment(self.features.encode(run, seed, split).features, pairs, PENALTIES)

    def trained_weights(self, inputs: int, split: Split) -> int:
        """A weight a feature and seen class."""
        return inputs * len(split.seen)

    @property
    def note(self) -> str:
        """Penalties."""
        return f"ridge of both modalities on the seen classes, {len(PENALTIES)} penalties"


@dataclass(frozen=True)
class Prototypes(OnFeatures):
    """LSM-Prototype: two linear projections of frozen features, trained by `prototype_loss`."""

    features: FrozenFeatures
    config: ProjectionConfig

    def training(
        self, run: Run, seed: int, split: Split, pairs: Sequence[Pairs], seeds: Sequence[Seed]
    ) -> PrototypeTraining:
        """One model after the other."""
        x = self.features.encode(run, seed, split).features
        widths = x[0].shape[1], x[1].shape[1]
        encoders = [LinearEncoders(widths, self.config, one) for one in seeds]
        return PrototypeTraining(x, encoders, pairs, seeds, self.config, device=run.device)

    def trained_weights(self, inputs: int, split: Split) -> int:  # noqa: ARG002
        """A weight a feature and dimension."""
        return inputs * self.config.width

    @property
    def note(self) -> str:
        """Features and recipe."""
        return f"{self.features.note}; {_prototype_note(self.config)}"


@dataclass(frozen=True)
class Srnn(ZeroShotModel):
    """SRNN-CLIP or SRNN-Prototype: spiking encoders trained end to end.

    Attributes:
        specs: of both networks; inputs, steps and classes follow data and width.
        config: of the training.
        prototypes: SRNN-Prototype, else SRNN-CLIP.
    """

    specs: tuple[TrainedSpec, TrainedSpec]
    config: ProjectionConfig
    prototypes: bool = False
    trained_through_time: bool = True
    copies: int = 1

    def networks(self, run: Run) -> tuple[TrainedSpec, TrainedSpec]:
        """The specs with the data's sizes."""
        trains = [modality.trains for modality in run.data.modalities]
        return tuple(
            replace(spec, inputs=t.inputs, steps=t.steps, classes=self.config.width)
            for spec, t in zip(self.specs, trains, strict=True)
        )

    def training(
        self,
        run: Run,
        seed: int,  # noqa: ARG002
        split: Split,  # noqa: ARG002
        pairs: Sequence[Pairs],
        seeds: Sequence[Seed],
    ) -> Training:
        """One model after the other."""
        trains, specs = tuple(m.trains for m in run.data.modalities), self.networks(run)
        gain, limit = run.config.trained_recurrent_gain, run.config.largest_gradient
        encoders = [SpikingEncoders(specs, self.config, first_weights(one), gain) for one in seeds]
        kind = PrototypeTraining if self.prototypes else ContrastiveTraining
        return kind(trains, encoders, pairs, seeds, self.config, limit, run.device)

    def cost(self, run: Run, seed: int, split: Split) -> Cost:  # noqa: ARG002
        """All weights are trained."""
        specs = self.networks(run)
        return Cost(0, sum((s.inputs + s.neurons + s.classes) * s.neurons for s in specs))

    @property
    def note(self) -> str:
        """Recipe."""
        what = (_prototype_note if self.prototypes else _contrast_note)(self.config)
        return f"{self.specs[0].neurons} trained neurons a modality, end to end; {what}"


def _contrast_note(c: ProjectionConfig) -> str:
    return f"{c.targets} targets, T {c.temperature:g}, batch {c.batch_size}, {c.epochs} epochs"


def _prototype_note(c: ProjectionConfig) -> str:
    return f"prototypes, T {c.temperature:g}, batch {c.batch_size}, {c.epochs} epochs"
