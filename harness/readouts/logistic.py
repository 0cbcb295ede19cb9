"""Logistic readout of frozen features, in scikit-learn's conventions."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from scipy.optimize import minimize
from torch.nn import functional

from harness.readouts.ridge import Readout, Rows

LOGISTIC_PENALTIES = (1e-2, 3e-3)


class LogisticReadout(Readout):
    """Multinomial logistic regression on standardised features, by L-BFGS.

    Minimises mean cross-entropy + penalty / 2 |W|^2. scikit-learn's own works in float64 on such
    float32 rows and takes ten times as long; `tests/harness/test_readout.py` holds both together.

    Args:
        classes: see `Readout`.
        penalties: chosen among on validation rows.
        iterations: of L-BFGS, at most, for every fit.

    Attributes:
        penalty_: chosen.
        validation_score_: accuracy on the validation rows, before they were fitted too.
        coef_, intercept_: (D, classes), (classes,), for features as they come.
    """

    def __init__(
        self,
        classes: int | None = None,
        penalties: Sequence[float] = LOGISTIC_PENALTIES,
        iterations: int = 60,
    ) -> None:
        self.classes = classes
        self.penalties = penalties
        self.iterations = iterations

    def _fit(self, training: Rows, validation: Rows | None) -> Self:
        parts = [training] if validation is None else [training, validation]
        mean = training[0].mean(0, dtype=np.float64)
        deviation = training[0].std(0, dtype=np.float64)
        scale = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 0)
        standard = [_standardised(part, mean, scale) for part in parts]
        weights = np.zeros((len(mean) + 1, len(self.classes_)))
        if validation is None:
            (self.penalty_,) = self.penalties
        else:
            self.penalty_, weights = self._chosen(*standard, weights)
        weights = self._minimise(standard, self.penalty_, weights)
        self.coef_ = weights[:-1] * scale[:, None]
        self.intercept_ = weights[-1] - mean @ self.coef_
        return self

    def _chosen(self, training: tuple, validation: tuple, weights: np.ndarray) -> tuple:
        """Best penalty and its weights, starting from `weights`."""
        x, labels = validation
        correct, fitted = {}, {}
        # From the strongest penalty down: each fit starts where the one before ended.
        for penalty in sorted(self.penalties, reverse=True):
            weights = self._minimise([training], penalty, weights)
            predicted = (x @ torch.from_numpy(weights[:-1]).float()).numpy() + weights[-1]
            correct[penalty] = np.sum(predicted.argmax(1) == labels.numpy())
            fitted[penalty] = weights
        best = max(correct, key=correct.__getitem__)
        self.validation_score_ = correct[best] / len(labels)
        return best, fitted[best]

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Scores (n, classes) of features (n, D)."""
        return X @ self.coef_.astype(X.dtype) + self.intercept_

    def _minimise(self, parts: list, penalty: float, start: np.ndarray) -> np.ndarray:
        count = sum(len(labels) for _, labels in parts)

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            weights = torch.from_numpy(flat.reshape(start.shape)).float()
            value, gradient = 0.0, np.zeros(start.shape)
            for x, labels in parts:
                scores = torch.addmm(weights[-1], x, weights[:-1])
                value += functional.cross_entropy(scores, labels, reduction="sum").item() / count
                error = scores.softmax(1)
                error[torch.arange(len(labels)), labels] -= 1
                gradient[:-1] += (
                    error.T @ x
                ).T.numpy() / count  # x.T @ error takes 7 times as long
                gradient[-1] += error.sum(0).numpy() / count
            ridge = flat.reshape(start.shape).copy()
            ridge[-1] = 0
            return value + penalty / 2 * np.sum(ridge**2), (gradient + penalty * ridge).ravel()

        options = {"maxiter": self.iterations, "ftol": 0, "gtol": 1e-6}
        end = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options)
        return end.x.reshape(start.shape)


def _standardised(part: Rows, mean: np.ndarray, scale: np.ndarray) -> tuple:
    x, mean, scale = (a.astype(np.float32, copy=False) for a in (part[0], mean, scale))
    return torch.from_numpy((x - mean) * scale), torch.from_numpy(np.asarray(part[1], np.int64))
