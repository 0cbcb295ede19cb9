"""A training step of the paper's spiking networks, beside plain torch and its autograd.

`python -m benchmarks.train_spikes` runs one batch forward and back through time on one thread,
in turn with the straightforward implementation in `tests/oracles/spiking_layer.py`, and writes
`results/bench_train_spikes.json`. Gradients are compared in float64, times are of float32.
"""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.encode_spikes import spikes_like
from benchmarks.spike_timing import paired_medians, peak_mb
from harness.records import machine, write_atomically
from lsm.spikes import SpikeTrains
from lsm.trained import NMNIST_SRNN_ANN, NTIDIGITS_SRNN_ANN, Trained, TrainedSpec
from tests.oracles import spiking_layer

PEER = "tests/oracles/spiking_layer.py"
# Network and share of (step, channel) that spike, as in `benchmarks.encode_spikes`.
NEURAL = TrainedSpec("linear", 192, 200, 256, 201, batch_size=32)
LETTER = TrainedSpec("linear", 784, 200, 256, 49, batch_size=32)
CASES = {
    "train N-MNIST 256-200 x 50": (NMNIST_SRNN_ANN, 0.086),
    "train N-TIDIGITS 64-200 x 90": (NTIDIGITS_SRNN_ANN, 0.091),
    "train neural 192-200 x 201": (NEURAL, 0.08),
    "train letter 784-200 x 49": (LETTER, 0.05),
}
TOLERANCE = 1e-9  # of gradients in float64, relative to the largest


def plain(network: Trained, x: torch.Tensor) -> torch.Tensor:
    """Class scores of dense spikes x (T, B, inputs), step by step."""
    spec = network.spec
    spikes = spiking_layer.layer(x @ network.input, network.recurrent, spec.decay, spec.threshold)
    return spikes.mean(0) @ network.output + network.bias


def step(network: Trained, scores: Callable[[], torch.Tensor]) -> list[torch.Tensor]:
    """Gradients of a loss by every weight."""
    network.zero_grad()
    scores().square().sum().backward()
    return [p.grad for p in network.parameters()]


def agree(spec: TrainedSpec, trains: SpikeTrains) -> bool:
    """Whether both give the same gradients in float64."""
    network = Trained(spec, 0).double()
    dense = torch.from_numpy(trains.dense()).double()
    ours = [g.clone() for g in step(network, lambda: network(trains))]
    theirs = step(network, lambda: plain(network, dense))
    return all(
        float((a - b).abs().max()) <= TOLERANCE * float(b.abs().max())
        for a, b in zip(ours, theirs, strict=True)
    )


def measure(case: str, repeats: int, shrink: int = 1) -> dict:
    """One case as a record of the results file."""
    spec, density = CASES[case]
    spec = replace(spec, steps=spec.steps // shrink, batch_size=spec.batch_size // shrink)
    trains, network = spikes_like(spec, spec.batch_size, density), Trained(spec, 0)
    dense = torch.from_numpy(trains.dense())

    def ours() -> object:
        return step(network, lambda: network(trains))

    def theirs() -> object:
        return step(network, lambda: plain(network, dense))

    step(network, lambda: network(trains.take(slice(2))))  # compiles
    peaks = [peak_mb(function) for function in (ours, theirs)]  # before memory is there to reuse
    ms_ours, ms_peer = (ms / spec.batch_size for ms in paired_medians(ours, theirs, repeats))
    return {
        "case": case,
        "peer": PEER,
        "threads": 1,
        "ms_ours": ms_ours,
        "ms_peer": ms_peer,
        "ratio": ms_peer / ms_ours,
        "agrees": agree(spec, trains),
        "peak_mb_ours": peaks[0],
        "peak_mb_peer": peaks[1],
        "samples": spec.batch_size,
    }


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_spikes", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--repeats", type=int, default=9, help="pairs of runs (default 9)")
    parser.add_argument("--smoke", action="store_true", help="a few samples and steps")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    line = "{:<30} {:>9} {:>9} {:>7}  {:<6} {:>8} {:>8}"
    print(line.format("case", "ms ours", "ms peer", "ratio", "agrees", "MB ours", "MB peer"))
    cases = []
    for case in CASES:
        c = measure(case, options.repeats, shrink=8 if options.smoke else 1)
        cases.append(c)
        cells = [f"{c[k]:.4f}" for k in ("ms_ours", "ms_peer")] + [f"{c['ratio']:.1f}"]
        memory = [f"{c[k]:.0f}" for k in ("peak_mb_ours", "peak_mb_peer")]
        print(line.format(case, *cells, str(c["agrees"]), *memory), flush=True)
    options.results.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": machine("cpu"), "cases": cases}, indent=1) + "\n"
    write_atomically(options.results / "bench_train_spikes.json", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
