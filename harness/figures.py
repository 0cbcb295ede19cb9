"""Figures that every table can draw: the chip, and who is taken for whom."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from harness.errors import UserError
from rram import Chip

SHOWN_CELLS = 64  # rows and columns of the conductance map that are drawn


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG.

    Raises:
        UserError: the disk is full or the folder is not writable.
    """
    try:
        figure.savefig(path, dpi=150, bbox_inches="tight")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); results are kept") from error
    return path


def draw_chip(chip: Chip, path: Path) -> Path:
    """Conductance map of one array, and the histograms of conductance and signed weight."""
    pair = chip.conductances("figure", (512, 512))
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    image = left.imshow(pair.plus[:SHOWN_CELLS, :SHOWN_CELLS].numpy(), cmap="viridis")
    figure.colorbar(image, ax=left, label="conductance (µS)")
    left.set(title=f"G+ of {SHOWN_CELLS} x {SHOWN_CELLS} cells", xlabel="column", ylabel="row")
    broken = pair.plus[pair.plus > 0]
    fraction = len(broken) / pair.plus.numel()
    middle.hist(broken.numpy(), 60, color="tab:green")
    middle.set(title=f"broken cells, {fraction:.0%} of all", xlabel="conductance (µS)")
    right.hist(pair.weights.flatten().numpy(), 121, color="tab:blue", log=True)
    right.set(title="signed weights G+ - G-", xlabel="weight (µS)")
    for axes in (middle, right):
        axes.set_ylabel("cells" if axes is middle else "pairs")
    figure.suptitle(
        f"{chip.device.name}, chip {chip.seed}, programmed at {chip.programming_voltage_v:.3f} V"
    )
    return save(figure, path)


def draw_confusion(counts: np.ndarray, names: Sequence[str], title: str, path: Path) -> Path:
    """Confusion matrix (classes, classes), rows are true classes, in % of the row."""
    share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, label="% of the true class")
    places = np.arange(len(names))
    axes.set_xticks(places, names, rotation=45, ha="right")
    axes.set_yticks(places, names)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    for row, column in np.argwhere(share >= 0.5):
        shade = "white" if share[row, column] > 50 else "black"
        text = f"{share[row, column]:.0f}"
        axes.text(column, row, text, ha="center", va="center", color=shade, fontsize=8)
    return save(figure, path)
