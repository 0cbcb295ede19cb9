"""Rows of the zero-shot tables: one split in both protocols, and a distribution over splits."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.protocol import Measurement, Metric, Row, Run
from lsm.tables.zero_shot_models import Prepare, Prepared
from lsm.zero_shot.modalities import Split, pool_note
from lsm.zero_shot.selection import FIGURES, Study, leave_out_more, shared_pseudos, study

POOLS = ("seen", "unseen")
SUMMARIES = {"mean": np.mean, "median": np.median, "lowest": np.min, "highest": np.max}


@dataclass(frozen=True)
class Task:
    """What a table asks of its models.

    Attributes:
        sides: names of the modalities; the first one's items are the paper's queries.
        source: of the paper's figures.
    """

    sides: tuple[str, str]
    source: str

    def row(
        self,
        name: str,
        prepare: Prepare,
        split: Callable[[Run], Split],
        *,
        paper: tuple[float | None, float | None] = (None, None),
        restarts: int = 1,
        default: bool = True,
    ) -> Row:
        """A model on one split, in both protocols.

        Args:
            name: of the row.
            prepare: the model.
            split: of the classes.
            paper: published top-1 figures of the first side's queries, seen and unseen.
            restarts: models from other first weights; see `Study` for what is made of them.
            default: see `Row`.
        """

        def measure(run: Run, seed: int) -> Measurement:
            prepared, started = prepare(run, seed), time.perf_counter()
            chosen, c = split(run), run.config
            pseudos = leave_out_more(chosen, c.pseudo_splits)
            found = _studied(run, prepared, [chosen], pseudos, seed, restarts=restarts)
            values = {}
            for suffix, figures in (("", found.by_validation()), (" (oracle)", found.by_test())):
                values |= {key + suffix: x for key, x in self._named(figures[0]).items()}
            notes = [prepared.note, pool_note(run.data, c.pool_size)]
            if restarts > 1:
                notes.append(f"{restarts} first weights: their mean; for paper, the best of them")
            return _measurement(prepared, chosen, values, started, notes)

        return Row(name, measure, self._metrics(paper), default)

    def distribution(
        self,
        name: str,
        prepare: Prepare,
        splits: Callable[[Run], Sequence[Split]],
        *,
        permuted: bool = False,
    ) -> Row:
        """Unseen top-1 over many splits; `details` holds every one of them.

        Args:
            name: of the row.
            prepare: the model.
            splits: of the classes.
            permuted: the control, see `study`.
        """

        def measure(run: Run, seed: int) -> Measurement:
            prepared, started = prepare(run, seed), time.perf_counter()
            every = list(splits(run))
            found = _studied(
                run, prepared, every, shared_pseudos(every), seed, permuted=permuted, brief=True
            )
            chosen, best = found.by_validation()[..., 0], found.by_test()[..., 0]
            values = {
                f"unseen top-1, {key}": float(of(chosen[:, 1])) for key, of in SUMMARIES.items()
            }
            values["seen top-1, mean"] = float(chosen[:, 0].mean())
            values["unseen top-1, mean (oracle)"] = float(best[:, 1].mean())
            notes = [
                f"{len(every)} splits",
                prepared.note,
                pool_note(run.data, run.config.pool_size),
            ]
            details = {
                f"unseen {seed}": chosen[:, 1].tolist(),
                f"unseen (oracle) {seed}": best[:, 1].tolist(),
                f"splits {seed}": [list(one) for one in every],
            }
            return _measurement(prepared, every[0], values, started, notes, details)

        metrics = [Metric(f"unseen top-1, {key}") for key in SUMMARIES]
        metrics += [Metric("seen top-1, mean"), Metric("unseen top-1, mean", protocol="oracle")]
        return Row(name, measure, tuple(metrics))

    def _named(self, figures: np.ndarray) -> dict[str, float]:
        # (2, F) -> by name
        return {
            self._name(pool, figure): float(figures[n, k])
            for n, pool in enumerate(POOLS)
            for k, figure in enumerate(FIGURES[: figures.shape[1]])
        }

    def _name(self, pool: str, figure: str) -> str:
        one, other = self.sides if not figure.startswith("back") else self.sides[::-1]
        return f"{one} -> {other}, {pool} {figure.removeprefix('back ')}"

    def _metrics(self, paper: tuple[float | None, float | None]) -> tuple[Metric, ...]:
        main = [
            Metric(self._name(pool, FIGURES[0]), paper=p, paper_source=p and self.source)
            for pool, p in zip(POOLS, paper, strict=True)
        ]
        rest = [Metric(self._name(pool, f)) for f in FIGURES[1:] for pool in POOLS]
        published = [metric._replace(protocol="oracle") for metric in main]
        return (*main, *published, *rest)


def _studied(
    run: Run,
    prepared: Prepared,
    splits: Sequence[Split],
    pseudos: list,
    seed: int,
    **options: object,
) -> Study:
    studies = []
    for trainer, similarity, unseen_only in prepared.candidates:
        found = study(
            run.data, splits, pseudos, trainer, seed=seed,
            pool_size=run.config.pool_size, similarity=similarity, **options,
        )  # fmt: skip
        studies.append(found.for_unseen() if unseen_only else found)
    return Study.of_candidates(studies)


def _measurement(
    prepared: Prepared,
    split: Split,
    values: dict[str, float],
    started: float,
    notes: list[str],
    details: dict | None = None,
) -> Measurement:
    return Measurement(
        values,
        prepared.fixed_weights,
        prepared.trained_weights(len(split.seen)),
        train_seconds=time.perf_counter() - started,
        encode_seconds=prepared.encode_seconds,
        details=details or {},
        note="; ".join(note for note in notes if note),
    )
