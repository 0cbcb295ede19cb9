"""A bound that shuffled labels fail: what every test of a table holds its figures to."""

import math


def above_chance(test_items: int, classes: int, chips: int = 1, deviations: float = 4.0) -> float:
    """Accuracy in % that a classifier without knowledge of the labels does not reach.

    It guesses each of `test_items` at random among equally frequent classes; the bound lies
    `deviations` standard deviations above its mean, so that it passes once in 30,000 times.

    Args:
        test_items: that were scored, on each chip.
        classes: equally frequent ones.
        chips: whose mean is held against the bound; their guesses are taken as independent.
        deviations: of the binomial distribution.
    """
    p = 1 / classes
    return 100 * min(1.0, p + deviations * math.sqrt(p * (1 - p) / (test_items * chips)))


def assert_above_chance(mean: float, test_items: int, classes: int, chips: int = 1) -> None:
    """Fail when a mean accuracy in % is one that shuffled labels could give."""
    bound = above_chance(test_items, classes, chips)
    assert bound < 100, f"{test_items} items of {classes} classes tell nothing from chance"
    assert mean > bound, f"{mean:.2f} % is not above {bound:.2f} %, which chance can give"
