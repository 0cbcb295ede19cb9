"""Tables for people: on the terminal, and in Markdown for the README.

`python -m harness.report` prints the README's results table from `results/*.json`.
"""

import argparse
from pathlib import Path
from typing import Any

from harness.errors import UserError, exits_cleanly
from harness.records import read_results

HEAD = ("row", "metric", "paper", "here", "chips", "data", "protocol", "weights", "seconds")


def cells(record: dict[str, Any]) -> tuple[str, ...]:
    """The cells of one record, under `HEAD`; seconds are one chip's, encoding and training."""
    data = record["data"]
    paper = "" if record["paper"] is None else f"{record['paper']:.2f}"
    if paper and (data["kind"] != "real" or data["name"] != record["paper_data"]):
        paper += f" (on real {record['paper_data']})"
    spread = f" ± {record['std']:.2f}" if len(record["values"]) > 1 else ""
    seconds = record["train_seconds"] + record["encode_seconds"]
    return (
        record["row"],
        record["metric"],
        paper,
        f"{record['mean']:.2f}{spread} {record['unit']}",
        str(len(record["values"])),
        record["data"]["kind"],
        record["protocol"],
        f"{record['fixed_weights']:,} + {record['trained_weights']:,}",
        f"{seconds:.0f}",
    )


def text_table(records: list[dict[str, Any]]) -> str:
    """Aligned columns for a terminal."""
    rows = [HEAD, *(cells(record) for record in records)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    notes = [f"  {r['row']}: {r['note']}" for r in records if r["note"]]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], *dict.fromkeys(notes)])


def markdown_table(results: list[dict[str, Any]]) -> str:
    """One Markdown table over the results of several tables, with the command of each row."""
    head = ("table", *HEAD, "command")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for result in results:
        for record in result["rows"]:
            command = f'`bash {result["command"]} --rows "{record["row"]}"`'
            lines.append("| " + " | ".join((result["title"], *cells(record), command)) + " |")
    return "\n".join(lines)


@exits_cleanly
def main(argv: list[str] | None = None) -> int:
    """Print the Markdown table of a results folder."""
    parser = argparse.ArgumentParser(prog="python -m harness.report", description=__doc__)
    parser.add_argument("folder", nargs="?", default="results", help="default: results")
    folder = Path(parser.parse_args(argv).folder)
    files = [f for f in sorted(folder.glob("*.json")) if not f.name.startswith("bench_")]
    if not files:
        raise UserError(f"{folder}: no results there; run a table first, `bash run_image.sh`")
    print(markdown_table([read_results(file) for file in files]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
