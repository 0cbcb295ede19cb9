"""Figures of the N-MNIST and N-TIDIGITS tables."""

from pathlib import Path

import numpy as np

from harness.report.figures import draw_best_confusion, where
from harness.run.protocol import Run
from lsm.encode import StateFeatures, encode
from lsm.tables import figures
from lsm.tables.common import CHIP, SOFTWARE
from lsm.tables.supervised import reservoir_of, training_samples

SHOWN = 1500  # samples in the histogram and in the plane
SIZES = "sizes "  # details of a row over reservoir sizes, one a chip


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """All figures that the result rows and the data allow, as PNG files in the results folder.

    They show training samples held out for validation; the confusion matrix alone is of the test.
    """
    data = where(run)

    def path(what: str) -> Path:
        return run.results / f"{run.table}_{what}.png"

    drawn = [
        *_activity(run, data, path("raster"), path("rates"), path("tsne")),
        *draw_best_confusion(rows, run.data.classes, data, path("confusion")),
    ]
    sizes = [points for row in rows for points in _details(row, SIZES).values()]
    if sizes:
        drawn.append(_draw_sizes(run, np.array(sizes), data, path("size")))
    return drawn


def _details(row: dict, prefix: str) -> dict[str, list]:
    details = row.get("details", {})
    return {key: value for key, value in details.items() if key.startswith(prefix)}


def _activity(run: Run, data: str, raster: Path, rates: Path, plane: Path) -> list[Path]:
    samples = training_samples(run)
    shown = slice(samples.fitted, min(samples.fitted + SHOWN, len(samples.labels)))
    trains, labels = samples.subset(shown)
    chip = reservoir_of(run, 0, CHIP)
    every_step = encode(trains.take(slice(1)), chip, StateFeatures(trains.steps), device=run.device)
    spikes = every_step.reshape(trains.steps, -1)
    digit = run.data.classes[labels[0]]
    title = f"digit {digit}, {data}, and the reservoir of chip 0"
    rate = {
        kind: encode(trains, reservoir_of(run, 0, kind), device=run.device)
        for kind in (SOFTWARE, CHIP)
    }
    points = figures.in_the_plane(rate[CHIP])
    about = f"t-SNE of the reservoir's rates, chip 0, {data}"
    return [
        figures.rasters(raster, trains.take(slice(1)).dense(np.uint8)[:, 0], spikes, title),
        figures.firing_rates(rates, rate, data),
        figures.embedding(plane, points, labels, run.data.classes, about),
    ]


def _draw_sizes(run: Run, curves: np.ndarray, data: str, path: Path) -> Path:
    names = ("one time window", f"{run.config.large_windows} time windows")
    accuracies = {name: curves[:, :, n + 1].T for n, name in enumerate(names)}
    samples = min(run.config.curve_samples, training_samples(run).fitted)
    title = f"{data}, {len(curves)} chip(s), plain ridge on {samples:,} samples"
    return figures.accuracy_against_size(path, curves[0, :, 0].astype(int), accuracies, title)
