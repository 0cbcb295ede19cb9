"""Figures of the ShapeNet-part table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deplm.data.seg_categories import CATEGORIES, Category
from deplm.data.seg_clouds import PartClouds
from harness.report.figures import best_with, draw_confusion, of_these_data, save, where
from harness.run.protocol import Run

COLOURS = colormaps["tab10"].colors
AZIMUTH, ELEVATION = np.radians(35), np.radians(22)  # from where shapes are looked at


def encoded_parts(predicted: np.ndarray, categories: np.ndarray) -> list[str]:
    """Predicted parts (clouds, points) as a string of digits a cloud, for the results file."""
    firsts = [CATEGORIES[number].first for number in categories]
    return [
        "".join(map(str, (cloud - first).tolist()))
        for cloud, first in zip(predicted, firsts, strict=True)
    ]


def decoded_parts(text: str, category: int) -> np.ndarray:
    """Predicted parts (points,) of one cloud, from `encoded_parts`."""
    return np.array(list(text), np.int64) + CATEGORIES[category].first


def first_of_each(source: PartClouds) -> np.ndarray:
    """Indices of the first cloud of each category that is there."""
    return np.unique(source.categories, return_index=True)[1]


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """All figures that the result rows and the data allow, as PNG files in the results folder."""
    data, folder = run.data, run.results
    title = f"{where(run)}: a test shape of each category"
    shapes = _true(data.test, first_of_each(data.test))
    drawn = [draw_shapes(shapes, folder / "seg_shapes.png", title=title)]
    scored = [
        row
        for row in of_these_data(run, rows)
        if "iou" in row.get("details", {}) and row["config"]["points"] == run.config.points
    ]
    if not scored:
        return drawn
    bars = {row["row"]: category_iou(row["details"]) for row in scored}
    title = f"{where(run)}, intersection over union of each category"
    drawn.append(draw_category_bars(bars, folder / "seg_categories.png", title=title))
    best = best_with(scored, "iou")
    drawn.append(_worst_confusion(best, where(run), folder / "seg_confusion.png"))
    shown = best_with(scored, "examples")
    return drawn + (_draw_examples(run, shown) if shown else [])


def _draw_examples(run: Run, row: dict) -> list[Path]:
    """Predicted parts of test shapes, and of real shapes beside a stand-in."""
    data, folder, details = run.data, run.results, row["details"]
    title = f"{row['row']}, chip 0, {where(run)}"
    shapes = _predicted(data.test, first_of_each(data.test), details["examples"])
    drawn = [draw_predictions(shapes, folder / "seg_predictions.png", title=title)]
    if data.samples and "samples" in details:
        shapes = _predicted(data.samples, np.arange(len(data.samples)), details["samples"])
        title = f"{row['row']}, chip 0, fitted to {where(run)}; real shapes"
        drawn.append(draw_predictions(shapes, folder / "seg_real.png", title=title))
    return drawn


def category_iou(details: dict) -> np.ndarray:
    """(16,) mean intersection over union in %, over shapes and chips; NaN without shapes."""
    shapes = np.array(details["shapes"], float)
    return 100 * np.array(details["iou"]) / np.where(shapes > 0, shapes, np.nan)


def _worst_confusion(row: dict, data: str, path: Path) -> Path:
    values = category_iou(row["details"])
    number = int(np.nanargmin(values))
    category = CATEGORIES[number]
    parts = slice(category.first, category.first + len(category.parts))
    counts = np.array(row["details"]["confusion"])[parts, parts]
    title = f"{category.name}, the worst category ({values[number]:.1f} %)\n{row['row']}\n{data}"
    return draw_confusion(counts, category.parts, title, path)


def _true(source: PartClouds, indices: np.ndarray) -> list[tuple]:
    points, labels = source.clouds(indices).points.numpy(), source.labels(indices)
    return list(zip(source.categories[indices].tolist(), points, labels, strict=True))


def _predicted(source: PartClouds, indices: np.ndarray, texts: list[str]) -> list[tuple]:
    shapes = _true(source, indices)
    return [
        (*shape, decoded_parts(text, shape[0])) for shape, text in zip(shapes, texts, strict=True)
    ]


def _flat(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) as seen from the front, the side and above, y up; and depth (n,), near is large."""
    x, y, z = points.T
    c, s = np.cos(AZIMUTH), np.sin(AZIMUTH)
    across, away = c * x - s * z, s * x + c * z
    up = np.cos(ELEVATION) * y - np.sin(ELEVATION) * away
    return np.stack([across, up], axis=1), np.cos(ELEVATION) * away + np.sin(ELEVATION) * y


def _shape(axis: Axes, points: np.ndarray, labels: np.ndarray, category: Category) -> None:
    seen, depth = _flat(np.asarray(points, float))
    order = np.argsort(depth)
    colours = np.array(COLOURS)[np.asarray(labels, int) - category.first]
    axis.scatter(*seen[order].T, c=colours[order], s=1.2, linewidths=0)
    low, high = seen.min(axis=0), seen.max(axis=0)
    half = 0.55 * (high - low).max()
    middle = (low + high) / 2
    axis.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    axis.set_aspect("equal")
    axis.set_axis_off()


def _legend(axis: Axes, category: Category, columns: int = 3) -> None:
    for place, part in enumerate(category.parts):
        axis.text(
            (place % columns) / columns + 0.02,
            -0.04 - 0.09 * (place // columns),
            part,
            color=COLOURS[place],
            fontsize=7,
            transform=axis.transAxes,
        )


def draw_shapes(
    shapes: Sequence[tuple[int, np.ndarray, np.ndarray]], path: Path, *, title: str
) -> Path:
    """Shapes with their parts in colours, four a row.

    Args:
        shapes: category 0..15, points (n, 3), labels (n,) 0..49.
        path: the PNG file.
        title: says which data this is.
    """
    rows = -(-len(shapes) // 4)
    figure = Figure(figsize=(9, 2.4 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, 4, squeeze=False).ravel()
    for axis in axes[len(shapes) :]:
        axis.set_axis_off()
    for axis, (number, points, labels) in zip(axes, shapes, strict=False):
        category = CATEGORIES[number]
        _shape(axis, points, labels, category)
        axis.set_title(category.name, fontsize=9)
        _legend(axis, category)
    figure.suptitle(title, fontsize=10)
    return save(figure, path, dpi=80)


def draw_predictions(
    shapes: Sequence[tuple[int, np.ndarray, np.ndarray, np.ndarray]],
    path: Path,
    *,
    title: str,
) -> Path:
    """True and predicted parts of shapes, three pairs a row.

    Args:
        shapes: category 0..15, points (n, 3), true labels (n,), predicted labels (n,).
        path: the PNG file.
        title: says which row and data this is.
    """
    rows = -(-len(shapes) // 3)
    figure = Figure(figsize=(11, 1.9 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, 6, squeeze=False).ravel()
    for axis in axes[2 * len(shapes) :]:
        axis.set_axis_off()
    for place, (number, points, true, predicted) in enumerate(shapes):
        category = CATEGORIES[number]
        left, right = axes[2 * place : 2 * place + 2]
        correct = np.mean(np.asarray(true) == np.asarray(predicted))
        _shape(left, points, true, category)
        _shape(right, points, predicted, category)
        left.set_title(f"{category.name}: true", fontsize=8)
        right.set_title(f"predicted, {correct:.0%} correct", fontsize=8)
        _legend(left, category, columns=2)
    figure.suptitle(title, fontsize=10)
    return save(figure, path, dpi=80)


def draw_category_bars(rows: dict[str, np.ndarray], path: Path, *, title: str) -> Path:
    """Intersection over union of each category, rows side by side.

    Args:
        rows: name of a row and its (16,) values in percent; NaN where a category has no shape.
        path: the PNG file.
        title: says which data this is.
    """
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    axis = figure.subplots()
    place, wide = np.arange(len(CATEGORIES)), 0.8 / len(rows)
    for number, (name, values) in enumerate(rows.items()):
        shift = (number - (len(rows) - 1) / 2) * wide
        label = f"{name} (mean {np.nanmean(values):.1f})"
        axis.bar(place + shift, values, wide, label=label, color=COLOURS[number % 10])
    axis.set_xticks(place, [c.name for c in CATEGORIES], rotation=35, ha="right")
    axis.set(ylabel="mIoU of the category, %", ylim=(0, 100), title=title)
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=min(3, len(rows)), fontsize=8, frameon=False)
    return save(figure, path, dpi=110)
