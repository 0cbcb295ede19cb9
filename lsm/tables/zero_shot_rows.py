"""Rows of the zero-shot tables: one split by each protocol, and a distribution over splits."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.checkpoint import Checkpoint
from harness.protocol import Measurement, Metric, Row, Run
from harness.selection import PASSING, History, Oracle, Validation
from lsm.tables.zero_shot_models import ZeroShotConfig, ZeroShotModel
from lsm.tables.zero_shot_protocols import (
    Figures,
    floors_note,
    published,
    top1,
    validated,
)
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


@dataclass(frozen=True)
class ZeroShotRows:
    """Makes the rows of a table.

    Attributes:
        names: of the modalities; the first one's items are the paper's queries.
        source: of the paper's figures.
    """

    names: tuple[str, str]
    source: str

    @property
    def directions(self) -> tuple[str, str]:
        """Both, that of the paper's headline first."""
        return " -> ".join(self.names), " -> ".join(self.names[::-1])

    def on_split(
        self,
        name: str,
        models: Models,
        split: Callable[[Run], Split],
        *,
        paper: Figures | None = None,
        floors: Figures | None = None,
        restarts: int = 1,
        default: bool = True,
        pool_size: Callable[[ZeroShotConfig], int] = lambda c: c.pool_size,
    ) -> Row:
        """Models on one split; the candidates are the epochs of all of them.

        Args:
            name: of the row.
            models: from the constants.
            split: of the classes.
            paper: published top-1 figures of each direction.
            floors: of the published rule; None: a row of ours, which no script measured.
            restarts: models from other first weights; figures are their mean.
            default: see `Row`.
            pool_size: items a class in a pool, from the constants.
        """
        measure = partial(
            self._measure_split, name, models, split,
            floors=floors, restarts=restarts, pool_size=pool_size,
        )  # fmt: skip
        return Row(name, measure, self._metrics(paper or {}, floors, honest=True), default)

    def trained_on_test_items(
        self,
        name: str,
        models: Models,
        split: Callable[[Run], Split],
        *,
        paper: Figures,
        floors: Figures,
        pool_size: Callable[[ZeroShotConfig], int],
        default: bool = True,
    ) -> Row:
        """A prototype model as its published script trains it; it has no honest figure.

        Args:
            name: of the row.
            models: one, from the constants.
            split: of the classes.
            paper: published top-1 figures of each direction.
            floors: of the published rule.
            pool_size: items a class in a pool, from the constants.
            default: see `Row`.
        """
        measure = partial(
            self._measure_trained_on_test, name, models, split, floors=floors, pool_size=pool_size
        )
        return Row(name, measure, self._metrics(paper, floors, honest=False), default)

    def over_splits(
        self,
        name: str,
        models: Models,
        splits: Callable[[Run], Sequence[Split]],
        *,
        permuted: bool = False,
        default: bool = True,
    ) -> Row:
        """Unseen top-1 over many splits; `details` holds every one of them.

        Args:
            name: of the row.
            models: from the constants.
            splits: of the classes.
            permuted: the control, see `score_candidates`.
            default: see `Row`.
        """
        measure = partial(self._measure_splits, models, splits, permuted)
        metrics = [Metric(f"unseen top-1, {key}") for key in SUMMARIES]
        metrics += [Metric("seen top-1, mean"), Metric("unseen top-1, mean", protocol="oracle")]
        return Row(name, measure, tuple(metrics), default)

    def _measure_split(
        self,
        name: str,
        models: Models,
        split: Callable[[Run], Split],
        run: Run,
        seed: int,
        *,
        floors: Figures | None,
        restarts: int,
        pool_size: Callable[[ZeroShotConfig], int],
    ) -> Measurement:
        chosen, every = split(run), models(run.config)
        size = pool_size(run.config)
        selection = leave_out_more(chosen, run.config.selection_splits)
        scores = score_models_of(
            run, seed, every, [chosen], selection, size, restarts=restarts,
            checkpoint=_checkpoint(run, name, seed, every),
        )  # fmt: skip
        (history,) = scores.histories
        values = validated(history, self.directions)
        notes = [model.note for model in every]
        if floors is not None:
            values |= published(history, floors)
            notes.append(floors_note(floors))
        if restarts > 1:
            notes.append(f"{restarts} first weights, their mean")
        curves = history.curves()  # of the first direction, seen top-1
        details = {f"history {seed}": curves} if every[0].trained_through_time else {}
        return _measurement(run, seed, every, chosen, values, scores, size, notes, details)

    def _measure_trained_on_test(
        self,
        name: str,
        models: Models,
        split: Callable[[Run], Split],
        run: Run,
        seed: int,
        *,
        floors: Figures,
        pool_size: Callable[[ZeroShotConfig], int],
    ) -> Measurement:
        chosen, every = split(run), models(run.config)
        size = pool_size(run.config)
        (model,) = every
        scores = score_trained_on_test_items(
            run.data, chosen, partial(model.training, run, seed, chosen),
            Scoring(size, model.similarity), seed=seed,
            checkpoint=_checkpoint(run, name, seed, every),
        )  # fmt: skip
        values = published(scores.histories[0], floors)
        notes = ["trains on test items of the seen classes", model.note, floors_note(floors)]
        return _measurement(run, seed, every, chosen, values, scores, size, notes, {})

    def _measure_splits(
        self,
        models: Models,
        splits: Callable[[Run], Sequence[Split]],
        permuted: bool,
        run: Run,
        seed: int,
    ) -> Measurement:
        chosen, every = list(splits(run)), models(run.config)
        selection, size = shared_selection_splits(chosen), run.config.pool_size
        options = {"permuted": permuted, "top1_only": True}
        scores = score_models_of(run, seed, every, chosen, selection, size, **options)
        seen, unseen, best = [], [], []
        name_seen, name_unseen = (top1(self.directions[0], pool) for pool in POOLS)
        for history in scores.histories:
            for rule, name, values in (
                (Validation(name_seen), name_seen, seen),
                (Validation(name_unseen), name_unseen, unseen),
                (Oracle(name_unseen), name_unseen, best),
            ):
                values.append(history.test[rule.choose(history).candidate][name])
        values = {f"unseen top-1, {key}": float(of(unseen)) for key, of in SUMMARIES.items()}
        values["seen top-1, mean"] = float(np.mean(seen))
        values["unseen top-1, mean (oracle)"] = float(np.mean(best))
        details = {
            f"unseen {seed}": unseen,
            f"unseen (oracle) {seed}": best,
            f"splits {seed}": [list(one) for one in chosen],
        }
        notes = [f"{len(chosen)} splits", *(model.note for model in every)]
        return _measurement(run, seed, every, chosen[0], values, scores, size, notes, details)

    def _metrics(
        self, paper: Figures, floors: Figures | None, *, honest: bool
    ) -> tuple[Metric, ...]:
        metrics = []
        first, back = self.directions
        if honest:
            metrics += [self._metric(first, pool, paper) for pool in POOLS]
        for direction in floors or {}:
            metrics += [
                self._metric(direction, pool, paper)._replace(protocol="published")
                for pool in POOLS
            ]
        for direction, lowest in (floors or {}).items():
            if lowest[0] is not None:
                name = f"{direction}, {PASSING}"
                metrics.append(Metric(name, unit="epochs", protocol="published"))
        if honest:
            metrics += [self._metric(back, pool, paper) for pool in POOLS]
            rest = [
                f"{d}, {pool} top-{k}" for d in self.directions for k in TOP_K for pool in POOLS
            ]
            metrics += [Metric(name) for name in rest if not name.endswith("top-1")]
        return tuple(metrics)

    def _metric(self, direction: str, pool: str, paper: Figures) -> Metric:
        figure = paper.get(direction, (None, None))[POOLS.index(pool)]
        source = None if figure is None else self.source
        return Metric(top1(direction, pool), paper=figure, paper_source=source)


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
