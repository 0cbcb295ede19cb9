import math

import numpy as np
import pytest
import torch

from lsm.zero_shot.encoders import LinearEncoders, PrototypeTraining, prototype_loss
from lsm.zero_shot.projections import ProjectionConfig
from lsm.zero_shot.retrieval import Pool
from lsm.zero_shot.training import Pairs

SUPPORT = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]], dtype=torch.float64)
SUPPORT_LABELS = torch.tensor([0, 0, 3])
QUERIES = torch.tensor([[1.0, 0.0], [0.0, 4.0]], dtype=torch.float64)


def cross(own, other):
    """-log of the softmax over minus two squared distances."""
    return -math.log(math.exp(-own) / (math.exp(-own) + math.exp(-other)))


def test_by_hand():
    # Prototypes: class 0 (1, 0), class 3 (1, 3).
    loss = prototype_loss(QUERIES, torch.tensor([0, 3]), SUPPORT, SUPPORT_LABELS)
    assert loss.item() == pytest.approx((cross(0, 9) + cross(2, 17)) / 2)
    swapped = prototype_loss(QUERIES, torch.tensor([3, 0]), SUPPORT, SUPPORT_LABELS)
    assert swapped.item() == pytest.approx((cross(9, 0) + cross(17, 2)) / 2)


def test_temperature_divides_distances():
    loss = prototype_loss(QUERIES, torch.tensor([0, 3]), SUPPORT, SUPPORT_LABELS, 3.0)
    assert loss.item() == pytest.approx((cross(0, 3) + cross(2 / 3, 17 / 3)) / 2)


def test_a_class_without_support_does_not_count():
    labels = torch.tensor([0, 7])
    loss = prototype_loss(QUERIES, labels, SUPPORT, SUPPORT_LABELS)
    assert loss.item() == pytest.approx(cross(0, 9))


def test_gradients_are_finite():
    support = SUPPORT.clone().requires_grad_()
    prototype_loss(support, SUPPORT_LABELS, support, SUPPORT_LABELS).backward()
    assert torch.isfinite(support.grad).all()
    assert support.grad.abs().sum() > 0


def example():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    centres = generator.normal(size=(2, 3, 6))
    noise = 0.5 * generator.normal(size=(2, 60, 6))
    features = tuple((centres[:, labels] + noise).astype(np.float32))
    rows = np.flatnonzero(np.arange(60) % 2 == 0)
    return features, labels, Pairs(rows, rows, labels[rows])


def trained(queries=None):
    features, labels, pairs = example()
    config = ProjectionConfig(4, activation="none", learning_rate=0.05, batch_size=99, epochs=40)
    encoders = [LinearEncoders((6, 6), config, seed) for seed in (1, 2)]
    training = PrototypeTraining(features, encoders, [pairs, pairs], [[1], [2]], config)
    training.queries = queries
    *_, (_, embed) = training.epochs()
    return embed, labels


def test_training_brings_both_modalities_together():
    embed, labels = trained()
    test = np.arange(1, 60, 2)
    for first, second in zip(*(embed(n, test, slice(None)) for n in (0, 1)), strict=True):
        nearest = torch.cdist(first, second).argmin(1)
        assert np.mean(labels[test][nearest] == labels[test]) > 0.8  # chance 1/3


def test_queries_that_are_wrongly_labelled_spoil_it():
    rows = np.arange(1, 60, 2)
    _, labels, _ = example()
    wrong = (labels[rows] + 1) % 3
    embed, _ = trained(Pool((rows, rows), (wrong, labels[rows])))
    first, second = (embed(n, rows, slice(None))[0] for n in (0, 1))
    nearest = torch.cdist(first, second).argmin(1)
    assert np.mean(labels[rows][nearest] == labels[rows]) < 0.5
