"""The studies of the chip as a table: what each line of a figure starts and ends with."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.chip.costs import cost_page

HEAD = ("study", "table, data", "line", "from", "fitted there", "to", "fitted there",
        "fitted on the ideal chip")  # fmt: skip


def chip_pages(folder: Path) -> list[str]:
    """What `results/chip_*.json` in `folder` say, in Markdown: studies, costs."""
    return [page for page in (study_page(folder), cost_page(folder)) if page]


def study_page(folder: Path) -> str:
    """All studies in `folder` in Markdown; "" where there are none."""
    rows = study_rows(folder)
    if not rows:
        return ""
    lines = ["| " + " | ".join(row) + " |" for row in (HEAD, ("---",) * len(HEAD), *rows)]
    about = (
        "Means over chips with standard deviations, at the first and the last value of every line; "
        "in between see the figures in [docs/chip.md](docs/chip.md)."
    )
    again = [*dict.fromkeys(_again(folder)), ""]
    return "\n".join(["## The chip: studies", "", about, "", *lines, "", *again])


def _again(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("chip_*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        for study in content.get("studies", {}).values():
            command = study.get("command", "bash run_chip.sh")
            date, commit = study["created"][:10], study["commit"]
            yield f"- {content['title']}: `{command}`, {date}, commit {commit}"


def study_rows(folder: Path) -> list[tuple[str, ...]]:
    """Cells under `HEAD`, a line of a figure each."""
    return [row for file in sorted(folder.glob("chip_*.json")) for row in _rows(file)]


def _rows(file: Path) -> Iterator[tuple[str, ...]]:
    content = json.loads(file.read_text(encoding="utf-8"))
    for name, study in content.get("studies", {}).items():
        lines: dict[str, list[dict]] = {}
        for point in study["points"]:
            lines.setdefault(point["line"], []).append(point)
        data = f"{content['title']}, {study['data']['kind']}: {study['sizes']}"
        for line, points in lines.items():
            first, last = points[0], points[-1]
            values = (f"{p['value']:g}" for p in (first, last))
            yield (
                name, data, line, next(values), _score(first["in_loop"]),
                next(values), _score(last["in_loop"]), _score(last["without"]),
            )  # fmt: skip


def _score(scores: list[float]) -> str:
    if not scores:
        return ""
    spread = f" ± {np.std(scores, ddof=1):.1f}" if len(scores) > 1 else ""
    return f"{np.mean(scores):.1f}{spread}"
