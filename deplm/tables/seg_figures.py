"""Pictures of shapes and of how they were segmented; arrays in, a PNG file out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deplm.data.seg_categories import CATEGORIES, Category

COLOURS = colormaps["tab10"].colors
AZIMUTH, ELEVATION = np.radians(35), np.radians(22)  # from where shapes are looked at


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
    shapes: Sequence[tuple[int, np.ndarray, np.ndarray]], path: str | Path, *, title: str
) -> Path:
    """Shapes with their parts in colours, four a row.

    Args:
        shapes: category 0..15, points (n, 3), labels (n,) 0..49.
        path: the PNG file.
        title: says which data this is.

    Returns:
        The path.
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
    figure.savefig(path, dpi=80)
    return Path(path)


def draw_predictions(
    shapes: Sequence[tuple[int, np.ndarray, np.ndarray, np.ndarray]],
    path: str | Path,
    *,
    title: str,
) -> Path:
    """True and predicted parts of shapes, three pairs a row.

    Args:
        shapes: category 0..15, points (n, 3), true labels (n,), predicted labels (n,).
        path: the PNG file.
        title: says which row and data this is.

    Returns:
        The path.
    """
    rows = -(-len(shapes) // 3)
    figure = Figure(figsize=(11, 1.9 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, 6, squeeze=False).ravel()
    for axis in axes[2 * len(shapes) :]:
        axis.set_axis_off()
    for place, (number, points, true, predicted) in enumerate(shapes):
        category = CATEGORIES[number]
        left, right = axes[2 * place : 2 * place + 2]
        right_points = np.mean(np.asarray(true) == np.asarray(predicted))
        _shape(left, points, true, category)
        _shape(right, points, predicted, category)
        left.set_title(f"{category.name}: true", fontsize=8)
        right.set_title(f"predicted, {right_points:.0%} right", fontsize=8)
        _legend(left, category, columns=2)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=80)
    return Path(path)


def draw_category_bars(rows: dict[str, np.ndarray], path: str | Path, *, title: str) -> Path:
    """Intersection over union of each category, rows side by side.

    Args:
        rows: name of a row and its (16,) values in percent; NaN where a category has no shape.
        path: the PNG file.
        title: says which data this is.

    Returns:
        The path.
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
    figure.savefig(path, dpi=110)
    return Path(path)


def draw_confusion(
    counts: np.ndarray, names: Sequence[str], path: str | Path, *, title: str
) -> Path:
    """A confusion matrix in percent of each true class; of parts, or of anything.

    Args:
        counts: (k, k), true classes down, predicted ones across.
        names: k names.
        path: the PNG file.
        title: says of what.

    Returns:
        The path.
    """
    counts = np.asarray(counts, float)
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.2 + 0.55 * len(names)
    figure = Figure(figsize=(size + 0.6, size), layout="constrained")
    axis = figure.subplots()
    axis.imshow(share, vmin=0, vmax=100, cmap="Blues")
    for (row, column), value in np.ndenumerate(share):
        colour = "white" if value > 55 else "black"
        axis.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=8)
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set(xlabel="predicted", ylabel="true, each row 100 %")
    axis.set_title(title, fontsize=9)
    figure.savefig(path, dpi=110)
    return Path(path)


def part_confusion(true: np.ndarray, predicted: np.ndarray, category: Category) -> np.ndarray:
    """(k, k) int64 counts of the points of one category's shapes, for `draw_confusion`.

    Args:
        true: labels of any shape, all of the category.
        predicted: labels of the same shape, of the same category.
        category: which; k parts.
    """
    k = len(category.parts)
    a, b = np.asarray(true, np.int64).ravel(), np.asarray(predicted, np.int64).ravel()
    return np.bincount((a - category.first) * k + b - category.first, minlength=k * k).reshape(k, k)
