"""Ridge readouts of frozen features, in closed form and in scikit-learn's conventions.

Logistic regression is in `harness.logistic`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.base import BaseEstimator, ClassifierMixin

from harness.errors import UserError

Rows = tuple[np.ndarray, np.ndarray]  # features (n, D) and labels (n,)
Readout = ClassifierMixin  # any of the fitted readouts below: it predicts labels
Factor = tuple[np.ndarray, bool]  # as scipy.linalg.cho_factor gives it
Targets = tuple[np.ndarray, np.ndarray]  # their sum (classes,) and X^T Y (D, classes)
Solution = tuple[np.ndarray, np.ndarray]  # coefficients (D, classes), intercept (classes,)
RIDGE_PENALTIES = tuple(10.0**e for e in (-6, -5, -4, -3, -2, -1, 0))
BLOCK = 4096  # rows turned to float64 at a time
FEW = 2  # rows a feature, below which all sums of dragged targets are in float64


class RidgeReadout(ClassifierMixin, BaseEstimator):
    """Ridge regression on one-hot targets, from streaming sufficient statistics.

    W = (X^T X + n p s I)^-1 X^T Y on centred X and Y, with p the penalty and s the mean variance
    of a feature, so that p has no unit. Sums are in float64: one pass, exact, any number of
    rows, and the statistics of several processes add up. The products of a block of rows, taken
    about the mean of the rows added with it, may be in float32, in half the time, where the
    penalty is not small.

    Args:
        classes: number of classes; labels are 0 to classes - 1.
        penalties: p is chosen among these by `choose_penalty`.
        products: precision of the products of one block of rows.

    Attributes:
        penalty_: chosen penalty.
        coef_: (D, classes) float64.
        intercept_: (classes,) float64.
    """

    def __init__(
        self,
        classes: int,
        penalties: Sequence[float] = RIDGE_PENALTIES,
        products: type = np.float64,
    ) -> None:
        self.classes = classes
        self.penalties = penalties
        self.products = products

    def partial_fit(self, features: np.ndarray, labels: np.ndarray) -> Self:
        """Add rows: features (n, D), labels (n,)."""
        check_rows(features, labels, self.classes)
        self._add(_sums(features, labels, self.classes, self.products))
        return self

    def merge(self, other: "RidgeReadout") -> Self:
        """Add the statistics that another readout has gathered."""
        self._add(other.sums_)
        return self

    def solve(self, penalty: float) -> Self:
        """Fit to all rows so far."""
        self.penalty_ = penalty
        self.coef_, self.intercept_ = self.solution(self.factor(penalty))
        return self

    def choose_penalty(self, validation: Iterable[Rows]) -> Self:
        """Choose the penalty by accuracy on validation rows, then fit to these rows too.

        Args:
            validation: chunks of (features, labels); they are added to the statistics.
        """
        return self.solve(self.best_penalty(validation))

    def best_penalty(self, validation: Iterable[Rows]) -> float:
        """The same without the last fit: adds the validation rows, returns the penalty."""
        if len(self.penalties) == 1:
            for features, labels in validation:
                self.partial_fit(features, labels)
            return self.penalties[0]
        solutions = [self.solution(self.factor(penalty)) for penalty in self.penalties]
        weights = np.concatenate([coef for coef, _ in solutions], 1)
        offsets = np.concatenate([intercept for _, intercept in solutions])
        right = np.zeros(len(self.penalties), np.int64)
        for features, labels in validation:
            scores = features @ weights.astype(features.dtype) + offsets
            guesses = scores.reshape(len(labels), len(self.penalties), -1).argmax(-1)
            right += (guesses == labels[:, None]).sum(0)
            self.partial_fit(features, labels)
        return self.penalties[int(right.argmax())]

    def _add(self, sums: tuple) -> None:
        old = getattr(self, "sums_", None)
        if old is None:
            old = (0, *(np.zeros(np.shape(part)) for part in sums[1:]))
        if len(old[1]) != len(sums[1]):
            raise UserError(f"{len(sums[1])} features a row: the rows before had {len(old[1])}")
        self.sums_ = tuple(a + b for a, b in zip(old, sums, strict=True))
        self.classes_ = np.arange(self.classes)

    def factor(self, penalty: float) -> Factor:
        """Cholesky factor of the penalised, centred Gram matrix of the rows so far."""
        count, x_sum, _, xx, _ = self.sums_
        gram = np.outer(x_sum, x_sum / count)
        np.subtract(xx, gram, out=gram)
        ridge = penalty * max(np.trace(gram) / len(gram), np.finfo(float).tiny)
        gram[np.diag_indices_from(gram)] += ridge
        try:
            return cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError as error:
            raise UserError(f"ridge readout: penalty {penalty:g} is too small to solve") from error

    def solution(self, factor: Factor, targets: Targets | None = None) -> Solution:
        """Coefficients (D, classes) and intercept, for one-hot targets or the sums of others."""
        count, x_sum, y_sum, _, xy = self.sums_
        y_sum, xy = targets or (y_sum, xy)
        coef = cho_solve(factor, xy - np.outer(x_sum, y_sum / count), check_finite=False)
        return coef, (y_sum - x_sum @ coef) / count

    def decision_function(self, features: np.ndarray) -> np.ndarray:
        """Scores (n, classes)."""
        return np.asarray(features, np.float64) @ self.coef_ + self.intercept_

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Labels (n,) of features (n, D)."""
        return self.decision_function(features).argmax(1)


class DiscriminativeRidge(ClassifierMixin, BaseEstimator):
    """Ridge regression that does not punish scores for being more than right.

    Discriminative least squares (Xiang et al., IEEE TNNLS 23:1738, 2012): after a ridge fit to
    one-hot targets, targets become max(score, 1) for the true class and min(score, 0) for the
    others, and the same factorised system is solved anew: closed form at every step, and one
    more pass over the rows. Step 0 is plain ridge. Penalty, and number of steps among the powers
    of two, are chosen on validation rows; the last fit is to all rows.

    Args:
        classes: number of classes.
        penalties: as in `RidgeReadout`.
        steps: at most.
        products: as in `RidgeReadout`; where rows are few, float64 all the same.

    Attributes:
        penalty_, steps_: chosen.
        ridge_: the plain ridge readout with the same penalty, fitted to all rows.
        validation_score_: accuracy of plain ridge on the validation rows, before that fit.
        coef_, intercept_: (D, classes), (classes,).
    """

    def __init__(
        self,
        classes: int,
        penalties: Sequence[float] = RIDGE_PENALTIES,
        steps: int = 64,
        products: type = np.float64,
    ) -> None:
        self.classes = classes
        self.penalties = penalties
        self.steps = steps
        self.products = products

    def fit(self, training: Rows, validation: Rows) -> Self:
        """Rows are (features (n, D), labels (n,))."""
        products = self.products
        if len(training[0]) < FEW * training[0].shape[1]:
            # Here float32 does not carry small penalties: figures would hang on the order of sums.
            products = np.float64
            training, validation = ((x.astype(np.float64), y) for x, y in (training, validation))
        ridge = RidgeReadout(self.classes, self.penalties, products)
        ridge.partial_fit(*training)
        alone = RidgeReadout(self.classes).merge(ridge)
        self.penalty_ = ridge.best_penalty([validation])
        held, labels = validation
        right = [
            (np.sum((held @ coef + intercept).argmax(1) == labels), -n, n)
            for n, (coef, intercept) in enumerate(self._path(alone, [training], self.steps))
            if n.bit_count() <= 1
        ]
        self.steps_ = max(right)[2]
        self.validation_score_ = right[0][0] / len(labels)
        path = list(self._path(ridge, [training, validation], self.steps_))
        self.coef_, self.intercept_ = path[-1]
        self.ridge_ = RidgeReadout(self.classes)
        self.ridge_.coef_, self.ridge_.intercept_ = path[0]
        self.classes_ = np.arange(self.classes)
        return self

    def decision_function(self, features: np.ndarray) -> np.ndarray:
        """Scores (n, classes)."""
        return features @ self.coef_ + self.intercept_

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Labels (n,) of features (n, D)."""
        return self.decision_function(features).argmax(1)

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
    right = np.eye(len(intercept), dtype=bool)[labels]
    targets = np.where(right, scores.clip(min=1), scores.clip(max=0))
    return targets.sum(0, np.float64), x.T @ targets


def _sums(features: np.ndarray, labels: np.ndarray, classes: int, products: type) -> tuple:
    """Rows, sums of x and y, X^T X and X^T Y: float64, but for the products of a block."""
    count, width = features.shape
    mean = features.mean(0, np.float64).astype(products)
    y_sum = np.bincount(labels, minlength=classes).astype(np.float64)
    rest, gram, cross = np.zeros(width), np.zeros((width, width)), np.zeros((width, classes))
    for start in range(0, count, BLOCK):
        x = features[start : start + BLOCK].astype(products) - mean
        rest += x.sum(0, np.float64)
        gram += x.T @ x
        cross += x.T @ np.eye(classes, dtype=products)[labels[start : start + BLOCK]]
    mean = mean.astype(np.float64)
    # sum x x^T = gram + mean rest^T + rest mean^T + count mean mean^T, in place: it is large.
    half = rest + count / 2 * mean
    for first in range(0, width, BLOCK):
        rows = slice(first, first + BLOCK)
        gram[rows] += np.outer(mean[rows], half)
        gram[rows] += np.outer(half[rows], mean)
    return count, rest + count * mean, y_sum, gram, cross + np.outer(mean, y_sum)


def check_rows(features: np.ndarray, labels: np.ndarray, classes: int) -> None:
    """Raise `UserError` where rows cannot be fitted: shapes, labels, NaN, none at all."""
    if features.ndim != 2 or labels.shape != (len(features),) or len(labels) == 0:
        raise UserError(f"features {features.shape} and labels {labels.shape}: no rows to fit")
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(f"labels {labels.min()} to {labels.max()}: there are {classes} classes")
    if not np.isfinite(features.sum()):
        raise UserError(f"features {features.shape}: NaN or infinite values among them")
