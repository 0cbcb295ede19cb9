import numpy as np
import pytest
import torch

from harness.errors import UserError
from lsm.zero_shot.retrieval import draw_pool, found

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
    assert found(SIMILARITY, QUERIES, ITEMS, count).item() == pytest.approx(100 * right / 3)


def test_the_other_direction():
    # Items as queries: columns; 0 finds 1, 0 finds 0, 1 finds 1, 2 finds 0 or 1 (equal): wrong.
    assert found(SIMILARITY.T, ITEMS, QUERIES).item() == pytest.approx(50)


def test_many_models_at_once():
    both = torch.stack([SIMILARITY, -SIMILARITY])
    assert found(both, QUERIES, ITEMS).tolist() == pytest.approx([100 / 3, 200 / 3])


def test_pools_are_drawn_class_by_class():
    labels = np.array([1, 0, 1, 2, 1, 0, 2, 1])
    rows = draw_pool(labels, [2, 1], 3)
    assert labels[rows].tolist() == [2, 2, 1, 1, 1]  # two of class 2 is all that there is
    assert len(set(rows)) == 5
    assert draw_pool(labels, [1], 3).tolist() == rows[2:].tolist()
    many = np.zeros(1000, int)
    assert draw_pool(many, [0], 5).tolist() == draw_pool(many, [0], 5).tolist()
    assert draw_pool(many, [0], 5).tolist() != draw_pool(many, [0], 5, seed=1).tolist()


def test_bad_pools():
    labels = np.array([0, 0, 1])
    with pytest.raises(UserError, match="class 2"):
        draw_pool(labels, [0, 2], 1)
    with pytest.raises(UserError, match="1 or more"):
        draw_pool(labels, [], 1)
    with pytest.raises(UserError, match="1 or more"):
        draw_pool(labels, [0], 0)
