"""Results on disk: `results/<table>.json`, and the journal of a run under way."""

import dataclasses
import hashlib
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

from harness.chips import identity
from harness.code_key import code_key
from harness.config import shown
from harness.errors import UserError
from harness.parallel import cores
from harness.protocol import DEFAULT_CHIPS, Measurement, Row, Run, Table

PACKAGES = ("rram", "harness", "deplm", "lsm")
SOURCE = Path(__file__).resolve().parent.parent
DISTRIBUTION = "random-resistive-memory"
CPUINFO = Path("/proc/cpuinfo")


def check_writable(folder: Path) -> None:
    """Make the results folder and try a file in it, before any work.

    Raises:
        UserError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        raise UserError(
            f"results folder {folder} cannot be written ({error.strerror}): "
            "free some space, or give another one with --results"
        ) from error


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        UserError: the disk is full or the folder is not writable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"{path} cannot be written ({error.strerror}): free some space and run again; "
            "finished chips are kept"
        ) from error


def machine(device: str) -> dict[str, Any]:
    """Cores, threads, vector width, versions and device of this run; not the machine's name."""
    return {
        "cores": cores(),
        "threads": torch.get_num_threads(),
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


class Journal:
    """Finished chips of a run under way: what a rerun need not measure again.

    A line counts only when configuration, data and code are those of today; a run that ends
    removes its journal, so that a second run measures afresh.
    """

    def __init__(self, path: Path, run: Run) -> None:
        self.path = path
        self.fingerprint = _fingerprint(run)
        self.checkpoints: set[Path] = set()  # of trainings whose measurements are kept here
        self._done: dict[tuple[str, int], Measurement] = {}
        if run.restart:
            self.remove()
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in lines:
            entry = _entry(line)
            if entry.get("fingerprint") == self.fingerprint:
                key = (entry["row"], entry["seed"])
                self._done[key] = Measurement(**entry["measurement"])
                self.checkpoints |= {path.parent / name for name in entry["checkpoints"]}

    def __len__(self) -> int:
        return len(self._done)

    def get(self, row: str, seed: int) -> Measurement | None:
        """The measurement, if it is finished."""
        return self._done.get((row, seed))

    def add(
        self, row: str, seed: int, measurement: Measurement, checkpoints: Iterable[Path] = ()
    ) -> None:
        """Keep a finished measurement on disk.

        Args:
            row: its name.
            seed: of the chip.
            measurement: what to keep.
            checkpoints: files of the trainings so far, to be removed with this journal.
        """
        self.checkpoints |= set(checkpoints)
        names = sorted(str(file.relative_to(self.path.parent)) for file in self.checkpoints)
        entry = {"row": row, "seed": seed, "fingerprint": self.fingerprint, "checkpoints": names}
        entry["measurement"] = dataclasses.asdict(measurement)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                # On a line of its own, whatever a kill or a full disk left of the last one.
                file.write(f"\n{json.dumps(entry)}\n")
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written ({error.strerror}): free some space and run "
                "again; the chips finished before are kept"
            ) from error
        self._done[row, seed] = measurement

    def remove(self) -> None:
        """The run ended and its results are written, or it is to start anew."""
        for file in (self.path, *self.checkpoints):
            file.unlink(missing_ok=True)


def recorded(config: Any) -> dict[str, Any]:  # noqa: ANN401
    """Constants as results keep them: of a path its last part, the rest is one machine's."""
    constants = json.loads(json.dumps(dataclasses.asdict(config)))  # tuples become lists
    paths = {k: Path(v).name for k, v in constants.items() if isinstance(v, str) and os.sep in v}
    return constants | paths


def row_command(
    table: Table, row: Row, seeds: int, constants: dict[str, Any], *, smoke: bool = False
) -> str:
    """What to type for this row alone: `constants`, as of `recorded`, where they are not usual."""
    usual = json.loads(json.dumps(dataclasses.asdict(table.config())))
    changed = [f"{k}={shown(v)}" for k, v in constants.items() if k in usual and v != usual[k]]
    parts = [f'bash {table.command} --rows "{row.name}"', *(["--smoke"] if smoke else [])]
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
    old = read_results(path)["rows"] if path.exists() else []
    ran = {record["row"] for record in records}
    order = [row.name for row in table.rows]
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
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        results["rows"][:0]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} is no results file ({error}): move it away") from error
    return results


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


def _fingerprint(run: Run) -> str:
    digest = hashlib.sha256()
    for package in PACKAGES:
        for file in sorted((SOURCE / package).rglob("*.py")):
            digest.update(file.read_bytes())
    setting = (identity(run.config), run.device, run.smoke, run.data.record.sha256)
    digest.update(json.dumps(setting, sort_keys=True).encode())
    return digest.hexdigest()


def _entry(line: str) -> dict[str, Any]:
    try:
        return json.loads(line)
    except ValueError:  # a line that a kill cut short
        return {}


def _deviation(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _summed(details: Iterable[dict[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for one in details:
        for key, value in one.items():
            total[key] = (np.asarray(total[key]) + np.asarray(value)) if key in total else value
    return {key: np.asarray(value).tolist() for key, value in total.items()}
