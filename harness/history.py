"""Scores after every epoch of a training run, and the rules that choose among them."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np


@dataclass
class History:
    """Scores in % after each epoch, by name, the one that chooses the epoch first.

    Attributes:
        validation: on held-out training data; empty where the recipe has none.
        test: on the test set.
    """

    validation: list[dict[str, float]] = field(default_factory=list)
    test: list[dict[str, float]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.test)

    def by_validation(self) -> dict[str, float]:
        """Test scores of the epoch that is best on validation data, the first of equals."""
        return self.test[int(np.argmax(self.curve("validation")))]

    def by_test(self) -> dict[str, float]:
        """As the published scripts: the epoch that is best on the test set, the last of equals."""
        best = self.curve("test")
        return self.test[len(best) - 1 - int(np.argmax(best[::-1]))]

    def each_best_on_test(self) -> dict[str, float]:
        """As the published segmentation script: the best of every score, each of its own epoch."""
        return {name: max(scores[name] for scores in self.test) for name in self.test[0]}

    def last(self) -> dict[str, float]:
        """Test scores of the last epoch: nothing is chosen."""
        return self.test[-1]

    def curve(self, data: str) -> list[float]:
        """The first score after each epoch on "validation" or "test" data."""
        return [next(iter(scores.values())) for scores in getattr(self, data)]

    def curves(self) -> list[list[float]]:
        """Both curves, validation first."""
        return [self.curve("validation"), self.curve("test")]

    def as_dict(self) -> dict[str, list[dict[str, float]]]:
        """For a file."""
        return {"validation": self.validation, "test": self.test}

    @classmethod
    def from_dict(cls, parts: dict[str, list[dict[str, float]]] | None) -> Self:
        """Back from `as_dict`; None gives an empty one."""
        return cls(**parts) if parts else cls()
