"""What the pictures of the networks are made of: colours, boxes, arrows and words."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

INK, PALE, RANDOM, TRAINED, DATA = "#22303c", "#8a96a3", "#2a7f86", "#d9772b", "#4a5d8f"


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure, and axes over all of it in inches, for boxes, arrows and words."""
    figure = plt.figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


def inset(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Axes without ticks at a place in inches."""
    w, h = figure.get_size_inches()
    axes = figure.add_axes((x / w, y / h, width / w, height / h))
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=PALE, linewidth=0.7)
    return axes


def words(axes: Axes, x: float, y: float, text: str, size: float = 9, **options: object) -> None:
    """Text in ink, centred."""
    options = {"ha": "center", "va": "center", "color": INK, "linespacing": 1.35} | options
    axes.text(x, y, text, fontsize=size, **options)


def arrow(axes: Axes, start: tuple, end: tuple, color: str = INK, **options: object) -> None:
    """An arrow between two places in inches."""
    options = {"arrowstyle": "-|>", "mutation_scale": 11, "linewidth": 1.3} | options
    axes.add_patch(FancyArrowPatch(start, end, color=color, shrinkA=0, shrinkB=0, **options))


def box(axes: Axes, x: float, y: float, width: float, height: float, color: str) -> None:
    """A rounded box with a pale filling."""
    style = {"boxstyle": "round,pad=0,rounding_size=0.08", "linewidth": 1.2}
    axes.add_patch(FancyBboxPatch((x, y), width, height, fc="none", ec=color, **style))
    axes.add_patch(FancyBboxPatch((x, y), width, height, fc=color, ec="none", alpha=0.08, **style))


def legend(axes: Axes, x: float, y: float) -> None:
    """What the two colours mean."""
    for offset, color, text in (
        (0.0, RANDOM, "random, never trained: weights of the chip"),
        (3.3, TRAINED, "trained"),
    ):
        axes.add_patch(Circle((x + offset, y), 0.06, color=color))
        words(axes, x + offset + 0.13, y, text, 8.5, ha="left")
