"""How a zero-shot model is measured: seen and unseen pools, and choices on held-out classes.

A model of a split is trained on all training pairs of its seen classes. Whatever is chosen (the
epoch, the penalty, one of several recipes: the *candidate*) is chosen by other models, the
*pseudo* ones. They see the training items to fit only, and leave out further classes of the seen
ones: held-out items of the classes they saw choose the candidate for the seen figure, held-out
items of those further classes the candidate for the unseen figure.
"""

from collections.abc import Callable, Sequence
from itertools import combinations, islice
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from lsm.zero_shot.modalities import (
    FIT,
    HELD,
    TEST,
    PairedModalities,
    Pool,
    Split,
    make_pairs,
    make_pool,
)
from lsm.zero_shot.projections import Pairs
from lsm.zero_shot.retrieval import found

SPLIT_SEED = 2025
PSEUDO = 1_000_000  # in seeds, where other models have the number of their restart
FIGURES = ("top-1", "top-5", "back top-1", "back top-5")  # back: of the second side's queries
# (side, rows of its items, which of the models) -> embeddings (models, rows, d)
Embed = Callable[[int, np.ndarray, slice], torch.Tensor]
# (pairs of M models, seeds of M models, to call for each candidate): trains, or solves
Trainer = Callable[[list[Pairs], list[list[int]], Callable[[Embed], None]], None]
Similarity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def cosine(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Similarity (n, m) of embeddings (n, d) and (m, d): the cosine of their angle."""
    return functional.normalize(first, dim=-1) @ functional.normalize(second, dim=-1).mT


def centred_cosine(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The same about the mean of each side's pool: what all items share says nothing."""
    return cosine(first - first.mean(-2, keepdim=True), second - second.mean(-2, keepdim=True))


def principal_axis(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The same along the first principal axis of each side's pool: what two classes differ by.

    It tells two classes apart better than any other here, and says nothing of which is which:
    that hangs on the sign of the product of both axes.
    """
    found = []
    for x in (first, second):
        centred = x - x.mean(-2, keepdim=True)
        axis = torch.linalg.svd(centred, full_matrices=False).Vh[..., :1, :]
        found.append(centred @ axis.mT @ axis)
    return found[0] @ found[1].mT


def negative_squared_distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Similarity (n, m) of embeddings (n, d) and (m, d): minus their squared distance."""
    return -torch.cdist(first, second).square()


class SelectionSplit(NamedTuple):
    """Further classes left out, to choose on.

    Attributes:
        unseen: all classes that the pseudo model does not see.
        serves: (number of a split, classes whose retrieval chooses for it).
    """

    unseen: Split
    serves: tuple[tuple[int, tuple[int, ...]], ...]


class Study(NamedTuple):
    """Figures in % of every candidate, C of them.

    Attributes:
        test: (C, splits, restarts, 2, F): seen and unseen pool, each with the first F `FIGURES`.
        held: (C, splits, 2): the first figure of the pseudo models, their mean.
    """

    test: np.ndarray
    held: np.ndarray

    def by_validation(self) -> np.ndarray:
        """(splits, 2, F): the candidates that held-out classes choose, mean over restarts."""
        return self._at(self.held.argmax(0), self.test.mean(2))

    def by_test(self) -> np.ndarray:
        """(splits, 2, F), the published way: the best candidate and restart on each test pool."""
        candidates, splits, restarts, *rest = self.test.shape
        flat = self.test.swapaxes(1, 2).reshape(candidates * restarts, splits, *rest)
        return self._at(flat[..., 0].argmax(0), flat)

    @staticmethod
    def _at(chosen: np.ndarray, figures: np.ndarray) -> np.ndarray:
        # `chosen` is (splits, 2): a candidate for seen and one for unseen.
        return np.take_along_axis(figures, chosen[None, ..., None], 0)[0]

    def for_unseen(self) -> "Study":
        """The same, never to be chosen for seen pools."""
        test, held = self.test.copy(), self.held.copy()
        test[..., 0, :], held[..., 0] = -1, -1
        return Study(test, held)

    @classmethod
    def of_candidates(cls, studies: "Sequence[Study]") -> "Study":
        """One study whose candidates are those of several."""
        return cls(*(np.concatenate(parts) for parts in zip(*studies, strict=True)))


def study(
    data: PairedModalities,
    splits: Sequence[Split],
    pseudos: Sequence[SelectionSplit],
    trainer: Trainer,
    *,
    seed: int,
    pool_size: int,
    restarts: int = 1,
    similarity: Similarity = cosine,
    permuted: bool = False,
    brief: bool = False,
) -> Study:
    """Train the models of all splits and the pseudo models, and measure every candidate.

    Args:
        data: both modalities.
        splits: seen and unseen classes.
        pseudos: each split must be served by one or more.
        trainer: how to train; candidates are its epochs, for instance.
        seed: of first weights and orders.
        pool_size: items a class.
        restarts: models of each split, from other first weights.
        similarity: of embeddings.
        permuted: the control: the seen classes of the second side change places, none stays.
            Training pairs and seen pools follow, unseen classes are as they were.
        brief: the first of `FIGURES` only.
    """
    models = _true_models(data, splits, seed, pool_size, restarts, permuted)
    count = len(models)
    models += _pseudo_models(data, pseudos, seed, pool_size, permuted)
    pools = [model.pools for model in models]
    wanted = 1 if brief else len(FIGURES)
    test, held = [], []

    def measure(embed: Embed) -> None:
        test.append(_scores(embed, slice(count), pools, similarity, wanted))
        held.append(_scores(embed, slice(count, len(pools)), pools, similarity, 1))

    trainer([model.pairs for model in models], [model.seed for model in models], measure)
    every = np.array(test).reshape(len(test), len(splits), restarts, 2, wanted)
    return Study(every, _served(held, pseudos, len(splits)))


class _Model(NamedTuple):
    pairs: Pairs
    seed: list[int]
    pools: list[Pool]


def _true_models(
    data: PairedModalities,
    splits: Sequence[Split],
    seed: int,
    size: int,
    restarts: int,
    permuted: bool,
) -> list[_Model]:
    models = []
    for number, split in enumerate(splits):
        relabel = _derangement(split, seed) if permuted else None
        pools = [make_pool(data, c, TEST, size, relabel) for c in (split.seen, split)]
        pairs = make_pairs(data, split.seen, (FIT, HELD), relabel)
        models += [_Model(pairs, [seed, number, r], pools) for r in range(restarts)]
    return models


def _pseudo_models(
    data: PairedModalities, pseudos: Sequence[SelectionSplit], seed: int, size: int, permuted: bool
) -> list[_Model]:
    models = []
    for number, (unseen, serves) in enumerate(pseudos):
        relabel = _derangement(unseen, seed) if permuted else None
        chosen = [unseen.seen, *(classes for _, classes in serves)]
        pools = [make_pool(data, c, HELD, size, relabel) for c in chosen]
        pairs = make_pairs(data, unseen.seen, (FIT,), relabel)
        models.append(_Model(pairs, [seed, number, PSEUDO], pools))
    return models


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


def shared_pseudos(splits: Sequence[Split]) -> list[SelectionSplit]:
    """Few pseudo models that serve many splits: each leaves out two of the splits' choices.

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
    return [*chosen, *(pseudo for found_one in rest for pseudo in found_one)]


def figures(
    first: torch.Tensor,
    second: torch.Tensor,
    pool: Pool,
    similarity: Similarity,
    wanted: int = len(FIGURES),
) -> list[float]:
    """The first `wanted` `FIGURES` in % of one model's embeddings (n, d), (m, d) of a pool."""
    alike = similarity(first, second)
    mine, other = (torch.from_numpy(labels).to(alike.device) for labels in pool.labels)
    both = ((alike, mine, other), (alike.mT, other, mine))
    every = (found(*one, count).item() for one in both for count in (1, 5))
    return list(islice(every, wanted))


def _scores(
    embed: Embed, models: slice, pools: list[list[Pool]], similarity: Similarity, wanted: int
) -> list[list[list[float]]]:
    """Figures of every pool of `models`: each item is embedded once."""
    pools = pools[models]
    everything = [pool for mine in pools for pool in mine]
    rows = [np.unique(np.concatenate([p.rows[side] for p in everything])) for side in (0, 1)]
    embedded = [embed(side, rows[side], models) for side in (0, 1)]

    def of_pool(model: int, pool: Pool) -> list[float]:
        parts = (
            embedded[side][model][np.searchsorted(rows[side], pool.rows[side])] for side in (0, 1)
        )
        return figures(*parts, pool, similarity, wanted)

    return [[of_pool(n, pool) for pool in mine] for n, mine in enumerate(pools)]


def _served(
    scored: list[list[list[list[float]]]], pseudos: Sequence[SelectionSplit], splits: int
) -> np.ndarray:
    """(C, splits, 2): what the pseudo models say of each split, their mean."""
    serving = [
        [
            (n, k)
            for n, p in enumerate(pseudos)
            for k, (mine, _) in enumerate(p.serves, 1)
            if mine == s
        ]
        for s in range(splits)
    ]
    return np.array(
        [
            [np.mean([[one[n][0][0], one[n][k][0]] for n, k in mine], 0) for mine in serving]
            for one in scored
        ]
    )


def _derangement(split: Split, seed: int) -> np.ndarray:
    """(classes,) the seen classes changed round, none where it was; the unseen ones stay."""
    generator = np.random.default_rng([SPLIT_SEED, seed, *split])
    relabel, order = np.arange(split.count), generator.permutation(split.seen)
    relabel[order] = np.roll(order, 1)
    return relabel
