"""Discriminative ridge: a closed-form readout that is re-targeted and solved again."""

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np

from harness.readouts.ridge import RIDGE_PENALTIES, Readout, RidgeReadout, Rows, Solution, Targets

FEW = 2  # rows a feature, below which all sums of re-targeted rows are in float64


class DiscriminativeRidge(Readout):
    """Discriminative least squares regression (Xiang et al., IEEE TNNLS 23:1738, 2012).

    A ridge fit to one-hot targets punishes a score of 1.3 for the true class. Here targets become
    max(score, 1) for the true class and min(score, 0) for the others, and the same factorised
    system is solved again, and so on: closed form at every step, one more pass over the rows
    each. Step 0 is plain ridge. Penalty, and number of steps among the powers of two, are chosen
    on validation rows; the last fit is to all rows.

    Args:
        classes: see `Readout`.
        penalties: see `RidgeReadout`.
        steps: at most.
        products: see `RidgeReadout`; where rows are few, float64 all the same.

    Attributes:
        penalty_, steps_: chosen.
        ridge_: the plain ridge readout with the same penalty, fitted to all rows.
        validation_score_: accuracy of plain ridge on the validation rows, before that fit.
        coef_: (D, classes), in the precision of the rows, as `intercept_` (classes,).
    """

    def __init__(
        self,
        classes: int | None = None,
        penalties: Sequence[float] = RIDGE_PENALTIES,
        steps: int = 64,
        products: type = np.float64,
    ) -> None:
        self.classes = classes
        self.penalties = penalties
        self.steps = steps
        self.products = products

    @property
    def chooses(self) -> bool:
        """Always: the number of steps, at least."""
        return True

    def _fit(self, training: Rows, validation: Rows) -> Self:
        products, count = self.products, len(self.classes_)
        if len(training[0]) < FEW * training[0].shape[1]:
            # float32 does not carry small penalties here: the order of sums would change digits.
            products = np.float64
            training, validation = ((x.astype(np.float64), y) for x, y in (training, validation))
        ridge = RidgeReadout(count, self.penalties, products).partial_fit(*training)
        alone = RidgeReadout(count).merge(ridge)
        self.penalty_ = ridge.best_penalty([validation])
        features, labels = validation
        correct = [
            (np.sum((features @ coef + intercept).argmax(1) == labels), -n, n)
            for n, (coef, intercept) in enumerate(self._path(alone, [training], self.steps))
            if n.bit_count() <= 1
        ]
        self.steps_ = max(correct)[2]
        self.validation_score_ = correct[0][0] / len(labels)
        path = list(self._path(ridge, [training, validation], self.steps_))
        self.coef_, self.intercept_ = path[-1]
        self.ridge_ = RidgeReadout(self.classes)
        self.ridge_.coef_, self.ridge_.intercept_ = path[0]
        self.ridge_.classes_, self.ridge_.n_features_in_ = self.classes_, self.n_features_in_
        return self

    def _path(self, ridge: RidgeReadout, parts: list[Rows], steps: int) -> Iterator[Solution]:
        factor = ridge.factor(self.penalty_)
        solution = ridge.solution(factor)
        for step in range(steps + 1):
            coef, intercept = (part.astype(parts[0][0].dtype) for part in solution)
            yield coef, intercept
            if step < steps:
                sums = [_discriminative_sums(*part, coef, intercept) for part in parts]
                solution = ridge.solution(factor, tuple(map(sum, zip(*sums, strict=True))))


def _discriminative_sums(
    x: np.ndarray, labels: np.ndarray, coef: np.ndarray, intercept: np.ndarray
) -> Targets:
    scores = x @ coef + intercept
    true_class = np.eye(len(intercept), dtype=bool)[labels]
    targets = np.where(true_class, scores.clip(min=1), scores.clip(max=0))
    return targets.sum(0, np.float64), x.T @ targets
