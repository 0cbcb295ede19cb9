"""Encoding shared by two processes, beside one of them alone.

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 -m benchmarks.scale

In turn, process 0 encodes everything while the other waits, and both encode their halves; each
has one thread. Writes `results/bench_scale.json`. Efficiency is the gain in speed over the number
of processes: 1 is perfect.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.encode_spikes import spikes_like
from benchmarks.timing import paired_medians, print_cases, write_benchmark
from deplm import FASHION_MNIST, ArrayClouds, FrozenEncoder
from deplm.encoder import calibration_batches, encode, encode_all
from deplm.points import image_points
from harness.errors import UserError, exits_cleanly
from harness.readouts.shared import SharedRidgeReadout
from harness.scale import distributed
from harness.scale.parallel import torch_threads
from lsm import NMNIST, from_chip
from lsm import encode as encode_spikes
from rram import LSM_40NM, Chip, ReadConfig

CLASSES, PENALTY = 10, 1e-3
Work = Callable[[], np.ndarray]


def works(images: int, recordings: int) -> Iterator[tuple[str, int, Work]]:
    """Name, samples and what is done in each case."""
    rng = np.random.default_rng(0)
    points = image_points(rng.integers(0, 256, (images, 28, 28)))
    clouds = ArrayClouds("train", points, points, rng.integers(0, CLASSES, images))
    encoder = FrozenEncoder(FASHION_MNIST, Chip(seed=0))
    encoder.calibrate(calibration_batches(clouds, FASHION_MNIST, 16))

    def fitted() -> np.ndarray:
        readout = SharedRidgeReadout(CLASSES)
        for indices, (x,) in encode(clouds, [encoder]):
            readout.partial_fit(x, clouds.labels[indices])
        return readout.solve(PENALTY).coef_

    yield "images, features gathered", images, lambda: encode_all(clouds, [encoder])[0]
    yield "images, statistics of a ridge readout summed", images, fitted
    trains = spikes_like(NMNIST, recordings, 0.086)
    reservoir = from_chip(NMNIST, Chip(LSM_40NM, 0, sparsity=0.0), ReadConfig(0.02))
    yield "spikes, features gathered", recordings, lambda: encode_spikes(trains, reservoir)


def measure(repeats: int, shrink: int) -> Iterator[dict[str, Any]]:
    """A record a case; process 0 has the times."""
    for case, samples, work in works(256 // shrink, 4000 // shrink):
        alone = distributed.by_first(work)
        a, b = work(), alone()
        ours, peer, ratio = paired_medians(work, alone, repeats)
        yield {
            "case": f"{case}, {distributed.count()} processes", "peer": "1 process", "threads": 1,
            "ms_ours": 1000 * ours / samples, "ms_peer": 1000 * peer / samples, "ratio": ratio,
            "agrees": bool(np.abs(a - b).max() <= 1e-9 * np.abs(b).max()),
            "samples": samples, "load": os.getloadavg()[0],
            "efficiency": ratio / distributed.count(),
        }  # fmt: skip


@exits_cleanly
def main(argv: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="torchrun -m benchmarks.scale", description=__doc__)
    parser.add_argument("--results", type=Path, default=None, help="folder (default results/)")
    parser.add_argument("--repeats", type=int, default=9, help="pairs of runs (default 9)")
    parser.add_argument("--smoke", action="store_true", help="a few samples")
    options = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    with distributed.joined("cpu"), torch_threads(1):
        if distributed.count() == 1:
            raise UserError("start it with torchrun --nproc-per-node 2 -m benchmarks.scale")
        cases = list(measure(options.repeats, 8 if options.smoke else 1))
        print_cases(cases)
        for case in cases:
            print(f"{case['case']}: efficiency {case['efficiency']:.2f}")
        path = distributed.from_first(lambda: write_benchmark("scale", cases, options.results))
        print(f"results  {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
