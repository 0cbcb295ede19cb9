"""Ridge rows of the gesture table: features streamed into a readout, nothing kept.

Every window is drawn several times, as training by gradient draws it afresh in every epoch, and
each draw is a row to fit. The penalty is chosen on held-out persons; the test windows are seen
once, when all is chosen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import confusion_matrix

from deplm.data.dvs_clouds import EventData, WindowClouds, gesture_scores
from deplm.data.dvs_gesture import CLASSES
from deplm.encoder import Encoder, encode
from deplm.tables.common import RidgeRow, Stopwatch, note_of
from harness.readouts.ridge import RidgeReadout, Rows
from harness.readouts.shared import SharedRidgeReadout
from harness.run.protocol import Measurement, Run
from harness.scale import distributed

PENALTIES = tuple(10.0**e for e in (-3, -2, -1, 0, 1))
BLOCK = 1024  # feature rows that enter the statistics at a time


@dataclass(frozen=True, kw_only=True)
class GestureRow(RidgeRow):
    """A ridge row of gestures.

    Attributes:
        test_draws: draws of a window whose scores are averaged.
    """

    test_draws: int = 1


def measure_ridge(run: Run, seed: int, row: GestureRow) -> Measurement:
    """Measure a row on chip `seed`; chips are measured together, to sample and group once."""
    key = row.kind, row.read_config
    return run.shared(key, seed, lambda seeds: measure_chips(run, seeds, row))


def measure_chips(run: Run, seeds: list[int], row: GestureRow) -> dict[int, Measurement]:
    """Measure a row on some chips, in three passes: fit, choose, test."""
    watch, data, draws = Stopwatch(), run.data, run.config.fit_draws
    encoders = row.encoders(run, seeds)
    watch.waited += watch.rest
    readouts = [SharedRidgeReadout(len(CLASSES), PENALTIES) for _ in seeds]
    for blocks in watch.waiting(drawn_rows(run, encoders, data.train, "fit")):
        for readout, rows in zip(readouts, blocks, strict=True):
            readout.partial_fit(*rows)
    for encoder, readout in zip(encoders, readouts, strict=True):
        blocks = watch.waiting(drawn_rows(run, [encoder], data.validation, "choose"))
        readout.choose_penalty(rows for (rows,) in blocks)
    train_seconds = watch.rest / len(seeds)
    scores = drawn_scores(run, encoders, readouts, data.test, row.test_draws)
    encode_seconds = (watch.rest + watch.waited) / len(seeds) - train_seconds
    clips = [None] * len(seeds)
    if data.clips:
        clips = drawn_scores(run, encoders, readouts, data.clips, row.test_draws)
        say_clips(data.clips, clips[0])
    note = note_of(run, row.note, f"fitted to {draws} draws of each window")
    return {
        seed: Measurement(
            values=values_of(data.test, by_draw),
            fixed_weights=row.network.fixed_weights,
            trained_weights=readout.coef_.size,
            train_seconds=train_seconds,
            encode_seconds=encode_seconds,
            details=details_of(data, by_draw, real),
            note=note,
        )
        for seed, readout, by_draw, real in zip(seeds, readouts, scores, clips, strict=True)
    }


def drawn_rows(
    run: Run, encoders: Sequence[Encoder], source: WindowClouds, label: str
) -> Iterator[list[Rows]]:
    """Features and labels of all draws of `source`, block by block, a pair for each encoder.

    Args:
        run: with `fit_draws` and `fit_shift` among its constants.
        encoders: calibrated.
        source: windows.
        label: of the progress bar.
    """
    indices, kept = [], []
    for draw in range(run.config.fit_draws):
        drawn = source.redrawn(draw, run.config.fit_shift if draw else 0.0)
        label_of_draw = f"{label}, draw {draw + 1}"
        for part, features in encode(drawn, encoders, device=run.device, label=label_of_draw):
            indices.append(part)
            kept.append(features)
            if sum(map(len, indices)) >= BLOCK:
                yield _joined(kept, source.labels[np.concatenate(indices)])
                indices, kept = [], []
    if indices:
        yield _joined(kept, source.labels[np.concatenate(indices)])


def _joined(kept: list[list[np.ndarray]], labels: np.ndarray) -> list[Rows]:
    return [(np.concatenate(features), labels) for features in zip(*kept, strict=True)]


def drawn_scores(
    run: Run,
    encoders: Sequence[Encoder],
    readouts: Sequence[RidgeReadout],
    source: WindowClouds,
    draws: int,
) -> list[np.ndarray]:
    """Scores (draws, windows, classes) of each chip.

    Args:
        run: names the device.
        encoders: calibrated, one a chip.
        readouts: fitted, likewise.
        source: windows.
        draws: how often each is drawn.
    """
    shape = (draws, len(source), len(CLASSES))
    scores = [np.zeros(shape) for _ in readouts]
    for draw in range(draws):
        drawn, label = source.redrawn(draw), f"{source.name}, draw {draw + 1}"
        for indices, features in encode(drawn, encoders, device=run.device, label=label):
            for of_chip, readout, x in zip(scores, readouts, features, strict=True):
                of_chip[draw, indices] = readout.scores(x)
    return [distributed.gathered(of_chip) for of_chip in scores]


def values_of(source: WindowClouds, scores: np.ndarray) -> dict[str, float]:
    """The row's metrics, of scores (draws, windows, classes): of one draw, and of their mean."""
    alone = gesture_scores(source, scores[0].argmax(-1), len(CLASSES))
    mean = gesture_scores(source, scores.mean(0).argmax(-1), len(CLASSES))
    return mean | {f"{name}, one draw": value for name, value in alone.items()}


def details_of(data: EventData, scores: np.ndarray, clips: np.ndarray | None) -> dict:
    """For the figures: confusion of windows; and how often each real clip looked like a class."""
    predicted = scores.mean(0).argmax(-1)
    classes = np.arange(len(CLASSES))
    details = {"confusion": confusion_matrix(data.test.labels, predicted, labels=classes).tolist()}
    if clips is not None:
        looks = clips.mean(0).argmax(-1)
        details["clips"] = confusion_matrix(data.clips.labels, looks, labels=classes).tolist()
    return details


def say_clips(source: WindowClouds, scores: np.ndarray) -> None:
    """Print what the windows of each real clip look like to the first chip."""
    predicted = scores.mean(0).argmax(-1)
    for clip in np.unique(source.trials):
        windows = np.flatnonzero(source.trials == clip)
        label = CLASSES[source.labels[windows[0]]]
        looks = ", ".join(CLASSES[guess] for guess in predicted[windows])
        print(f"real     clip of {label}: its windows look like {looks}", flush=True)
