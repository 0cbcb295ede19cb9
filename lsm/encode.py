"""Spike trains -> reservoir -> features."""

import numpy as np

from harness.errors import UserError
from lsm.compiled import run_compiled
from lsm.dense import run_dense
from lsm.features import StateFeatures
from lsm.reservoir import Reservoir
from lsm.spikes import SpikeTrains


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
) -> np.ndarray:
    """Run spike trains through a reservoir and read features from it (LSM paper, methods).

    From rest, in every step t = 0 .. T-1,

        u[t] = d u[t-1] (1 - s[t-1]) + x[t] W_in + s[t-1] W_rec + noise;   s[t] = u[t] > Vth

    and at the end what `features` says of s and u. State is born and dropped in the call. The
    spikes are the same to the bit for any number of threads, compiled or not, on the CPU or a
    GPU.

    Args:
        trains: B samples of T steps and C channels.
        reservoir: the weights.
        features: what to read.
        batch: samples that share one read of the chip when its noise is per batch; also how
            many the dense path holds at once.
        seed: of the read noise. Give training and test data different ones.
        threads: of the compiled path; default all that the process may use.
        device: of torch; anything but "cpu" implies `compiled=False`.
        compiled: the event-driven compiled loop, else dense torch.
        dtype: of the membranes, np.float32 or np.float64.

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
    if compiled and not reservoir.noise_per_batch:
        batch = max(1, len(trains))  # nothing changes from batch to batch
    out = np.empty((len(trains), features.width(spec.neurons)), np.float32)
    for number, first in enumerate(range(0, len(trains), batch)):
        span = (first, min(first + batch, len(trains)))
        weights = reservoir.read(seed, number)
        if compiled:
            runs = run_compiled(trains, weights, plan, span, seed, threads, dtype)
        else:
            runs = [(slice(*span), run_dense(trains, weights, plan, span, seed, device, dtype))]
        for samples, states in runs:
            plan.write(states, out[samples])
    return out
