"""Which further classes the selection models leave out, so that choices meet unseen classes."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from lsm.zero_shot.modalities import Split

SPLIT_SEED = 2025


class SelectionSplit(NamedTuple):
    """Further classes left out, to choose on.

    Attributes:
        unseen: all classes that the selection model does not see.
        serves: (number of a split, classes whose retrieval chooses for it).
    """

    unseen: Split
    serves: tuple[tuple[int, tuple[int, ...]], ...]


def leave_out_more(
    split: Split, count: int, number: int = 0, seed: int = SPLIT_SEED
) -> list[SelectionSplit]:
    """`count` random choices of as many seen classes as are unseen, to choose for a split.

    Two classes stay seen in any case; where no more are left, the seen figure chooses alone.

    Args:
        split: to choose for.
        count: of choices; fewer, where there are not so many.
        number: of the split.
        seed: of the choices.
    """
    size = min(len(split), len(split.seen) - 2)
    if size < 1:
        return [SelectionSplit(split, ((number, split.seen),))]
    every = list(combinations(split.seen, size))
    order = np.random.default_rng([seed, *split]).permutation(len(every))[:count]
    return [
        SelectionSplit(Split((*split, *every[n]), split.count), ((number, every[n]),))
        for n in order
    ]


def shared_selection_splits(splits: Sequence[Split]) -> list[SelectionSplit]:
    """Few selection models that serve many splits: each leaves out two of the splits' choices.

    A model that saw neither {a, b} nor {c, d} chooses on {c, d} for the split {a, b}, and the
    other way round; all 36 splits of two in nine classes need about nine models.
    """
    unions = sorted(
        {
            tuple(sorted({*a, *b}))
            for a, b in combinations(splits, 2)
            if not {*a} & {*b} and a.count - len(a) - len(b) >= 2
        }
    )
    serving = {
        union: tuple(
            (n, tuple(c for c in union if c not in split))
            for n, split in enumerate(splits)
            if {*split} < {*union}
        )
        for union in unions
    }
    open_splits, chosen = set(range(len(splits))), []

    def gain(union: tuple[int, ...]) -> int:
        return len(open_splits & {n for n, _ in serving[union]})

    while unions and gain(best := max(unions, key=gain)):
        chosen.append(SelectionSplit(Split(best, splits[0].count), serving[best]))
        open_splits -= {n for n, _ in serving[best]}
    rest = [leave_out_more(splits[n], 1, n) for n in sorted(open_splits)]
    return [*chosen, *(extra for splits_of_one in rest for extra in splits_of_one)]
