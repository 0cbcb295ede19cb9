"""What the zero-shot tables have in common: constants, features, and models to train."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from harness.config import constant
from harness.protocol import Run
from lsm.encode import StateFeatures, encode
from lsm.reservoir import ReservoirSpec
from lsm.tables.common import LsmConfig, make_reservoir
from lsm.training.recurrent import TrainedSpec
from lsm.zero_shot.alignment import ridge_alignment
from lsm.zero_shot.encoders import srnn_trainer
from lsm.zero_shot.modalities import TEST, PairedModalities
from lsm.zero_shot.projections import Features, Loss, Pairs, ProjectionConfig, train_projections
from lsm.zero_shot.prototypes import prototype_loss
from lsm.zero_shot.selection import (
    Embed,
    Similarity,
    Trainer,
    centred_cosine,
    cosine,
    negative_squared_distance,
)

PENALTIES = tuple(10.0**e for e in range(-3, 5))
PROTOTYPE_WIDTHS = (64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class ZeroShotConfig(LsmConfig):
    """Constants that both tables have; edit them here or with --set name=value."""

    validation_fraction: float = constant(
        1 / 6, "part of the training items (of their makers, where known) to choose on",
        low=0.001, high=0.9,
    )  # fmt: skip
    pseudo_splits: int = constant(
        3, "choices of further classes left out, on which epochs are chosen", low=1, smoke=2
    )
    temperature: float = constant(1.0, "of the contrastive loss (LSM, code)", low=1e-4)
    learning_rate: float = constant(1e-3, "of Adam (LSM, code)", low=1e-9)
    batch_size: int = constant(8, "pairs a step (LSM, code)", low=2)
    epochs: int = constant(100, "of the projections (LSM, code)", low=1, smoke=4)
    prototype_rate: float = constant(
        3e-3, "of Adam in the prototype rows (chosen on held-out items of audio-visual data)",
        low=1e-9,
    )  # fmt: skip
    prototype_epochs: int = constant(30, "of the prototype rows", low=1, smoke=2)
    prototype_batch: int = constant(64, "pairs a step of the prototype rows", low=2)
    trained_epochs: int = constant(20, "of the SRNN rows", low=1, smoke=1)
    trained_batch: int = constant(32, "pairs a step of the SRNN rows", low=2)


class Encoded(NamedTuple):
    """Features of all items of both sides, and what they cost."""

    features: Features
    seconds: float
    fixed_weights: int


class Model(NamedTuple):
    """One recipe on one read of the reservoirs.

    Attributes:
        recipe: projections and training.
        reads: of the first and of the second reservoir.
        standardised: features of mean 0 and deviation 1 over the training items.
        loss: another than the recipe's.
        similarity: of embeddings.
        unseen_only: not to be chosen for seen pools.
    """

    recipe: ProjectionConfig
    reads: tuple[StateFeatures, StateFeatures] = (StateFeatures(), StateFeatures())
    standardised: bool = False
    loss: Loss | None = None
    similarity: Similarity = cosine
    unseen_only: bool = False


Specs = tuple[ReservoirSpec, ReservoirSpec]


def encoded(
    run: Run,
    seed: int,
    kind: str,
    specs: Specs,
    reads: tuple[StateFeatures, StateFeatures] = (StateFeatures(), StateFeatures()),
) -> Encoded:
    """Both frozen reservoirs' features: each made once, shared by all rows, splits and seeds."""

    def make(n: int) -> tuple[np.ndarray, float]:
        started, side = time.perf_counter(), run.data.sides[n]
        reservoir = make_reservoir(run.config, seed, kind, specs[n], f"{side.name} ")
        x = encode(side.trains, reservoir, reads[n], seed=2 * seed + n, device=run.device)
        return x, time.perf_counter() - started

    both = [
        run.cached(("encoded", seed, kind, n, reads[n]), lambda n=n: make(n))
        for n in range(len(specs))
    ]
    features, seconds = zip(*both, strict=True)
    return Encoded(features, sum(seconds), sum(spec.weights for spec in specs))


def standardised(features: Features, data: PairedModalities) -> Features:
    """Mean 0 and deviation 1 of each feature over the training items."""
    found = []
    for x, side in zip(features, data.sides, strict=True):
        train = x[side.part != TEST]
        deviation = train.std(0)
        found.append((x - train.mean(0)) / np.where(deviation > 0, deviation, 1))
    return tuple(found)


def projection_trainer(features: Features, model: Model, device: str) -> Trainer:
    """A trainer for `lsm.zero_shot.study`: the candidates are the epochs."""

    def train(pairs: list[Pairs], seeds: list[list[int]], measure: Callable[[Embed], None]) -> None:
        train_projections(
            features, pairs, model.recipe, seeds=seeds, loss=model.loss, device=device,
            after_epoch=lambda _, projections: measure(
                lambda side, rows, models: projections.embed(side, features[side][rows], models)
            ),
        )  # fmt: skip

    return train


class Candidate(NamedTuple):
    """A way to train, how its embeddings are compared, and whether for unseen pools only."""

    trainer: Trainer
    similarity: Similarity
    unseen_only: bool = False


class Prepared(NamedTuple):
    """All ways that a row may choose among, and what they cost.

    Attributes:
        candidates: the ways.
        trained_weights: of a model, from the number of seen classes.
        note: what a reader has to know.
        fixed_weights: random weights that are never trained.
        encode_seconds: of the frozen features.
    """

    candidates: list[Candidate]
    trained_weights: Callable[[int], int]
    note: str = ""
    fixed_weights: int = 0
    encode_seconds: float = 0.0


Prepare = Callable[[Run, int], Prepared]  # (run, seed of the chip)


def clip(config: ZeroShotConfig, width: int, **changes: object) -> Model:
    """LSM-CLIP as published, with the run's constants."""
    c = config
    published = {
        "targets": "identity", "temperature": c.temperature, "learning_rate": c.learning_rate,
        "batch_size": c.batch_size, "epochs": c.epochs,
    }  # fmt: skip
    return Model(ProjectionConfig(width, **(published | changes)))


def prototypes(config: ZeroShotConfig, width: int) -> Model:
    """LSM-Prototype, see `lsm.zero_shot.prototypes`."""
    c = config
    recipe = ProjectionConfig(
        width,
        learning_rate=c.prototype_rate,
        batch_size=c.prototype_batch,
        epochs=c.prototype_epochs,
    )
    return Model(recipe, loss=prototype_loss, similarity=negative_squared_distance)


def frozen(kind: str, specs: Specs, models: Callable[[ZeroShotConfig], Sequence[Model]]) -> Prepare:
    """Projections on frozen reservoirs; the candidates are the epochs of all `models`."""

    def prepare(run: Run, seed: int) -> Prepared:
        candidates, notes, trained, seconds = [], [], [], 0.0
        for model in models(run.config):
            found = encoded(run, seed, kind, specs, model.reads)
            x = standardised(found.features, run.data) if model.standardised else found.features
            trainer = projection_trainer(x, model, run.device)
            candidates.append(Candidate(trainer, model.similarity, model.unseen_only))
            seconds += found.seconds
            notes.append(_described(model))
            trained.append(_weights(model, specs))
        note, most = "; or ".join(notes), max(trained)
        return Prepared(candidates, lambda _: most, note, found.fixed_weights, seconds)

    return prepare


def aligned(kind: str, specs: Specs) -> Prepare:
    """Closed-form alignment, see `lsm.zero_shot.alignment`; the candidates are the penalties.

    Scores are compared about the mean of their pool, which held-out items found no worse.
    """

    def prepare(run: Run, seed: int) -> Prepared:
        found = encoded(run, seed, kind, specs)
        trainer = ridge_alignment(found.features, PENALTIES)
        width = sum(spec.neurons for spec in specs)
        note = f"ridge of both sides on the seen classes, {len(PENALTIES)} penalties"
        weights, seconds = found.fixed_weights, found.seconds
        candidates = [Candidate(trainer, centred_cosine)]
        return Prepared(candidates, lambda seen: width * seen, note, weights, seconds)

    return prepare


def srnn(
    specs: tuple[TrainedSpec, TrainedSpec], model: Callable[[ZeroShotConfig], Model]
) -> Prepare:
    """Encoders trained end to end, see `lsm.zero_shot.encoders`; the candidates are the epochs."""

    def prepare(run: Run, _: int) -> Prepared:
        c, found = run.config, model(run.config)
        recipe = replace(found.recipe, epochs=c.trained_epochs, batch_size=c.trained_batch)
        trains = tuple(side.trains for side in run.data.sides)
        networks = tuple(
            replace(spec, inputs=t.inputs, steps=t.steps, classes=recipe.width, readout="linear")
            for spec, t in zip(specs, trains, strict=True)
        )
        trainer = srnn_trainer(trains, networks, recipe, found.loss, run.device)
        weights = sum((s.inputs + s.neurons + s.classes) * s.neurons for s in networks)
        note = f"trained end to end, {_described(found._replace(recipe=recipe))}"
        return Prepared([Candidate(trainer, found.similarity)], lambda _: weights, note)

    return prepare


def _weights(model: Model, specs: Specs) -> int:
    inputs = sum(r.width(s.neurons) for r, s in zip(model.reads, specs, strict=True))
    width, layers = model.recipe.width, model.recipe.layers
    return inputs * width + 2 * (layers - 1) * width**2


def _described(model: Model) -> str:
    r = model.recipe
    reads = model.reads[0]
    parts = [f"{reads.windows} windows" if reads.windows > 1 else "rates"]
    parts += [f"{reads.membranes} membranes"] if reads.membranes else []
    parts += ["standardised"] if model.standardised else []
    loss = f"{r.targets} targets, T {r.temperature:g}" if model.loss is None else "prototypes"
    return f"{', '.join(parts)}; {loss}, batch {r.batch_size}, {r.epochs} epochs"
