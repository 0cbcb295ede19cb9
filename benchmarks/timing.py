"""What the benchmarks share: paired medians, peak memory, the record on disk."""

import json
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets import project_root
from harness.records import check_writable, commit, machine, now, write_atomically

COLUMNS = ("case", "peer", "threads", "ms_ours", "ms_peer", "ratio", "agrees")


def paired_medians(
    ours: Callable[[], Any], peer: Callable[[], Any], repeats: int
) -> tuple[float, float, float]:
    """Median seconds of both, called in turn, and the median of the ratios peer / ours.

    The machine's speed drifts, so each ratio is taken within a pair of neighbouring calls.
    """
    times = np.array([[_seconds(call) for call in (ours, peer)] for _ in range(repeats)])
    ratio = np.median(times[:, 1] / times[:, 0])
    return float(np.median(times[:, 0])), float(np.median(times[:, 1])), float(ratio)


def peak_mb(prepare: Callable[..., Callable[[], Any]], *arguments: Any) -> float | None:  # noqa: ANN401
    """Growth of a fresh process's peak memory, in MB, while it runs `prepare(*arguments)()`.

    `prepare` must be importable; what it does itself is not counted. Linux only, else None.
    """
    context = get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_report_peak, args=(queue, prepare, arguments))
    process.start()
    peak = queue.get()
    process.join()
    return peak


def write_benchmark(name: str, cases: list[dict[str, Any]]) -> Path:
    """Write results/bench_<name>.json."""
    folder = project_root() / "results"
    check_writable(folder)
    path = folder / f"bench_{name}.json"
    content = {"created": now(), "commit": commit(), "machine": machine("cpu"), "cases": cases}
    write_atomically(path, json.dumps(content, indent=1) + "\n")
    return path


def print_cases(cases: list[dict[str, Any]]) -> None:
    """The cases as a table; memory where it was measured."""
    columns = [*COLUMNS, *(c for c in ("peak_mb_ours", "peak_mb_peer") if c in cases[0])]
    rows = [columns, *([_cell(case[c]) for c in columns] for case in cases)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(columns))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _report_peak(queue: Any, prepare: Callable[..., Any], arguments: tuple) -> None:  # noqa: ANN401
    run = prepare(*arguments)
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        queue.put(None)
        return
    reset.write_text("5")  # the high-water mark starts anew
    before = _status_mb("VmHWM")
    run()
    queue.put(_status_mb("VmHWM") - before)


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def _cell(value: Any) -> str:  # noqa: ANN401
    return f"{value:.3f}" if isinstance(value, float) else str(value)
