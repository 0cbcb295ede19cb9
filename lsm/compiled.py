"""The event-driven way through a reservoir: chunks of samples over the threads of the CPU."""

from collections.abc import Iterator

import numpy as np

from harness.parallel import map_in_order
from lsm import kernels
from lsm.features import Plan, States
from lsm.noise import noise_key, noise_scale, noise_table
from lsm.reservoir import Reservoir
from lsm.spikes import SpikeTrains

CHUNK = 256  # samples a task of the thread pool; the result does not depend on it


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
            (noise_scale(reservoir, dtype), noise_key(seed), noise_table(dtype)),
            (plan.window, plan.traces, plan.slot),
            states,
            (first, stop),
            group,
        )
        return slice(first, stop), states

    return map_in_order(run_chunk, range(*span, CHUNK), threads)
