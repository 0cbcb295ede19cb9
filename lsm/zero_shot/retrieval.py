"""The zero-shot query: query -> projection -> nearest item of the other modality -> its label."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch

from harness.errors import UserError
from lsm.zero_shot.similarity import Similarity

# (modality 0 or 1, rows of its items, which of the models) -> embeddings (models, rows, d)
Embed = Callable[[int, np.ndarray, slice], torch.Tensor]
TOP_K = (1, 5)


class Pool(NamedTuple):
    """Items that are searched: rows of both modalities and the classes they count as."""

    rows: tuple[np.ndarray, np.ndarray]
    labels: tuple[np.ndarray, np.ndarray]


def first_items(
    labels: np.ndarray, classes: Iterable[int], size: int, copies: int = 1
) -> np.ndarray:
    """Rows of a pool: the first `size` items of each class, or all there are (LSM, code).

    Args:
        labels: (items,) classes.
        classes: those of the pool.
        size: items a class.
        copies: how often an item may be in the pool of a class that has too few.

    Returns:
        Rows, class by class, in their order within a class.

    Raises:
        UserError: no class, a class without items, or a size below 1.
    """
    classes = list(classes)
    if size < 1 or not classes:
        raise UserError(f"a pool of {size} items of classes {classes}: 1 or more of each is needed")
    rows = []
    for number in classes:
        mine = np.flatnonzero(labels == number)
        if len(mine) == 0:
            raise UserError(f"a pool of class {number}: the data has no item of it")
        rows.append(np.resize(mine, min(size, copies * len(mine))))
    return np.concatenate(rows)


def topk_accuracy(
    similarity: torch.Tensor, queries: torch.Tensor, items: torch.Tensor, k: int = 1
) -> torch.Tensor:
    """Share of queries in % whose class is among those of the k most similar items.

    Args:
        similarity: (..., queries, items).
        queries: (queries,) classes.
        items: (items,) classes.
        k: how many items a query gets; all, where there are fewer.

    Returns:
        (...) in %.
    """
    k = min(k, similarity.shape[-1])
    best = similarity.topk(k, -1).indices if k > 1 else similarity.argmax(-1, True)
    correct = (items[best] == queries[:, None]).any(-1)
    return 100 * correct.double().mean(-1)


def score_names(names: tuple[str, str], *, top1_only: bool = False) -> list[str]:
    """Names of what `score_pool` gives: "audio -> image top-1" and so on.

    Args:
        names: of both modalities; queries of the first one come first.
        top1_only: the first direction's top-1 alone.
    """
    directions = (" -> ".join(names), " -> ".join(names[::-1]))
    every = [f"{direction} top-{k}" for direction in directions for k in TOP_K]
    return every[:1] if top1_only else every


def score_pool(
    first: torch.Tensor,
    second: torch.Tensor,
    pool: Pool,
    similarity: Similarity,
    *,
    top1_only: bool = False,
) -> list[float]:
    """Accuracies in % of one model on one pool, in the order of `score_names`.

    Args:
        first: (n, d) embeddings of the pool's items of the first modality.
        second: (m, d), of the second.
        pool: their labels.
        similarity: of embeddings.
        top1_only: see `score_names`.
    """
    alike = similarity(first, second)
    here, there = (torch.from_numpy(labels).to(alike.device) for labels in pool.labels)
    if top1_only:
        return [topk_accuracy(alike, here, there).item()]
    both = ((alike, here, there), (alike.mT, there, here))
    return [topk_accuracy(*direction, k).item() for direction in both for k in TOP_K]
