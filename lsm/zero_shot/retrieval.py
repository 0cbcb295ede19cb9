"""Retrieval between two modalities: pools of items, and how often a query finds its class."""

from collections.abc import Iterable

import numpy as np
import torch

from harness.errors import UserError

POOL_SEED = 2025


def draw_pool(
    labels: np.ndarray, classes: Iterable[int], size: int, seed: int = POOL_SEED
) -> np.ndarray:
    """Rows of a pool: `size` items of each class, or all that there are.

    Args:
        labels: (items,) classes.
        classes: those of the pool.
        size: items a class.
        seed: of the draw; one class's items do not depend on which others are in the pool.

    Returns:
        Rows, class by class, ascending within a class.

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
        generator = np.random.default_rng([seed, number])
        rows.append(np.sort(generator.permutation(mine)[:size]))
    return np.concatenate(rows)


def found(
    similarity: torch.Tensor, queries: torch.Tensor, items: torch.Tensor, count: int = 1
) -> torch.Tensor:
    """Share of queries in % whose class is among those of the `count` most similar items.

    Args:
        similarity: (..., queries, items).
        queries: (queries,) classes.
        items: (items,) classes.
        count: how many items a query gets; all, where there are fewer.

    Returns:
        (...) in %.
    """
    count = min(count, similarity.shape[-1])
    best = similarity.topk(count, -1).indices if count > 1 else similarity.argmax(-1, True)
    right = (items[best] == queries[:, None]).any(-1)
    return 100 * right.double().mean(-1)
