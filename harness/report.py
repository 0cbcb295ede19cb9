"""Tables for people: on the terminal, and in Markdown for the README.

`python -m harness.report` prints every row of `results/*.json`; with `--write README.md` it
brings the tables between that file's `<!-- results -->` and `<!-- bench -->` marks up to date.
"""

import argparse
import json
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.datasets import KINDS
from harness.errors import UserError, exits_cleanly
from harness.records import read_results, write_atomically

HEAD = ("row", "metric", "paper", "here", "chips", "data", "protocol", "weights", "seconds")
README_HEAD = (
    "row", "metric", "paper", "here", "here, best on test", "chips", "data", "weights", "seconds",
)  # fmt: skip
BENCH_HEAD = ("case", "peer", "threads", "ours, ms", "peer, ms", "times faster", "agrees")


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
        f"{record['mean']:.2f}{spread} {record['unit']}".rstrip(),
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


def headlines(records: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Cells under `README_HEAD`: of every row its first figure, and the other main ones.

    Those are the paper's, and those measured in both protocols, which share a line.
    """
    lines = []
    for _, row in groupby(records, key=lambda record: record["row"]):
        row = list(row)
        test = {r["metric"]: cells(r)[3] for r in row if r["protocol"] != "validation"}
        chosen = [r for r in row if r["protocol"] == "validation"]
        shown = [
            r for r in chosen if r is chosen[0] or r["paper"] is not None or r["metric"] in test
        ]
        for name, metric, paper, here, chips, data, _, weights, seconds in map(cells, shown):
            best = test.get(metric, "")
            lines.append((name, metric, paper, here, best, chips, data, weights, seconds))
    return lines


def markdown_results(results: list[dict[str, Any]], *, full: bool = False) -> str:
    """A Markdown table for each of `results`, under its command; in full, or folded headlines."""
    parts = []
    for result in results:
        records = result["rows"]
        kinds = " and ".join(dict.fromkeys(r["data"]["kind"] for r in records))
        title = f"<b>{result['title']}</b>, {kinds} data"
        commands = dict.fromkeys(
            f"- `{r['command']}`" + (f": {r['note']}" if r["note"] else "") for r in records
        )
        table = (
            _markdown(HEAD, [cells(record) for record in records])
            if full
            else _markdown(README_HEAD, headlines(records))
        )
        opened = "<details open>" if kinds == "real" else "<details>"
        parts += [opened, f"<summary>{title}: <code>bash {result['command']}</code></summary>", ""]
        parts += [table, "", "<details><summary>Each row alone, as measured</summary>", ""]
        parts += [*commands, "", "</details>", "</details>", ""]
    return "\n".join(parts).rstrip()


def markdown_benchmarks(benchmarks: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of the cases of every benchmark, by name."""
    rows = [
        (
            f"`{name}`", case["case"], case["peer"], str(case["threads"]),
            f"{case['ms_ours']:.3g}", f"{case['ms_peer']:.3g}", f"{case['ratio']:.1f}",
            "yes" if case["agrees"] else "no",
        )
        for name, benchmark in benchmarks.items()
        for case in benchmark["cases"]
    ]  # fmt: skip
    return _markdown(("benchmark", *BENCH_HEAD), rows)


def filled(text: str, mark: str, block: str) -> str:
    """`text` with what stands between `<!-- mark -->` and `<!-- /mark -->` replaced.

    Raises:
        UserError: the two marks are not there, once each and in this order.
    """
    opening, closing = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, found, rest = text.partition(opening)
    _, ended, after = rest.partition(closing)
    if not found or not ended:
        raise UserError(f"no place for a table: {opening} and {closing} are not both there")
    return f"{before}{opening}\n{block}\n{closing}{after}"


def readme(text: str, folder: Path) -> str:
    """The README's text with its tables as the results in `folder` have them."""
    marked = filled(text, "results", markdown_results(tables(folder)))
    names = sorted(folder.glob("bench_*.json"))
    stored = {
        f"benchmarks.{f.stem.removeprefix('bench_')}": json.loads(f.read_text()) for f in names
    }
    return filled(marked, "bench", markdown_benchmarks(stored))


def tables(folder: Path) -> list[dict[str, Any]]:
    """The results of every table in `folder`, those on real data first.

    Raises:
        UserError: there are none.
    """
    files = [f for f in sorted(folder.glob("*.json")) if not f.name.startswith("bench_")]
    if not files:
        raise UserError(f"{folder}: no results there; run a table first, `bash run_image.sh`")
    return sorted(
        (read_results(file) for file in files), key=lambda r: KINDS.index(r["data"]["kind"])
    )


def _markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


@exits_cleanly
def main(argv: list[str] | None = None) -> int:
    """Print all results of a folder, or bring a README up to date with them."""
    parser = argparse.ArgumentParser(prog="python -m harness.report", description=__doc__)
    parser.add_argument("folder", nargs="?", default="results", help="default: results")
    parser.add_argument("--write", metavar="README.md", help="a file with marks for the tables")
    options = parser.parse_args(argv)
    folder = Path(options.folder)
    if options.write is None:
        print(markdown_results(tables(folder), full=True))
        return 0
    try:
        text = Path(options.write).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{options.write} cannot be read: {error.strerror}") from error
    write_atomically(Path(options.write), readme(text, folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
