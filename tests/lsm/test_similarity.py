import pytest
import torch

from lsm.zero_shot.retrieval import (
    centred_cosine,
    cosine,
    cosine_with_query_expansion,
    dot_product,
    principal_axis,
)


def test_similarities_by_hand():
    first = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    second = torch.tensor([[0.0, 2.0], [1.0, 0.0], [-1.0, 0.0]])
    assert dot_product(first, second)[0].tolist() == [8, 3, -3]
    assert cosine(first, second)[0].tolist() == pytest.approx([0.8, 0.6, -0.6])
    # About their means (2, 2) and (0, 2/3) the first items are (1, 2) and (0, 4/3).
    assert centred_cosine(first, second)[0, 0].item() == pytest.approx(2 / 5**0.5)
    moved = centred_cosine(first + 7, second - 3)
    assert torch.allclose(moved, centred_cosine(first, second), atol=1e-5)


def test_a_long_embedding_wins_by_dot_product_only():
    query, items = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.1], [9.0, 9.0]])
    assert dot_product(query, items).argmax() == 1
    assert cosine(query, items).argmax() == 0


def test_principal_axis_forgets_the_rest():
    generator = torch.Generator().manual_seed(0)
    sign = torch.tensor([1.0, -1.0]).repeat(20)
    noise = torch.randn(2, 40, 3, generator=generator)
    both = [5 * sign[:, None] * torch.tensor([1.0, 0, 0]) + n for n in noise]
    alike = principal_axis(*both)
    assert ((alike > 0) == (sign[:, None] * sign > 0)).all()


def test_neighbours_of_ones_own_pool_are_averaged():
    # Two tight groups a modality: the neighbourhood mean of an outlier is that of its group.
    first = torch.tensor([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.1], [-1.0, -0.1]]).repeat(5, 1)
    second = 3 * first
    alike = cosine_with_query_expansion(first, second)
    same = torch.sign(first[:, :1]) == torch.sign(second[:, 0])
    assert alike[same].min() > 0.9 > -0.9 > alike[~same].max()
    few = cosine_with_query_expansion(first[:3], second[:2])  # fewer than neighbours
    assert few.shape == (3, 2)
