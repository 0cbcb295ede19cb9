"""Paired timings and peak memory, for the benchmarks of spikes."""

import gc
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def paired_medians(
    ours: Callable[[], object], theirs: Callable[[], object], repeats: int
) -> tuple[float, float]:
    """Median milliseconds of both, run in turn so that other load falls on both alike."""
    times = np.empty((repeats, 2))
    for k in range(repeats):
        for column, function in enumerate((ours, theirs)):
            start = time.perf_counter()
            function()
            times[k, column] = 1000 * (time.perf_counter() - start)
    medians = np.median(times, axis=0)
    return float(medians[0]), float(medians[1])


def peak_mb(function: Callable[[], object]) -> float:
    """Memory that `function` adds at its peak, in MB: in a forked child, on Linux; else nan."""
    if not CLEAR.exists():
        return float("nan")
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(function, send))
    child.start()
    child.join()
    return receive.recv() if receive.poll() else float("nan")


def _child(function: Callable[[], object], send: object) -> None:
    gc.collect()
    CLEAR.write_text("5")  # the peak starts from what is there now
    before = _kilobytes("VmRSS")
    function()
    send.send((_kilobytes("VmHWM") - before) / 1024)


def _kilobytes(field: str) -> int:
    lines = STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))
