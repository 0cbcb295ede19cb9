"""LSM-CLIP+: contrastive projections of the main directions of spikes in time windows."""

from collections.abc import Callable

import torch
from torch.nn import functional

from harness.protocol import Run
from lsm.encode import StateFeatures
from lsm.tables.zero_shot_figures import Shown, shown_model
from lsm.tables.zero_shot_models import (
    Candidate,
    Model,
    Prepare,
    Prepared,
    Specs,
    ZeroShotConfig,
    encoded,
    projection_trainer,
)
from lsm.zero_shot.modalities import Split
from lsm.zero_shot.principal import principal
from lsm.zero_shot.projections import Features, ProjectionConfig
from lsm.zero_shot.selection import cosine

COMPONENTS = (60, 300)  # of each side; among these the held-out letters choose
NEIGHBOURS = (5, 10)  # of an item of the first and of the second side, itself included
TEMPERATURE, LEARNING_RATE, BATCH = 0.1, 1e-3, 128


def cosine_with_query_expansion(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Cosine of what the neighbourhoods of two items point to (query expansion).

    One trial is noisy: it is averaged with those of its own pool that are most like it, after
    the pool's mean is taken off. Labels play no part.

    Args:
        first: embeddings (n, d) of one pool.
        second: embeddings (m, d) of the other.

    Returns:
        Similarity (n, m).
    """
    pairs = zip((first, second), NEIGHBOURS, strict=True)
    return cosine(*(_with_neighbours(x, count) for x, count in pairs))


def _with_neighbours(x: torch.Tensor, count: int) -> torch.Tensor:
    x = functional.normalize(x - x.mean(0), dim=-1)
    nearest = (x @ x.T).topk(min(count, len(x)), -1).indices
    return x[nearest].mean(-2)


def plus_model(config: ZeroShotConfig) -> Model:
    """Recipe, reads and similarity of LSM-CLIP+, of a config with `width` and `plus_...`."""
    recipe = ProjectionConfig(
        config.width, targets="labels", temperature=TEMPERATURE, learned_scale=True,
        normalise=True, learning_rate=LEARNING_RATE, batch_size=BATCH, epochs=config.plus_epochs,
    )  # fmt: skip
    reads = StateFeatures(config.plus_windows), StateFeatures()
    return Model(recipe, reads, similarity=cosine_with_query_expansion)


def plus_features(
    run: Run, seed: int, kind: str, specs: Specs, split: Split, count: int
) -> Features:
    """`count` principal components of each side, see `principal`."""
    found = encoded(run, seed, kind, specs, plus_model(run.config).reads)
    return principal(found.features, run.data, split, count)


def windowed_clip(kind: str, specs: Specs, split: Callable[[Run], Split]) -> Prepare:
    """LSM-CLIP+ on the same frozen reservoirs, read better.

    When a letter's strokes are made says which letter it is: the first reservoir is read in time
    windows. Projections of some tens of principal components learn from few trials what those of
    thousands of features cannot. Labels in the loss, embeddings of length 1; compared as
    `cosine_with_query_expansion` says, with what the unlabelled pools themselves tell.

    Args:
        kind: of the reservoirs.
        specs: of both.
        split: of the classes; components are those of its seen classes.
    """

    def prepare(run: Run, seed: int) -> Prepared:
        model = plus_model(run.config)
        found = encoded(run, seed, kind, specs, model.reads)
        candidates = [
            Candidate(
                projection_trainer(
                    plus_features(run, seed, kind, specs, split(run), count), model, run.device
                ),
                model.similarity,
            )
            for count in COMPONENTS
        ]
        width, most = sum(x.shape[1] for x in found.features), max(COMPONENTS)
        weights = most * width + 2 * most * run.config.width
        return Prepared(
            candidates, lambda _: weights, _note(run), found.fixed_weights, found.seconds
        )

    return prepare


def shown_plus(run: Run, kind: str, specs: Specs, split: Split) -> Shown:
    """LSM-CLIP+ of chip 0 with the most components, trained to its last epoch, for figures."""
    model = plus_model(run.config)
    x = plus_features(run, 0, kind, specs, split, max(COMPONENTS))
    return shown_model(run, x, model, split)


def _note(run: Run) -> str:
    c, neighbours = run.config, " and ".join(map(str, NEIGHBOURS))
    return (
        f"{c.plus_windows} windows of the first reservoir; {' or '.join(map(str, COMPONENTS))} "
        f"principal components a side, whose directions count as trained weights; label targets, "
        f"T {TEMPERATURE:g}, batch {BATCH}, {c.plus_epochs} epochs; items compared as the mean of "
        f"their {neighbours} nearest ones in their own unlabelled pool"
    )
