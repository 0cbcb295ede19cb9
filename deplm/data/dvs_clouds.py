"""Windows of gesture recordings as clouds for the networks, and votes over them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from deplm.data.dvs_windows import Windows
from deplm.points import Clouds, CloudSet
from harness.errors import UserError
from harness.run.protocol import SPLIT_SEED, DataRecord

SHIFT_STREAM = 1


@dataclass(frozen=True)
class WindowClouds(CloudSet):
    """Some windows of a set, each as a cloud of events (t, x, y) without further features.

    Attributes:
        name: "train", "validation" or "test"; names the read-noise streams.
        windows: of the set.
        rows: (n,) its windows.
        points: events drawn of each.
        seed: of the draw, and of the shift.
        shift: largest shift of a window along t, x and y, in their unit.
    """

    redrawable: ClassVar[bool] = True

    name: str
    windows: Windows
    rows: np.ndarray
    points: int = 1024
    seed: int = 0
    shift: float = 0.0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def labels(self) -> np.ndarray:
        """(n,) int64, class 0..9."""
        return self.windows.labels[self.rows]

    @property
    def trials(self) -> np.ndarray:
        """(n,) which trial each window is of."""
        return self.windows.trials[self.rows]

    def clouds(self, indices: np.ndarray) -> Clouds:
        """The clouds `indices`."""
        drawn = self.windows.draw(self.points, seed=self.seed, rows=self.rows[indices])
        if self.shift:
            for cloud, row in zip(drawn, self.rows[indices].tolist(), strict=True):
                # A stream for each window, so that company does not matter.
                rng = np.random.default_rng([self.seed, row, SHIFT_STREAM])
                cloud += rng.uniform(-self.shift, self.shift, 3).astype(np.float32)
        points = torch.from_numpy(drawn)
        return Clouds(points, points[..., :0])

    def redrawn(self, seed: int, shift: float = 0.0) -> "WindowClouds":
        """These windows with their events drawn anew, to be read with noise of their own."""
        name = f"{self.name.split()[0]} {seed}"
        return replace(self, name=name, seed=seed, shift=shift)


@dataclass(frozen=True)
class EventData:
    """What the gesture table works on; no person is in two of the first three.

    Attributes:
        record: of the data set.
        train: windows to fit on.
        validation: to choose on, of other persons.
        test: of the test list.
        clips: windows of single real clips, beside a stand-in; None where there are none.
        clips_folder: where they lie.
    """

    record: DataRecord
    train: WindowClouds
    validation: WindowClouds
    test: WindowClouds
    clips: WindowClouds | None = None
    clips_folder: Path | None = None


def split_persons(windows: Windows, fraction: float, points: int) -> tuple[WindowClouds, ...]:
    """Windows to fit on and to choose on: whole persons, about `fraction` of them held out.

    Raises:
        UserError: all windows are of one person.
    """
    try:
        parts = windows.split_by_subject(fraction, SPLIT_SEED)
    except ValueError as error:
        raise UserError(f"training recordings: {error}; give recordings of more people") from error
    names = "train", "validation"
    return tuple(
        WindowClouds(n, windows, rows, points) for n, rows in zip(names, parts, strict=True)
    )


def trial_votes(guesses: np.ndarray, trials: np.ndarray, classes: int) -> np.ndarray:
    """(n,) for each window the class that most windows of its trial have, the lowest of equals."""
    _, trial = np.unique(trials, return_inverse=True)
    votes = np.zeros((trial.max() + 1, classes), np.int64)
    np.add.at(votes, (trial, guesses), 1)
    return votes.argmax(1)[trial]


def gesture_scores(source: WindowClouds, guesses: np.ndarray, classes: int) -> dict[str, float]:
    """Accuracy in % per window, and per trial by the votes of its windows."""
    _, first = np.unique(source.trials, return_index=True)
    votes = trial_votes(guesses, source.trials, classes)
    right = votes[first] == source.labels[first]
    return {
        "accuracy": 100 * float((guesses == source.labels).mean()),
        "trial accuracy": 100 * float(right.mean()),
    }
