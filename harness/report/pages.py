"""The pages of results: `RESULTS.md` whole, and the table of headlines inside `README.md`.

`python -m harness.report` prints the first; with `--write` it brings both up to date with
`results/*.json`.
"""

import argparse
import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.chip.pages import chip_pages
from harness.data.datasets import KINDS, project_root
from harness.errors import UserError, exits_cleanly
from harness.run.records import read_results, write_atomically
from harness.run.selection import PASSING

Record = dict[str, Any]  # one metric of one row, as a results file holds it
Results = dict[str, Any]  # the content of a results file
HEAD = ("row", "metric", "paper", "here", "chips", "data", "protocol", "weights", "seconds")
PAGE_HEAD = (
    "row", "metric", "paper", "validation", "published", "oracle",
    "chips", "data", "weights", "seconds",
)  # fmt: skip
HEADLINE_HEAD = ("row", "paper", "here", "published rule", "plain ridge", "data", "command")
BENCH_HEAD = ("benchmark", "case", "peer", "threads", "ours, ms", "peer, ms", "ratio", "agrees")
PLAIN_RIDGE = ", plain ridge"  # ends a metric's name where the row's readout is not plain ridge
USUAL_HEADLINES = 3  # rows of a table that names none
EARLIER = "earlier recipe"  # in the note of a row that was not measured again since
STAND_IN, OUTDATED = "*", "†"  # marks in the table of headlines
MARKS = {  # a bare star would open a list
    STAND_IN: "\\* measured by the paper on the real set; here on a stand-in: not comparable",
    OUTDATED: "† measured with an earlier recipe and not again since: see its note in RESULTS.md",
}
NO_TABLES = ("bench_", "chip_")  # begin the names of results that are no table's
ABOUT = """# Results

Generated from `results/*.json` by `python -m harness.report --write`; not to be edited.

Figures are means over chips with standard deviations, in three protocols:

- **validation**: every choice (penalty, epoch, constants) is made on training data held out for
  it; test figures are never compared to choose. This is the headline everywhere. Rows trained by
  gradient and all zero-shot rows score the test data after every epoch (or penalty), for the next
  rule; this one reads only the score of the one that it chose. The audio-visual rows on windows
  and membranes were designed with the test pools of three chips in view.
- **published**: the rule of the published scripts. The best epoch is chosen on the test data
  themselves, in the zero-shot tables among the epochs whose test figures pass floors set by hand.
  When no epoch passes (`epochs above the floors` is 0), the best one is shown all the same.
- **oracle**: the best on test data, without floors: an upper bound, and no result.

The kind of the data stands beside every figure. **real**: the recordings that the paper's figure
was measured on. **simulated-sensor**: real pictures or sounds before a simulated sensor.
**synthetic**: made by a program. Only on real data does a figure reproduce, or fail to reproduce,
the paper's; the papers' figures are always of real data.

A readout is named by its row: *ridge* is ridge regression on one-hot targets; *discriminative
ridge* solves again with re-targeted rows (Xiang et al., IEEE TNNLS 23:1738, 2012), and plain
ridge on the same features stands beside it; *logistic* is multinomial logistic regression.
`weights` are fixed random + trained ones; `seconds` are one chip's share of encoding and
training.
"""


def cells(record: Record) -> tuple[str, ...]:
    """The cells of one record, under `HEAD`; seconds are one chip's, encoding and training."""
    paper = "" if record["paper"] is None else f"{record['paper']:.2f}"
    if paper and not on_papers_data(record):
        paper += f" (on real {record['paper_data']})"
    seconds = record["train_seconds"] + record["encode_seconds"]
    return (
        record["row"],
        record["metric"],
        paper,
        f"{figure(record)} {record['unit']}".rstrip(),
        str(len(record["values"])),
        record["data"]["kind"],
        record["protocol"],
        f"{record['fixed_weights']:,} + {record['trained_weights']:,}",
        f"{seconds:,.0f}",
    )


def figure(record: Record | None) -> str:
    """Mean, and standard deviation where there are several chips; "" for no record."""
    if record is None:
        return ""
    spread = f" ± {record['std']:.2f}" if len(record["values"]) > 1 else ""
    return f"{record['mean']:.2f}{spread}"


def on_papers_data(record: Record) -> bool:
    """Whether a figure was measured on the very set that the paper's was."""
    data = record["data"]
    return data["kind"] == "real" and data["name"] == record["paper_data"]


def published_figure(metrics: dict[str, dict[str, Record]], metric: str) -> str:
    """The figure of the published rule, or how few chips have an epoch above its floors.

    Args:
        metrics: all records of a row, by metric and protocol.
        metric: whose figure it is: "audio -> image, seen top-1" for instance.
    """
    shown = figure(metrics[metric].get("published"))
    counts = metrics.get(f"{metric.rpartition(', ')[0]}, {PASSING}", {}).get("published")
    if not shown or counts is None:
        return shown
    chips, passing = len(counts["values"]), sum(count > 0 for count in counts["values"])
    if passing == 0:
        return "none passes"
    return shown if passing == chips else f"{shown} ({passing} of {chips} chips pass)"


def text_table(records: list[Record]) -> str:
    """Aligned columns for a terminal."""
    rows = [HEAD, *(cells(record) for record in records)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    notes = [f"  {r['row']}: {r['note']}" for r in records if r["note"]]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:], *dict.fromkeys(notes)])


def by_row(records: list[Record]) -> Iterator[tuple[str, dict[str, dict[str, Record]]]]:
    """Each row's name, and its records by metric and protocol."""
    for row, of_row in groupby(records, key=lambda record: record["row"]):
        metrics: dict[str, dict[str, Record]] = {}
        for record in of_row:
            metrics.setdefault(record["metric"], {})[record["protocol"]] = record
        yield row, metrics


def metrics_of(records: list[Record]) -> Iterator[dict[str, Record]]:
    """Every metric of every row: its records by protocol."""
    for _, metrics in by_row(records):
        yield from metrics.values()


def table_line(protocols: dict[str, Record]) -> tuple[str, ...]:
    """Cells under `PAGE_HEAD` of one metric: its records by protocol."""
    first = next(iter(protocols.values()))
    row, metric, paper, _, chips, data, _, weights, seconds = cells(first)
    figures = (figure(protocols.get(p)) for p in ("validation", "published", "oracle"))
    unit = "" if first["unit"] in ("%", "") else f" ({first['unit']})"
    return row, metric + unit, paper, *figures, chips, data, weights, seconds


def headlines(results: Results) -> Iterator[tuple[str, ...]]:
    """Cells under `HEADLINE_HEAD`: of each headline row its one or two figures of the paper.

    Of a row without such a figure its first one.
    """
    rows = dict(by_row(results["rows"]))
    wanted = [name for name in results.get("headlines", ()) if name in rows]
    for name in wanted or list(rows)[:USUAL_HEADLINES]:
        metrics = rows[name]
        for metric in _headline_metrics(metrics):
            protocols = metrics[metric]
            first = next(iter(protocols.values()))
            plain = metrics.get(metric + PLAIN_RIDGE, {})
            what = name if metric == next(iter(metrics)) == "accuracy" else f"{name}: {metric}"
            what += OUTDATED if EARLIER in first["note"] else ""
            paper = "" if first["paper"] is None else f"{first['paper']:.2f}"
            paper += STAND_IN if paper and not on_papers_data(first) else ""
            here, published = figure(protocols.get("validation")), published_figure(metrics, metric)
            kind, command = first["data"]["kind"], f"`{first['command']}`"
            yield what, paper, here, published, figure(plain.get("validation")), kind, command


def table_page(results: Results, folder: Path) -> str:
    """One table in Markdown: its data, all figures, and how to measure each row again."""
    records = results["rows"]
    parts = [f"## {results['title']}", "", f"`bash {results['command']}`", ""]
    parts += [f"- {text}" for text in dict.fromkeys(map(measured_on, records))]
    parts += ["", _markdown(PAGE_HEAD, [table_line(m) for m in metrics_of(records)]), ""]
    for what in ("table", "learning"):
        drawn = folder / f"{results['table']}_{what}.png"
        if drawn.exists():
            parts += [f"![{results['title']}: {what}]({folder.name}/{drawn.name})", ""]
    parts += ["<details><summary>Each row alone: command, date, commit, note</summary>", ""]
    parts += dict.fromkeys(map(_again, records))
    return "\n".join([*parts, "", "</details>", ""])


def benchmarks(folder: Path) -> dict[str, dict[str, Any]]:
    """The content of every benchmark's file, by the name of its module."""
    names = sorted(folder.glob("bench_*.json"))
    return {f"benchmarks.{f.stem.removeprefix('bench_')}": json.loads(f.read_text()) for f in names}


def benchmark_lines(stored: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Cells of one benchmark under `BENCH_HEAD`, a line a case, without its name."""
    for case in stored["cases"]:
        times = (f"{case[which]:.3g}" for which in ("ms_ours", "ms_peer"))
        agrees = "yes" if case["agrees"] else "no"
        yield (
            case["case"],
            case["peer"],
            str(case["threads"]),
            *times,
            f"{case['ratio']:.1f}",
            agrees,
        )


def benchmark_page(benchmarks: dict[str, dict[str, Any]]) -> str:
    """Every benchmark in Markdown, by name: the machine and a line a case."""
    rows = [
        (f"`{name}`", *line)
        for name, stored in benchmarks.items()
        for line in benchmark_lines(stored)
    ]
    about = [
        f"- `python -m {name}`: {machine_words(stored['machine'])}{when(stored)}"
        for name, stored in benchmarks.items()
    ]
    what = "Milliseconds a cloud or sample, medians; `ratio` is the peer's time over ours."
    return "\n".join(["## Benchmarks", "", what, "", *about, "", _markdown(BENCH_HEAD, rows), ""])


def results_page(folder: Path) -> str:
    """The whole of `RESULTS.md`."""
    stored = benchmarks(folder)
    parts = [ABOUT, *(table_page(results, folder) for results in tables(folder))]
    parts += chip_pages(folder)
    return "\n".join([*parts, *([benchmark_page(stored)] if stored else [])])


def headline_table(folder: Path) -> str:
    """The table of the README, compact: its words count. Its marks are explained under it."""
    lines = [line for results in tables(folder) for line in _under_title(results)]
    used = "".join(name + paper for name, paper, *_ in lines if not name.startswith("**"))
    marks = [text for mark, text in MARKS.items() if mark in used]
    table = _markdown(HEADLINE_HEAD, lines, pipe="|")
    return "\n".join([table, "", "<br>\n".join(marks)]) if marks else table


def filled(text: str, mark: str, block: str) -> str:
    """`text` with what stands between `<!-- mark -->` and `<!-- /mark -->` replaced.

    Args:
        text: of a page.
        mark: name of the place.
        block: what goes there.

    Raises:
        UserError: the two marks are not there, in this order.
    """
    opening, closing = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, opened, rest = text.partition(opening)
    _, closed, after = rest.partition(closing)
    if not opened or not closed:
        raise UserError(f"no place for a table: {opening} and {closing} are not both there")
    return f"{before}{opening}\n{block}\n{closing}{after}"


def tables(folder: Path) -> list[Results]:
    """The results of every table in `folder`, those on real data first.

    Raises:
        UserError: there are none.
    """
    files = [f for f in sorted(folder.glob("*.json")) if not f.name.startswith(NO_TABLES)]
    if not files:
        raise UserError(f"{folder}: no results there; run a table first, `bash run_image.sh`")
    return sorted(
        (read_results(file) for file in files), key=lambda r: KINDS.index(r["data"]["kind"])
    )


def _headline_metrics(metrics: dict[str, dict[str, Record]]) -> list[str]:
    # The first two with a figure of the paper, but no variant ("accuracy, 4 starts") of the first.
    first = next(iter(metrics))
    known = [m for m, p in metrics.items() if next(iter(p.values()))["paper"] is not None]
    return [m for m in known if not m.startswith(f"{first},")][:2] or [first]


def _under_title(results: Results) -> Iterator[tuple[str, ...]]:
    # The script stands beside the title, what a row needs beside its name on the row's line.
    script = f"bash {results['command']}"
    yield (f"**{results['title']}**", *[""] * (len(HEADLINE_HEAD) - 2), f"`{script}`")
    for *line, command in headlines(results):
        options = re.sub(r' --rows "[^"]*"', "", command.strip("`").removeprefix(script)).strip()
        yield (*line, options and f"`{options}`")


def measured_on(record: Record) -> str:
    """The data of a record, in words."""
    data = record["data"]
    counts = f"{data['train']:,} to train, {data['test']:,} to test"
    return f"{data['kind']} data: {data['name']}, {counts} (sha256 {data['sha256'][:12]})"


def _again(record: Record) -> str:
    note = f": {record['note']}" if record["note"] else ""
    return f"- `{record['command']}`{when(record)}; {machine_words(record['machine'])}{note}"


def when(record: Record) -> str:
    """Date and commit of a record, in words."""
    if "created" not in record:
        return ""
    return f", {record['created'][:10]}, commit {record['commit']}"


def machine_words(machine: dict[str, Any]) -> str:
    """A machine, in words."""
    words = [machine["processor"], machine.get("vectors"), _counted(machine["cores"], "core")]
    return " ".join(word for word in words if word)


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" + "s" * (count != 1)


def _markdown(head: tuple[str, ...], rows: list[tuple[str, ...]], pipe: str = " | ") -> str:
    outer = pipe.strip()
    space = " " if pipe != outer else ""
    lines = [head, *rows]
    text = [f"{outer}{space}{pipe.join(line)}{space}{outer}" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(head), *text[1:]])


@exits_cleanly
def main(argv: list[str] | None = None) -> int:
    """Print all results of a folder, or bring both pages up to date with them."""
    parser = argparse.ArgumentParser(prog="python -m harness.report", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="of results (default: results/)")
    parser.add_argument("--write", action="store_true", help="both pages, instead of printing")
    parser.add_argument("--pages", type=Path, help="folder of the pages (default: the project's)")
    options = parser.parse_args(argv)
    folder = options.folder or project_root() / "results"
    whole = results_page(folder)
    if not options.write:
        print(whole)
        return 0
    pages = options.pages or project_root()
    readme = pages / "README.md"
    try:
        text = readme.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{readme} cannot be read: {error.strerror}") from error
    write_atomically(readme, filled(text, "results", headline_table(folder)))
    write_atomically(pages / "RESULTS.md", whole)
    return 0
