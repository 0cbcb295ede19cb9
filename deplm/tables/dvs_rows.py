"""The closed-form rows of the gesture table: features streamed into a ridge readout.

Every window is drawn several times, as training by gradient draws it afresh in every epoch, and
each draw is a row to fit. The penalty is chosen on held-out persons; the test windows are seen
once, when all is chosen.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import confusion_matrix

from deplm.data.dvs_clouds import EventData, WindowClouds, gesture_scores
from deplm.data.dvs_gesture import CLASSES
from deplm.encoder import calibration_batches, encode
from deplm.network import Batch
from harness.protocol import Measurement
from harness.readout import RidgeReadout, Rows

BLOCK = 1024  # feature rows that enter the statistics at a time


@dataclass(frozen=True)
class ClosedForm:
    """What is measured.

    Attributes:
        network: what the clouds are grouped for; it knows its `fixed_weights`.
        encoders: of that network, one a chip, not yet calibrated.
        penalties: to choose among.
        fit_draws: draws of every window that the readout is fitted to.
        fit_shift: largest shift of a window in every such draw but the first.
        test_draws: draws of a window whose scores are averaged.
        device: of the encoders.
    """

    network: object
    encoders: Sequence[Callable[[Batch], torch.Tensor]]
    penalties: Sequence[float]
    fit_draws: int
    fit_shift: float
    test_draws: int
    device: str


def measure_closed_form(
    task: ClosedForm, data: EventData, calibration_clouds: int, *, note: str = ""
) -> list[Measurement]:
    """Measure one row on some chips together; a measurement each, in their order."""
    started = time.perf_counter()
    batches = calibration_batches(data.train, task.network, calibration_clouds, task.device)
    for encoder in task.encoders:
        encoder.calibrate(batches)
    readouts = [RidgeReadout(len(CLASSES), task.penalties) for _ in task.encoders]
    for blocks in rows_of(task, data.train, range(len(readouts)), "fit"):
        for readout, rows in zip(readouts, blocks, strict=True):
            readout.partial_fit(*rows)
    before = time.perf_counter()
    for chip, readout in enumerate(readouts):
        held = (rows for (rows,) in rows_of(task, data.validation, [chip], "choose"))
        readout.choose_penalty(held)
    train_seconds = time.perf_counter() - before
    scores = scores_of(task, readouts, data.test)
    seconds = (time.perf_counter() - started - train_seconds) / len(readouts)
    clips = scores_of(task, readouts, data.clips) if data.clips else [None] * len(readouts)
    if data.clips:
        say_clips(data.clips, clips[0])
    return [
        Measurement(
            values=values_of(data.test, by_draw),
            fixed_weights=task.network.fixed_weights,
            trained_weights=readout.coef_.size,
            train_seconds=train_seconds / len(readouts),
            encode_seconds=seconds,
            details=details_of(data, by_draw, real),
            note=note,
        )
        for readout, by_draw, real in zip(readouts, scores, clips, strict=True)
    ]


def rows_of(
    task: ClosedForm, source: WindowClouds, chips: Sequence[int], label: str
) -> Iterator[list[Rows]]:
    """Features and labels of all draws of `source`, block by block, a pair for each chip."""
    encoders = [task.encoders[chip] for chip in chips]
    numbers, kept = [], []
    for seed in range(task.fit_draws):
        drawn = source.redrawn(seed, task.fit_shift if seed else 0.0)
        for found, features in encode(
            drawn, encoders, device=task.device, label=f"{label}, draw {seed + 1}"
        ):
            numbers.append(found)
            kept.append(features)
            if sum(map(len, numbers)) >= BLOCK:
                yield _joined(kept, source.labels[np.concatenate(numbers)])
                numbers, kept = [], []
    if numbers:
        yield _joined(kept, source.labels[np.concatenate(numbers)])


def _joined(kept: list[list[np.ndarray]], labels: np.ndarray) -> list[Rows]:
    return [(np.concatenate(features), labels) for features in zip(*kept, strict=True)]


def scores_of(
    task: ClosedForm, readouts: Sequence[RidgeReadout], source: WindowClouds
) -> list[np.ndarray]:
    """Scores (draws, windows, classes) of each chip."""
    shape = (task.test_draws, len(source), len(CLASSES))
    scores = [np.empty(shape) for _ in readouts]
    for seed in range(task.test_draws):
        drawn, label = source.redrawn(seed), f"{source.name}, draw {seed + 1}"
        batches = encode(drawn, task.encoders, device=task.device, label=label)
        for numbers, features in batches:
            for found, readout, x in zip(scores, readouts, features, strict=True):
                found[seed, numbers] = readout.scores(x)
    return scores


def values_of(source: WindowClouds, scores: np.ndarray) -> dict[str, float]:
    """The row's metrics, of scores (draws, windows, classes): of one draw, and of their mean."""
    alone = gesture_scores(source, scores[0].argmax(-1), len(CLASSES))
    mean = gesture_scores(source, scores.mean(0).argmax(-1), len(CLASSES))
    return mean | {f"{name}, one draw": value for name, value in alone.items()}


def details_of(data: EventData, scores: np.ndarray, clips: np.ndarray | None) -> dict:
    """For the figures: confusion of windows; and how often each real clip looked like a class."""
    guesses = scores.mean(0).argmax(-1)
    classes = np.arange(len(CLASSES))
    found = {"confusion": confusion_matrix(data.test.labels, guesses, labels=classes).tolist()}
    if clips is not None:
        seen = clips.mean(0).argmax(-1)
        found["clips"] = confusion_matrix(data.clips.labels, seen, labels=classes).tolist()
    return found


def say_clips(source: WindowClouds, scores: np.ndarray) -> None:
    """Print what the windows of each real clip look like to the first chip."""
    guesses = scores.mean(0).argmax(-1)
    for clip in np.unique(source.trials):
        windows = np.flatnonzero(source.trials == clip)
        label = CLASSES[source.labels[windows[0]]]
        seen = ", ".join(CLASSES[guess] for guess in guesses[windows])
        print(f"real     clip of {label}: its windows look like {seen}", flush=True)
