"""Figures of the N-MNIST and N-TIDIGITS tables."""

from pathlib import Path

import numpy as np
from sklearn.manifold import TSNE

from harness.figures import draw_confusion
from harness.protocol import Run
from lsm.encode import StateFeatures, encode
from lsm.tables import figures
from lsm.tables.common import CHIP, SOFTWARE
from lsm.tables.supervised import parts, reservoir_of

SHOWN = 1500  # samples in the histogram and in the plane


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """All figures that the result rows and the data allow, as PNG files in the results folder.

    They show training samples held out for validation; the confusion matrix alone is of the test.
    """
    record = run.data.record
    name = record.name.lower().replace("-", "")
    where = f"{record.name} ({record.kind})"

    def path(what: str) -> Path:
        return run.results / f"{name}_{what}.png"

    drawn = [*_activity(run, where, path("raster"), path("rates"), path("tsne"))]
    scored = [row for row in rows if "confusion" in row.get("details", {})]
    if scored:
        best = max(scored, key=lambda row: row["mean"])
        title = f"{best['row']}: {best['mean']:.2f} %, {where}"
        counts = np.array(best["details"]["confusion"])
        drawn.append(draw_confusion(counts, run.data.classes, title, path("confusion")))
    curves = [
        points
        for row in rows
        for key, points in row.get("details", {}).items()
        if key.startswith("sizes ")
    ]
    if curves:
        drawn.append(_draw_sizes(run, np.array(curves), where, path("size")))
    return drawn


def _activity(run: Run, where: str, raster: Path, rates: Path, plane: Path) -> list[Path]:
    cut = parts(run)
    held = slice(cut.count, min(cut.count + SHOWN, len(cut.labels)))
    trains, labels = cut.trains.take(held), cut.labels[held]
    chip = reservoir_of(run, 0, CHIP)
    every_step = encode(trains.take(slice(1)), chip, StateFeatures(trains.steps), device=run.device)
    spikes = every_step.reshape(trains.steps, -1)
    digit = run.data.classes[labels[0]]
    title = f"digit {digit}, {where}, and the reservoir of chip 0"
    found = {
        kind: encode(trains, reservoir_of(run, 0, kind), device=run.device)
        for kind in (SOFTWARE, CHIP)
    }
    neighbours = min(30, (len(labels) - 1) // 3)
    points = TSNE(perplexity=neighbours, random_state=0).fit_transform(found[CHIP])
    about = f"t-SNE of the reservoir's rates, chip 0, {where}"
    return [
        figures.rasters(raster, trains.take(slice(1)).dense(np.uint8)[:, 0], spikes, title),
        figures.firing_rates(rates, found, where),
        figures.embedding(plane, points, labels, run.data.classes, about),
    ]


def _draw_sizes(run: Run, curves: np.ndarray, where: str, path: Path) -> Path:
    names = ("one time window", f"{run.config.large_windows} time windows")
    accuracies = {name: curves[:, :, n + 1].T for n, name in enumerate(names)}
    samples = min(run.config.curve_samples, parts(run).count)
    title = f"{where}, {len(curves)} chip(s), plain ridge on {samples:,} samples"
    return figures.accuracy_against_size(path, curves[0, :, 0].astype(int), accuracies, title)
