"""Event-driven encoding beside a dense torch loop and two spiking-network libraries.

`python -m benchmarks.encode_spikes` runs the paper's four reservoirs on one thread, each peer in
turn with ours, and writes `results/bench_encode_spikes.json`. Peers are fed the weighted input
by the same two matrix products a step; they differ in how they do the neurons.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.spike_timing import paired_medians, peak_mb
from harness.records import machine, write_atomically
from lsm.encode import encode
from lsm.reservoir import (
    BRAIN_VISUAL_LETTER,
    BRAIN_VISUAL_NEURAL,
    NMNIST,
    NTIDIGITS,
    Reservoir,
    ReservoirSpec,
    gaussian,
)
from lsm.spikes import SpikeTrains
from lsm.trained import TrainedSpec

# Reservoir, samples, and the share of (step, channel) that spike: measured on 597 real N-MNIST
# recordings and on FSDD before the simulated cochlea (a real N-TIDIGITS utterance: 0.043);
# spike counts of intracortical channels in 10 ms; the paper's rate code on MNIST-like letters.
CASES = {
    "N-MNIST 256-200 x 50": (NMNIST, 512, 0.086),
    "N-TIDIGITS 64-200 x 129": (NTIDIGITS, 512, 0.091),
    "neural 192-2048 x 201": (BRAIN_VISUAL_NEURAL, 64, 0.08),
    "letter 784-2048 x 49": (BRAIN_VISUAL_LETTER, 64, 0.05),
}
Peer = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, ReservoirSpec], torch.Tensor]


def dense_loop(
    x: torch.Tensor, w_in: torch.Tensor, w_rec: torch.Tensor, spec: ReservoirSpec
) -> torch.Tensor:
    """The equation as it stands: spike counts (B, neurons) of dense spikes x (T, B, C)."""
    u = x.new_zeros(x.shape[1], spec.neurons)
    s, counts = torch.zeros_like(u), torch.zeros_like(u)
    for step in x:
        u = spec.decay * u * (1 - s) + (step @ w_in + s @ w_rec)
        s = (u > spec.threshold).to(x.dtype)
        counts += s
    return counts


def snntorch_loop(
    x: torch.Tensor, w_in: torch.Tensor, w_rec: torch.Tensor, spec: ReservoirSpec
) -> torch.Tensor:
    """The same with snnTorch's `Leaky`, reset to zero at once."""
    import snntorch

    neurons = snntorch.Leaky(
        beta=spec.decay, threshold=spec.threshold, reset_mechanism="zero", reset_delay=False
    )
    u = x.new_zeros(x.shape[1], spec.neurons)
    s, counts = torch.zeros_like(u), torch.zeros_like(u)
    for step in x:
        s, u = neurons(step @ w_in + s @ w_rec, u)
        counts += s
    return counts


def spikingjelly_loop(
    x: torch.Tensor, w_in: torch.Tensor, w_rec: torch.Tensor, spec: ReservoirSpec
) -> torch.Tensor:
    """The same with SpikingJelly's `LIFNode`, hard reset, input not decayed."""
    from spikingjelly.activation_based.neuron import LIFNode

    neurons = LIFNode(1 / (1 - spec.decay), False, spec.threshold, 0.0).eval()
    s = x.new_zeros(x.shape[1], spec.neurons)
    counts = torch.zeros_like(s)
    for step in x:
        s = neurons(step @ w_in + s @ w_rec)
        counts += s
    return counts


PEERS: dict[str, Peer] = {
    "dense torch loop": dense_loop,
    "snnTorch": snntorch_loop,
    "SpikingJelly": spikingjelly_loop,
}


def spikes_like(spec: ReservoirSpec | TrainedSpec, samples: int, density: float) -> SpikeTrains:
    """Random spikes of a mean density, with channels that differ as a picture's or a voice's do."""
    generator = np.random.default_rng(0)
    rates = generator.gamma(0.5, 2.4 * density, (1, samples, spec.inputs)).clip(0, 1)
    rates *= density / rates.mean()
    return SpikeTrains.from_dense(generator.random((spec.steps, samples, spec.inputs)) < rates)


def measure(case: str, peer: str, repeats: int, shrink: int = 1) -> dict:
    """One case beside one peer, as a record of the results file."""
    spec, samples, density = CASES[case]
    spec, samples = replace(spec, steps=spec.steps // shrink), samples // shrink
    trains, reservoir = spikes_like(spec, samples, density), gaussian(spec, 0)
    dense = torch.from_numpy(trains.dense())
    weights = torch.from_numpy(reservoir.weights).split([spec.inputs, spec.neurons])
    weights = [w.contiguous() for w in weights]

    def ours() -> np.ndarray:
        return _counts(trains, reservoir)

    def theirs() -> np.ndarray:
        with torch.no_grad():
            return PEERS[peer](dense, *weights, spec).numpy()

    a, b = ours(), theirs()
    ms_ours, ms_peer = (ms / samples for ms in paired_medians(ours, theirs, repeats))
    return {
        "case": case,
        "peer": peer,
        "threads": 1,
        "ms_ours": ms_ours,
        "ms_peer": ms_peer,
        "ratio": ms_peer / ms_ours,
        "agrees": bool(np.array_equal(a, b)),
        "counts_that_differ": float((a != b).mean()),
        "peak_mb_ours": peak_mb(ours),
        "peak_mb_peer": peak_mb(theirs),
        "input_density": trains.density,
        "firing_rate": float(a.mean() / spec.steps),
        "samples": samples,
    }


def _counts(trains: SpikeTrains, reservoir: Reservoir) -> np.ndarray:
    return np.round(encode(trains, reservoir, threads=1) * np.float32(trains.steps))


def installed(peer: str) -> bool:
    """Whether the library of a peer can be imported."""
    try:
        PEERS[peer](torch.zeros(1, 1, 1), torch.zeros(1, 1), torch.zeros(1, 1), _SMALL)
    except ImportError:
        return False
    return True


_SMALL = ReservoirSpec(1, 1, 0.5, 1.0, 1.0, 1)


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encode_spikes", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--repeats", type=int, default=9, help="pairs of runs (default 9)")
    parser.add_argument("--smoke", action="store_true", help="a few samples and steps")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    peers = [peer for peer in PEERS if installed(peer)]
    for peer in sorted(set(PEERS) - set(peers)):
        print(f"{peer} is not installed and left out")
    line = "{:<24} {:<17} {:>9} {:>9} {:>7}  {:<6} {:>8} {:>8}"
    print(
        line.format("case", "peer", "ms ours", "ms peer", "ratio", "agrees", "MB ours", "MB peer")
    )
    cases = []
    for case in CASES:
        for peer in peers:
            c = measure(case, peer, options.repeats, shrink=8 if options.smoke else 1)
            cases.append(c)
            cells = [f"{c[k]:.4f}" for k in ("ms_ours", "ms_peer")] + [f"{c['ratio']:.1f}"]
            memory = [f"{c[k]:.0f}" for k in ("peak_mb_ours", "peak_mb_peer")]
            print(line.format(case, peer, *cells, str(c["agrees"]), *memory), flush=True)
    options.results.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": machine("cpu"), "cases": cases}, indent=1) + "\n"
    write_atomically(options.results / "bench_encode_spikes.json", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
