"""One page of all results that stands alone: `results/report.html`.

    python -m harness.report.html [FOLDER]

It shows the records of `results/*.json` through the same functions as `RESULTS.md` and the table
of the README (`harness.report.pages`), with every figure inside the file: nothing is fetched when
it is opened. Its layout is `harness/report/page.html`, a jinja2 template.
"""

import argparse
import base64
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from harness.chip import pages as chip_pages
from harness.chip.costs import compared, compared_rows
from harness.data.datasets import KINDS, project_root
from harness.errors import UserError, exits_cleanly
from harness.report import pages as report
from harness.report.pages import EARLIER, MARKS, OUTDATED, STAND_IN, Record, Results
from harness.run.config import shown
from harness.run.records import now, write_atomically

TEMPLATE = "page.html"
HEAD = (
    "row", "metric", "paper", "published way", "here", "oracle", "chips", "data kind",
    "protocol", "weights", "seconds", "command",
)  # fmt: skip
SHORTENED = re.compile(r"\d+ of the paper's \d+ \w+")  # in the note of a row
WHY = {  # a figure on such data says nothing about the paper's
    "simulated-sensor": "real pictures or sounds before a simulated sensor: its noise, threshold"
    " and timing are a model's, so the task is easier or harder by an unknown amount",
    "synthetic": "made by a program, whose difficulty was set by hand: the level of the figures"
    " is arbitrary, only differences between rows on the same data say something",
    "real": "another set of recordings",
}


class Figure(NamedTuple):
    """A figure inside the page: its name, its content as a `data:` address, its size in dots."""

    name: str
    address: str
    width: int
    height: int


def page(folder: Path) -> str:
    """The whole page, of the results in `folder`.

    Raises:
        UserError: there are none, or a figure cannot be read.
    """
    tables = report.tables(folder)
    files = figure_files(folder, [results["table"] for results in tables])
    options = {"autoescape": True, "undefined": StrictUndefined, "trim_blocks": True}
    loader = FileSystemLoader(Path(__file__).parent)
    template = Environment(loader=loader, lstrip_blocks=True, **options).get_template(TEMPLATE)
    records = [record for results in tables for record in results["rows"]]
    benchmarks = report.benchmarks(folder)
    return template.render(
        created=now(),
        head=HEAD,
        headline_head=report.HEADLINE_HEAD,
        bench_head=report.BENCH_HEAD[1:],
        marks=[MARKS[STAND_IN].lstrip("\\"), MARKS[OUTDATED]],
        tables=[table_context(results, files[results["table"]]) for results in tables],
        study_head=chip_pages.HEAD,
        studies=chip_pages.study_rows(folder),
        costs=[(c["title"], compared_rows(c)) for c in compared(folder)],
        others=[embedded(file, file.stem) for file in files[""]],
        environment=environment(records),
        hours=sum(seconds_of(record) for record in first_of_rows(tables)) / 3600,
        benchmarks={name: list(report.benchmark_lines(b)) for name, b in benchmarks.items()},
    )


def table_context(results: Results, files: list[Path]) -> dict[str, Any]:
    """What the template shows of one table."""
    records, name = results["rows"], results["table"]
    usual = usual_constants(records)
    return {
        "name": name,
        "title": results["title"],
        "command": f"bash {results['command']}",
        "data": list(dict.fromkeys(map(report.measured_on, records))),
        "headlines": [[cell.strip("`") for cell in line] for line in report.headlines(results)],
        "lines": [line_of(protocols) for protocols in report.metrics_of(records)],
        "oracle": any(record["protocol"] == "oracle" for record in records),
        "figures": [embedded(file, file.stem.removeprefix(f"{name}_")) for file in files],
        "constants": {constant: shown(value) for constant, value in usual.items()},
        "others": dict(changed_constants(records, usual)),
        "apart": list(differences(records)),
        "again": list(dict.fromkeys(map(again, records))),
    }


def line_of(protocols: dict[str, Record]) -> tuple[str, ...]:
    """Cells under `HEAD` of one metric: its records by protocol."""
    line = report.table_line(protocols)
    row, metric, paper, here, published, oracle, chips, data, weights, seconds = line
    first = next(iter(protocols.values()))
    return (
        row, metric, paper, published, here, oracle, chips, data,
        ", ".join(protocols), weights, seconds, first["command"],
    )  # fmt: skip


def differences(records: list[Record]) -> Iterator[str]:
    """Why figures of a table do not stand beside the paper's, one reason a line."""
    if all(record["paper"] is None for record in records):
        yield "No figure of the paper stands in this table."
    for kind in KINDS:
        apart = {
            (r["data"]["name"], r["paper_data"])
            for r in records
            if r["data"]["kind"] == kind and not report.on_papers_data(r)
        }
        for name, papers in sorted(apart):
            yield f"{kind} data, {name}, where the paper has the real {papers}: {WHY[kind]}."
    for row, metrics in report.by_row(records):
        first = next(iter(next(iter(metrics.values())).values()))
        reasons = [*SHORTENED.findall(first["note"]), *([EARLIER] * (EARLIER in first["note"]))]
        if reasons and any(r["paper"] is not None for m in metrics.values() for r in m.values()):
            yield f"{row}: {', '.join(reasons)}."


def usual_constants(records: list[Record]) -> dict[str, Any]:
    """The constants that most rows were measured with."""
    counts = Counter(repr(record["config"]) for record in records)
    most = counts.most_common(1)[0][0]
    return next(record["config"] for record in records if repr(record["config"]) == most)


def changed_constants(
    records: list[Record], usual: dict[str, Any]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows that were measured with other constants, and which ones: those of its config alone."""
    for row, metrics in report.by_row(records):
        config = next(iter(next(iter(metrics.values())).values()))["config"]
        changed = {n: shown(v) for n, v in config.items() if usual.get(n, v) != v}
        if changed:
            yield row, changed


def again(record: Record) -> tuple[str, str, str]:
    """How a row was measured: command; date, commit, machine; note."""
    where = f"{report.when(record)}; {report.machine_words(record['machine'])}".lstrip(", ")
    return record["command"], where, record["note"]


def environment(records: list[Record]) -> list[tuple[str, ...]]:
    """Machine, threads, versions, code and dates of all rows, a line each combination."""
    found: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        machine = record["machine"]
        key = (
            report.machine_words(machine),
            str(machine.get("threads", "")),
            machine["device"],
            *(machine[name] for name in ("python", "torch", "numpy")),
        )
        found.setdefault(key, []).append(record)
    lines = []
    for key, of_machine in found.items():
        days = sorted({record["created"][:10] for record in of_machine if "created" in record})
        rows = len({(record["paper_data"], record["row"]) for record in of_machine})
        lines.append((*key, str(rows), " to ".join(dict.fromkeys(days[:1] + days[-1:]))))
    return lines


def first_of_rows(tables: list[Results]) -> Iterator[Record]:
    """The first record of every row of every table."""
    for results in tables:
        for _, metrics in report.by_row(results["rows"]):
            yield next(iter(next(iter(metrics.values())).values()))


def seconds_of(record: Record) -> float:
    """Seconds that all chips of a row took."""
    return (record["train_seconds"] + record["encode_seconds"]) * len(record["values"])


def figure_files(folder: Path, names: list[str]) -> dict[str, list[Path]]:
    """Figures by table: "a_b_c.png" belongs to "a_b" where there is such a table, else to "a".

    Those of no table, of a chip study for instance, stand under "".
    """
    files: dict[str, list[Path]] = {name: [] for name in ("", *names)}
    for file in sorted(folder.glob("*.png")):
        owners = [name for name in names if file.stem.startswith(f"{name}_")]
        files[max(owners, key=len, default="")].append(file)
    return files


def embedded(file: Path, name: str) -> Figure:
    """A figure as lossless WebP: every dot of the PNG file in less than half of its bytes.

    Raises:
        UserError: the file is no picture.
    """
    packed = io.BytesIO()
    try:
        with Image.open(file) as picture:
            size = picture.size
            picture.save(packed, "WEBP", lossless=True)
    except OSError as error:
        raise UserError(f"{file}: no picture ({error}); delete it, its table draws it") from error
    text = base64.b64encode(packed.getvalue()).decode()
    return Figure(name.replace("_", " "), f"data:image/webp;base64,{text}", *size)


@exits_cleanly
def main(argv: list[str] | None = None) -> int:
    """Write the page into the folder of the results."""
    parser = argparse.ArgumentParser(prog="python -m harness.report.html", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="of results (default: results/)")
    folder = parser.parse_args(argv).folder or project_root() / "results"
    file = folder / "report.html"
    write_atomically(file, page(folder))
    print(f"page     {file} ({file.stat().st_size / 1e6:.1f} MB, opens in any browser)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
