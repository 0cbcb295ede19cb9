"""Figures of the studies of the chip: one a study, a panel a table, bands over chips."""

import json
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.figures import save

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
    if study["log"]:
        axes.set_xscale("log")
    axes.set(xlabel=study["axis"].split(";")[0], ylabel=study["metric"])
    axes.grid(alpha=0.3)
