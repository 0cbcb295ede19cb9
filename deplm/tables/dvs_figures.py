"""Figures of the DVS128 Gesture table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deplm.data.dvs_gesture import (
    CLASSES,
    DROPPED_CLASS,
    HEIGHT,
    WIDTH,
    find_or_make,
    read_trials,
    recordings,
)
from harness.data.events import Events, join_events, read_events_5byte
from harness.report.figures import draw_best_confusion, of_these_data, save, where
from harness.run.protocol import Run

SNAPSHOTS_US = (0, 250_000, 500_000)  # begins of the short views of a clip
SNAPSHOT_US, WHOLE_US = 60_000, 1_450_000  # lengths of a short view and of the long one
ON, OFF = np.array([0.12, 0.35, 0.75]), np.array([0.85, 0.33, 0.10])  # colours of polarity
LONGEST_US = 1_500_000  # of a trial, for the picture


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """All figures that the result rows and the data allow, as PNG files in the results folder."""
    record, folder = run.data.record, run.results
    source = find_or_make(run.data_root, tiny=run.smoke)
    shown = clips_of_each(recordings(source, "train")[0])
    real = run.data.clips_folder
    lines = [
        (name, shown[number], _real(real, number) if real else None)
        for number, name in enumerate(CLASSES, 1)
        if number in shown
    ]
    drawn = [draw_clips(lines, folder / "dvs_clips.png", stand_in=record.kind)]
    data = f"{where(run)}, windows"
    confusion = folder / "dvs_confusion.png"
    return [*drawn, *draw_best_confusion(of_these_data(run, rows), CLASSES, data, confusion)]


def clips_of_each(recording: Path) -> dict[int, Events]:
    """The begin of the first trial of each class (1..10), in one pass over a recording."""
    trials, pieces = read_trials(recording)
    firsts = {t.gesture: t for t in reversed(trials) if t.gesture != DROPPED_CLASS}
    kept: dict[int, list[Events]] = {number: [] for number in firsts}
    for piece in pieces:
        for number, trial in firsts.items():
            end = min(trial.end_us, trial.start_us + LONGEST_US)
            inside = (piece.t_us >= trial.start_us) & (piece.t_us < end)
            if inside.any():
                kept[number].append(piece.at(inside))
    return {number: join_events(parts) for number, parts in kept.items() if parts}


def _real(folder: Path, number: int) -> Events | None:
    path = folder / f"{number}.bs2"
    return read_events_5byte(path, WIDTH, HEIGHT, sorted_times=True) if path.is_file() else None


def event_image(events: Events) -> np.ndarray:
    """(128, 128, 3) float colours: how often each pixel fired, and with which sign."""
    counts = np.zeros((2, HEIGHT, WIDTH))
    np.add.at(counts, (events.p.astype(int), events.y.astype(int), events.x.astype(int)), 1)
    total = counts.sum(axis=0)
    dense = np.quantile(total[total > 0], 0.98) if (total > 0).any() else 1.0
    ink = np.clip(np.log1p(total) / np.log1p(dense), 0, 1)[..., None]
    share = (counts[1] / np.maximum(total, 1))[..., None]
    return 1 - ink * (1 - (share * ON + (1 - share) * OFF))


def draw_clips(
    rows: Sequence[tuple[str, Events, Events | None]], path: Path, *, stand_in: str
) -> Path:
    """A row a class: a clip of the stand-in on the left, a real clip on the right.

    Args:
        rows: name of the class, the stand-in's clip, the real clip or None where there is none.
        path: the PNG file.
        stand_in: kind of the left clips, as the title says it ("synthetic").

    Returns:
        The path.
    """
    views = len(SNAPSHOTS_US) + 1
    figure = Figure(figsize=(2 * views * 1.15 + 1.6, len(rows) * 1.15 + 0.6), layout="constrained")
    axes = figure.subplots(len(rows), 2 * views, squeeze=False)
    for line, (name, ours, real) in zip(axes, rows, strict=True):
        _views(line[:views], ours)
        _views(line[views:], real)
        line[0].set_ylabel(
            name.replace(" ", "\n", 1), rotation=0, ha="right", va="center", fontsize=8
        )
    titles = [f"{begin // 1000} ms" for begin in SNAPSHOTS_US] + [f"all {WHOLE_US / 1e6:g} s"]
    for axis, title in zip(axes[0], 2 * titles, strict=True):
        axis.set_title(title, fontsize=7)
    left = "the set" if stand_in == "real" else "stand-in"
    figure.suptitle(
        f"left: {left} ({stand_in}), right: real clips where at hand; views of"
        f" {SNAPSHOT_US // 1000} ms from the time above, blue on, orange off",
        fontsize=9,
    )
    return save(figure, path, dpi=68)


def _views(axes: np.ndarray, clip: Events | None) -> None:
    for axis in axes:
        _bare(axis, clip is not None)
    if clip is None:
        return
    since = clip.t_us - clip.t_us[0]
    spans = [(b, b + SNAPSHOT_US) for b in SNAPSHOTS_US] + [(0, WHOLE_US)]
    for axis, (begin, end) in zip(axes, spans, strict=True):
        axis.imshow(event_image(clip.at((since >= begin) & (since < end))))


def _bare(axis: Axes, framed: bool) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(framed)
        spine.set_color("0.8")
