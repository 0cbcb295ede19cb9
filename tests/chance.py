"""A bound on accuracy that guessing does not pass."""

DEVIATIONS = 4  # of guessing, above its mean: passed once in 30,000 times


def above_chance(classes, samples):
    """Accuracy in % above which `samples` labels of `classes` equal classes are not guessed."""
    p = 1 / classes
    return 100 * (p + DEVIATIONS * (p * (1 - p) / samples) ** 0.5)
