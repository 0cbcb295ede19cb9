"""Closed-form readout of point features into parts, from streaming statistics of each part.

A point's category is known, so its score is compared among the parts of that category only: the
ridge regression of a category's parts is fitted to that category's points. This takes as many
weights as one regression on all points does (that one is here too, as "plain ridge"). Kept are
count, sum and Gram matrix of the points of each part, in float64: whatever regression is wanted,
with whatever weight a part is to have, is a sum of these, after one pass over the points.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch

from deplm.data.seg_categories import CATEGORIES, PARTS
from harness.readouts.ridge import RIDGE_PENALTIES, RidgeReadout
from harness.scale import distributed
from rram.errors import UserError

BALANCES = (0.0, 0.25)  # a part of share s in its category weighs s^-balance a point


class PartStatistics:
    """Count, sum (D,) and Gram matrix (D, D) of the points of each part, float64."""

    def __init__(self) -> None:
        self.parts: dict[int, tuple[int, np.ndarray, np.ndarray]] = {}

    @classmethod
    def of(cls, features: torch.Tensor, labels: torch.Tensor) -> Self:
        """Statistics of features (n, D) of points with labels (n,) int64, 0..49.

        Raises:
            UserError: shapes that do not fit, labels that are none, NaN among the features.
        """
        if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
            raise UserError(
                f"features {tuple(features.shape)} and labels {tuple(labels.shape)}: no rows to fit"
            )
        if labels.min() < 0 or labels.max() >= PARTS:
            raise UserError(f"labels {labels.min()} to {labels.max()}: there are {PARTS} parts")
        if not torch.isfinite(features.sum()):
            raise UserError(f"features {tuple(features.shape)}: NaN or infinite values among them")
        statistics = cls()
        labels, order = labels.sort(stable=True)
        parts, counts = labels.unique_consecutive(return_counts=True)
        rows = features[order].split(counts.tolist())
        for part, x in zip(parts.tolist(), rows, strict=True):
            x = x.double()
            statistics.parts[part] = (len(x), x.sum(0).cpu().numpy(), (x.T @ x).cpu().numpy())
        return statistics

    def add(self, other: "PartStatistics") -> Self:
        """Add the statistics of other points, in place."""
        for part, sums in other.parts.items():
            mine = self.parts.get(part)
            added = sums if mine is None else tuple(a + b for a, b in zip(mine, sums, strict=True))
            self.parts[part] = added
        return self

    def of_all_processes(self) -> "PartStatistics":
        """Statistics of the points that all processes have added, see `harness.scale.distributed`.

        Raises:
            UserError: this process has none.
        """
        if distributed.count() == 1:
            return self
        if not self.parts:
            raise distributed.no_rows()
        width = len(next(iter(self.parts.values()))[1])
        none = (0, np.zeros(width), np.zeros((width, width)))
        whole = PartStatistics()
        for part in range(PARTS):
            count, x_sum, gram = self.parts.get(part, none)
            if points := int(distributed.total(np.array(count))):
                whole.parts[part] = (points, distributed.total(x_sum), distributed.total(gram))
        return whole

    def copy(self) -> "PartStatistics":
        """A copy that can grow on its own."""
        copied = PartStatistics()
        copied.parts = dict(self.parts)
        return copied

    def regression(self, parts: Sequence[int], balance: float) -> RidgeReadout | None:
        """Ridge regression of points on `parts`; None when there are no such points.

        Args:
            parts: labels; the k-th is class k of the regression.
            balance: 0 weighs all points alike, 1 all parts.
        """
        here = {k: self.parts[part] for k, part in enumerate(parts) if part in self.parts}
        if not here:
            return None
        points = sum(count for count, _, _ in here.values())
        factors = {k: (count / points) ** -balance for k, (count, _, _) in here.items()}
        total = sum(factors[k] * count for k, (count, _, _) in here.items())
        width = len(next(iter(here.values()))[1])
        y_sum, xx, xy = (
            np.zeros(len(parts)),
            np.zeros((width, width)),
            np.zeros((width, len(parts))),
        )
        for k, (count, x_sum, gram) in here.items():
            weight = factors[k] * points / total  # so that the count stays that of the points
            y_sum[k], xy[:, k] = weight * count, weight * x_sum
            xx += weight * gram
        readout = RidgeReadout(len(parts))
        readout.sums_ = (points, xy.sum(1), y_sum, xx, xy)
        return readout


@dataclass(frozen=True)
class PartReadout:
    """A linear readout: scores of a point are x @ coef + intercept.

    Attributes:
        coef: (D, 50) float32.
        intercept: (50,) float32.
    """

    coef: np.ndarray
    intercept: np.ndarray

    def predict(self, features: np.ndarray, categories: np.ndarray) -> np.ndarray:
        """Parts (B, N) uint8 of features (B, N, D), the best of each cloud's category.

        Args:
            features: (B, N, D) of the points.
            categories: (B,) of the clouds.
        """
        predicted = np.empty(features.shape[:2], np.uint8)
        for cloud, (x, category) in enumerate(zip(features, categories, strict=True)):
            parts = CATEGORIES[category].labels
            scores = x @ self.coef[:, parts] + self.intercept[parts]
            predicted[cloud] = parts[0] + scores.argmax(-1)
        return predicted


class Choice(NamedTuple):
    """What is chosen on validation shapes, for the regressions of categories or the plain one."""

    penalty: float
    balance: float
    plain: bool = False


def choices(penalties: Iterable[float] = RIDGE_PENALTIES) -> list[Choice]:
    """All choices: of each category's regression, then of the plain ridge."""
    penalties = tuple(penalties)
    of_categories = [Choice(penalty, balance) for balance in BALANCES for penalty in penalties]
    return of_categories + [Choice(penalty, 0.0, plain=True) for penalty in penalties]


def solve(statistics: PartStatistics, wanted: Sequence[Choice]) -> list[PartReadout]:
    """A readout for each choice. Parts of which no point was seen score 0."""
    width = len(next(iter(statistics.parts.values()))[1])
    readouts = [
        PartReadout(np.zeros((width, PARTS), np.float32), np.zeros(PARTS, np.float32))
        for _ in wanted
    ]
    everything = [range(PARTS)]
    for plain, groups in ((True, everything), (False, [c.labels for c in CATEGORIES])):
        for balance in sorted({choice.balance for choice in wanted if choice.plain == plain}):
            for parts in groups:
                regression = statistics.regression(parts, balance)
                for readout, choice in zip(readouts, wanted, strict=True):
                    if regression and (choice.plain, choice.balance) == (plain, balance):
                        solution = regression.solution(regression.factor(choice.penalty))
                        readout.coef[:, parts], readout.intercept[parts] = solution
    return readouts
