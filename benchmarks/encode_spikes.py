"""Event-driven encoding, clean and with read noise, beside dense torch and two libraries.

`python -m benchmarks.encode_spikes` runs the paper's four reservoirs on one thread, each peer in
turn with ours, and writes `results/bench_encode_spikes.json`. Peers are fed the weighted input
by the same two matrix products a step; they differ in how they do the neurons. The noisy cases
also say what noise costs: `noisy_over_clean`, the same reservoir with and without it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.timing import paired_medians, peak_mb, spike_benchmark
from lsm.encode import encode
from lsm.reservoir import (
    BRAIN_VISUAL_LETTER,
    BRAIN_VISUAL_NEURAL,
    NMNIST,
    NTIDIGITS,
    ReservoirSpec,
    from_chip,
    gaussian,
)
from lsm.spikes import SpikeTrains
from lsm.training.recurrent import TrainedSpec
from rram import LSM_40NM, Chip, ReadConfig

# Reservoir, samples, and the share of (step, channel) that spike: measured on 597 real N-MNIST
# recordings and on FSDD before the simulated cochlea (a real N-TIDIGITS utterance: 0.043);
# spike counts of intracortical channels in 10 ms; the paper's rate code on MNIST-like letters.
READ_NOISE = 0.02  # of the noisy cases, fresh in every product


class Case(NamedTuple):
    """A reservoir, its input, and how it is read."""

    spec: ReservoirSpec
    samples: int
    density: float
    read_noise: float = 0.0


CASES = {
    "N-MNIST 256-200 x 50": Case(NMNIST, 512, 0.086),
    "N-TIDIGITS 64-200 x 129": Case(NTIDIGITS, 512, 0.091),
    "neural 192-2048 x 201": Case(BRAIN_VISUAL_NEURAL, 64, 0.08),
    "letter 784-2048 x 49": Case(BRAIN_VISUAL_LETTER, 64, 0.05),
    "N-MNIST 256-200 x 50, read noise": Case(NMNIST, 512, 0.086, READ_NOISE),
    "neural 192-2048 x 201, read noise": Case(BRAIN_VISUAL_NEURAL, 64, 0.08, READ_NOISE),
}
DENSE_WITH_NOISE = "dense torch with the same noise"
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
    """The case in snnTorch's `Leaky`, reset to zero at once."""
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
    """The case in SpikingJelly's `LIFNode`, hard reset, input not decayed."""
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


def prepared(case: str, peer: str | None, shrink: int, noise: bool = True) -> Callable[[], Any]:
    """A call that counts the spikes of one case: ours (peer None), or a peer's.

    Args:
        case: its name.
        peer: name of the peer.
        shrink: divisor of steps and samples.
        noise: False: a noisy case without its noise.
    """
    spec, samples, density, read_noise = CASES[case]
    spec, samples = replace(spec, steps=spec.steps // shrink), samples // shrink
    trains, reservoir = spikes_like(spec, samples, density), gaussian(spec, 0)
    if read_noise:
        chip = Chip(LSM_40NM, 0, sparsity=0.0)
        reservoir = from_chip(spec, chip, ReadConfig(read_noise if noise else 0.0))
    if peer in (None, DENSE_WITH_NOISE):
        options = {"threads": 1, "compiled": peer is None}
        encode(trains.take(slice(1)), reservoir, **options)  # compiles
        return lambda: np.round(encode(trains, reservoir, **options) * np.float32(trains.steps))
    dense = torch.from_numpy(trains.dense())
    weights = torch.from_numpy(reservoir.weights).split([spec.inputs, spec.neurons])
    weights = [w.contiguous() for w in weights]

    def theirs() -> np.ndarray:
        with torch.no_grad():
            return PEERS[peer](dense, *weights, spec).numpy()

    return theirs


def measure(repeats: int, shrink: int) -> Iterator[dict]:
    """Every case beside every peer that is installed, as records of the results file."""
    peers = [peer for peer in PEERS if installed(peer)]
    for peer in sorted(set(PEERS) - set(peers)):
        print(f"{peer} is not installed and left out")
    for case, (spec, samples, density, read_noise) in CASES.items():
        ours = prepared(case, None, shrink)
        memory = peak_mb(prepared, case, None, shrink)
        beside_clean = {}
        if read_noise:
            clean = prepared(case, None, shrink, noise=False)
            beside_clean = {"noisy_over_clean": paired_medians(clean, ours, repeats)[2]}
        for peer in [DENSE_WITH_NOISE] if read_noise else peers:
            theirs = prepared(case, peer, shrink)
            a, b = ours(), theirs()
            seconds, peer_seconds, ratio = paired_medians(ours, theirs, repeats)
            per_sample = 1000 / (samples // shrink)
            yield {
                "case": case,
                "peer": peer,
                "threads": 1,
                "ms_ours": seconds * per_sample,
                "ms_peer": peer_seconds * per_sample,
                "ratio": ratio,
                "agrees": bool(np.array_equal(a, b)),
                "counts_that_differ": float((a != b).mean()),
                "peak_mb_ours": memory,
                "peak_mb_peer": peak_mb(prepared, case, peer, shrink),
                "input_density": density,
                "firing_rate": float(a.mean() / (spec.steps // shrink)),
                "samples": samples // shrink,
                **beside_clean,
            }


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
    return spike_benchmark("encode_spikes", __doc__, measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
