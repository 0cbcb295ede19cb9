import numpy as np
import pytest

from lsm.zero_shot.alignment import RidgeAlignment
from lsm.zero_shot.training import Pairs


def example():
    """Two modalities of four classes; class 3 looks like class 0 in both."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 30)
    centres = [generator.normal(size=(4, width)) for width in (5, 7)]
    for side in centres:
        side[3] = 0.8 * side[0] + 0.2 * side[3]
    noise = 0.1
    x = tuple(c[labels] + noise * generator.normal(size=(120, c.shape[1])) for c in centres)
    return tuple(side.astype(np.float32) for side in x), labels


def test_scores_are_ridge_regressions_by_hand():
    features, labels = example()
    seen = np.flatnonzero(labels < 3)
    training = RidgeAlignment(features, [Pairs(seen, seen, labels[seen])], (0.1,))
    ((_, embed),) = training.epochs()
    for side in (0, 1):
        scores = embed(side, np.arange(120), slice(1))[0].numpy()
        x, y = features[side][seen].astype(float), np.eye(3)[labels[seen]]
        mean, target = x.mean(0), y.mean(0)
        gram = (x - mean).T @ (x - mean)
        gram += 0.1 * np.trace(gram) / len(gram) * np.eye(len(gram))
        weights = np.linalg.solve(gram, (x - mean).T @ (y - target))
        expected = (features[side] - mean) @ weights + target
        expected -= expected.mean(1, keepdims=True)
        assert scores == pytest.approx(expected, abs=1e-6)


def test_classes_meet_across_sides_and_the_unseen_one_joins_its_like():
    features, labels = example()
    seen = np.flatnonzero(labels < 3)
    pairs = Pairs(seen, seen, labels[seen])
    training = RidgeAlignment(features, [pairs, pairs], (1e-3, 1e3))
    candidates = [
        [embed(n, np.arange(120), slice(2)).numpy() for n in (0, 1)]
        for _, embed in training.epochs()
    ]
    assert len(candidates) == 2  # one a penalty
    first, second = candidates[0]
    assert first.shape == (2, 120, 3)
    best = (first[0] @ second[0].T).argmax(1)
    assert np.mean(labels[best][labels < 3] % 3 == labels[labels < 3]) > 0.95
    assert set(labels[best][labels == 3]) <= {0, 3}


def test_an_item_in_two_pairs_counts_once():
    features, labels = example()
    seen = np.flatnonzero(labels < 3)
    twice = np.concatenate([seen, seen])
    found = []
    for rows in (seen, twice):
        training = RidgeAlignment(features, [Pairs(rows, rows, labels[rows])], (0.1,))
        found += [embed(0, np.arange(9), slice(1)).numpy() for _, embed in training.epochs()]
    assert np.array_equal(*found)
