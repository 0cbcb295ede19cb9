"""How well a normal distribution describes measured cells."""

from dataclasses import dataclass, field

import numpy as np
from scipy import stats

DRAWS = 499  # of the Monte Carlo behind a p value
TESTED = 1000  # cells at most that are tested and drawn, chosen at random


@dataclass(frozen=True)
class Fit:
    """A normal distribution fitted to measured cells.

    Attributes:
        name: what was measured.
        unit: of it.
        mean: fitted.
        std: fitted, with n - 1.
        skewness: 0 for a normal distribution.
        distance: of Kolmogorov and Smirnov: largest gap between the two distribution functions.
        p_value: share of normal samples, fitted in the same way, that lie farther off.
        quantiles: (n, 2), each cell's expected value under the fit and its measured one, ascending.
    """

    name: str
    unit: str
    mean: float
    std: float
    skewness: float
    distance: float
    p_value: float
    quantiles: np.ndarray = field(repr=False)

    def __str__(self) -> str:
        """One line for people."""
        verdict = "rejected" if self.p_value < 0.05 else "not rejected"
        return (
            f"{self.name}: {len(self.quantiles)} cells, mean {self.mean:.4g} {self.unit}, s.d. "
            f"{self.std:.3g}, skewness {self.skewness:.2f}; Kolmogorov-Smirnov distance "
            f"{self.distance:.3f}, p {self.p_value:.3f}: a normal distribution is {verdict} at 5 %"
        )


def fit_normal(values: np.ndarray, name: str, unit: str) -> Fit:
    """Fit a normal distribution to values (n,), two or more that are not all equal.

    The p value is of Lilliefors' kind: since mean and deviation were fitted to the same cells, the
    distance is compared with those of samples that were fitted too. Mean and deviation are of all
    cells, the rest is of 1,000 of them where there are more.
    """
    values, rng = np.asarray(values, np.float64).ravel(), np.random.default_rng(0)
    mean, std = float(values.mean()), float(values.std(ddof=1))
    ordered = np.sort(values if len(values) <= TESTED else rng.choice(values, TESTED, False))
    skewness, distance, p_value = 0.0, 1.0, 0.0
    if std > 0:
        result = stats.goodness_of_fit(
            stats.norm,
            ordered,
            statistic="ks",
            n_mc_samples=DRAWS,
            random_state=rng,
        )
        distance, p_value = float(result.statistic), float(result.pvalue)
        skewness = float(stats.skew(ordered))
    places = (np.arange(len(ordered)) + 0.5) / len(ordered)
    expected = stats.norm.ppf(places, mean, max(std, np.finfo(float).tiny))
    return Fit(name, unit, mean, std, skewness, distance, p_value, np.stack([expected, ordered], 1))
