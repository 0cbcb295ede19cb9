"""Results on disk: `results/<table>.json`."""

import dataclasses
import json
import os
import platform
import shlex
import subprocess
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.data.datasets import KINDS, project_root
from harness.data.files import locked, parsing, read_text, replacing, unwritable
from harness.run.code_key import code_key
from harness.run.config import shown
from harness.run.protocol import DEFAULT_CHIPS, Measurement, Row, Run, Table
from harness.scale import distributed
from harness.scale.parallel import cores

PACKAGES = ("rram", "harness", "deplm", "lsm")
SOURCE = Path(__file__).resolve().parents[2]
DISTRIBUTION = "random-resistive-memory"
CPUINFO = Path("/proc/cpuinfo")
NUMBER = (int, float)
ROW_FIELDS = {  # of a row of results, with their types
    "row": str, "metric": str, "unit": str, "protocol": str, "values": list, "mean": NUMBER,
    "std": NUMBER, "paper": (*NUMBER, type(None)), "paper_data": str, "data": dict,
    "config": dict, "machine": dict, "created": str, "command": str,
}  # fmt: skip


def check_writable(folder: Path) -> None:
    """Make the results folder and try a file in it, before any work.

    Raises:
        UserError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unwritable(folder, error, "--results names the folder") from error


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        UserError: the disk is full or the folder is not writable.
    """
    with replacing(path, "finished chips are kept") as temporary:
        temporary.write_text(text, encoding="utf-8")


def machine(device: str) -> dict[str, Any]:
    """Cores, threads, vector width, versions and device of this run; not the machine's name."""
    return {
        "cores": cores(),
        "threads": torch.get_num_threads(),
        "processes": distributed.processes(),
        "processor": _processor(),
        "vectors": vector_width(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
    }


def commit() -> str:
    """What code runs: the hash of its checkout, or the version that is installed.

    The hash is short, with "+" when the code was changed since. A package that lies deeper in a
    repository, as one installed in a project's `.venv` does, is not that repository's: then, and
    without git, it is "version <number>", or "unknown".
    """
    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() == SOURCE:
            changed = git("status", "--porcelain", "--", *PACKAGES)
            return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        pass  # no git, or no checkout
    try:
        return f"version {version(DISTRIBUTION)}"
    except PackageNotFoundError:
        return "unknown"


def git(*arguments: str) -> str:
    """Output of a git command in the source folder."""
    command = ["git", "-C", str(SOURCE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def recorded(config: Any) -> dict[str, Any]:  # noqa: ANN401
    """Constants as results keep them: of a path its last part, the rest is one machine's."""
    constants = json.loads(json.dumps(dataclasses.asdict(config)))  # tuples become lists
    paths = {k: Path(v).name for k, v in constants.items() if isinstance(v, str) and os.sep in v}
    return constants | paths


def typed(table: Table) -> str:
    """What runs a table: its script in a checkout, `rrm` where the package was installed whole."""
    checkout = (project_root() / "pyproject.toml").exists()
    return f"bash {table.command}" if checkout else f"rrm {table.name}"


def row_command(
    table: Table, row: Row, seeds: int, constants: dict[str, Any], *, smoke: bool = False
) -> str:
    """What to type for this row alone: `constants`, as of `recorded`, where they are not usual."""
    usual = json.loads(json.dumps(dataclasses.asdict(table.config())))
    changed = [f"{k}={shown(v)}" for k, v in constants.items() if k in usual and v != usual[k]]
    parts = [f'{typed(table)} --rows "{row.name}"', *(["--smoke"] if smoke else [])]
    if not smoke and seeds != (row.chips or DEFAULT_CHIPS):
        parts.append(f"--seeds {seeds}")
    if changed and not smoke:
        parts.append(f"--set {shlex.join(changed)}")
    return " ".join(parts)


def result_rows(
    table: Table, row: Row, measurements: list[Measurement], run: Run
) -> list[dict[str, Any]]:
    """The records of one row, one a metric (keys: see the README, "Results")."""
    shared = {
        "fixed_weights": measurements[0].fixed_weights,
        "trained_weights": measurements[0].trained_weights,
        "train_seconds": round(float(np.mean([m.train_seconds for m in measurements])), 2),
        "encode_seconds": round(float(np.mean([m.encode_seconds for m in measurements])), 2),
        "seeds": run.seeds[: len(measurements)],
        "note": measurements[0].note,
        "command": row_command(
            table, row, len(measurements), recorded(run.config), smoke=run.smoke
        ),
        "created": now(),
        "commit": commit(),
        "code": code_key(table.package),
        "machine": machine(run.device),
        "config": recorded(run.config),
        "data": run.data.record._asdict(),
    }
    details = _summed([m.details for m in measurements])
    records = []
    for metric in row.metrics:
        values = [m.values[metric.key] for m in measurements]
        named = {"row": row.name, "metric": metric.name, "unit": metric.unit}
        named |= {"paper": metric.paper, "paper_source": metric.paper_source}
        named |= {"paper_data": table.paper_data}
        figures = {"values": values, "mean": float(np.mean(values)), "std": _deviation(values)}
        records.append(named | figures | {"protocol": metric.protocol} | shared)
    records[0]["details"] = details
    return records


def merge_results(path: Path, run: Run, table: Table, records: list[dict]) -> dict[str, Any]:
    """Write `results/<table>.json`: rows that ran replace theirs, the others stay."""
    ran = {record["row"] for record in records}
    order = [row.name for row in table.rows]
    with locked(path.with_suffix(".rows")):  # runs of other rows may end at the same time
        old = read_results(path)["rows"] if path.exists() else []
        rows = [r for r in old if r["row"] not in ran and r["row"] in order] + records
        results = {
            "table": table.name,
            "title": table.title,
            "command": table.command,
            "headlines": list(table.headlines),
            "created": now(),
            "commit": commit(),
            "machine": machine(run.device),
            "data": run.data.record._asdict(),
            "config": recorded(run.config),
            "rows": sorted(rows, key=lambda record: order.index(record["row"])),
        }
        write_atomically(path, json.dumps(results, indent=1) + "\n")
    return results


def read_results(path: Path) -> dict[str, Any]:
    """The content of a results file.

    Raises:
        UserError: it is no results file.
    """
    with parsing(path, "results file", "move it away"):
        results = json.loads(read_text(path))
        for row in results["rows"]:
            _check_row(row)
    return results


def _check_row(row: dict[str, Any]) -> None:
    # What other rows are merged with, and what pages and figures are made of.
    for name, kind in ROW_FIELDS.items():
        if not isinstance(row[name], kind) or isinstance(row[name], bool):
            raise ValueError(f"{name} of a row is {str(row[name])[:40]!r}")
    figures = [*row["values"], row["mean"], row["std"], row["paper"] or 0.0]
    if not row["values"] or not np.isfinite(np.array(figures, np.float64)).all():
        raise ValueError(f"figures of {row['row']!r} are no finite numbers")
    if row["data"]["kind"] not in KINDS or not isinstance(row["data"]["name"], str):
        raise ValueError(f"data of {row['row']!r} are of no known kind")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def vector_width() -> str:
    """The widest vector instructions of the processor: "avx512", "avx2", or "unknown"."""
    flags = _cpuinfo("flags").split()
    widths = (("avx512", "avx512f"), ("avx2", "avx2"))
    return next((width for width, flag in widths if flag in flags), "unknown")


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(name: str) -> str:
    # The first value of that name, "" where the system does not say.
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    found = (line.split(":", 1)[1].strip() for line in lines if line.partition("\t")[0] == name)
    return next(found, "")


def _deviation(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _summed(details: Iterable[dict[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for one in details:
        for key, value in one.items():
            total[key] = (np.asarray(total[key]) + np.asarray(value)) if key in total else value
    return {key: np.asarray(value).tolist() for key, value in total.items()}
