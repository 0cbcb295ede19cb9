"""Which of many candidates a figure is of: the three protocols, as rules over recorded scores.

A candidate is an epoch, most often; it may be a penalty or a design as well.

    validation   the best on held-out training data: the headline of every table
    published    the published scripts' rule: the best on test data among those above floors
    oracle       the best on test data: an upper bound, where a figure needs one

`published` and `oracle` look at test data and are always marked.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn

from harness.run.checkpoint import Checkpoint, Progress

Scores = Mapping[str, float]  # in %, by name
PASSING = "epochs above the floors"  # ends the name of a metric that counts them


@dataclass
class History:
    """Scores in % of every candidate, in the order of training.

    Attributes:
        validation: on held-out training data; empty where the recipe has none.
        test: on the test set.
    """

    validation: list[dict[str, float]] = field(default_factory=list)
    test: list[dict[str, float]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.test)

    def add(self, *, test: Scores, validation: Scores | None = None) -> None:
        """Record one more candidate."""
        self.test.append(dict(test))
        if validation is not None:
            self.validation.append(dict(validation))

    def curve(self, data: str, score: str | None = None) -> list[float]:
        """One score of every candidate.

        Args:
            data: "validation" or "test".
            score: its name; None: the first one.
        """
        return [s[score or next(iter(s))] for s in getattr(self, data)]

    def first(self, count: int) -> Self:
        """The history of the first `count` candidates alone."""
        return type(self)(self.validation[:count], self.test[:count])

    def curves(self) -> list[list[float]]:
        """The first score on validation data, where there are any, and on test data."""
        return [self.curve(data) for data in ("validation", "test") if getattr(self, data)]

    def as_dict(self) -> dict[str, list[dict[str, float]]]:
        """For a file."""
        return {"validation": self.validation, "test": self.test}

    @classmethod
    def from_dict(cls, parts: dict[str, list[dict[str, float]]] | None) -> Self:
        """Back from `as_dict`; None gives an empty one."""
        return cls(**parts) if parts else cls()


class EpochLog:
    """The history of a training, kept on disk after every epoch beside what is trained.

    Args:
        checkpoint: where it is kept, and gone on from; None: nowhere.
        model: to train, put where the checkpoint says.
        optimiser: of the model, likewise.

    Attributes:
        history: of all epochs, those before a stop included.
        finished: epochs that were finished before.
        seconds: that all epochs took so far.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        model: nn.Module | None = None,
        optimiser: torch.optim.Optimizer | None = None,
    ) -> None:
        self._checkpoint, self._state = checkpoint, (model, optimiser)
        progress = checkpoint.load(model, optimiser) if checkpoint else Progress()
        self.history = History.from_dict(progress.history)
        self.finished, self.seconds = progress.epoch, progress.seconds
        self._started = time.perf_counter() - progress.seconds

    def add(self, epoch: int, *, test: Scores, validation: Scores | None = None) -> None:
        """Record an epoch.

        Args:
            epoch: how many are finished with it.
            test: scores of it in %, by name.
            validation: likewise.
        """
        self.history.add(test=test, validation=validation)
        self.seconds = time.perf_counter() - self._started
        if self._checkpoint:
            progress = Progress(epoch, self.seconds, self.history.as_dict())
            self._checkpoint.save(progress, *self._state)


@dataclass(frozen=True)
class Best:
    """Base of two rules: the candidate that is best on some data, the first of equals.

    Attributes:
        score: name of the score; None: the first one.
    """

    name: ClassVar[str]
    data: ClassVar[str]
    score: str | None = None

    def choose(self, history: History) -> int:
        """Number of the chosen candidate."""
        return int(np.argmax(history.curve(self.data, self.score)))


class Validation(Best):
    """The candidate that is best on held-out training data."""

    name = data = "validation"


class Oracle(Best):
    """The candidate that is best on test data: an upper bound."""

    name, data = "oracle", "test"


@dataclass(frozen=True)
class Published:
    """The published scripts' rule: the best on test data among those at or above some floors.

    Of equals the last. When no candidate passes, the best one is shown all the same (the scripts
    print 0); `passing` says so.

    Attributes:
        score: name of the score; None: the first one.
        floors: smallest values allowed, in %, by name of the score.
    """

    name: ClassVar[str] = "published"
    score: str | None = None
    floors: Mapping[str, float] = field(default_factory=dict)

    def passing(self, history: History) -> np.ndarray:
        """Which candidates are at or above the floors, (candidates,) of bool."""
        floors = self.floors.items()
        return np.array([all(s[name] >= low for name, low in floors) for s in history.test])

    def choose(self, history: History) -> int:
        """Number of the chosen candidate."""
        values, passing = np.array(history.curve("test", self.score)), self.passing(history)
        allowed = np.where(passing, values, -np.inf) if passing.any() else values
        return int(np.flatnonzero(allowed == allowed.max())[-1])
