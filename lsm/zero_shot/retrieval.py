"""The zero-shot query: query -> projection -> nearest item of the other modality -> its label.

Nearest is the item of the highest similarity; the similarities come last.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from harness.errors import UserError

# (modality 0 or 1, rows of its items, which of the models) -> embeddings (models, rows, d)
Embed = Callable[[int, np.ndarray, slice], torch.Tensor]
# (n, d) and (m, d) embeddings of one pool -> (n, m)
Similarity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
NEIGHBOURS = (5, 10)  # averaged in a query expansion, of queries and of items, itself included
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

    Raises:
        UserError: embeddings of a training that diverged.
    """
    alike = similarity(first, second)
    if not torch.isfinite(alike).all():
        raise UserError("embeddings are no finite numbers: choose a lower learning rate (--set)")
    here, there = (torch.from_numpy(labels).to(alike.device) for labels in pool.labels)
    if top1_only:
        return [topk_accuracy(alike, here, there).item()]
    both = ((alike, here, there), (alike.mT, there, here))
    return [topk_accuracy(*direction, k).item() for direction in both for k in TOP_K]


def dot_product(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Similarity (n, m) of embeddings (n, d) and (m, d): x . y, lengths included."""
    return first @ second.mT


def cosine(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Similarity (n, m) of embeddings (n, d) and (m, d): x . y / (|x| |y|).

    It orders items as the Euclidean distance of embeddings of length 1 does.
    """
    return functional.normalize(first, dim=-1) @ functional.normalize(second, dim=-1).mT


def centred_cosine(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Cosine (n, m) of deviations from each pool's mean: what all items share says nothing."""
    return cosine(first - first.mean(-2, keepdim=True), second - second.mean(-2, keepdim=True))


def principal_axis(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Product (n, m) of the scores on each pool's first principal axis.

    It tells two classes apart better than any other similarity here, and says nothing of which
    is which: that depends on the sign of the product of both axes.
    """
    scores = []
    for x in (first, second):
        centred = x - x.mean(-2, keepdim=True)
        axis = torch.linalg.svd(centred, full_matrices=False).Vh[..., :1, :]
        scores.append(centred @ axis.mT @ axis)
    return scores[0] @ scores[1].mT


def cosine_with_query_expansion(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Cosine of the means of two items' neighbourhoods (query expansion).

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


SIMILARITIES: dict[str, Similarity] = {"dot product": dot_product, "cosine": cosine}
