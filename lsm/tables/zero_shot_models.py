"""What the zero-shot tables train: constants, frozen features, and models on them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from harness.config import constant
from harness.protocol import Run
from lsm.tables.common import LsmConfig
from lsm.tables.zero_shot_features import FrozenFeatures
from lsm.training.recurrent import TrainedSpec
from lsm.zero_shot.alignment import RidgeAlignment
from lsm.zero_shot.encoders import (
    ContrastiveTraining,
    LinearEncoders,
    PrototypeTraining,
    SpikingEncoders,
    first_weights,
)
from lsm.zero_shot.modalities import Split
from lsm.zero_shot.projections import ProjectionConfig, ProjectionTraining
from lsm.zero_shot.similarity import Similarity, centred_cosine, cosine
from lsm.zero_shot.training import Pairs, Seed, Training

PENALTIES = tuple(10.0**e for e in range(-3, 5))
PUBLISHED_EPOCHS = 100  # of every zero-shot script
PROTOTYPE_WIDTHS = (64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class ZeroShotConfig(LsmConfig):
    """Constants that both tables have; edit them here or with --set name=value."""

    validation_fraction: float = constant(
        1 / 6, "part of the training items (of their makers, where known) to choose on",
        low=0.001, high=0.9,
    )  # fmt: skip
    selection_splits: int = constant(
        3, "choices of further classes left out, on which epochs are chosen", low=1, smoke=2
    )
    temperature: float = constant(1.0, "of the contrastive loss (LSM, code)", low=1e-4)
    learning_rate: float = constant(1e-3, "of Adam (LSM, code)", low=1e-9)
    batch_size: int = constant(8, "pairs a step (LSM, code)", low=2)
    epochs: int = constant(100, "of the projections (LSM, code)", low=1, smoke=4)
    layers: int = constant(1, "linear layers of a projection (LSM, code: OneFC)", low=1, high=3)
    activation: str = constant(
        "gelu", "after each of them: gelu, relu, sigmoid, tanh or none (LSM, code)"
    )
    spike_counts: bool = constant(
        False, "features are spikes a window, not a step (not visible in the published code)"
    )
    rival_windows: int = constant(5, "time windows of the rows of event counts", low=1, high=49)
    prototype_rate: float = constant(1e-3, "of Adam in the prototype rows (LSM, code)", low=1e-9)
    prototype_epochs: int = constant(100, "of the prototype rows (LSM, code)", low=1, smoke=2)
    prototype_batch: int = constant(
        1568, "pairs a step of the prototype rows (LSM, code: all of them)", low=2
    )
    prototype_temperature: float = constant(
        1.0, "what squared distances are divided by (LSM, code: none)", low=1e-4
    )
    trained_rate: float = constant(1e-3, "of Adam in the SRNN rows (LSM, code)", low=1e-9)
    trained_epochs: int = constant(100, "of the SRNN rows (LSM, code)", low=1, smoke=1)
    trained_width: int = constant(64, "of SRNN-CLIP's common space (LSM, code)", low=1)
    trained_normalised: bool = constant(
        False, "SRNN-CLIP's loss takes embeddings of length 1 (not visible in the published code)"
    )
    trained_recurrent_gain: float = constant(
        0.1, "first recurrent over first input weights of the SRNN rows (not visible; at 1, "
        "gradients through a hundred steps overflow)", low=0,
    )  # fmt: skip
    largest_gradient: float | None = constant(
        None, "norm that SRNN gradients are cut to; none: not cut (LSM, code)", low=1e-9
    )


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


@dataclass(frozen=True)
class Clip(ZeroShotModel):
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

    def cost(self, run: Run, seed: int, split: Split) -> Cost:
        """Principal axes count as trained."""
        encoded, inputs = self.features.encode(run, seed, split), self.features.width(run)
        axes, count = 0, self.features.components
        if count is not None:
            axes, inputs = count * inputs, 2 * count
        width, layers = self.config.width, self.config.layers
        trained = axes + inputs * width + 2 * (layers - 1) * width**2
        return Cost(encoded.fixed_weights, trained, encoded.seconds)

    @property
    def note(self) -> str:
        """Features and recipe."""
        c = self.config
        recipe = (
            f"{c.targets} targets, T {c.temperature:g}, batch {c.batch_size}, {c.epochs} epochs"
        )
        return f"{self.features.note}; {recipe}"


@dataclass(frozen=True)
class Alignment(ZeroShotModel):
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
        x = self.features.encode(run, seed, split).features
        return RidgeAlignment(x, pairs, PENALTIES)

    def cost(self, run: Run, seed: int, split: Split) -> Cost:
        """A weight a feature and seen class."""
        encoded = self.features.encode(run, seed, split)
        trained = self.features.width(run) * len(split.seen)
        return Cost(encoded.fixed_weights, trained, encoded.seconds)

    @property
    def note(self) -> str:
        """Penalties."""
        return f"ridge of both modalities on the seen classes, {len(PENALTIES)} penalties"


@dataclass(frozen=True)
class Prototypes(ZeroShotModel):
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

    def cost(self, run: Run, seed: int, split: Split) -> Cost:
        """A weight a feature and dimension."""
        encoded = self.features.encode(run, seed, split)
        trained = self.features.width(run) * self.config.width
        return Cost(encoded.fixed_weights, trained, encoded.seconds)

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
        published_neurons: of each encoder; None: not visible.
    """

    specs: tuple[TrainedSpec, TrainedSpec]
    config: ProjectionConfig
    prototypes: bool = False
    published_neurons: int | None = None
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
        c = self.config
        recipe = (
            f"{c.targets} targets, T {c.temperature:g}, batch {c.batch_size}, {c.epochs} epochs"
        )
        what = _prototype_note(c) if self.prototypes else recipe
        return f"{self.specs[0].neurons} trained neurons a modality, end to end; {what}"


def _contrast_note(c: ProjectionConfig) -> str:
    return f"{c.targets} targets, T {c.temperature:g}, batch {c.batch_size}, {c.epochs} epochs"


def _prototype_note(c: ProjectionConfig) -> str:
    return f"prototypes, T {c.temperature:g}, batch {c.batch_size}, {c.epochs} epochs"


def clip_config(config: ZeroShotConfig, width: int, **changes: object) -> ProjectionConfig:
    """LSM-CLIP's projections and training, from the run's constants.

    Args:
        config: the constants.
        width: of the common space.
        changes: fields of `ProjectionConfig` that differ.
    """
    c = config
    usual = {
        "layers": c.layers, "activation": c.activation, "temperature": c.temperature,
        "learning_rate": c.learning_rate, "batch_size": c.batch_size, "epochs": c.epochs,
    }  # fmt: skip
    return ProjectionConfig(width, **(usual | changes))


def prototype_config(config: ZeroShotConfig, width: int, **changes: object) -> ProjectionConfig:
    """The prototype rows' plain linear projections and training, from the run's constants.

    Args:
        config: the constants.
        width: of the common space.
        changes: fields of `ProjectionConfig` that differ.
    """
    c = config
    usual = {
        "activation": "none", "temperature": c.prototype_temperature,
        "learning_rate": c.prototype_rate, "batch_size": c.prototype_batch,
        "epochs": c.prototype_epochs,
    }  # fmt: skip
    return ProjectionConfig(width, **(usual | changes))
