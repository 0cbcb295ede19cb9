"""Writes figures of `results/*.json` into the pages of `docs/`.

A place for a figure is a comment, `<!-- table; row; metric; another metric -->`, in a cell of a
table; what follows it up to the end of the cell is replaced.

    python docs/fill_figures.py
"""

import json
import re
import statistics
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ABOUT = re.compile(r"earlier recipe|\d+ of the paper's \d+ epochs")  # in a row's note
SAME = "best epoch of the same training"
PLACE = re.compile(r"(<!-- (\w+); (.+?) -->)[^|<\n]*")


def figures(folder: Path) -> dict[tuple[str, str, str], dict]:
    """The record of every figure in `folder`, by table, row and metric."""
    found = {}
    for file in sorted(folder.glob("*.json")):
        for record in json.loads(file.read_text(encoding="utf-8")).get("rows", []):
            protocol = record["protocol"]
            metric = record["metric"] + ("" if protocol == "validation" else f" ({protocol})")
            found[file.stem, record["row"], metric] = record
            if metric == "accuracy" and (alone := best_of_the_same_training(record)):
                found[file.stem, record["row"], f"accuracy ({SAME})"] = alone
    return found


def best_of_the_same_training(record: dict) -> dict | None:
    """The record with the best test epoch of each chip instead of the one that validation chose.

    Its `details` have a curve on validation and one on test data for each chip; else None.
    """
    curves = [x for name, x in record.get("details", {}).items() if name.startswith("history")]
    if not curves or any(len(of_chip) < 2 for of_chip in curves):
        return None
    best = [max(test) for _, test, *_ in curves]
    spread = statistics.stdev(best) if len(best) > 1 else 0.0
    return record | {"values": best, "mean": statistics.fmean(best), "std": spread}


def shown(records: list[dict | None]) -> str:
    """Figures of one row in words: "83.79 ± 0.57 (real, 5 chips, measured 2026-11-22)"."""
    known = [record for record in records if record and record["mean"] is not None]
    if not known or len(known) < len(records):
        return "not measured yet"
    chips, kind = len(known[0]["values"]), known[0]["data"]["kind"]
    values = [
        f"{r['mean']:.2f}" + (f" ± {r['std']:.2f}" if len(r["values"]) > 1 else "") for r in known
    ]
    about = [kind, f"{chips} chip{'s' if chips > 1 else ''}"]
    about += [*ABOUT.findall(known[0]["note"]), f"measured {known[0]['created'][:10]}"]
    return f"{' / '.join(values)} ({', '.join(about)})"


def filled(text: str, found: dict[tuple[str, str, str], dict]) -> str:
    """`text` with the figure behind every place for one."""

    def put(place: re.Match) -> str:
        row, *metrics = place[3].split("; ")
        records = [found.get((place[2], row, metric)) for metric in metrics]
        return f"{place[1]}{shown(records)} "

    return PLACE.sub(put, text)


if __name__ == "__main__":
    known = figures(ROOT / "results")
    for page in sorted((ROOT / "docs").glob("*.md")):
        page.write_text(filled(page.read_text(encoding="utf-8"), known), encoding="utf-8")
