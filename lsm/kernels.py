"""The reservoir's compiled loop for the CPU: add the weight rows of whatever spiked.

Samples go in groups, step by step, and within a step by blocks of neurons whose weights stay in
the cache while the whole group passes over them. All in one file, since numba compiles anew only
when the file of the outermost function changes.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from scipy.special import ndtri

LANES = 32  # a block of neurons is so many wide, or a small multiple
WIDEST = 16  # that multiple at most
# Of a block's weights. Long rows pay, even where a block outgrows the second-level cache: with read
# noise, 2,048 neurons took 1.7 times as long in blocks of 1.2 MB on a busy AMD EPYC of 1 MB.
BLOCK_BYTES = 5_000_000
VISIT_COST = 3  # of a block to a sample, in units of LANES neurons
ROWS_AT_ONCE = 4  # rows added in 16 bits before the sum is widened to 32
LARGEST_INTEGER = 8191  # four of them, added in 16 bits, do not overflow
GROUP_ONE_BLOCK, GROUP_MANY_BLOCKS = 8, 256  # samples that pass over a block together
NORMAL_BITS = 12  # read noise is drawn from a table of 2^12 normal quantiles
SPREAD = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # factors of splitmix64
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # what splitmix64 adds to its counter


def pack(*tables: np.ndarray) -> np.ndarray:
    """Cut integer weights into blocks of neurons that fit the cache.

    Args:
        tables: (rows, neurons) int16: the weights, and the squares that read noise needs, if any.

    Returns:
        (blocks, rows + 1, len(tables) * width) int16: what all tables have for one block of
        neurons lies side by side; the last row is of zeros.
    """
    rows, neurons = tables[0].shape
    widest = BLOCK_BYTES // (2 * LANES * (rows + 1) * len(tables))
    multiples = range(1, int(np.clip(widest, 1, WIDEST)) + 1)
    cost = {m: -(-neurons // (LANES * m)) * (m + VISIT_COST) for m in multiples}
    width = LANES * min(multiples, key=cost.get)
    blocks = -(-neurons // width)
    packed = aligned((blocks, rows + 1, len(tables), width), np.int16)
    for k, table in enumerate(tables):
        padded = np.zeros((rows, blocks * width), np.int16)
        padded[:, :neurons] = table
        packed[:, :rows, k] = padded.reshape(rows, blocks, width).transpose(1, 0, 2)
    return packed.reshape(blocks, rows + 1, len(tables) * width)


def aligned(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeros that start on a cache line: loads across two lines cost double."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


@cache
def normal_table() -> np.ndarray:
    """Quantiles of the normal distribution at 2^12 equal steps, float32, variance 1."""
    size = 1 << NORMAL_BITS
    z = ndtri((np.arange(size) + 0.5) / size)
    return (z / z.std()).astype(np.float32)


@njit(cache=True, nogil=True, inline="always")
def mix(key: np.ndarray) -> np.ndarray:
    """Spread a uint64 over all its bits (splitmix64); scalars and arrays."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(SPREAD[0])
    key = (key ^ (key >> np.uint64(27))) * np.uint64(SPREAD[1])
    return key ^ (key >> np.uint64(31))


# Read noise is drawn from a counter: sample, step and neuron fix every number. So it is the same
# for any number of threads, and compiled or dense, on the CPU or a GPU.


def noise_key(seed: int) -> np.uint64:
    """Where the counter of a seed starts."""
    return mix.py_func(np.array([seed], np.uint64) + GOLDEN)[0]


def noise_table(dtype: type) -> np.ndarray:
    """The normal quantiles that noise is drawn from, (4096,)."""
    return normal_table().astype(dtype)


# In the helpers, one short loop after another and indices in place of slices: so the compiler
# makes vectors of them, and `width`, a constant of the caller's, becomes one of theirs.


@njit(inline="always")
def _list_rows(rows, channels, row, fired, n_fired, g, listed, silent):
    # Rows of the table to add: neurons that fired last and inputs, then `silent` rows of zeros
    # up to a multiple of four. Returns their number.
    n = n_fired[g]
    for k in range(n):
        listed[g, k] = fired[g, k]
    for k in range(rows[row], rows[row + 1]):
        listed[g, n] = channels[k]
        n += 1
    while n % ROWS_AT_ONCE:
        listed[g, n] = silent
        n += 1
    return n


@njit(inline="always")
def _sum_rows(table, b, listed, g, count, sums, lanes):
    for j in range(lanes):
        sums[j] = 0
    for k in range(0, count - ROWS_AT_ONCE, 2 * ROWS_AT_ONCE):  # two fours each time sums pass by
        r0, r1, r2, r3 = listed[g, k], listed[g, k + 1], listed[g, k + 2], listed[g, k + 3]
        r4, r5, r6, r7 = listed[g, k + 4], listed[g, k + 5], listed[g, k + 6], listed[g, k + 7]
        for j in range(lanes):
            four = table[b, r0, j] + table[b, r1, j] + table[b, r2, j] + table[b, r3, j]
            more = table[b, r4, j] + table[b, r5, j] + table[b, r6, j] + table[b, r7, j]
            sums[j] += np.int32(np.int16(four)) + np.int32(np.int16(more))
    if count % (2 * ROWS_AT_ONCE):
        k = count - ROWS_AT_ONCE
        r0, r1, r2, r3 = listed[g, k], listed[g, k + 1], listed[g, k + 2], listed[g, k + 3]
        for j in range(lanes):
            four = table[b, r0, j] + table[b, r1, j] + table[b, r2, j] + table[b, r3, j]
            sums[j] += np.int32(np.int16(four))


@njit(inline="always")
def _add_noise(drive, sums, stream, scale, quantiles, place, z, kind, width):
    # drive += sqrt(variance) * z, with z from a counter: sample, step and neuron fix it.
    for j in range(width):
        place[j] = mix(stream + np.uint64(j)) >> np.uint64(64 - NORMAL_BITS)
    for j in range(width):
        z[j] = quantiles[place[j]]
    for j in range(width):
        drive[j] += scale * np.sqrt(kind(sums[width + j])) * z[j]


@njit(inline="always")
def _fire(u, g, base, drive, decay, threshold, spikes, fired, n_fired, kind, width):
    # One LIF step of a block; appends the neurons that fire to the list `fired`.
    for j in range(width):
        drive[j] += decay * u[g, base + j]
    for j in range(width):
        spikes[j] = drive[j] > threshold
    for j in range(width):
        u[g, base + j] = drive[j] if drive[j] <= threshold else kind(0)
    n = np.uint64(n_fired[g])  # unsigned: no check for a negative index
    for j in range(width):  # no branch, which spikes would make unpredictable
        fired[g, n] = base + j
        n += np.uint64(spikes[j])
    n_fired[g] = n


@njit(inline="always")
def _observe(fired, n_fired, g, inputs, work, sample, window, trace_weights, t):
    # Counts and traces of those that fired, whose numbers become those of their rows.
    for k in range(n_fired[g]):
        neuron = fired[g, k]
        work.counts[sample, window[t], neuron] += 1
        for i in range(trace_weights.shape[1]):
            work.traces[sample, i, neuron] += trace_weights[t, i]
        fired[g, k] = inputs + neuron


@cache
def reservoir_loop(width: int, noisy: bool) -> Any:
    """The compiled loop for blocks of `width` neurons, with read noise or without.

    The loop `run(trains, table, neuron, noise, plan, work, span, group)` takes

        trains: (rows, channels, steps, inputs) of `SpikeTrains`.
        table: weights, if `noisy` with squares beside them, see `pack`.
        neuron: (membrane units of weight 1, decay, threshold), in the floating type of the
            membranes.
        noise: (scale, key, quantiles); not used unless `noisy`.
        plan: (window (T,), trace weights (T, K), membrane slot (T,) or -1).
        work: `lsm.encode.States` to fill; its first sample is `span[0]`.
        span: first sample and the one after the last.
        group: samples that go together.
    """
    lanes = 2 * width if noisy else width

    @njit(cache=True, nogil=True, error_model="numpy")
    def run(trains, table, neuron, noise, plan, work, span, group):
        rows, channels, steps, inputs = trains
        unit, decay, threshold = neuron
        scale, key, quantiles = noise
        window, trace_weights, slots = plan
        blocks, silent, neurons = table.shape[0], table.shape[1] - 1, work.traces.shape[2]
        padded, kind = blocks * width, work.membranes.dtype.type
        u = np.zeros((group, padded), work.membranes.dtype)
        listed = np.zeros((group, inputs + padded + ROWS_AT_ONCE), np.uint32)
        fired, n_fired = np.zeros((group, padded + 1), np.uint32), np.zeros(group, np.int64)
        n_listed = np.zeros(group, np.int64)
        sums, spikes = np.zeros(lanes, np.int32), np.zeros(width, np.uint8)
        drive, z = np.zeros(width, u.dtype), np.zeros(width, u.dtype)
        place = np.zeros(width, np.uint16)
        for first in range(span[0], span[1], group):
            size = min(group, span[1] - first)
            u[:] = 0
            n_fired[:] = 0
            for t in range(steps):
                for g in range(size):
                    row = (first + g) * steps + t
                    n_listed[g] = _list_rows(rows, channels, row, fired, n_fired, g, listed, silent)
                    n_fired[g] = 0
                for b in range(blocks):
                    base = b * width
                    for g in range(size):
                        _sum_rows(table, b, listed, g, n_listed[g], sums, lanes)
                        for j in range(width):
                            drive[j] = unit * kind(sums[j])
                        if noisy:
                            row = (first + g) * steps + t
                            stream = mix(key + np.uint64(row)) + np.uint64(base)
                            _add_noise(drive, sums, stream, scale, quantiles, place, z, kind, width)
                        _fire(
                            u, g, base, drive, decay, threshold, spikes, fired, n_fired, kind, width
                        )
                for g in range(size):
                    sample = first + g - span[0]
                    _observe(fired, n_fired, g, inputs, work, sample, window, trace_weights, t)
                    if slots[t] >= 0:
                        for j in range(neurons):
                            work.membranes[sample, slots[t], j] = u[g, j]

    return run
