"""Figures of the Fashion-MNIST table."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from deplm.data.image_fashion_mnist import CLASSES, INFO, ImageClouds
from deplm.network import FASHION_MNIST
from harness.report.figures import draw_best_confusion, draw_chip, of_these_data, save, where
from harness.run.chips import make_chip
from harness.run.protocol import Run
from rram import DEPLM_40NM


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """All figures that the result rows and the data allow, as PNG files in the results folder."""
    folder, names, rows = run.results, class_names(run), of_these_data(run, rows)
    drawn = [draw_chip(make_chip(run.config, DEPLM_40NM, 0), folder / "image_chip.png")]
    title = f"{names[run.data.test.labels[0]]}, {where(run)}"
    drawn.append(draw_points(run.data.test, 0, title, folder / "image_points.png"))
    drawn += draw_best_confusion(rows, names, where(run), folder / "image_confusion.png")
    curves = {r["row"]: r["details"]["curve"] for r in rows if "curve" in r.get("details", {})}
    if curves:
        title = f"{where(run)}, chip 0"
        drawn.append(draw_curves(curves, title, folder / "image_curve.png"))
    return drawn


def class_names(run: Run) -> tuple[str, ...]:
    """Names of the classes; of images of one's own, their labels."""
    own = run.config.dataset != INFO.folder
    return tuple(f"class {label}" for label in range(len(CLASSES))) if own else CLASSES


def draw_points(source: ImageClouds, number: int, title: str, path: Path) -> Path:
    """One image, its points, and the centres that both abstractions sample.

    Args:
        source: of the image.
        number: its index there.
        title: what it shows.
        path: of the PNG.
    """
    clouds = source.clouds(np.array([number]))
    intensity, x, y = clouds.points[0].T.numpy()
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    panels = figure.subplots(1, 4)
    panels[0].imshow(source.images[number], cmap="gray")
    panels[0].set(title=title, xlabel="x", ylabel="y")
    panels[1].scatter(x, y, c=intensity, s=8, cmap="gray_r", edgecolors="0.8", linewidths=0.2)
    panels[1].set_title("784 points (intensity, x, y)")
    for panel, grouping in zip(panels[2:], FASHION_MNIST.group(clouds.points), strict=False):
        centres = grouping.centres[0].T.numpy()
        panel.scatter(x, y, c="0.9", s=4)
        drawn = panel.scatter(centres[1], centres[2], c=centres[0], s=8, cmap="viridis")
        panel.set_title(f"{centres.shape[1]} sampled centres")
    figure.colorbar(drawn, ax=panels[3], label="intensity")
    for panel in panels[1:]:
        panel.set(aspect="equal", xlabel="x", ylabel="y", xlim=(-0.55, 0.52), ylim=(0.52, -0.55))
    return save(figure, path)


def draw_curves(curves: dict[str, list[list[float]]], title: str, path: Path) -> Path:
    """Validation accuracy against the number of training images, a line a row.

    Args:
        curves: row -> [training images, accuracy in %].
        title: of the figure.
        path: of the PNG.
    """
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for name, points in curves.items():
        count, accuracy = np.array(points).T
        axes.semilogx(
            count,
            accuracy,
            "o-",
            label=name.replace("discriminative ridge (re-targeted)", "ridge").replace(
                "discriminative ", ""
            ),
        )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set(xlabel="training images", ylabel="accuracy on validation images (%)", title=title)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    return save(figure, path)
