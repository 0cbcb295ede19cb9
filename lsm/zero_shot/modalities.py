"""Two modalities that show the same classes: their items, and which are trained on (LSM paper)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.datasets import KINDS
from harness.errors import UserError
from harness.protocol import DataRecord, split_groups
from lsm.data.spike_set import SpikeSet
from lsm.spikes import SpikeTrains
from lsm.zero_shot.projections import Pairs
from lsm.zero_shot.retrieval import draw_pool

FIT, HELD, TEST = range(3)  # parts of the items: to train on, to choose on, to measure on


@dataclass(frozen=True)
class Side:
    """One modality.

    Attributes:
        name: for people, "audio" for instance.
        trains: spike trains of all N items, training items first.
        labels: (N,) index into the common classes.
        part: (N,) FIT, HELD or TEST.
    """

    name: str
    trains: SpikeTrains
    labels: np.ndarray
    part: np.ndarray

    def rows(self, *parts: int) -> np.ndarray:
        """Rows of the items of these parts, ascending."""
        return np.flatnonzero(np.isin(self.part, parts))


@dataclass(frozen=True)
class PairedModalities:
    """Both modalities; the first one's items are the paper's queries.

    Attributes:
        classes: names that both sides share.
        sides: first and second.
        record: what a results file says of the data; its kind is the weaker of the two.
        copies: with how many items of the second side each training item of the first is paired.
    """

    classes: tuple[str, ...]
    sides: tuple[Side, Side]
    record: DataRecord
    copies: int = 1


class Split(tuple):
    """Unseen classes of `count`; the others are seen."""

    count: int

    def __new__(cls, unseen: Sequence[int], count: int) -> "Split":
        """Sorted unseen classes.

        Raises:
            UserError: none is unseen, one is no class, or fewer than two stay seen.
        """
        chosen = sorted(set(unseen))
        if not chosen:
            raise UserError("no unseen class: name one or more")
        if chosen[0] < 0 or chosen[-1] >= count:
            raise UserError(f"unseen classes {chosen}: there are {count} classes")
        if count - len(chosen) < 2:
            raise UserError(f"{len(chosen)} unseen of {count} classes: two or more must stay seen")
        split = super().__new__(cls, chosen)
        split.count = count
        return split

    @property
    def seen(self) -> tuple[int, ...]:
        """The other classes."""
        return tuple(c for c in range(self.count) if c not in self)


def split_by_name(names: str, classes: Sequence[str]) -> Split:
    """The split whose unseen classes are named, separated by commas.

    Raises:
        UserError: see `Split`, or a name is not among the classes.
    """
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    strange = [name for name in chosen if name not in classes]
    if strange:
        raise UserError(f"unseen {', '.join(strange)}: the classes are {', '.join(classes)}")
    return Split([classes.index(name) for name in chosen], len(classes))


def match(
    first: SpikeSet,
    second: SpikeSet,
    names: tuple[str, str],
    *,
    classes: Sequence[str] | None = None,
    limits: tuple[int | None, int | None] = (None, None),
    fraction: float = 1 / 6,
    copies: int = 1,
) -> PairedModalities:
    """Bring two data sets to common classes, and hold out training items to choose on.

    Of a set that says who made its items, whole groups are held out; else the last `fraction`
    of each class.

    Args:
        first: the modality of the queries.
        second: the other one.
        names: of the modalities.
        classes: those to use; None: all, which must be the same on both sides.
        limits: at most so many training items a class, the first ones.
        fraction: of the training items (groups, where known) to choose on.
        copies: see `PairedModalities`.

    Raises:
        UserError: a class that one side lacks, in the data or in one of its parts.
    """
    if classes is None:
        classes = first.classes
        odd = sorted(set(first.classes) ^ set(second.classes))
        if odd:
            raise UserError(f"classes {', '.join(odd)} are in one of {' and '.join(names)} only")
    sides = tuple(
        _side(data, name, classes, limit, fraction)
        for data, name, limit in zip((first, second), names, limits, strict=True)
    )
    return PairedModalities(tuple(classes), sides, _record((first, second), sides), copies)


def make_pairs(
    data: PairedModalities,
    classes: Sequence[int],
    parts: Sequence[int],
    relabel: np.ndarray | None = None,
) -> Pairs:
    """Training pairs class by class: all n items of the first side with the first n of the second.

    Where the second has fewer, it starts again (LSM paper, code: the first n images with all n
    utterances of a class). With `data.copies` the first side is gone through so many times.

    Args:
        data: both modalities.
        classes: which are paired.
        parts: of which items are taken.
        relabel: (classes,) as what class an item of the second side counts; None: its own.
    """
    labels = [data.sides[0].labels, _relabelled(data.sides[1].labels, relabel)]
    rows = [side.rows(*parts) for side in data.sides]
    found = []
    for number in classes:
        mine, other = (r[x[r] == number] for r, x in zip(rows, labels, strict=True))
        mine = np.tile(mine, data.copies)
        found.append((mine, np.resize(other, len(mine)), np.full(len(mine), number)))
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


@dataclass(frozen=True)
class Pool:
    """Items among which is searched: rows of both sides and the classes they count as."""

    rows: tuple[np.ndarray, np.ndarray]
    labels: tuple[np.ndarray, np.ndarray]


def make_pool(
    data: PairedModalities,
    classes: Sequence[int],
    part: int,
    size: int,
    relabel: np.ndarray | None = None,
) -> Pool:
    """At most `size` items a class of both sides, see `draw_pool`."""
    rows, labels = [], []
    for number, side in enumerate(data.sides):
        mine = side.rows(part)
        counted = _relabelled(side.labels, relabel if number else None)[mine]
        drawn = draw_pool(counted, classes, size)
        rows.append(mine[drawn])
        labels.append(counted[drawn])
    return Pool(tuple(rows), tuple(labels))


def pool_note(data: PairedModalities, size: int) -> str:
    """What a reader has to know where test items are fewer than a pool asks for, or ""."""
    notes = []
    for side in data.sides:
        counts = np.bincount(side.labels[side.rows(TEST)])
        if counts.min() < size:
            notes.append(f"{side.name} pool {counts.min()} a class, all there are, not {size}")
    return "; ".join(notes)


def _relabelled(labels: np.ndarray, relabel: np.ndarray | None) -> np.ndarray:
    return labels if relabel is None else relabel[labels]


def _side(
    data: SpikeSet, name: str, classes: Sequence[str], limit: int | None, fraction: float
) -> Side:
    strange = [c for c in classes if c not in data.classes]
    if strange:
        raise UserError(f"{name} ({data.name}) lacks class {', '.join(strange)} of the other side")
    number = np.full(len(data.classes), -1)
    number[[data.classes.index(c) for c in classes]] = np.arange(len(classes))
    train, test = number[data.train_labels], number[data.test_labels]
    order = np.concatenate([np.flatnonzero(train == c)[:limit] for c in range(len(classes))])
    kept, tested = np.sort(order), np.flatnonzero(test >= 0)
    held = np.zeros(len(kept), bool)
    if data.train_groups is not None:
        held[split_groups(data.train_groups[kept], fraction)[1]] = True
    else:
        for c in range(len(classes)):
            mine = np.flatnonzero(train[kept] == c)
            held[mine[len(mine) - max(1, round(fraction * len(mine))) :]] = True
    trains = SpikeTrains.concatenate([data.train.take(kept), data.test.take(tested)])
    labels = np.concatenate([train[kept], test[tested]])
    part = np.concatenate([np.where(held, HELD, FIT), np.full(len(tested), TEST)])
    _check(name, classes, labels, part)
    return Side(name, trains, labels, part)


def _check(name: str, classes: Sequence[str], labels: np.ndarray, part: np.ndarray) -> None:
    what = ("training", "validation", "test")
    for which, about in enumerate(what):
        counts = np.bincount(labels[part == which], minlength=len(classes))
        if counts.min() == 0:
            missing = ", ".join(classes[n] for n in np.flatnonzero(counts == 0))
            raise UserError(
                f"{name} has no {about} item of class {missing}; the other side needs it"
            )


def _record(sets: tuple[SpikeSet, SpikeSet], sides: tuple[Side, Side]) -> DataRecord:
    digest = hashlib.sha256("".join(s.sha256 for s in sets).encode()).hexdigest()
    kind = max((s.kind for s in sets), key=KINDS.index)
    tested = [len(side.rows(TEST)) for side in sides]
    trained = [len(side.labels) - n for side, n in zip(sides, tested, strict=True)]
    return DataRecord(" + ".join(s.name for s in sets), kind, sum(trained), sum(tested), digest)
