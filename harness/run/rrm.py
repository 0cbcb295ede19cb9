"""The command `rrm` of an installed package: every table, data sets, results, and saved models.

rrm image --rows "DEPLM, logistic regression"    a table, as its shell script runs it
rrm datasets                                     which data sets are there, how to get the others
rrm report                                       the pages of results
rrm predict MODEL FILE                           labels of own data by a saved model
rrm evaluate MODEL                               its figure on the test set of its table, anew
"""

import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile

from harness.data import datasets
from harness.data.datasets import data_root
from harness.errors import UserError, exits_cleanly
from harness.readouts.estimators import SavedEstimator
from harness.readouts.model_file import package_version, read_model
from harness.report import pages as report
from harness.run import cli
from harness.run.config import checked, with_settings
from harness.run.protocol import Run, Table

TABLES, ESTIMATORS = "random_resistive_memory.tables", "random_resistive_memory.estimators"


def entries(group: str) -> dict[str, EntryPoint]:
    """What installed packages announce in a group (`pyproject.toml`), by name, not yet imported."""
    return {point.name: point for point in entry_points(group=group)}


def load_model(path: Path) -> tuple[SavedEstimator, dict[str, Any]]:
    """The model of a file, of whatever estimator, and what its header says about it.

    Raises:
        UserError: a file that is no model, or one of an estimator that is not installed.
    """
    header, arrays = read_model(path)
    kinds = entries(ESTIMATORS)
    name = header.get("estimator")
    if name not in kinds:
        raise UserError(f"{path}: a {name}; this installation has {', '.join(sorted(kinds))}")
    return kinds[name].load().from_file(path, header, arrays), header.get("about", {})


def samples_of(path: Path) -> Any:  # noqa: ANN401
    """Samples of a user's file: an array of a .npy file; of a .npz file its first one.

    An array of events with a field `sample` becomes a list of recordings.

    Raises:
        UserError: no such file, or nothing that can be read without running code.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        samples = loaded[loaded.files[0]] if isinstance(loaded, NpzFile) else loaded
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file, expected .npy or .npz") from error
    except (ValueError, OSError, EOFError, IndexError) as error:
        raise UserError(f"{path}: expected arrays of numbers in .npy or .npz ({error})") from error
    if samples.dtype.names and "sample" in samples.dtype.names:
        last = int(samples["sample"].max(initial=-1))
        return [samples[samples["sample"] == n] for n in range(last + 1)]
    return samples


@exits_cleanly
def predict(argv: Sequence[str]) -> int:
    """Print a label a line, or write them to a .npy file."""
    parser = cli.Parser(prog="rrm predict", description=predict.__doc__)
    parser.add_argument("model", type=Path, help="file that `save` of an estimator wrote")
    parser.add_argument("file", type=Path, help="images, clouds or events: .npy, or .npz")
    parser.add_argument("--out", type=Path, help="write the labels to this .npy file instead")
    options = parser.parse_args(argv)
    model, _ = load_model(options.model)
    labels = model.predict(samples_of(options.file))
    if options.out:
        np.save(options.out, labels)
        print(f"{len(labels)} labels: {options.out}")
    else:
        print("\n".join(map(str, labels)))
    return 0


@exits_cleanly
def evaluate(argv: Sequence[str]) -> int:
    """Score a saved model on the test set of its table; exit 1 where the figure is another."""
    parser = cli.Parser(prog="rrm evaluate", description=evaluate.__doc__)
    parser.add_argument("models", type=Path, nargs="+", help="files of the folder models/")
    parser.add_argument("--data", help="data folder (default: DATA_ROOT, else data/)")
    options = parser.parse_args(argv)
    same = [_evaluate(path, data_root(options.data)) for path in options.models]
    return 0 if all(same) else 1


def _evaluate(path: Path, root: Path) -> bool:
    started = time.perf_counter()
    model, about = load_model(path)
    point = entries(TABLES).get(about.get("table", ""))
    if point is None:
        raise UserError(f"{path}: not of a table here; `rrm predict` takes data of your own")
    table: Table = point.load()
    config = with_settings(checked(table.config()), about["settings"])
    run = Run(config, [about["chip"]], "cpu", root, Path("results"), table=table.name)
    run.data = table.load(run)
    X, y = table.test_samples(run)
    value = 100 * float(np.mean(model.predict(X) == y))
    same = abs(value - about["value"]) < 0.005
    print(
        f"{about['row']}, chip {about['chip']}: {value:.2f} % of {len(y):,} test samples of "
        f"{run.data.record.name} ({run.data.record.kind}), recorded {about['value']:.2f} %"
        f"{'' if same else ': NOT THE SAME'}; {time.perf_counter() - started:.0f} s"
    )
    return same


OTHERS: dict[str, Callable[[Sequence[str]], int]] = {
    "datasets": datasets.main,
    "report": report.main,
    "predict": predict,
    "evaluate": evaluate,
}


@exits_cleanly
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; without one, list them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    name, *rest = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    points = entries(TABLES)
    listed = f"tables: {', '.join(points)}; other commands: {', '.join(OTHERS)}; each has --help"
    if name == "--version":
        print(package_version())
    elif name in ("-h", "--help"):
        print(f"{__doc__}\n{listed}")
    elif name in OTHERS:
        return OTHERS[name](rest)
    elif name in points:
        return cli.main(points[name].load(), rest)
    else:
        raise UserError(f"rrm {name}: no such command; {listed}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
