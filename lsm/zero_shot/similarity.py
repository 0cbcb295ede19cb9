"""How alike two embeddings are: a query's answer is the item of the highest similarity."""

from collections.abc import Callable

import torch
from torch.nn import functional

# (n, d) and (m, d) embeddings of one pool -> (n, m)
Similarity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
NEIGHBOURS = (5, 10)  # averaged in a query expansion, of queries and of items, itself included


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


def negative_squared_distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Similarity (n, m) of embeddings (n, d) and (m, d): minus their squared distance."""
    return -torch.cdist(first, second).square()


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
