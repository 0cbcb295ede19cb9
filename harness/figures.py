"""Figures that every table can draw: the chip, confusions, protocols, learning curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from harness.errors import UserError
from rram import Chip

SHOWN_CELLS = 64  # rows and columns of the conductance map that are drawn
BARS = {"paper": "#9aa5ad", "published": "#c8553d", "validation": "#20303c"}


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


def draw_protocols(records: Sequence[dict], title: str, path: Path) -> Path:
    """The first figure of every row: the paper's, the published protocol's and the validation's.

    Args:
        records: of a results file, with "row", "metric", "protocol", "mean", "std", "paper".
        title: of the figure.
        path: of the PNG.
    """
    first = {r["row"]: r["metric"] for r in reversed(records)}
    shown = [r for r in records if r["metric"] == first[r["row"]]]
    names = list(dict.fromkeys(r["row"] for r in shown))
    figure = Figure(figsize=(8.5, 1.2 + 0.52 * len(names)), layout="constrained")
    axes = figure.subplots()
    for n, (protocol, colour) in enumerate(BARS.items()):
        rows = {r["row"]: r for r in shown if protocol in ("paper", r["protocol"])}
        key = "paper" if protocol == "paper" else "mean"
        values = [(rows[name][key] if name in rows else None) for name in names]
        spreads = [(rows[m]["std"] if m in rows and key == "mean" else 0) for m in names]
        places = [place + 0.27 * (n - 1) for place in range(len(names))]
        kept = [k for k, value in enumerate(values) if value is not None]
        axes.barh(
            [places[k] for k in kept], [values[k] for k in kept], 0.25, color=colour,
            xerr=[spreads[k] for k in kept], error_kw={"elinewidth": 1, "ecolor": "0.5"},
            label=f"{protocol} protocol" if key == "mean" else "paper",
        )  # fmt: skip
        for k in kept:
            axes.text(values[k], places[k], f" {values[k]:.1f}", va="center", fontsize=7)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel=f"{shown[0]['metric']} ({shown[0]['unit']}), mean and deviation over chips")
    axes.set(title=title, xmargin=0.08)
    figure.legend(loc="outside lower center", ncols=3, fontsize="small")
    return save(figure, path)


def draw_learning_curves(
    curves: Mapping[str, Mapping[str, Sequence[float]]], title: str, path: Path
) -> Path:
    """Scores of every epoch, a panel a row.

    Args:
        curves: row -> name of the curve, "validation" for instance -> score in % by epoch.
        title: of the figure.
        path: of the PNG.
    """
    figure = Figure(figsize=(4.2 * len(curves), 3.6), layout="constrained")
    panels = figure.subplots(1, len(curves), squeeze=False, sharey=True)[0]
    for panel, (row, lines) in zip(panels, curves.items(), strict=True):
        for name, values in lines.items():
            panel.plot(range(1, len(values) + 1), values, label=name, linewidth=1.2)
        panel.set(xlabel="epoch", title=row)
        panel.grid(alpha=0.3)
        panel.legend(frameon=False, fontsize="small")
    panels[0].set_ylabel("accuracy (%)")
    figure.suptitle(title)
    return save(figure, path)
