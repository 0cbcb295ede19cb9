"""Spike trains -> reservoir -> features: what is read, and two ways to run with the same spikes.

`encode` is the way in. On the CPU it runs chunks of samples over all threads, event-driven and
compiled (`lsm.kernels`); elsewhere all samples of a batch step by step in torch, two matrix
products a step: `run_dense` is the shortest statement of what is computed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from harness.errors import UserError
from harness.scale import distributed
from harness.scale.devices import batch_that_fits
from harness.scale.parallel import map_in_order
from lsm import kernels
from lsm.neurons import LIFParameters, lif_step, rest
from lsm.reservoir import Reservoir, ReservoirSpec
from lsm.spikes import SpikeTrains

CHUNK = 256  # samples a task of the thread pool; the result does not depend on it


class States(NamedTuple):
    """What a run of the reservoir fills.

    Attributes:
        counts: (B, windows, neurons) float32, spikes of every neuron in every window.
        traces: (B, traces, neurons) float64.
        membranes: (B, membranes, neurons), in the floating type of the membranes.
    """

    counts: np.ndarray
    traces: np.ndarray
    membranes: np.ndarray


class Plan(NamedTuple):
    """For every step its window (T,), trace weights (T, K) and membrane slot (T,) or -1."""

    window: np.ndarray
    traces: np.ndarray
    slot: np.ndarray

    def states(self, samples: int, neurons: int, dtype: type) -> States:
        """Zeros for what is read; `dtype` is that of the membranes."""
        return States(
            np.zeros((samples, self.window.max() + 1, neurons), np.float32),
            np.zeros((samples, self.traces.shape[1], neurons), np.float64),
            np.zeros((samples, self.slot.max() + 1, neurons), dtype),
        )

    def write(self, states: States, out: np.ndarray) -> None:
        """Lay rates, traces and membranes side by side in `out` (B, width), float32."""
        steps = np.bincount(self.window).astype(np.float32)
        rates = states.counts / steps[:, None]
        blocks = (rates, states.traces, states.membranes)
        out[:] = np.concatenate(
            [b.reshape(len(out), -1) for b in blocks], 1, dtype=np.float32, casting="same_kind"
        )


@dataclass(frozen=True)
class StateFeatures:
    """What is read from the reservoir; features are laid side by side in this order.

    Attributes:
        windows: spikes per step of each neuron in that many equal parts of the time. The
            paper's feature is one window.
        traces: exponential traces at the end, sum over t of g^(T-1-t) s[t], one for each g.
        membranes: membranes after reset at that many equally spaced times, the last at the end.
    """

    windows: int = 1
    traces: tuple[float, ...] = ()
    membranes: int = 0

    def width(self, neurons: int) -> int:
        """Number of features."""
        return neurons * (self.windows + len(self.traces) + self.membranes)

    def plan(self, steps: int) -> Plan:
        """What to do in which of `steps` steps.

        Raises:
            UserError: more windows or membranes than steps, or a decay outside 0 to 1.
        """
        if not 1 <= self.windows <= steps or not 0 <= self.membranes <= steps:
            raise UserError(f"{self}: windows 1 to {steps}, membranes 0 to {steps}")
        if not all(0 <= g <= 1 for g in self.traces):
            raise UserError(f"{self}: trace decays must be between 0 and 1")
        t = np.arange(steps)
        decays = np.array(self.traces, np.float64).reshape(1, -1)
        slot = np.full(steps, -1)
        for k in range(self.membranes):
            slot[(k + 1) * steps // self.membranes - 1] = k
        weights = decays ** (steps - 1 - t[:, None])
        return Plan(t * self.windows // steps, weights, slot)


def encode(
    trains: SpikeTrains,
    reservoir: Reservoir,
    features: StateFeatures = StateFeatures(),
    *,
    batch: int = 1000,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    compiled: bool = True,
    dtype: type = np.float32,
    label: str | None = None,
) -> np.ndarray:
    """Run spike trains through a reservoir and read features from it (LSM paper, methods).

    From rest, in every step t = 0 .. T-1,

        u[t] = d u[t-1] (1 - s[t-1]) + x[t] W_in + s[t-1] W_rec + noise;   s[t] = u[t] > Vth

    and at the end what `features` says of s and u. State is born and dropped in the call. The
    spikes are the same to the bit for any number of threads, compiled or not, on the CPU or a
    GPU. Several processes run a share of each batch (`harness.scale.distributed`), and all get all.

    Args:
        trains: B samples of T steps and C channels.
        reservoir: the weights.
        features: what to read.
        batch: samples that share one read of the chip when its noise is per batch; also how
            many the dense path holds at once on the CPU. A GPU holds as many as fit.
        seed: of the read noise. Give training and test data different ones.
        threads: of the compiled path; default all that the process may use.
        device: of torch; anything but "cpu" implies `compiled=False`.
        compiled: the event-driven compiled loop, else dense torch.
        dtype: of the membranes, np.float32 or np.float64.
        label: of a progress bar, which shows on a terminal only; None: no bar.

    Returns:
        Features (B, features.width(neurons)), float32.

    Raises:
        UserError: the trains do not fit the reservoir, `features` does not fit their steps, or
            `batch` or `seed` is out of range.
    """
    spec = reservoir.spec
    if trains.inputs != spec.inputs:
        raise UserError(f"spikes of {trains.inputs} channels, a reservoir of {spec.inputs} inputs")
    if batch < 1 or seed < 0:
        raise UserError(f"batch {batch}, seed {seed}: a batch of 1 or more, a seed of 0 or more")
    plan = features.plan(trains.steps)
    compiled = compiled and device == "cpu"
    if not reservoir.noise_per_batch:  # nothing changes from batch to batch
        if compiled:
            batch = max(1, len(trains))
        elif device != "cpu":
            batch = batch_that_fits(bytes_a_sample(spec, features, trains.steps), device)
    out = np.zeros((len(trains), features.width(spec.neurons)), np.float32)
    bar = tqdm(total=len(trains), desc=label, unit=" samples", disable=None if label else True)
    for number, first in enumerate(range(0, len(trains), batch)):
        own = distributed.share(min(batch, len(trains) - first))
        if own.start == own.stop:
            continue
        span = (first + own.start, first + own.stop)
        weights = reservoir.read(seed, number)
        if compiled:
            runs = run_compiled(trains, weights, plan, span, seed, threads, dtype)
        else:
            runs = [(slice(*span), run_dense(trains, weights, plan, span, seed, device, dtype))]
        for samples, states in runs:
            plan.write(states, out[samples])
            bar.update(samples.stop - samples.start)
    bar.close()
    return distributed.gathered(out)


def bytes_a_sample(spec: ReservoirSpec, features: StateFeatures, steps: int) -> int:
    """Memory in which the dense path runs one sample: its spikes, neurons, noise and features."""
    state = 4 * (spec.inputs + 6 * spec.neurons) + 8 * 6 * spec.neurons
    return steps * spec.inputs + state + 8 * features.width(spec.neurons)


def run_compiled(
    trains: SpikeTrains,
    reservoir: Reservoir,
    plan: Plan,
    span: tuple[int, int],
    seed: int,
    threads: int | None,
    dtype: type,
) -> Iterator[tuple[slice, States]]:
    """Run the samples `span` through a reservoir on the CPU, adding rows of what spiked.

    Args:
        trains: B samples.
        reservoir: the weights.
        plan: what to read.
        span: first sample and the one after the last.
        seed: of the read noise.
        threads: how many; default all that the process may use.
        dtype: of the membranes.

    Yields:
        The samples of a chunk, and what was read of them.
    """
    spec, table = reservoir.spec, reservoir.table
    noisy = reservoir.squares is not None
    loop = kernels.reservoir_loop(table.shape[2] // (2 if noisy else 1), noisy)
    one = len(table) == 1
    group = kernels.GROUP_ONE_BLOCK if one else kernels.GROUP_MANY_BLOCKS
    rows = np.ascontiguousarray(trains.rows, np.int64)
    channels = np.ascontiguousarray(trains.channels, np.uint16)

    def run_chunk(first: int) -> tuple[slice, States]:
        stop = min(first + CHUNK, span[1])
        states = plan.states(stop - first, spec.neurons, dtype)
        loop(
            (rows, channels, trains.steps, trains.inputs),
            table,
            (dtype(reservoir.unit), dtype(spec.decay), dtype(spec.threshold)),
            (dtype(reservoir.noise_scale), kernels.noise_key(seed), kernels.noise_table(dtype)),
            (plan.window, plan.traces, plan.slot),
            states,
            (first, stop),
            group,
        )
        return slice(first, stop), states

    return map_in_order(run_chunk, range(*span, CHUNK), threads)


def run_dense(
    trains: SpikeTrains,
    reservoir: Reservoir,
    plan: Plan,
    span: tuple[int, int],
    seed: int,
    device: str,
    dtype: type,
) -> States:
    """Run the samples `span` through a reservoir, all neurons of all samples in every step.

    Args:
        trains: B samples.
        reservoir: the weights.
        plan: what to read.
        span: first sample and the one after the last.
        seed: of the read noise.
        device: of torch.
        dtype: of the membranes.

    Returns:
        What was read, the same to the bit as from `run_compiled`.
    """
    spec, samples = reservoir.spec, span[1] - span[0]
    spikes = torch.from_numpy(trains.take(slice(*span)).dense(np.uint8)).to(device)
    w_in, w_rec = _blocks(reservoir, reservoir.weights.astype(dtype), device)
    noise = _Noise(reservoir, span, trains.steps, seed, device, dtype)
    parameters = LIFParameters(float(dtype(spec.decay)), float(dtype(spec.threshold)))
    counts, traces, membranes = (
        torch.from_numpy(a).to(device) for a in plan.states(samples, spec.neurons, dtype)
    )
    trace_weights = torch.from_numpy(plan.traces).to(device)
    state = rest(samples, spec.neurons, w_in)
    for t in range(trains.steps):
        x = spikes[t].to(w_in.dtype)
        drive = x @ w_in + state.spikes @ w_rec + noise(x, state.spikes, t)
        state = lif_step(drive, state, parameters)
        counts[:, plan.window[t]] += state.spikes
        traces += trace_weights[t][:, None] * state.spikes[:, None]
        if plan.slot[t] >= 0:
            membranes[:, plan.slot[t]] = state.membrane * (1 - state.spikes)
    return States(*(a.cpu().numpy() for a in (counts, traces, membranes)))


class _Noise:
    """Noise of the drive: n sqrt(sum of the active rows' squares) z, or 0 without read noise."""

    def __init__(
        self,
        reservoir: Reservoir,
        span: tuple[int, int],
        steps: int,
        seed: int,
        device: str,
        dtype: type,
    ) -> None:
        self.steps = steps
        self.squares = None
        if reservoir.squares is not None:
            self.squares = _blocks(reservoir, reservoir.squares.astype(dtype), device)
        self.scale, self.key = float(dtype(reservoir.noise_scale)), kernels.noise_key(seed)
        self.samples = torch.arange(*span, device=device)[:, None]
        self.neurons = torch.arange(reservoir.spec.neurons, device=device)
        self.quantiles = torch.from_numpy(kernels.noise_table(dtype)).to(device)

    def __call__(self, x: torch.Tensor, spikes: torch.Tensor, t: int) -> torch.Tensor | float:
        if self.squares is None:
            return 0.0
        # The numbers of the compiled loop, drawn where they are used.
        stream = _mix(self.samples * self.steps + _signed(int(self.key) + t))
        index = _shifted(_mix(stream + self.neurons), 64 - kernels.NORMAL_BITS)
        spread = (x @ self.squares[0] + spikes @ self.squares[1]).sqrt()
        return self.scale * spread * self.quantiles[index]


def _mix(key: torch.Tensor) -> torch.Tensor:
    # `kernels.mix` on int64: torch multiplies no uint64, but the low 64 bits are the same.
    first, second = map(_signed, kernels.SPREAD)
    key = (key ^ _shifted(key, 30)) * first
    key = (key ^ _shifted(key, 27)) * second
    return key ^ _shifted(key, 31)


def _shifted(key: torch.Tensor, bits: int) -> torch.Tensor:
    # To the right, as of uint64: without copies of the sign.
    return (key >> bits) & (2 ** (64 - bits) - 1)


def _signed(value: int) -> int:
    # The int64 with the same 64 bits.
    value %= 2**64
    return value - 2**64 if value >= 2**63 else value


def _blocks(
    reservoir: Reservoir, rows: np.ndarray, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    # Input and recurrent rows.
    return torch.from_numpy(rows).to(device).split([reservoir.spec.inputs, reservoir.spec.neurons])
