"""Rows over many constants and chips, each of them a task of its own, through joblib.

    python -m harness.scale.sweep deplm.tables.image --over "sparsity=0;0.3;0.6" --workers 2

Every choice of the constants is a results folder of its own below `--results`, with records as
any table has them; what is measured already stays (see `harness.run.done`). Choices of classes are
constants too: `--over "unseen=8,9;0,1"`. A task is one choice on one chip. By default tasks go to
processes of this machine; with `--cluster ADDRESS` to the workers of a Dask scheduler. From
Python, `sweep` goes to whatever `joblib.parallel_config` names, Ray for instance.
"""

import argparse
import functools
import importlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import joblib

from harness.data.datasets import data_root, project_root
from harness.errors import UserError, exits_cleanly
from harness.run.cli import chosen_rows
from harness.run.config import checked, smoke_config, with_settings
from harness.run.done import missing_rows
from harness.run.protocol import DEFAULT_CHIPS, Measurement, Row, Run, Table
from harness.run.records import check_writable, merge_results, result_rows

T = TypeVar("T")
R = TypeVar("R")


class Choice(NamedTuple):
    """One choice of a table's constants: plain words, so that any worker can take it up.

    Attributes:
        module: of the table.
        settings: "name=value" of the constants that are not usual.
        data: folder of the data sets.
        results: folder of this choice's results.
        smoke: whether to use tiny synthetic data.
    """

    module: str
    settings: tuple[str, ...]
    data: str
    results: str
    smoke: bool = False

    @property
    def table(self) -> Table:
        """The table that the module holds."""
        return importlib.import_module(self.module).TABLE

    def run(self, seeds: list[int]) -> Run:
        """A run of these chips, its data loaded once a process."""
        table = self.table
        kind = table.config
        config = with_settings(
            checked(smoke_config(kind) if self.smoke else kind()), list(self.settings)
        )
        folders = Path(self.data), Path(self.results)
        run = Run(config, seeds, "cpu", *folders, table=table.name, smoke=self.smoke)
        run.data = _loaded(self) if seeds else None
        return run


@functools.lru_cache(maxsize=1)
def _loaded(choice: Choice) -> Any:  # noqa: ANN401
    return choice.table.load(choice.run([]))


def sweep(function: Callable[[T], R], tasks: Iterable[T]) -> Iterable[R]:
    """Results of `function` in the order of `tasks`, each as soon as those before it are there.

    Inside `joblib.parallel_config(backend=..., n_jobs=...)` its backend does the work: processes
    of this machine, Dask, Ray. Without one, this process.

    Args:
        function: of a module, so that workers can import it.
        tasks: what it is given, one by one.
    """
    parallel = joblib.Parallel(return_as="generator")
    return parallel(joblib.delayed(function)(task) for task in tasks)


def measure(task: tuple[Choice, int, list[str]]) -> dict[str, Measurement]:
    """Measurements of some rows on one chip; rows share what is encoded.

    Args:
        task: constants, number of the chip, names of the rows.
    """
    choice, seed, names = task
    run = choice.run([seed])
    rows = [row for row in choice.table.rows if row.name in names]
    return {
        row.name: row.measure(run, seed) for row in rows if row.chips is None or seed < row.chips
    }


def measure_choices(choices: list[Choice], rows: list[Row], chips: int) -> None:
    """Measure rows on `chips` chips of every choice; write each choice when it is whole."""
    tasks = []
    for choice in choices:
        names = missing_rows(choice.table, choice.run(list(range(chips))), rows)
        of_choice = [row for row in rows if row.name in names]
        for seed in range(max((row.chips or chips for row in of_choice), default=0)):
            tasks.append((choice, seed, names))
    print(f"{len(tasks)} tasks: {len(choices)} choices of constants, {chips} chips", flush=True)
    done = zip(tasks, sweep(measure, tasks), strict=True)
    for choice, of_choice in itertools.groupby(done, key=lambda one: one[0][0]):
        _write(choice, rows, chips, [measured for _, measured in of_choice])


def _write(
    choice: Choice, rows: list[Row], chips: int, measured: list[dict[str, Measurement]]
) -> None:
    table, run = choice.table, choice.run(list(range(chips)))
    records = []
    for row in rows:
        if of_chips := [values[row.name] for values in measured if row.name in values]:
            records += result_rows(table, row, of_chips, run)
    merge_results(run.results / f"{table.name}.json", run, table, records)
    shutil.rmtree(run.results / "checkpoints", ignore_errors=True)  # of trainings that ended
    print(f"results  {run.results / table.name}.json", flush=True)


def choices_of(over: list[str], results: Path, **common: Any) -> list[Choice]:  # noqa: ANN401
    """Every combination of values of some constants.

    Args:
        over: "name=value;value;..." of each constant.
        results: folder below which each choice gets its own.
        common: module, data and smoke of all choices.

    Raises:
        UserError: one that is not of that form.
    """
    several = []
    for one in over:
        name, equals, values = one.partition("=")
        if not equals or not values:
            raise UserError(f"--over {one}: expected name=value;value;...")
        several.append([f"{name.strip()}={value.strip()}" for value in values.split(";")])
    named = {
        settings: "_".join(settings).replace(os.sep, "-") or "usual"
        for settings in itertools.product(*several)
    }
    return [
        Choice(settings=settings, results=str(results / name), **common)
        for settings, name in named.items()
    ]


@contextmanager
def workers(count: int, cluster: str | None) -> Iterator[None]:
    """Where tasks go: processes of this machine, or the workers of a Dask scheduler.

    Raises:
        UserError: Dask is not installed, or no scheduler answers.
    """
    if cluster is None:
        with joblib.parallel_config("loky" if count != 1 else "sequential", n_jobs=count):
            yield
        return
    try:
        from distributed import Client  # an extra of this package
    except ImportError as error:
        raise UserError("--cluster needs Dask: pip install distributed") from error
    try:
        client = Client(cluster, timeout=20)
    except OSError as error:
        raise UserError(f"--cluster {cluster}: no Dask scheduler answers there") from error
    with client, joblib.parallel_config("dask"):
        yield


@exits_cleanly
def main(argv: list[str] | None = None) -> int:
    """Measure every choice and write its results."""
    parser = argparse.ArgumentParser(prog="python -m harness.scale.sweep", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("module", help="of the table: deplm.tables.image for instance")
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="as of a table's own command")
    parser.add_argument("--over", action="append", default=[], metavar="NAME=VALUE;VALUE")
    parser.add_argument("--seeds", type=int, default=DEFAULT_CHIPS, help="chips of every choice")
    parser.add_argument("--workers", type=int, default=-1, help="processes; -1: one a core")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler, tcp://host:8786")
    parser.add_argument("--smoke", action="store_true", help="tiny synthetic data")
    parser.add_argument("--data", help="data folder (default: DATA_ROOT, else data/)")
    parser.add_argument("--results", help="folder of all choices (default: results/sweep/<table>)")
    options = parser.parse_args(argv)
    try:
        table = importlib.import_module(options.module).TABLE
    except (ImportError, AttributeError) as error:
        raise UserError(f"{options.module} is no table: deplm.tables.image is one") from error
    rows = chosen_rows(table, options.rows and ";".join(options.rows))
    results = Path(options.results or project_root() / "results" / "sweep" / table.name)
    data = str(data_root(options.data).absolute())
    choices = choices_of(
        options.over, results.absolute(), module=options.module, data=data, smoke=options.smoke
    )
    for choice in choices:
        choice.run([])  # refuses unknown constants before any work
        check_writable(Path(choice.results))
    with workers(options.workers, options.cluster):
        measure_choices(choices, rows, options.seeds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
