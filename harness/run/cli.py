"""The command line that every table shares."""

import argparse
import difflib
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from harness.chip.costs import print_costs
from harness.data.datasets import data_root, project_root
from harness.errors import UserError, exits_cleanly
from harness.report.figures import draw_learning_curves, draw_table
from harness.report.pages import text_table
from harness.run.config import checked, describe, smoke_config, with_settings
from harness.run.done import missing_rows
from harness.run.journal import Journal
from harness.run.protocol import DEFAULT_CHIPS, Measurement, Row, Run, Table
from harness.run.records import check_writable, merge_results, result_rows, typed
from harness.scale import distributed
from harness.scale.devices import chosen_device


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, as all others here."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise UserError(f"{message}; --help lists the options")


def parser(table: Table) -> Parser:
    """The options of one table."""
    rows = "\n".join(f"  {r.name}{'' if r.default else '   (on request)'}" for r in table.rows)
    options = Parser(
        prog=table.command,
        description=table.title,
        epilog=f"rows:\n{rows}\n\nconstants (--set name=value):\n{describe(table.config)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--smoke", action="store_true", help="tiny synthetic data, seconds")
    options.add_argument(
        "--rows", nargs="+", metavar="NAME", help='in quotes, or separated by ";"; "all" for all'
    )
    options.add_argument(
        "--seeds", type=int, default=None, help=f"how many chips (default {DEFAULT_CHIPS})"
    )
    options.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options.add_argument("--data", help="data folder (default: DATA_ROOT, else data/)")
    options.add_argument("--results", default=None, help="results folder (default: results/)")
    options.add_argument(
        "--restart", action="store_true", help="do not go on from an interrupted run's checkpoints"
    )
    options.add_argument(
        "--missing",
        action="store_true",
        help="only rows that are not measured yet: see docs/scale.md",
    )
    options.add_argument(
        "--costs", action="store_true", help="what one sample costs on the chip; measure nothing"
    )
    options.add_argument("--cost-constants", metavar="FILE", help="JSON, of your own circuits")
    options.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="constants"
    )
    return options


@exits_cleanly
def main(table: Table, argv: list[str] | None = None) -> int:
    """Measure the rows asked for, write the results, print the table."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    options = parser(table).parse_args(argv)
    config = checked(smoke_config(table.config) if options.smoke else table.config())
    config = with_settings(config, options.set)
    rows = chosen_rows(table, options.rows and ";".join(options.rows))
    default = project_root() / ("results/smoke" if options.smoke else "results")
    folder = Path(options.results or default)
    check_writable(folder)
    count = (1 if options.smoke else DEFAULT_CHIPS) if options.seeds is None else options.seeds
    if count < 1:
        raise UserError(f"--seeds {count}: a table needs 1 chip or more")
    device = chosen_device(options.device, table.probe)
    root = data_root(options.data)
    seeds = list(range(count))
    run = Run(
        config, seeds, device, root, folder,
        table=table.name, smoke=options.smoke, restart=options.restart,
    )  # fmt: skip
    with distributed.joined(device):
        with distributed.first_of_machine_first():
            run.data = table.load(run)
        if options.costs:
            print_costs(table, run, options.cost_constants)
            return 0
        if options.missing:
            names = distributed.from_first(lambda: missing_rows(table, run, rows))
            rows = [row for row in rows if row.name in names]
        if rows:
            _measure_and_show(table, run, rows)
        else:
            print(f"{table.title}: all is measured, with these constants, chips, data and code")
    return 0


def _measure_and_show(table: Table, run: Run, rows: list[Row]) -> None:
    _announce(table, run, rows)
    started = time.perf_counter()
    results = _measure(table, run, rows)
    print("\n" + text_table(results["rows"]))
    for path in distributed.from_first(lambda: list(_figures(table, run, results["rows"]))):
        print(f"figure   {path}", flush=True)
    print(f"results  {run.results / table.name}.json")
    print(f"took     {time.perf_counter() - started:.0f} s")
    if table.next_step:
        print(f"next     {table.next_step.replace(f'bash {table.command}', typed(table))}")


def chosen_rows(table: Table, names: str | None) -> list[Row]:
    """The rows that `--rows` names; the default ones when it is None.

    Names may hold commas, so a list is split at ";" or, failing that, at the commas that
    separate known names.
    """
    if names is None:
        return [row for row in table.rows if row.default]
    known = {tuple(_parts_of(row.name)): row for row in table.rows}
    if names.strip() == "all":
        return list(table.rows)
    chosen, rest = [], _parts_of(names.replace(";", ","))
    while rest:
        for length in range(len(rest), 0, -1):
            name = tuple(rest[:length])
            if name in known:
                break
        else:
            listed = [row.name for row in table.rows]
            near = difflib.get_close_matches(rest[0], listed, 1, 0.3)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise UserError(f"--rows: no row {rest[0]!r}{hint} Rows: {'; '.join(listed)}")
        chosen.append(known[name])
        rest = rest[length:]
    return [row for row in table.rows if row in chosen]


def _parts_of(name: str) -> list[str]:
    return [part.strip() for part in name.split(",")]


def _announce(table: Table, run: Run, rows: list[Row]) -> None:
    record = run.data.record
    print(f"{table.title}\ndata     {record.name} ({record.kind}), ", end="")
    print(f"{record.train:,} to train, {record.test:,} to test")
    if record.kind != "real":
        print(f"         {record.kind} data: none of these figures reproduces the paper's")
    shared = f", {n} processes" if (n := distributed.count()) > 1 else ""
    print(f"chips    {len(run.seeds)}, on {run.device}{shared}")
    print(f"rows     {'; '.join(row.name for row in rows)}")


def _measure(table: Table, run: Run, rows: list[Row]) -> dict:
    path = run.results / f"{table.name}.partial.jsonl"
    if not distributed.is_first():
        _measured(None, run, rows)
        return distributed.from_first(dict)
    with Journal(path, run) as journal:
        if len(journal):
            print(f"resumed  {len(journal)} measurements of an interrupted run are kept")
        done = _measured(journal, run, rows)
        finished = [
            record for row in rows for record in result_rows(table, row, done[row.name], run)
        ]
        results = merge_results(run.results / f"{table.name}.json", run, table, finished)
        journal.remove()
    return distributed.from_first(lambda: results)


def _measured(journal: Journal | None, run: Run, rows: list[Row]) -> dict[str, list[Measurement]]:
    """Every row on every chip, chip by chip; what the journal has is not measured again.

    Process 0 has the journal, and says to the others what is in it.
    """
    chips = [(row.name, seed) for row in rows for seed in run.seeds]
    kept = distributed.from_first(lambda: {chip: journal.get(*chip) for chip in chips})
    done: dict[str, list[Measurement]] = {row.name: [] for row in rows}
    for seed in run.seeds:
        for row in rows:
            if row.chips is not None and seed >= row.chips:
                continue
            measurement = kept[row.name, seed]
            if measurement is None:
                measurement = _finite(row, row.measure(run, seed))
                if journal is not None:
                    journal.add(row.name, seed, measurement, run.checkpoints)
            done[row.name].append(measurement)
            _say(row, seed, done[row.name])
        run.release(seed)
    return done


def _finite(row: Row, measurement: Measurement) -> Measurement:
    odd = [name for name, value in measurement.values.items() if not math.isfinite(value)]
    if odd:
        raise UserError(
            f"row {row.name!r}: {odd[0]} is no finite number; choose less extreme constants (--set)"
        )
    return measurement


def _figures(table: Table, run: Run, records: list[dict]) -> Iterator[Path]:
    """Draw those that every table has, then the table's own."""
    shared = {"table": draw_table, "learning": draw_learning_curves}
    for what, draw in shared.items():
        path = draw(records, table.title, run.results / f"{table.name}_{what}.png")
        if path is not None:
            yield path
    yield from table.figures(run, records)


def _say(row: Row, seed: int, done: list[Measurement]) -> None:
    for metric in row.metrics:
        values = [m.values[metric.key] for m in done]
        mean = sum(values) / len(values)
        line = f"chip {seed}   {row.name:<32} {metric.key} {values[-1]:6.2f} {metric.unit}"
        print(line + (f"   mean {mean:6.2f}" if len(values) > 1 else ""), flush=True)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
