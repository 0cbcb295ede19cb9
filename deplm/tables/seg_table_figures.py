"""Figures of the ShapeNet-part table."""

from pathlib import Path

import numpy as np

from deplm.data.seg_categories import CATEGORIES
from deplm.data.seg_clouds import PartClouds
from deplm.tables.seg_figures import (
    draw_category_bars,
    draw_confusion,
    draw_predictions,
    draw_shapes,
)
from harness.protocol import Run


def encoded_parts(guesses: np.ndarray, categories: np.ndarray) -> list[str]:
    """Predicted parts (clouds, points) as a string of digits a cloud, for the results file."""
    firsts = [CATEGORIES[number].first for number in categories]
    return [
        "".join(map(str, (cloud - first).tolist()))
        for cloud, first in zip(guesses, firsts, strict=True)
    ]


def decoded_parts(text: str, category: int) -> np.ndarray:
    """Predicted parts (points,) of one cloud, from `encoded_parts`."""
    return np.array(list(text), np.int64) + CATEGORIES[category].first


def first_of_each(source: PartClouds) -> np.ndarray:
    """Numbers of the first cloud of each category that is there."""
    return np.unique(source.categories, return_index=True)[1]


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """All figures that the result rows and the data allow, as PNG files in the results folder."""
    data, folder = run.data, run.results
    where = f"{data.record.name} ({data.record.kind})"
    drawn = [
        draw_shapes(
            _true(data.test, first_of_each(data.test)),
            folder / "seg_shapes.png",
            title=f"{where}: a test shape of each category",
        )
    ]
    scored = [r for r in rows if "iou" in r.get("details", {}) and _is_of(r, run)]
    if not scored:
        return drawn
    bars = {row["row"]: category_iou(row["details"]) for row in scored}
    title = f"{where}, intersection over union of each category"
    drawn.append(draw_category_bars(bars, folder / "seg_categories.png", title=title))
    best = max(scored, key=lambda row: row["mean"])
    drawn.append(_worst_confusion(best, where, folder / "seg_confusion.png"))
    shown = [row for row in scored if "examples" in row["details"]]
    for row in [max(shown, key=lambda row: row["mean"])] if shown else []:
        title = f"{row['row']}, chip 0, {where}"
        numbers = first_of_each(data.test)
        shapes = _predicted(data.test, numbers, row["details"]["examples"])
        drawn.append(draw_predictions(shapes, folder / "seg_predictions.png", title=title))
        if data.samples and "samples" in row["details"]:
            everyone = np.arange(len(data.samples))
            shapes = _predicted(data.samples, everyone, row["details"]["samples"])
            title = f"{row['row']}, chip 0, fitted to {where}; real shapes"
            drawn.append(draw_predictions(shapes, folder / "seg_real.png", title=title))
    return drawn


def category_iou(details: dict) -> np.ndarray:
    """(16,) mean intersection over union in %, over shapes and chips; NaN without shapes."""
    shapes = np.array(details["shapes"], float)
    return 100 * np.array(details["iou"]) / np.where(shapes > 0, shapes, np.nan)


def _is_of(row: dict, run: Run) -> bool:
    """Whether a row was measured on the data of this run, drawn as in this run."""
    same = row["config"]["points"] == run.config.points
    return same and row["data"]["sha256"] == run.data.record.sha256


def _worst_confusion(row: dict, where: str, path: Path) -> Path:
    values = category_iou(row["details"])
    number = int(np.nanargmin(values))
    category = CATEGORIES[number]
    parts = slice(category.first, category.first + len(category.parts))
    counts = np.array(row["details"]["confusion"])[parts, parts]
    title = f"{category.name}, the worst category ({values[number]:.1f} %)\n{row['row']}\n{where}"
    return draw_confusion(counts, category.parts, path, title=title)


def _true(source: PartClouds, numbers: np.ndarray) -> list[tuple]:
    points, labels = source.clouds(numbers).points.numpy(), source.labels(numbers)
    return list(zip(source.categories[numbers].tolist(), points, labels, strict=True))


def _predicted(source: PartClouds, numbers: np.ndarray, texts: list[str]) -> list[tuple]:
    shapes = _true(source, numbers)
    return [
        (*shape, decoded_parts(text, shape[0])) for shape, text in zip(shapes, texts, strict=True)
    ]
