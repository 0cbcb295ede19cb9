"""Spike trains -> reservoir -> features: event-driven and compiled, or dense torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from harness.errors import UserError
from harness.parallel import map_in_order
from lsm import kernels
from lsm.neurons import LIFParameters, lif_step, rest
from lsm.reservoir import Reservoir
from lsm.spikes import SpikeTrains
from lsm.vector_code import BIT_PLACES

CHUNK = 256  # samples a task of the thread pool; the result does not depend on it


class Plan(NamedTuple):
    """For every step its window (T,), trace weights (T, K) and membrane slot (T,) or -1."""

    window: np.ndarray
    traces: np.ndarray
    slot: np.ndarray

    def work(
        self, samples: int, neurons: int, dtype: type, padded: int | None = None
    ) -> kernels.Work:
        """Empty arrays for what is read."""
        return kernels.Work(
            np.zeros((samples, self.window.max() + 1, padded or neurons), np.float32),
            np.zeros((samples, self.traces.shape[1], neurons), np.float64),
            np.zeros((samples, self.slot.max() + 1, neurons), dtype),
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
        """What to do in which of `steps` steps."""
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
    reads: StateFeatures = StateFeatures(),
    *,
    batch: int = 1000,
    seed: int = 0,
    threads: int | None = None,
    device: str = "cpu",
    compiled: bool = True,
    dtype: type = np.float32,
) -> np.ndarray:
    """Run spike trains through a reservoir and read features from it (LSM paper, methods).

    State is born and dropped in the call. The spikes are the same to the bit for any number of
    threads, compiled or not, on the CPU or a GPU.

    Args:
        trains: B samples of T steps and C channels.
        reservoir: the weights.
        reads: what to read.
        batch: samples that share one read of the chip when its noise is per batch; also how
            many the dense path holds at once.
        seed: of the read noise. Give training and test data different ones.
        threads: of the compiled path; default all that the process may use.
        device: of torch; anything but "cpu" implies `compiled=False`.
        compiled: the event-driven compiled loop, else dense torch.
        dtype: of the membranes, np.float32 or np.float64.

    Returns:
        Features (B, reads.width(neurons)), float32.

    Raises:
        UserError: the trains do not fit the reservoir, or `reads` does not fit their steps.
    """
    spec = reservoir.spec
    if trains.inputs != spec.inputs:
        raise UserError(f"spikes of {trains.inputs} channels, a reservoir of {spec.inputs} inputs")
    plan = reads.plan(trains.steps)
    if reservoir.reread is None and compiled and device == "cpu":
        batch = max(1, len(trains))  # nothing changes from batch to batch
    out = np.empty((len(trains), reads.width(spec.neurons)), np.float32)
    for number, first in enumerate(range(0, len(trains), batch)):
        span = (first, min(first + batch, len(trains)))
        now = reservoir.reread(seed, number) if reservoir.reread else reservoir
        if compiled and device == "cpu":
            parts = _compiled(trains, now, plan, span, seed, threads, dtype)
        else:
            parts = iter([(span, _dense(trains, now, plan, span, seed, device, dtype))])
        for (start, stop), work in parts:
            _write_features(work, plan, out[start:stop])
    return out


def _noise_key(seed: int) -> np.uint64:
    return kernels.mix.py_func(np.array([seed], np.uint64) + np.uint64(0x9E3779B97F4A7C15))[0]


def _noise_scale(reservoir: Reservoir, dtype: type) -> np.floating:
    return dtype(reservoir.read_noise * np.sqrt(reservoir.square_unit))


def _write_features(work: kernels.Work, plan: Plan, out: np.ndarray) -> None:
    neurons, at = work.traces.shape[2], 0
    for k, steps in enumerate(np.bincount(plan.window).astype(np.float32)):
        np.divide(work.counts[:, k, :neurons], steps, out=out[:, at : at + neurons])
        at += neurons
    for reads in (work.traces, work.membranes):
        for k in range(reads.shape[1]):
            out[:, at : at + neurons] = reads[:, k]
            at += neurons


def _compiled(
    trains: SpikeTrains,
    reservoir: Reservoir,
    plan: Plan,
    span: tuple[int, int],
    seed: int,
    threads: int | None,
    dtype: type,
) -> Iterator[tuple[tuple[int, int], kernels.Work]]:
    spec = reservoir.spec
    table = reservoir.tables[0]
    rows = np.ascontiguousarray(trains.rows, np.int64)
    channels = np.ascontiguousarray(trains.channels, np.uint16)
    quantiles = kernels.normal_table().astype(dtype)
    group = kernels.GROUP_ONE_BLOCK if len(table) == 1 else kernels.GROUP_MANY_BLOCKS

    def encode_chunk(first: int) -> tuple[tuple[int, int], kernels.Work]:
        part = (first, min(first + CHUNK, span[1]))
        work = plan.work(part[1] - part[0], spec.neurons, dtype, padded=len(table) * table.shape[2])
        kernels.run(
            (rows, channels, trains.steps, trains.inputs),
            reservoir.tables,
            (dtype(reservoir.unit), dtype(spec.decay), dtype(spec.threshold)),
            (_noise_scale(reservoir, dtype), _noise_key(seed), quantiles),
            (plan.window, plan.traces, plan.slot),
            work,
            part,
            group,
            BIT_PLACES,
        )
        return part, work

    return map_in_order(encode_chunk, range(*span, CHUNK), threads)


def _dense(
    trains: SpikeTrains,
    reservoir: Reservoir,
    plan: Plan,
    span: tuple[int, int],
    seed: int,
    device: str,
    dtype: type,
) -> kernels.Work:
    spec = reservoir.spec
    kind = torch.from_numpy(np.zeros(0, dtype)).dtype
    dense = torch.from_numpy(trains.take(slice(*span)).dense(np.uint8)).to(device)
    weights = (
        torch.from_numpy(reservoir.weights).to(device, kind).split([spec.inputs, spec.neurons])
    )
    noise = _DenseNoise(reservoir, span, trains.steps, seed, device, dtype)
    parameters = LIFParameters(*(float(dtype(x)) for x in (spec.decay, spec.threshold)))
    work = [
        torch.from_numpy(a).to(device) for a in plan.work(span[1] - span[0], spec.neurons, dtype)
    ]
    state = rest(span[1] - span[0], spec.neurons, weights[0])
    for t in range(trains.steps):
        x = dense[t].to(kind)
        drive = x @ weights[0] + state.spikes @ weights[1]
        state = lif_step(noise.add(drive, x, state.spikes, t), state, parameters)
        work[0][:, plan.window[t]] += state.spikes
        work[1] += torch.from_numpy(plan.traces[t]).to(device)[:, None] * state.spikes[:, None]
        if plan.slot[t] >= 0:
            work[2][:, plan.slot[t]] = state.membrane * (1 - state.spikes)
    return kernels.Work(*(a.cpu().numpy() for a in work))


class _DenseNoise:
    """The compiled loop's read noise, number for number, in dense torch."""

    def __init__(
        self,
        reservoir: Reservoir,
        span: tuple[int, int],
        steps: int,
        seed: int,
        device: str,
        dtype: type,
    ) -> None:
        self.on = reservoir.squares is not None
        if not self.on:
            return
        spec = reservoir.spec
        squares = torch.from_numpy(reservoir.squares.astype(dtype)).to(device)
        self.squares = squares.split([spec.inputs, spec.neurons])
        self.scale = float(_noise_scale(reservoir, dtype))
        self.key, self.steps, self.device = _noise_key(seed), steps, device
        self.samples = np.arange(*span, dtype=np.uint64)[:, None]
        self.neurons = np.arange(spec.neurons, dtype=np.uint64)
        self.quantiles = kernels.normal_table().astype(dtype)

    def add(
        self, drive: torch.Tensor, x: torch.Tensor, spikes: torch.Tensor, t: int
    ) -> torch.Tensor:
        if not self.on:
            return drive
        mix = kernels.mix.py_func
        stream = mix(self.key + self.samples * np.uint64(self.steps) + np.uint64(t))
        index = mix(stream + self.neurons) >> np.uint64(64 - kernels.NORMAL_BITS)
        z = torch.from_numpy(self.quantiles[index]).to(self.device)
        spread = (x @ self.squares[0] + spikes @ self.squares[1]).sqrt()
        return drive + self.scale * spread * z
