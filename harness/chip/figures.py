"""Figures of the studies of the chip: one a study, a panel a table, bands over chips."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from harness.errors import UserError
from harness.report.figures import save
from rram import DEPLM_40NM, Device
from rram.allotment import MACRO, Tile

COLOURS = ("#20303c", "#c8553d", "#6a8d73", "#8e6c8a", "#d9a441", "#4a7fb5")
ORDER = ("image", "dvs", "seg", "nmnist")


def draw_studies(folder: Path, name: str) -> Path | None:
    """Draw the study `name` of all `chip_<table>.json` in `folder`; None where none has it."""
    files = {f.stem.removeprefix("chip_"): f for f in folder.glob("chip_*.json")}
    found = []
    for table in (*(t for t in ORDER if t in files), *sorted(files.keys() - set(ORDER))):
        content = json.loads(files[table].read_text(encoding="utf-8"))
        study = content.get("studies", {}).get(name)
        if study:
            found.append((content["title"], study))
    if not found:
        return None
    figure = Figure(figsize=(1 + 4.1 * len(found), 4.6), layout="constrained")
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    for axes, (title, study) in zip(panels, found, strict=True):
        _draw_panel(axes, study)
        if name == "sparsity":
            _show_voltages(axes, study)
        data = study["data"]["kind"]
        axes.set_title(f"{title}: {data} data\n{study['sizes']}", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    for axes in panels[1:]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles, labels = [*handles, handle], [*labels, label]
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    chips = max(study["chips"] for _, study in found)
    first = found[0][1]
    figure.suptitle(f"{first['title']}: mean of {chips} chips, bands of one standard deviation")
    return save(figure, folder / f"chip_{name}.png", dpi=110)


def _draw_panel(axes: Axes, study: dict) -> None:
    lines: dict[str, list[dict]] = {}
    for point in study["points"]:
        lines.setdefault(point["line"], []).append(point)
    for colour, (line, points) in zip(COLOURS, lines.items(), strict=False):
        x = np.array([p["value"] for p in points])
        for key, style, words in (
            ("in_loop", "-", "fitted on this chip"),
            ("without", "--", "fitted on the ideal chip"),
        ):
            scores = [p[key] for p in points]
            if not scores[0]:
                continue
            mean, std = np.mean(scores, 1), np.std(scores, 1, ddof=1 if len(scores[0]) > 1 else 0)
            label = f"{line}, {words}" if line else words
            axes.plot(x, mean, style, color=colour, lw=1.5, marker="o", ms=3, label=label)
            axes.fill_between(x, mean - std, mean + std, color=colour, alpha=0.15, lw=0)
    axes.locator_params(axis="x", nbins=5)
    if study["log"]:
        axes.set_xscale("log")
        values = sorted({point["value"] for point in study["points"]})
        if values[-1] < 100 * values[0]:  # too few decades for their own marks
            axes.set_xticks(values, [f"{v:g}" for v in values])
            axes.minorticks_off()
    axes.set(xlabel=study["axis"].split(";")[0], ylabel=study["metric"])
    axes.grid(alpha=0.3)


def _show_voltages(axes: Axes, study: dict) -> None:
    # The programming voltage beside every sparsity.
    values = sorted({point["value"] for point in study["points"]})
    volts = study.get("volts") or {
        f"{v:g}": DEPLM_40NM.programming_voltage_v(v) for v in values if v
    }
    words = {name: f"{name}: {v:.2f} V" for name, v in volts.items()}
    labels = [words.get(f"{v:g}", f"{v:g}: all broken") for v in values]
    axes.set_xticks(values, labels, fontsize=7, rotation=50, ha="right")
    axes.set_xlabel("sparsity, and the pulse that leaves it")


def draw_fits(device: Device, path: Path) -> Path:
    """Quantile plots of the measured cells of a device against its normal distributions."""
    if not device.fits:
        raise UserError(f"device {device.name}: made from constants, no measured cells to draw")
    figure = Figure(figsize=(4.4 * len(device.fits), 4.2), layout="constrained")
    for axes, fit in zip(figure.subplots(1, len(device.fits), squeeze=False)[0], device.fits,
                         strict=True):  # fmt: skip
        expected, measured = fit.quantiles.T
        axes.plot(expected, expected, color="#c8553d", lw=1, label="normal distribution")
        axes.plot(expected, measured, ".", ms=3, color="#20303c", label="measured cells")
        axes.set(xlabel=f"expected ({fit.unit})", ylabel=f"measured ({fit.unit})")
        axes.set_title(
            f"{fit.name}: {len(measured)} cells\nK-S distance {fit.distance:.3f}, "
            f"p {fit.p_value:.3f}, skewness {fit.skewness:.2f}",
            fontsize=9,
        )
        axes.legend(fontsize=8, frameon=False)
        axes.grid(alpha=0.3)
    figure.suptitle(f"{device.name}: {device.source}")
    return save(figure, path, shows_data=False)


def draw_allotment(tiles: Sequence[Tile], path: Path, macro: tuple[int, int] = MACRO) -> Path:
    """Which cells of which macro hold which block: a panel a macro, rows down."""
    count = 1 + max(tile.macro for tile in tiles)
    blocks = list(dict.fromkeys(tile.block for tile in tiles))
    columns = min(3, count)
    lines = -(-count // columns)
    figure = Figure(figsize=(1 + 4 * columns, 1 + 4 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for number, axes in enumerate(panels):
        axes.set_visible(number < count)
        axes.set(title=f"macro {number}", xlim=(0, macro[1]), ylim=(macro[0], 0), aspect="equal")
        axes.set(xlabel="column", ylabel="row")
    for tile in tiles:
        colour = COLOURS[blocks.index(tile.block) % len(COLOURS)]
        corner = (tile.column, tile.row)
        shade = 0.8 if tile.side == "plus" else 0.45
        panels[tile.macro].add_patch(
            Rectangle(corner, tile.columns, tile.rows, color=colour, alpha=shade, lw=0)
        )
        centre = tile.column + tile.columns / 2, tile.row + tile.rows / 2
        sign = "+" if tile.side == "plus" else "-"
        panels[tile.macro].text(
            *centre, f"{tile.block}{sign}", ha="center", va="center", fontsize=7
        )
    return save(figure, path, shows_data=False)
