"""How a zero-shot model is measured: seen and unseen pools, and choices on held-out classes.

A model of a split is trained on all training pairs of its seen classes. Candidates (epochs,
penalties, one of several recipes) are chosen by other models, the *selection models*. They see
items of the TRAIN subset only, and leave out further classes of the seen ones: VALIDATION items
of the classes they saw choose the candidate for the seen figure, VALIDATION items of those
further classes the candidate for the unseen figure.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from harness.run.checkpoint import Checkpoint
from harness.run.selection import EpochLog, History
from lsm.zero_shot.encoders import PrototypeTraining
from lsm.zero_shot.modalities import (
    TEST,
    TRAIN,
    VALIDATION,
    PairedModalities,
    Split,
    make_pairs,
    make_pool,
)
from lsm.zero_shot.retrieval import Embed, Pool, Similarity, cosine, score_names, score_pool
from lsm.zero_shot.splits import SPLIT_SEED, SelectionSplit
from lsm.zero_shot.training import MakeTraining, Pairs, Seed, Training

SELECTION_MODEL = 1_000_000  # in seeds, where a split's models have the number of their restart
POOLS = ("seen", "unseen")
NEVER = -1.0  # score in % of a candidate that is not to be chosen


class CandidateScores(NamedTuple):
    """Scores of all candidates of every split.

    Attributes:
        histories: one a split; its scores are named "audio -> image, seen top-1" and so on.
        seconds: that training and scoring took.
    """

    histories: list[History]
    seconds: float


class Scoring(NamedTuple):
    """How candidates are scored.

    Attributes:
        pool_size: items a class.
        similarity: of embeddings.
        top1_only: the first direction's top-1 alone.
        unseen_only: candidates never to be chosen for seen pools.
    """

    pool_size: int
    similarity: Similarity = cosine
    top1_only: bool = False
    unseen_only: bool = False


class SplitModel(NamedTuple):
    """One model to train: its pairs and seed, and the pools that it is scored on."""

    pairs: Pairs
    seed: list[int]
    pools: list[Pool]


def score_candidates(
    data: PairedModalities,
    splits: Sequence[Split],
    selection: Sequence[SelectionSplit],
    make_training: MakeTraining,
    scoring: Scoring,
    *,
    seed: int,
    restarts: int = 1,
    permuted: bool = False,
    copies: int = 1,
    checkpoint: Checkpoint | None = None,
) -> CandidateScores:
    """Train the models of all splits and the selection models, and score every candidate.

    Args:
        data: both modalities.
        splits: seen and unseen classes.
        selection: each split must be served by one or more.
        make_training: how to train; candidates are its epochs, for instance.
        scoring: pools and similarity.
        seed: of first weights and orders.
        restarts: models of each split, from other first weights; scores are their mean.
        permuted: the control: the seen classes of the second modality change places, none stays.
            Training pairs and seen pools follow, unseen classes are as they were.
        copies: see `make_pairs`.
        checkpoint: where every epoch of a single split is kept.

    Returns:
        A history a split; its validation scores are the mean of its selection models'.
    """
    options = {"permuted": permuted, "copies": copies}
    models = split_models(data, splits, seed, scoring.pool_size, restarts=restarts, **options)
    count = len(models)
    models += selection_models(data, selection, seed, scoring.pool_size, **options)
    training = make_training([m.pairs for m in models], [m.seed for m in models])
    logs = [_log(checkpoint, training) for _ in splits]
    names = tuple(modality.name for modality in data.modalities)
    for epoch, embed in training.epochs(logs[0].finished):
        test = score_models(embed, slice(count), models, scoring)
        held_out = score_models(embed, slice(count, len(models)), models, scoring)
        for number, log in enumerate(logs):
            mine = test[number * restarts : (number + 1) * restarts]
            log.add(
                epoch,
                test=_named(names, np.mean(mine, 0), scoring),
                validation=_named(names, _served(held_out, selection, number), scoring),
            )
    return CandidateScores([log.history for log in logs], logs[-1].seconds)


def score_trained_on_test_items(
    data: PairedModalities,
    split: Split,
    make_training: Callable[[Sequence[Pairs], Sequence[Seed]], PrototypeTraining],
    scoring: Scoring,
    *,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> CandidateScores:
    """Score the published prototype scripts' training, whose loss is taken on test items.

    Support are all training pairs of seen classes, queries the seen pool of test items itself.
    The seen figure of an epoch is taken before its update, the unseen one after it
    (`zero_shot_prototype.py`).

    Args:
        data: both modalities.
        split: seen and unseen classes.
        make_training: how to train.
        scoring: pools and similarity.
        seed: of first weights.
        checkpoint: where every epoch is kept.
    """
    models = split_models(data, [split], seed, scoring.pool_size)
    training = make_training([m.pairs for m in models], [m.seed for m in models])
    training.queries = models[0].pools[0]
    log = _log(checkpoint, training)
    names = tuple(modality.name for modality in data.modalities)
    ((seen, _),) = score_models(training.embed, slice(None), models, scoring)
    for epoch, embed in training.epochs(log.finished):
        ((seen_after, unseen),) = score_models(embed, slice(None), models, scoring)
        log.add(epoch, test=_named(names, np.array([seen, unseen]), scoring))
        seen = seen_after
    return CandidateScores([log.history], log.seconds)


def _log(checkpoint: Checkpoint | None, training: Training) -> EpochLog:
    state = (training.model, training.optimiser) if checkpoint else ()
    return EpochLog(checkpoint, *state)


def split_models(
    data: PairedModalities,
    splits: Sequence[Split],
    seed: int,
    size: int,
    *,
    restarts: int = 1,
    permuted: bool = False,
    copies: int = 1,
) -> list[SplitModel]:
    """The models that are measured: all training pairs of seen classes, pools of test items.

    Args:
        data: both modalities.
        splits: seen and unseen classes.
        seed: of first weights and orders.
        size: items a class in a pool.
        restarts: models of each split.
        permuted: see `score_candidates`.
        copies: see `make_pairs`.
    """
    models = []
    for number, split in enumerate(splits):
        relabel = _derangement(split, seed) if permuted else None
        pools = [make_pool(data, c, TEST, size, relabel) for c in (split.seen, split)]
        pairs = make_pairs(data, split.seen, (TRAIN, VALIDATION), relabel, copies)
        models += [SplitModel(pairs, [seed, number, r], pools) for r in range(restarts)]
    return models


def selection_models(
    data: PairedModalities,
    selection: Sequence[SelectionSplit],
    seed: int,
    size: int,
    *,
    permuted: bool = False,
    copies: int = 1,
) -> list[SplitModel]:
    """The models that choose: TRAIN pairs of fewer classes, pools of VALIDATION items.

    Args:
        data: both modalities.
        selection: classes left out, and which splits they serve.
        seed: of first weights and orders.
        size: items a class in a pool.
        permuted: see `score_candidates`.
        copies: see `make_pairs`.
    """
    models = []
    for number, (unseen, serves) in enumerate(selection):
        relabel = _derangement(unseen, seed) if permuted else None
        chosen = [unseen.seen, *(classes for _, classes in serves)]
        pools = [make_pool(data, c, VALIDATION, size, relabel) for c in chosen]
        pairs = make_pairs(data, unseen.seen, (TRAIN,), relabel, copies)
        models.append(SplitModel(pairs, [seed, number, SELECTION_MODEL], pools))
    return models


def score_models(
    embed: Embed, which: slice, models: Sequence[SplitModel], scoring: Scoring
) -> list[np.ndarray]:
    """Scores (pools, F) of each of some models; every item is embedded once.

    Args:
        embed: of the training.
        which: of the models.
        models: all of the training.
        scoring: pools and similarity.
    """
    pools = [pool for model in models[which] for pool in model.pools]
    rows = [np.unique(np.concatenate([p.rows[n] for p in pools])) for n in (0, 1)]
    embedded = [embed(n, rows[n], which) for n in (0, 1)]

    def score(number: int, pool: Pool) -> list[float]:
        both = (embedded[n][number][np.searchsorted(rows[n], pool.rows[n])] for n in (0, 1))
        return score_pool(*both, pool, scoring.similarity, top1_only=scoring.top1_only)

    return [
        np.array([score(number, pool) for pool in model.pools])
        for number, model in enumerate(models[which])
    ]


def _named(names: tuple[str, str], scores: np.ndarray, scoring: Scoring) -> dict[str, float]:
    """(2, F) scores of the seen and the unseen pool, by name."""
    every = score_names(names, top1_only=scoring.top1_only)
    named = {}
    for pool, row in zip(POOLS, scores, strict=True):
        for name, score in zip(every, row, strict=True):
            direction, figure = name.rsplit(" ", 1)
            barred = pool == "seen" and scoring.unseen_only
            named[f"{direction}, {pool} {figure}"] = NEVER if barred else float(score)
    return named


def _served(
    scores: list[np.ndarray], selection: Sequence[SelectionSplit], split: int
) -> np.ndarray:
    """(2, F): what the selection models say of a split, their mean."""
    return np.mean(
        [
            [scores[n][0], scores[n][k]]
            for n, one in enumerate(selection)
            for k, (served, _) in enumerate(one.serves, 1)
            if served == split
        ],
        0,
    )


def _derangement(split: Split, seed: int) -> np.ndarray:
    """(classes,) the seen classes changed round, none where it was; the unseen ones stay."""
    generator = np.random.default_rng([SPLIT_SEED, seed, *split])
    relabel, order = np.arange(split.count), generator.permutation(split.seen)
    relabel[order] = np.roll(order, 1)
    return relabel
