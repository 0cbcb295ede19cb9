"""Rows on frozen features: a readout is fitted and chosen on training data, then tested once."""

import time
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import confusion_matrix

from harness.readouts.discriminative import DiscriminativeRidge
from harness.readouts.logistic import LogisticReadout
from harness.readouts.ridge import Rows
from harness.run.protocol import Measurement

PLAIN_RIDGE = "accuracy, plain ridge"  # shown wherever the readout is a discriminative ridge


@dataclass(frozen=True)
class FrozenFeatures:
    """Features of all samples on one chip, and what they cost.

    Attributes:
        train: features (n, D) and labels (n,), of the samples to fit first, then of those to
            choose on.
        fitted: how many of them are to fit.
        test: features (m, D) and labels (m,).
        classes: number of classes.
        encode_seconds: of this chip.
        fixed_weights: random weights behind the features.
    """

    train: Rows
    fitted: int
    test: Rows
    classes: int
    encode_seconds: float = 0.0
    fixed_weights: int = 0

    @property
    def fit(self) -> Rows:
        """Features and labels of the samples to fit, without a copy."""
        return self.train[0][: self.fitted], self.train[1][: self.fitted]

    @property
    def validation(self) -> Rows:
        """Features and labels of the samples to choose on, without a copy."""
        return self.train[0][self.fitted :], self.train[1][self.fitted :]

    @property
    def width(self) -> int:
        """Features of a sample, D."""
        return self.train[0].shape[1]


def fit_and_measure(
    readout: DiscriminativeRidge | LogisticReadout, features: FrozenFeatures
) -> Measurement:
    """Fit a readout, choose on validation samples, and look at the test samples once.

    Args:
        readout: to fit; a discriminative ridge gets the plain ridge of its penalty beside it.
        features: of one chip.
    """
    started = time.perf_counter()
    readout.fit_with_validation(features.fit, features.validation)
    seconds = time.perf_counter() - started
    x, labels = features.test
    predicted = readout.predict(x)
    values = {"accuracy": accuracy(predicted, labels)}
    if isinstance(readout, DiscriminativeRidge):
        values[PLAIN_RIDGE] = accuracy(readout.ridge_.predict(x), labels)
    confusion = confusion_matrix(labels, predicted, labels=np.arange(features.classes))
    return Measurement(
        values=values,
        fixed_weights=features.fixed_weights,
        trained_weights=features.width * features.classes,
        train_seconds=seconds,
        encode_seconds=features.encode_seconds,
        details={"confusion": confusion.tolist()},
    )


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Correct labels in %."""
    return 100 * float((predicted == labels).mean())
