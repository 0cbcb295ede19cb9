"""What the benchmarks share: paired medians, peak memory, options, the record on disk."""

import argparse
import ctypes
import json
import os
import time
from collections.abc import Callable, Iterable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from harness.data.datasets import project_root
from harness.run.records import check_writable, commit, machine, now, write_atomically
from harness.scale.parallel import torch_threads

SHRINK = 8  # of samples and steps, with --smoke
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


def spike_benchmark(
    name: str,
    about: str | None,
    measure: Callable[[int, int], Iterable[dict[str, Any]]],
    argv: list[str] | None,
) -> int:
    """Command line of a benchmark of spikes, on one thread; writes bench_<name>.json.

    Args:
        name: of the module.
        about: what --help says.
        measure: (repeats, divisor of the sizes) -> records.
        argv: of the command line.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    parser.add_argument("--results", type=Path, default=None, help="folder (default results/)")
    parser.add_argument("--repeats", type=int, default=9, help="pairs of runs (default 9)")
    parser.add_argument("--smoke", action="store_true", help="a few samples and steps")
    options = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    with torch_threads(1):
        found = measure(options.repeats, SHRINK if options.smoke else 1)
        cases = list(tqdm(found, unit="case", disable=None))
    print_cases(cases)
    print(f"results  {write_benchmark(name, cases, options.results)}")
    return 0


def write_benchmark(name: str, cases: list[dict[str, Any]], folder: Path | None = None) -> Path:
    """Write bench_<name>.json to `folder`, by default results/."""
    folder = folder or project_root() / "results"
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
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)  # what preparing has freed would be used again, unseen
    reset.write_text("5")  # the high-water mark starts anew
    before = _status_mb("VmHWM")
    run()
    queue.put(_status_mb("VmHWM") - before)


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def _cell(value: Any) -> str:  # noqa: ANN401
    return f"{value:.3f}" if isinstance(value, float) else str(value)
