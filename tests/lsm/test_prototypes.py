import math

import pytest
import torch

from lsm.zero_shot.prototypes import prototype_loss

FIRST = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]]], dtype=torch.float64)
SECOND = torch.tensor([[[1.0, 0.0], [1.0, 2.0], [0.0, 4.0]]], dtype=torch.float64)
LABELS = torch.tensor([[0, 0, 3]])


def cross(own, other):
    """-log of the softmax over minus two squared distances."""
    return -math.log(math.exp(-own) / (math.exp(-own) + math.exp(-other)))


def test_by_hand():
    # Prototypes of second: class 0 (1, 1), class 3 (0, 4); of first: class 0 (1, 0), 3 (1, 3).
    to_second = cross(2, 16) + cross(2, 20) + cross(2, 4)
    to_first = cross(0, 9) + cross(4, 1) + cross(2, 17)
    loss = prototype_loss(FIRST, SECOND, LABELS)
    assert loss.tolist() == pytest.approx([(to_second + to_first) / 6])


def test_both_sides_count_the_same():
    forward, back = (prototype_loss(*pair, LABELS) for pair in ((FIRST, SECOND), (SECOND, FIRST)))
    assert forward.item() == pytest.approx(back.item())


def test_models_do_not_meet():
    both = prototype_loss(
        torch.cat([FIRST, SECOND]),
        torch.cat([SECOND, SECOND]),
        torch.tensor([[0, 0, 3], [1, 1, 0]]),
    )
    assert both[0].item() == pytest.approx(prototype_loss(FIRST, SECOND, LABELS).item())
    alone = prototype_loss(SECOND, SECOND, torch.tensor([[1, 1, 0]]))
    assert both[1].item() == pytest.approx(alone.item())


def test_a_class_alone_in_its_batch_costs_nothing():
    assert prototype_loss(FIRST, SECOND, torch.tensor([[2, 2, 2]])).item() == pytest.approx(0)


def test_gradients_are_finite():
    first = FIRST.clone().requires_grad_()
    prototype_loss(first, SECOND, LABELS).sum().backward()
    assert torch.isfinite(first.grad).all()
    assert first.grad.abs().sum() > 0
