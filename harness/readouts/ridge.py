"""Closed-form readouts of frozen features, in scikit-learn's conventions.

Three readouts of this package are closed-form, and a row's name says which it has:

    plain ridge            `RidgeReadout`: one solve with one-hot targets
    discriminative ridge   `harness.readouts.discriminative`: re-targeted and solved again, up
                           to 64 times (Xiang et al., IEEE TNNLS 23:1738, 2012)
    balanced ridge         of object parts: a ridge for every category, its classes weighted
                           (`deplm.tables.seg_readout`), plain or discriminative
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self, TypeVar

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from harness.errors import UserError
from harness.run.protocol import train_rows_first

Rows = tuple[np.ndarray, np.ndarray]  # features (n, D) and labels (n,)
Factor = tuple[np.ndarray, bool]  # as scipy.linalg.cho_factor gives it
Targets = tuple[np.ndarray, np.ndarray]  # their sum (classes,) and X^T Y (D, classes)
Solution = tuple[np.ndarray, np.ndarray]  # coefficients (D, classes), intercept (classes,)
RIDGE_PENALTIES = tuple(10.0**e for e in (-6, -5, -4, -3, -2, -1, 0))
BLOCK = 4096  # rows turned to float64 at a time
FLOATS = (np.float64, np.float32)  # precisions of features that are kept as they come
T = TypeVar("T")


class Readout(ClassifierMixin, BaseEstimator):
    """A linear classifier of frozen features: the class of the highest x W + b.

    Args of every readout:
        classes: number of classes, with labels 0 to classes - 1; None: those among the labels.

    Attributes:
        classes_: (classes,) labels.
        coef_: W, (D, classes).
        intercept_: b, (classes,).
    """

    classes: int | None
    penalties: Sequence[float]

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Choose on a sixth of the rows what is to be chosen, then fit to all of them.

        Args:
            X: features (n, D).
            y: labels (n,), of any type that can be sorted.
        """
        self._forget()
        features, labels = self._checked(X, y, ensure_min_samples=2)
        if not self.chooses:
            return self._fit((features, labels), None)
        order, fitted = train_rows_first(len(labels))
        parts = (order[:fitted], order[fitted:])
        return self._fit(*((features[rows], labels[rows]) for rows in parts))

    def fit_with_validation(self, training: Rows, validation: Rows) -> Self:
        """Choose on the validation rows, then fit to both parts.

        Args:
            training: features (n, D) and labels (n,).
            validation: features (m, D) and labels (m,).
        """
        self._forget()
        training = self._checked(*training)
        return self._fit(training, self._checked(*validation, reset=False))

    @abstractmethod
    def _fit(self, training: Rows, validation: Rows | None) -> Self:
        """Fit to checked rows, labels as numbers of classes; None: nothing is to be chosen."""

    @property
    def chooses(self) -> bool:
        """Whether `fit` holds rows out, to choose something on them."""
        return len(self.penalties) > 1

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Scores (n, classes) of features (n, D)."""
        return X @ self.coef_ + self.intercept_

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Scores (n, classes) of features (n, D); of two classes their difference, (n,)."""
        scores = self.scores(self._checked_features(X))
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Labels (n,) of features (n, D)."""
        features = self._checked_features(X)
        return self.classes_[self.scores(features).argmax(1)]

    def _checked_features(self, features: np.ndarray) -> np.ndarray:
        check_is_fitted(self, "coef_")
        return _one_line(validate_data, self, features, reset=False, dtype=FLOATS)

    def _checked(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        known: np.ndarray | None = None,
        *,
        reset: bool = True,
        **limits: int,
    ) -> Rows:
        # Features as floating point, labels as numbers of classes; `known`: all there will be.
        limits |= {"reset": reset, "dtype": FLOATS}
        features, labels = _one_line(validate_data, self, features, labels, **limits)
        check_classification_targets(labels)
        if reset and self.classes is not None:
            self.classes_ = np.arange(self.classes)
        elif reset:
            self.classes_ = np.unique(labels if known is None else known)
        if self.classes is None:
            numbers = np.searchsorted(self.classes_, labels).clip(max=len(self.classes_) - 1)
            if not np.array_equal(self.classes_[numbers], labels):
                raise UserError("labels among these rows that the rows before did not have")
            return features, numbers
        if labels.min() < 0 or labels.max() >= self.classes:
            range_ = f"labels {labels.min()} to {labels.max()}"
            raise UserError(f"{range_}: there are {self.classes} classes")
        return features, labels

    def _forget(self) -> None:
        """Forget the rows of earlier fits."""


class RidgeReadout(Readout):
    """Plain ridge regression on one-hot targets, from streaming sufficient statistics.

    W = (X^T X + n p s I)^-1 X^T Y on centred X and Y, with p the penalty and s the mean variance
    of a feature, so that p has no unit. Sums are in float64: one pass, exact, any number of
    rows, and the statistics of several processes add up. The products of a block of rows, taken
    about the mean of the rows added with it, may be in float32, in half the time, where the
    penalty is not small. A row of weight w counts as w rows, exactly, where there is one penalty.

    Args:
        classes: see `Readout`.
        penalties: p is chosen among these by `choose_penalty`, for every fit.
        products: precision of the products of one block of rows.

    Attributes:
        penalty_: chosen penalty.
        coef_: (D, classes) float64.
        intercept_: (classes,) float64.

    Example:
        >>> import numpy as np
        >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
        >>> RidgeReadout(penalties=(1e-3,)).fit(x, ["a", "b", "a", "b"]).predict(x[:2])
        array(['a', 'b'], dtype='<U1')
    """

    def __init__(
        self,
        classes: int | None = None,
        penalties: Sequence[float] = RIDGE_PENALTIES,
        products: type = np.float64,
    ) -> None:
        self.classes = classes
        self.penalties = penalties
        self.products = products

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """See `Readout.fit`; sample_weight (n,), as of `partial_fit`, with one penalty only."""
        if sample_weight is None:
            return super().fit(X, y)
        if self.chooses:
            raise UserError(
                f"sample_weight with {len(self.penalties)} penalties: weights are exact for one, "
                "give penalties=(p,)"
            )
        self._forget()
        return self.partial_fit(X, y, sample_weight=sample_weight).solve(self.penalties[0])

    def partial_fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        classes: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Add rows; `solve`, `choose_penalty` or, with one penalty, `predict` fits to them all.

        Args:
            X: features (n, D).
            y: labels (n,).
            classes: all labels that any rows will have, at the first call, where the readout was
                not told their number.
            sample_weight: (n,), 0 or more: how many rows each row counts as.
        """
        features, labels = self._checked(X, y, classes, reset=not hasattr(self, "sums_"))
        if sample_weight is not None:
            options = {"ensure_non_negative": True}
            sample_weight = _one_line(_check_sample_weight, sample_weight, features, **options)
        self._add(_sums(features, labels, len(self.classes_), self.products, sample_weight))
        return self

    def merge(self, other: "RidgeReadout") -> Self:
        """Add the statistics that another readout has gathered."""
        if hasattr(self, "sums_") and self.n_features_in_ != other.n_features_in_:
            both = f"{self.n_features_in_} and {other.n_features_in_}"
            raise UserError(f"ridge readouts of {both} features cannot be merged")
        self.classes_, self.n_features_in_ = other.classes_, other.n_features_in_
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
        """The penalty that `choose_penalty` chooses, without its fit.

        Args:
            validation: chunks of (features, labels); they are added to the statistics.
        """
        if len(self.penalties) == 1:
            for features, labels in validation:
                self.partial_fit(features, labels)
            return self.penalties[0]
        solutions = [self.solution(self.factor(penalty)) for penalty in self.penalties]
        weights = np.concatenate([coef for coef, _ in solutions], 1)
        offsets = np.concatenate([intercept for _, intercept in solutions])
        correct = np.zeros(len(self.penalties), np.int64)
        for features, labels in validation:
            scores = features @ weights.astype(features.dtype) + offsets
            predicted = scores.reshape(len(labels), len(self.penalties), -1).argmax(-1)
            correct += (self.classes_[predicted] == labels[:, None]).sum(0)
            self.partial_fit(features, labels)
        return self.penalties[int(self._counted(correct).argmax())]

    def _totals(self) -> tuple:
        # All that was added; `harness.readouts.shared` adds what other processes have.
        return self.sums_

    def _counted(self, correct: np.ndarray) -> np.ndarray:
        return correct

    def _fit(self, training: Rows, validation: Rows | None) -> Self:
        self._add(_sums(*training, len(self.classes_), self.products))
        if validation is None:
            return self.solve(self.penalties[0])
        features, labels = validation
        return self.choose_penalty([(features, self.classes_[labels])])

    def _forget(self) -> None:
        for learned in ("sums_", "coef_"):
            vars(self).pop(learned, None)

    def _add(self, sums: tuple) -> None:
        old = getattr(self, "sums_", None)
        if old is None:
            old = (0, *(np.zeros(np.shape(part)) for part in sums[1:]))
        vars(self).pop("coef_", None)  # of fewer rows
        self.sums_ = tuple(a + b for a, b in zip(old, sums, strict=True))

    def factor(self, penalty: float) -> Factor:
        """Cholesky factor of the penalised, centred Gram matrix of the rows so far."""
        count, x_sum, _, xx, _ = self._totals()
        gram = np.outer(x_sum, x_sum / count)
        np.subtract(xx, gram, out=gram)
        ridge = penalty * max(np.trace(gram) / len(gram), np.finfo(float).tiny)
        gram[np.diag_indices_from(gram)] += ridge
        try:
            return cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError as error:
            raise UserError(f"ridge readout: penalty {penalty:g} is too small to solve") from error

    def solution(self, factor: Factor, targets: Targets | None = None) -> Solution:
        """Coefficients (D, classes) and intercept (classes,).

        Args:
            factor: of `factor`.
            targets: sums of other targets than one-hot ones.
        """
        count, x_sum, y_sum, _, xy = self._totals()
        y_sum, xy = targets or (y_sum, xy)
        coef = cho_solve(factor, xy - np.outer(x_sum, y_sum / count), check_finite=False)
        return coef, (y_sum - x_sum @ coef) / count

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Scores (n, classes) of features (n, D), float64."""
        return np.asarray(X, np.float64) @ self.coef_ + self.intercept_

    def _checked_features(self, features: np.ndarray) -> np.ndarray:
        if hasattr(self, "sums_") and not hasattr(self, "coef_"):
            if self.chooses:
                raise UserError(
                    f"rows were added, and {len(self.penalties)} penalties are to choose among: "
                    "call solve(penalty) or choose_penalty(validation rows) first"
                )
            self.solve(self.penalties[0])
        return super()._checked_features(features)


def _sums(
    features: np.ndarray,
    labels: np.ndarray,
    classes: int,
    products: type,
    weights: np.ndarray | None = None,
) -> tuple:
    """Rows, sums of x and y, X^T X and X^T Y: float64, but for the products of a block."""
    rows, width = features.shape
    count = rows if weights is None else weights.sum()
    mean = features.mean(0, np.float64).astype(products)
    y_sum = np.bincount(labels, weights, minlength=classes).astype(np.float64)
    rest, gram, cross = np.zeros(width), np.zeros((width, width)), np.zeros((width, classes))
    for start in range(0, rows, BLOCK):
        block = slice(start, start + BLOCK)
        x = features[block].astype(products) - mean
        weighted = x if weights is None else x * weights[block, None].astype(products)
        rest += weighted.sum(0, np.float64)
        gram += weighted.T @ x
        cross += weighted.T @ np.eye(classes, dtype=products)[labels[block]]
    mean = mean.astype(np.float64)
    # sum x x^T = gram + mean rest^T + rest mean^T + count mean mean^T, in place: it is large.
    half = rest + count / 2 * mean
    for first in range(0, width, BLOCK):
        some = slice(first, first + BLOCK)
        gram[some] += np.outer(mean[some], half)
        gram[some] += np.outer(half[some], mean)
    return count, rest + count * mean, y_sum, gram, cross + np.outer(mean, y_sum)


def _one_line(check: Callable[..., T], *rows: Any, **options: Any) -> T:  # noqa: ANN401
    # scikit-learn's check of rows, whose messages have several lines, as an error of one.
    try:
        return check(*rows, **options)
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from error
