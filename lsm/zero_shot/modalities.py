"""Two modalities that show the same classes: their items, and which are trained on (LSM paper)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.data.datasets import KINDS
from harness.errors import UserError
from harness.run.protocol import DataRecord, split_groups
from lsm.data.spike_set import SpikeSet
from lsm.spikes import SpikeTrains
from lsm.zero_shot.retrieval import Pool, first_items
from lsm.zero_shot.training import Pairs

TRAIN, VALIDATION, TEST = range(3)  # subsets of the items


@dataclass(frozen=True)
class Modality:
    """One modality.

    Attributes:
        name: for people, "audio" for instance.
        trains: spike trains of all N items, training items first.
        labels: (N,) index into the common classes.
        subset: (N,) TRAIN, VALIDATION or TEST.
    """

    name: str
    trains: SpikeTrains
    labels: np.ndarray
    subset: np.ndarray

    def rows(self, *subsets: int) -> np.ndarray:
        """Rows of the items of these subsets, ascending."""
        return np.flatnonzero(np.isin(self.subset, subsets))


@dataclass(frozen=True)
class PairedModalities:
    """Both modalities; the first one's items are the paper's queries.

    Attributes:
        classes: names that both share.
        modalities: first and second.
        record: what a results file says of the data; its kind is the weaker of the two.
        test_copies: how often a test item of the first may be in a pool that has too few.
    """

    classes: tuple[str, ...]
    modalities: tuple[Modality, Modality]
    record: DataRecord
    test_copies: int = 1


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
    test_copies: int = 1,
) -> PairedModalities:
    """Bring two data sets to common classes, and hold out training items to choose on.

    Of a set that says who made its items, whole groups are held out; else the last `fraction`
    of each class.

    Args:
        first: the modality of the queries.
        second: the other one.
        names: of the modalities.
        classes: those to use; None: all, which must be the same in both.
        limits: at most so many training items a class, the first ones.
        fraction: of the training items (groups, where known) to choose on.
        test_copies: see `PairedModalities`.

    Raises:
        UserError: a class that one modality lacks, in the data or in one of its subsets.
    """
    if classes is None:
        classes = first.classes
        odd = sorted(set(first.classes) ^ set(second.classes))
        if odd:
            raise UserError(f"classes {', '.join(odd)} are in one of {' and '.join(names)} only")
    modalities = tuple(
        _modality(data, name, classes, limit, fraction)
        for data, name, limit in zip((first, second), names, limits, strict=True)
    )
    record = _record((first, second), modalities)
    return PairedModalities(tuple(classes), modalities, record, test_copies)


def make_pairs(
    data: PairedModalities,
    classes: Sequence[int],
    subsets: Sequence[int],
    relabel: np.ndarray | None = None,
    copies: int = 1,
) -> Pairs:
    """Training pairs class by class: all n items of the first with the first n of the second.

    Where the second has fewer, it starts again (LSM, code: the first n images with all n
    utterances of a class).

    Args:
        data: both modalities.
        classes: which are paired.
        subsets: of which items are taken.
        relabel: (classes,) as what class an item of the second modality counts; None: its own.
        copies: how often the first is gone through, each time with the next of the second.
    """
    labels = [data.modalities[0].labels, _relabelled(data.modalities[1].labels, relabel)]
    rows = [modality.rows(*subsets) for modality in data.modalities]
    found = []
    for number in classes:
        mine, other = (r[x[r] == number] for r, x in zip(rows, labels, strict=True))
        mine = np.tile(mine, copies)
        found.append((mine, np.resize(other, len(mine)), np.full(len(mine), number)))
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def make_pool(
    data: PairedModalities,
    classes: Sequence[int],
    subset: int,
    size: int,
    relabel: np.ndarray | None = None,
) -> Pool:
    """The first `size` items a class of both modalities, or all there are.

    Args:
        data: both modalities.
        classes: of the pool.
        subset: which items: VALIDATION or TEST.
        size: items a class.
        relabel: see `make_pairs`.
    """
    rows, labels = [], []
    for number, modality in enumerate(data.modalities):
        mine = modality.rows(subset)
        counted = _relabelled(modality.labels, relabel if number else None)[mine]
        repeats = data.test_copies if subset == TEST and number == 0 else 1
        chosen = first_items(counted, classes, size, repeats)
        rows.append(mine[chosen])
        labels.append(counted[chosen])
    return Pool(tuple(rows), tuple(labels))


def pool_note(data: PairedModalities, size: int) -> str:
    """What a reader has to know where test items are fewer than a pool asks for, or ""."""
    notes = []
    for modality, repeats in zip(data.modalities, (data.test_copies, 1), strict=True):
        fewest = np.bincount(modality.labels[modality.rows(TEST)]).min()
        if fewest >= size:
            continue
        most = min(size, fewest * repeats)
        times = f" up to {-(-most // fewest)} times each" if most > fewest else ""
        short = f", not {size}" if most < size else ""
        notes.append(f"{modality.name} pool {most} a class{short}: all {fewest} there are{times}")
    return "; ".join(notes)


def _relabelled(labels: np.ndarray, relabel: np.ndarray | None) -> np.ndarray:
    return labels if relabel is None else relabel[labels]


def _modality(
    data: SpikeSet, name: str, classes: Sequence[str], limit: int | None, fraction: float
) -> Modality:
    strange = [c for c in classes if c not in data.classes]
    if strange:
        raise UserError(f"{name} ({data.name}) lacks class {', '.join(strange)} of the other one")
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
    subset = np.concatenate([np.where(held, VALIDATION, TRAIN), np.full(len(tested), TEST)])
    _check(name, classes, labels, subset)
    return Modality(name, trains, labels, subset)


def _check(name: str, classes: Sequence[str], labels: np.ndarray, subset: np.ndarray) -> None:
    what = ("training", "validation", "test")
    for which, about in enumerate(what):
        counts = np.bincount(labels[subset == which], minlength=len(classes))
        if counts.min() == 0:
            missing = ", ".join(classes[n] for n in np.flatnonzero(counts == 0))
            raise UserError(
                f"{name} has no {about} item of class {missing}; the other one needs it"
            )


def _record(sets: tuple[SpikeSet, SpikeSet], modalities: tuple[Modality, Modality]) -> DataRecord:
    digest = hashlib.sha256("".join(s.sha256 for s in sets).encode()).hexdigest()
    kind = max((s.kind for s in sets), key=KINDS.index)
    tested = [len(m.rows(TEST)) for m in modalities]
    trained = [len(m.labels) - n for m, n in zip(modalities, tested, strict=True)]
    return DataRecord(" + ".join(s.name for s in sets), kind, sum(trained), sum(tested), digest)
