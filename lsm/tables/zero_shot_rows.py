"""Rows of the zero-shot tables: one split by each protocol, and a distribution over splits."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.run.checkpoint import Checkpoint
from harness.run.protocol import Measurement, Metric, Row, Run
from harness.run.selection import PASSING, History, Oracle, Published, Validation
from lsm.tables.common import ZeroShotConfig
from lsm.tables.zero_shot_models import ZeroShotModel
from lsm.zero_shot.modalities import Split, pool_note
from lsm.zero_shot.retrieval import TOP_K
from lsm.zero_shot.selection import (
    POOLS,
    CandidateScores,
    Scoring,
    score_candidates,
    score_trained_on_test_items,
)
from lsm.zero_shot.splits import SelectionSplit, leave_out_more, shared_selection_splits

SUMMARIES = {"mean": np.mean, "median": np.median, "lowest": np.min, "highest": np.max}
Models = Callable[[ZeroShotConfig], Sequence[ZeroShotModel]]
Figures = Mapping[str, tuple[float | None, float | None]]  # direction -> seen and unseen, in %


@dataclass(frozen=True)
class Directions:
    """Both directions of a table's queries, and where the paper's figures are from.

    Attributes:
        names: of the modalities; the first one's items are the paper's queries.
        source: of the paper's figures.
    """

    names: tuple[str, str]
    source: str

    @property
    def both(self) -> tuple[str, str]:
        """That of the paper's headline first."""
        return " -> ".join(self.names), " -> ".join(self.names[::-1])

    def metric(self, direction: str, pool: str, paper: Figures) -> Metric:
        """Top-1 of a pool, with the paper's figure where there is one."""
        figure = paper.get(direction, (None, None))[POOLS.index(pool)]
        source = None if figure is None else self.source
        return Metric(top1(direction, pool), paper=figure, paper_source=source)

    def published_metrics(self, paper: Figures, floors: Figures) -> list[Metric]:
        """Top-1 by the published rule, and how many epochs pass its floors."""
        metrics = [
            self.metric(direction, pool, paper)._replace(protocol="published")
            for direction in floors
            for pool in POOLS
        ]
        for direction, lowest in floors.items():
            if lowest[0] is not None:
                name = f"{direction}, {PASSING}"
                metrics.append(Metric(name, unit="epochs", protocol="published"))
        return metrics


@dataclass(frozen=True)
class SplitRow:
    """Models on one split of the classes; the candidates are the epochs of all of them.

    Attributes:
        directions: of the table.
        name: of the row.
        models: from the constants.
        split: of the classes.
        paper: published top-1 figures of each direction.
        floors: of the published rule; None: a row of ours, which no script measured.
        restarts: models from other first weights; figures are their mean.
        default: see `Row`.
        pool_size: items a class in a pool, from the constants.
    """

    directions: Directions
    name: str
    models: Models
    split: Callable[[Run], Split]
    paper: Figures = dataclasses.field(default_factory=dict)
    floors: Figures | None = None
    restarts: int = 1
    default: bool = True
    pool_size: Callable[[ZeroShotConfig], int] = lambda c: c.pool_size

    def row(self) -> Row:
        """The line of the table."""
        return Row(self.name, self.measure, tuple(self.metrics()), self.default)

    def metrics(self) -> list[Metric]:
        """By each protocol."""
        first, back = self.directions.both
        ahead, behind = (
            [self.directions.metric(d, pool, self.paper) for pool in POOLS] for d in (first, back)
        )
        published = self.directions.published_metrics(self.paper, self.floors or {})
        rest = [f"{d}, {pool} top-{k}" for d in (first, back) for k in TOP_K[1:] for pool in POOLS]
        return [*ahead, *published, *behind, *map(Metric, rest)]

    def measure(self, run: Run, seed: int) -> Measurement:
        """Each direction at the epoch that held-out classes choose, and by the published rule."""
        split, models = self.split(run), self.models(run.config)
        size = self.pool_size(run.config)
        selection = leave_out_more(split, run.config.selection_splits)
        scores = score_models_of(
            run, seed, models, [split], selection, size, restarts=self.restarts,
            checkpoint=_checkpoint(run, self.name, seed, models),
        )  # fmt: skip
        (history,) = scores.histories
        values = validated(history, self.directions.both)
        notes = [model.note for model in models]
        if self.floors is not None:
            values |= published(history, self.floors)
            notes.append(floors_note(self.floors))
        if self.restarts > 1:
            notes.append(f"{self.restarts} first weights, their mean")
        curves = history.curves()  # of the first direction, seen top-1
        details = {f"history {seed}": curves} if models[0].trained_through_time else {}
        return _measurement(run, seed, models, split, values, scores, size, notes, details)


@dataclass(frozen=True)
class TrainedOnTestItems(SplitRow):
    """A prototype model as its published script trains it, on test items: no honest figure."""

    def metrics(self) -> list[Metric]:
        """By the published rule alone."""
        return self.directions.published_metrics(self.paper, self.floors)

    def measure(self, run: Run, seed: int) -> Measurement:
        """Each direction by the published rule."""
        split, models = self.split(run), self.models(run.config)
        size = self.pool_size(run.config)
        (model,) = models
        scores = score_trained_on_test_items(
            run.data, split, partial(model.training, run, seed, split),
            Scoring(size, model.similarity), seed=seed,
            checkpoint=_checkpoint(run, self.name, seed, models),
        )  # fmt: skip
        values = published(scores.histories[0], self.floors)
        notes = ["trains on test items of the seen classes", model.note, floors_note(self.floors)]
        return _measurement(run, seed, models, split, values, scores, size, notes, {})


@dataclass(frozen=True)
class DistributionRow:
    """Unseen top-1 over many splits; `details` holds every one of them.

    Attributes:
        directions: of the table; the first one is measured.
        name: of the row.
        models: from the constants.
        splits: of the classes.
        permuted: the control, see `score_candidates`.
    """

    directions: Directions
    name: str
    models: Models
    splits: Callable[[Run], Sequence[Split]]
    permuted: bool = False

    def row(self) -> Row:
        """The line of the table."""
        metrics = [Metric(f"unseen top-1, {key}") for key in SUMMARIES]
        metrics += [Metric("seen top-1, mean"), Metric("unseen top-1, mean", protocol="oracle")]
        return Row(self.name, self.measure, tuple(metrics))

    def measure(self, run: Run, seed: int) -> Measurement:
        """Every split at the epoch that its selection models choose, and at the best on test."""
        splits, models = list(self.splits(run)), self.models(run.config)
        selection, size = shared_selection_splits(splits), run.config.pool_size
        options = {"permuted": self.permuted, "top1_only": True}
        scores = score_models_of(run, seed, models, splits, selection, size, **options)
        name_seen, name_unseen = (top1(self.directions.both[0], pool) for pool in POOLS)
        seen, unseen, best = (
            [h.test[rule.choose(h)][rule.score] for h in scores.histories]
            for rule in (Validation(name_seen), Validation(name_unseen), Oracle(name_unseen))
        )
        values = {f"unseen top-1, {key}": float(of(unseen)) for key, of in SUMMARIES.items()}
        values["seen top-1, mean"] = float(np.mean(seen))
        values["unseen top-1, mean (oracle)"] = float(np.mean(best))
        details = {
            f"unseen {seed}": unseen,
            f"unseen (oracle) {seed}": best,
            f"splits {seed}": [list(one) for one in splits],
        }
        notes = [f"{len(splits)} splits", *(model.note for model in models)]
        return _measurement(run, seed, models, splits[0], values, scores, size, notes, details)


def top1(direction: str, pool: str) -> str:
    """Name of a score."""
    return f"{direction}, {pool} top-1"


def published_rule(direction: str, floors: tuple[float | None, float | None]) -> Published:
    """The published scripts' choice of an epoch, each direction on its own.

    Args:
        direction: "audio -> image" for instance.
        floors: smallest seen and unseen top-1 of an epoch that may be reported.
    """
    lowest = {
        top1(direction, pool): floor
        for pool, floor in zip(POOLS, floors, strict=True)
        if floor is not None
    }
    return Published(top1(direction, "seen"), lowest)


def validated(history: History, directions: Sequence[str]) -> dict[str, float]:
    """Each direction and pool at the candidate that held-out items choose by its top-1.

    Args:
        history: of one split.
        directions: "audio -> image" for instance.
    """
    values = {}
    for direction in directions:
        for pool in POOLS:
            chosen = Validation(top1(direction, pool)).choose(history)
            for k in TOP_K:
                name = f"{direction}, {pool} top-{k}"
                values[name] = history.test[chosen][name]
    return values


def published(history: History, floors: Figures) -> dict[str, float]:
    """Each direction at its own epoch, seen and unseen, and how many epochs pass its floors.

    Args:
        history: of one split.
        floors: of each direction, see `published_rule`.
    """
    values = {}
    for direction, lowest in floors.items():
        rule = published_rule(direction, lowest)
        chosen = rule.choose(history)
        for pool in POOLS:
            name = top1(direction, pool)
            values[f"{name} (published)"] = history.test[chosen][name]
        if rule.floors:
            passing = rule.passing(history)
            values[f"{direction}, {PASSING} (published)"] = float(passing.sum())
    return values


def floors_note(floors: Figures) -> str:
    """What a reader has to know of the floors, or "".

    Args:
        floors: of each direction, see `published_rule`.
    """
    parts = [
        f"{direction} seen {seen:g} and unseen {unseen:g}"
        for direction, (seen, unseen) in floors.items()
        if seen is not None
    ]
    if not parts:
        return ""
    none = "where no epoch passes, the best seen one is shown"
    return f"published rule's floors in %: {', '.join(parts)}; {none}"


def score_models_of(
    run: Run,
    seed: int,
    models: Sequence[ZeroShotModel],
    splits: Sequence[Split],
    selection: Sequence[SelectionSplit],
    size: int,
    *,
    top1_only: bool = False,
    **options: object,
) -> CandidateScores:
    """Candidates of several models, one after the other in one history a split.

    Args:
        run: its data, device and constants.
        seed: of the chip.
        models: whose epochs are the candidates.
        splits: of the classes.
        selection: see `score_candidates`.
        size: items a class in a pool.
        top1_only: see `Scoring`.
        options: of `score_candidates`.
    """
    together = CandidateScores([History() for _ in splits], 0.0)
    for model in models:
        scores = score_candidates(
            run.data, splits, selection, partial(model.training, run, seed, splits[0]),
            Scoring(size, model.similarity, top1_only, model.unseen_only),
            seed=seed, copies=model.copies, **options,
        )  # fmt: skip
        for history, more in zip(together.histories, scores.histories, strict=True):
            history.test += more.test
            history.validation += more.validation
        together = together._replace(seconds=together.seconds + scores.seconds)
    return together


def _checkpoint(
    run: Run, row: str, seed: int, models: Sequence[ZeroShotModel]
) -> Checkpoint | None:
    if not models[0].trained_through_time:
        return None
    constants = dataclasses.asdict(run.config)
    del constants["trained_epochs"]
    return run.checkpoint(row, seed, **constants)


def _measurement(
    run: Run,
    seed: int,
    models: Sequence[ZeroShotModel],
    split: Split,
    values: dict[str, float],
    scores: CandidateScores,
    size: int,
    notes: Sequence[str],
    details: dict,
) -> Measurement:
    costs = [model.cost(run, seed, split) for model in models]
    return Measurement(
        values,
        costs[0].fixed_weights,
        max(cost.trained_weights for cost in costs),
        train_seconds=scores.seconds,
        encode_seconds=sum(cost.encode_seconds for cost in costs),
        details=details,
        note="; ".join(note for note in (*notes, pool_note(run.data, size)) if note),
    )
