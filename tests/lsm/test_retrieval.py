import numpy as np
import pytest
import torch

from harness.errors import UserError
from lsm.zero_shot.retrieval import (
    Pool,
    cosine,
    first_items,
    score_names,
    score_pool,
    topk_accuracy,
)

ITEMS = torch.tensor([0, 0, 1, 2])
QUERIES = torch.tensor([0, 1, 2])
SIMILARITY = torch.tensor(
    [
        [0.1, 0.9, 0.3, 0.2],  # 0 finds 0, then 1
        [0.8, 0.1, 0.7, 0.2],  # 1 finds 0, then 1
        [0.5, 0.6, 0.4, 0.1],  # 2 finds 0, 0, 1, and 2 last
    ]
)


@pytest.mark.parametrize(("count", "right"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_queries_by_hand(count, right):
    assert topk_accuracy(SIMILARITY, QUERIES, ITEMS, count).item() == pytest.approx(100 * right / 3)


def test_the_other_direction():
    # Items as queries: columns; 0 finds 1, 0 finds 0, 1 finds 1, 2 finds 0 or 1 (equal): wrong.
    assert topk_accuracy(SIMILARITY.T, ITEMS, QUERIES).item() == pytest.approx(50)


def test_many_models_at_once():
    both = torch.stack([SIMILARITY, -SIMILARITY])
    assert topk_accuracy(both, QUERIES, ITEMS).tolist() == pytest.approx([100 / 3, 200 / 3])


def test_pools_are_the_first_items_class_by_class():
    labels = np.array([1, 0, 1, 2, 1, 0, 2, 1])
    assert first_items(labels, [2, 1], 3).tolist() == [3, 6, 0, 2, 4]  # two are all of class 2
    assert first_items(labels, [2], 3, copies=2).tolist() == [3, 6, 3]
    assert first_items(labels, [2], 9, copies=2).tolist() == [3, 6, 3, 6]


def test_scores_go_both_ways():
    pool = Pool((np.arange(2), np.arange(3)), (np.array([0, 1]), np.array([0, 1, 1])))
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    second = torch.tensor([[0.0, 1.0], [1.0, 0.1], [0.1, 1.0]])
    # 0 finds 1: wrong. 1 finds 0: wrong. Back: all three find the wrong one, or 1 finds 1.
    assert score_pool(first, second, pool, cosine) == pytest.approx([0, 100, 100 / 3, 100])
    assert score_pool(first, second, pool, cosine, top1_only=True) == [0]
    assert score_names(("sound", "sight")) == [
        "sound -> sight top-1",
        "sound -> sight top-5",
        "sight -> sound top-1",
        "sight -> sound top-5",
    ]


def test_bad_pools():
    labels = np.array([0, 0, 1])
    with pytest.raises(UserError, match="class 2"):
        first_items(labels, [0, 2], 1)
    with pytest.raises(UserError, match="1 or more"):
        first_items(labels, [], 1)
    with pytest.raises(UserError, match="1 or more"):
        first_items(labels, [0], 0)


def test_embeddings_that_diverged_are_no_figures():
    x, labels = torch.full((2, 3), torch.nan), np.arange(2)
    with pytest.raises(UserError, match="no finite numbers"):
        score_pool(x, x, Pool((labels, labels), (labels, labels)), cosine)
