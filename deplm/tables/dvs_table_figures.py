"""Figures of the DVS128 Gesture table."""

from pathlib import Path

import numpy as np

from deplm.data.dvs_gesture import (
    CLASSES,
    DROPPED_CLASS,
    HEIGHT,
    WIDTH,
    find_or_make,
    read_trials,
    recordings,
)
from deplm.tables.dvs_figures import draw_clips
from harness.events import Events, join_events, read_events_5byte
from harness.figures import draw_confusion
from harness.protocol import Run

LONGEST_US = 1_500_000  # of a trial, for the picture


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """All figures that the result rows and the data allow, as PNG files in the results folder."""
    record, folder = run.data.record, run.results
    where = f"{record.name} ({record.kind})"
    source = find_or_make(run.data_root, tiny=run.smoke)
    shown = clips_of_each(recordings(source, "train")[0])
    real = run.data.clips_folder
    lines = [
        (name, shown[number], _real(real, number) if real else None)
        for number, name in enumerate(CLASSES, 1)
        if number in shown
    ]
    drawn = [draw_clips(lines, folder / "dvs_clips.png", stand_in=record.kind)]
    scored = [
        row
        for row in rows
        if "confusion" in row.get("details", {}) and row["data"]["sha256"] == record.sha256
    ]
    if scored:
        best = max(scored, key=lambda row: row["mean"])
        title = f"{best['row']}: {best['mean']:.2f} % of the windows\n{where}"
        counts = np.array(best["details"]["confusion"])
        drawn.append(draw_confusion(counts, CLASSES, title, folder / "dvs_confusion.png"))
    return drawn


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
