"""A training step of the paper's spiking networks, beside plain torch and its autograd.

`python -m benchmarks.train_spikes` runs one batch forward and back through time on one thread,
in turn with the straightforward implementation in `tests/oracles/spiking_layer.py`, and writes
`results/bench_train_spikes.json`. Gradients are compared in float64, times are of float32.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from benchmarks.encode_spikes import spikes_like
from benchmarks.timing import paired_medians, peak_mb, spike_benchmark
from lsm.spikes import SpikeTrains
from lsm.training.recurrent import RecurrentNetwork, TrainedSpec
from tests.oracles import spiking_layer

PEER = "tests/oracles/spiking_layer.py"
# Network and share of (step, channel) that spike, as in `benchmarks.encode_spikes`.
NMNIST = TrainedSpec("linear", 256, 200, 10, 50, threshold=0.3, const=0.03, batch_size=80)
NTIDIGITS = TrainedSpec("linear", 64, 200, 11, 90, threshold=0.6, const=1.0, batch_size=100)
NEURAL = TrainedSpec("linear", 192, 200, 256, 201, batch_size=32)
LETTER = TrainedSpec("linear", 784, 200, 256, 49, batch_size=32)
CASES = {
    "train N-MNIST 256-200 x 50": (NMNIST, 0.086),
    "train N-TIDIGITS 64-200 x 90": (NTIDIGITS, 0.091),
    "train neural 192-200 x 201": (NEURAL, 0.08),
    "train letter 784-200 x 49": (LETTER, 0.05),
}
TOLERANCE = 1e-9  # of gradients in float64, relative to the largest


def plain(network: RecurrentNetwork, x: torch.Tensor) -> torch.Tensor:
    """Class scores of dense spikes x (T, B, inputs), step by step."""
    spec = network.spec
    spikes = spiking_layer.layer(x @ network.input, network.recurrent, spec.decay, spec.threshold)
    return spikes.mean(0) @ network.output + network.bias


def step(network: RecurrentNetwork, scores: Callable[[], torch.Tensor]) -> list[torch.Tensor]:
    """Gradients of a loss by every weight."""
    network.zero_grad()
    scores().square().sum().backward()
    return [p.grad for p in network.parameters()]


def agree(spec: TrainedSpec, trains: SpikeTrains) -> bool:
    """Whether both give the same gradients in float64."""
    network = RecurrentNetwork(spec, 0).double()
    dense = torch.from_numpy(trains.dense()).double()
    ours = [g.clone() for g in step(network, lambda: network(trains))]
    theirs = step(network, lambda: plain(network, dense))
    return all(
        float((a - b).abs().max()) <= TOLERANCE * float(b.abs().max())
        for a, b in zip(ours, theirs, strict=True)
    )


def prepared(case: str, ours: bool, shrink: int) -> Callable[[], list[torch.Tensor]]:
    """A training step of one case: ours, or the peer's."""
    spec, trains = shrunk(case, shrink)
    network = RecurrentNetwork(spec, 0)
    if ours:
        step(network, lambda: network(trains.take(slice(2))))  # compiles
        return lambda: step(network, lambda: network(trains))
    dense = torch.from_numpy(trains.dense())
    return lambda: step(network, lambda: plain(network, dense))


def shrunk(case: str, shrink: int) -> tuple[TrainedSpec, SpikeTrains]:
    """Network and one batch of a case."""
    spec, density = CASES[case]
    spec = replace(spec, steps=spec.steps // shrink, batch_size=spec.batch_size // shrink)
    return spec, spikes_like(spec, spec.batch_size, density)


def measure(repeats: int, shrink: int) -> Iterator[dict]:
    """Every case as a record of the results file."""
    for case in CASES:
        ours, theirs = (prepared(case, one, shrink) for one in (True, False))
        ours(), theirs()
        seconds, peer_seconds, ratio = paired_medians(ours, theirs, repeats)
        spec, trains = shrunk(case, shrink)
        yield {
            "case": case,
            "peer": PEER,
            "threads": 1,
            "ms_ours": 1000 * seconds / spec.batch_size,
            "ms_peer": 1000 * peer_seconds / spec.batch_size,
            "ratio": ratio,
            "agrees": agree(spec, trains),
            "peak_mb_ours": peak_mb(prepared, case, True, shrink),
            "peak_mb_peer": peak_mb(prepared, case, False, shrink),
            "samples": spec.batch_size,
        }


def main(argv: list[str] | None = None) -> int:
    """Measure, print and write."""
    return spike_benchmark("train_spikes", __doc__, measure, argv)


if __name__ == "__main__":
    raise SystemExit(main())
