"""Figures that every table has: its rows against the paper, learning curves, chip, confusion."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.data.datasets import KINDS
from harness.data.files import replacing
from harness.run.protocol import Run
from rram import Chip

SHOWN_CELLS = 64  # rows and columns of the conductance map that are drawn
PLAIN_RIDGE = ", plain ridge"  # ends the name of a metric that stands beside a better readout's
Record = dict[str, Any]  # one metric of one row, as `results/<table>.json` holds it


class Series(NamedTuple):
    """How one kind of figure is drawn in `draw_table`: marker, colour, offset in a line."""

    label: str
    marker: str
    colour: str
    offset: float


PAPER = Series("paper", "D", "#c8553d", -0.24)
PUBLISHED = Series("here, published rule: chosen on test data", "s", "#8e6c8a", -0.08)
VALIDATION = Series("here, chosen on validation data", "o", "#20303c", 0.08)
PLAIN = Series("here, plain ridge", "|", "#6a8d73", 0.24)
CURVES = {
    "validation": VALIDATION.colour,
    "test": PUBLISHED.colour,
    "test, trained on all": "#6a8d73",
}


def save(figure: Figure, path: Path, *, dpi: int = 150, shows_data: bool = True) -> Path:
    """Write a figure as PNG, whole or not at all.

    Args:
        figure: to write. Where it shows data, one of its titles or labels has to name the kind of
            the data, so that no stand-in is taken for real data.
        path: of the file.
        dpi: dots an inch.
        shows_data: False for a figure of the chip alone.

    Raises:
        UserError: the disk is full or the folder is not writable.
        ValueError: the figure does not name the kind of its data.
    """
    if shows_data and not data_kinds(figure):
        raise ValueError(f"{path.name} names none of the data kinds {', '.join(KINDS)}")
    with replacing(path, "results are kept") as temporary:
        figure.savefig(temporary, dpi=dpi, bbox_inches="tight", format="png")
    return path


def data_kinds(figure: Figure) -> list[str]:
    """The data kinds that some text of the figure names."""
    words = " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))
    return [kind for kind in KINDS if re.search(rf"(?<![\w-]){kind}(?![\w-])", words)]


def draw_table(records: list[Record], title: str, path: Path) -> Path | None:
    """A table as a figure: a line a row, a panel a metric, the paper's figure beside ours.

    Means over chips, with standard deviations as bars; figures in % only. Panels are the metrics
    that the paper has a figure of, in more than one row where there are such; without any, the
    first metric of every row. A metric "<name>, plain ridge" stands in the panel of <name>.

    Args:
        records: of one results file.
        title: of the table.
        path: of the PNG.

    Returns:
        The path, or None where no row has a figure in %.
    """
    shown = [r for r in records if r["unit"] == "%"]
    metrics = _panels(shown)
    if not metrics:
        return None
    names = list(dict.fromkeys(r["row"] for r in shown if _base(r) in metrics))
    size = (3.2 + 3.4 * len(metrics), 1.6 + 0.34 * len(names))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        _draw_panel(axes, [r for r in shown if _base(r) == metric], names)
        axes.set(xlabel=f"{metric} (%)")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    handles = {}
    for axes in panels:
        handles |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    order = [s.label for s in (PAPER, PUBLISHED, VALIDATION, PLAIN) if s.label in handles]
    figure.legend([handles[s] for s in order], order, loc="outside lower center", ncols=2)
    figure.suptitle(_titled(title, shown))
    return save(figure, path, dpi=110)


def draw_learning_curves(records: list[Record], title: str, path: Path) -> Path | None:
    """Validation and test accuracy after every epoch, a panel a row that was trained.

    Lines are means over chips, bands their range. A row's `details` hold "history <seed>":
    [validation scores, test scores] of every epoch, or [test scores] alone; a third list is of
    test scores of a training on all training samples.

    Args:
        records: of one results file.
        title: of the table.
        path: of the PNG.

    Returns:
        The path, or None where no row has a history.
    """
    trained = {r["row"]: (r, found) for r in records if (found := _histories(r))}
    if not trained:
        return None
    columns = min(3, len(trained))
    lines = -(-len(trained) // columns)
    figure = Figure(figsize=(1 + 3.6 * columns, 1 + 2.6 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, (name, (record, histories)) in zip(panels, trained.items(), strict=False):
        _draw_histories(axes, histories)
        if record["paper"] is not None:
            axes.axhline(record["paper"], color=PAPER.colour, ls="--", lw=1, label="paper")
        chips = f"{len(histories)} chip" + "s" * (len(histories) > 1)
        axes.set_title(f"{name} ({chips})", fontsize=9)
        axes.set(xlabel="epoch", ylabel=f"{record['metric']} (%)")
        axes.legend(fontsize=7, frameon=False)
    for axes in panels[len(trained) :]:
        axes.set_visible(False)
    figure.suptitle(_titled(title, [record for record, _ in trained.values()]))
    return save(figure, path, dpi=110)


def _titled(title: str, records: list[Record]) -> str:
    kinds = list(dict.fromkeys(r["data"]["kind"] for r in records))
    paper = "" if kinds == ["real"] else "; the paper's figures are of real data"
    return f"{title}: {' and '.join(kinds)} data{paper}"


def _base(record: Record) -> str:
    return record["metric"].removesuffix(PLAIN_RIDGE)


def _panels(records: list[Record]) -> list[str]:
    rows: dict[str, set[str]] = {}
    for record in records:
        if record["paper"] is not None:
            rows.setdefault(record["metric"], set()).add(record["row"])
    most = max(map(len, rows.values()), default=0)
    wanted = {metric for metric, of in rows.items() if len(of) > 1 or most == 1}
    wanted = wanted or {_base(r) for r in {r["row"]: r for r in reversed(records)}.values()}
    return [metric for metric in dict.fromkeys(map(_base, records)) if metric in wanted]


def _draw_panel(axes: Axes, records: list[Record], names: list[str]) -> None:
    for record in records:
        line = names.index(record["row"])
        if record["protocol"] == "oracle":
            continue
        plain = record["metric"].endswith(PLAIN_RIDGE)
        ours = PLAIN if plain else PUBLISHED if record["protocol"] == "published" else VALIDATION
        _draw_point(axes, ours, record["mean"], line, record["std"])
        if record["paper"] is not None:
            _draw_point(axes, PAPER, record["paper"], line)
    axes.grid(axis="x", alpha=0.3)
    axes.tick_params(axis="y", length=0)


def _draw_point(axes: Axes, series: Series, value: float, line: int, spread: float = 0.0) -> None:
    label, marker, colour, offset = series
    axes.errorbar(
        value, line + offset, xerr=spread or None, fmt=marker, color=colour,
        markersize=9 if marker == "|" else 5, markeredgewidth=2 if marker == "|" else 1,
        elinewidth=1.2, label=label,
    )  # fmt: skip


def _histories(record: Record) -> list[list[list[float]]]:
    details = record.get("details", {})
    return [curves for key, curves in details.items() if key.startswith("history ")]


def _draw_histories(axes: Axes, histories: list[list[list[float]]]) -> None:
    names = ["test"] if len(histories[0]) == 1 else list(CURVES)[: len(histories[0])]
    for n, name in enumerate(names):
        length = min(len(curves[n]) for curves in histories)
        scores = np.array([curves[n][:length] for curves in histories])
        epochs = np.arange(1, length + 1)
        colour = CURVES[name]
        axes.plot(epochs, scores.mean(0), color=colour, label=name, lw=1.4)
        axes.fill_between(epochs, scores.min(0), scores.max(0), color=colour, alpha=0.15, lw=0)
    axes.grid(alpha=0.3)


def draw_chip(chip: Chip, path: Path) -> Path:
    """Conductance map of one array, and the histograms of conductance and signed weight.

    Args:
        chip: whose array, of 512 x 512 pairs of cells.
        path: of the PNG.
    """
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
    return save(figure, path, shows_data=False)


def where(run: Run) -> str:
    """Which data a figure is of: name and kind."""
    return f"{run.data.record.name} ({run.data.record.kind})"


def of_these_data(run: Run, rows: list[Record]) -> list[Record]:
    """The records that were measured on the data of this run."""
    return [row for row in rows if row["data"]["sha256"] == run.data.record.sha256]


def best_with(rows: list[Record], detail: str) -> Record | None:
    """The best of the records that have a detail, None where none has."""
    found = [row for row in rows if detail in row.get("details", {})]
    return max(found, key=lambda row: row["mean"], default=None)


def draw_best_confusion(
    rows: list[Record], names: Sequence[str], data: str, path: Path
) -> list[Path]:
    """The confusion matrix of the best row that has one.

    Args:
        rows: of one results file.
        names: of the classes.
        data: name and kind of the data, for the title.
        path: of the PNG.

    Returns:
        The path, or nothing where no row has one.
    """
    best = best_with(rows, "confusion")
    if best is None:
        return []
    title = f"{best['row']}: {best['mean']:.2f} %, {data}"
    return [draw_confusion(np.array(best["details"]["confusion"]), names, title, path)]


def draw_confusion(counts: np.ndarray, names: Sequence[str], title: str, path: Path) -> Path:
    """Confusion matrix in % of the true class.

    Args:
        counts: (classes, classes), rows are true classes.
        names: of the classes.
        title: has to name the kind of the data.
        path: of the PNG.
    """
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
