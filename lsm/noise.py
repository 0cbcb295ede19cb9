"""Read noise of a reservoir, drawn from a counter: sample, step and neuron fix every number.

So it is the same for any number of threads, and compiled or dense, on the CPU or a GPU.
"""

import numpy as np

from lsm import kernels
from lsm.reservoir import Reservoir

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # what splitmix64 adds to its counter


def noise_key(seed: int) -> np.uint64:
    """Where the counter of a seed starts."""
    return kernels.mix.py_func(np.array([seed], np.uint64) + GOLDEN)[0]


def noise_scale(reservoir: Reservoir, dtype: type) -> np.floating:
    """Standard deviation of the drive's noise where the sum of squares is 1."""
    return dtype(reservoir.read_noise * np.sqrt(reservoir.square_unit))


def noise_table(dtype: type) -> np.ndarray:
    """The normal quantiles that noise is drawn from, (4096,)."""
    return kernels.normal_table().astype(dtype)


def standard_noise(
    key: np.uint64, samples: np.ndarray, step: int, steps: int, neurons: int, dtype: type
) -> np.ndarray:
    """The normal numbers that the compiled loop draws in one step, (samples, neurons).

    Args:
        key: from `noise_key`.
        samples: (B,) uint64 numbers of the samples.
        step: t.
        steps: T.
        neurons: of the reservoir.
        dtype: of the membranes.
    """
    mix = kernels.mix.py_func
    stream = mix(key + samples[:, None] * np.uint64(steps) + np.uint64(step))
    index = mix(stream + np.arange(neurons, dtype=np.uint64)) >> np.uint64(64 - kernels.NORMAL_BITS)
    return noise_table(dtype)[index]
