"""The bound itself: shuffled labels fail it, a classifier that learned passes."""

import numpy as np
import pytest

from harness.readouts.ridge import RidgeReadout
from tests.chance import above_chance, assert_above_chance


def accuracy(rng, *, shuffled):
    labels = rng.integers(0, 4, 400)
    x = np.eye(4)[labels] + rng.normal(size=(400, 4)) / 2
    trained = rng.permutation(labels[:200]) if shuffled else labels[:200]
    readout = RidgeReadout(4, (1e-3,)).fit(x[:200], trained)
    return 100 * readout.score(x[200:], labels[200:])


def test_a_classifier_that_learned_passes():
    assert_above_chance(accuracy(np.random.default_rng(0), shuffled=False), 200, 4)


def test_guesses_fail():
    rng = np.random.default_rng(0)
    labels, guesses = rng.integers(0, 4, (2, 500, 200))
    assert max(100 * (labels == guesses).mean(1)) < above_chance(200, 4)


def test_shuffled_labels_fail():
    # Of classes apart, shuffled labels give one guess for a whole class: mean over many chips.
    values = [accuracy(np.random.default_rng(n), shuffled=True) for n in range(40)]
    with pytest.raises(AssertionError, match="chance can give"):
        assert_above_chance(float(np.mean(values)), 200, 4)


def test_too_few_items_are_no_test():
    with pytest.raises(AssertionError, match="nothing from chance"):
        assert_above_chance(100.0, 2, 4)


def test_the_bound_by_hand():
    assert above_chance(100, 2) == 50 + 4 * 5
    assert above_chance(25, 2, chips=4) == 50 + 4 * 5
