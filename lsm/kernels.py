"""The reservoir's compiled loop for the CPU: add the weight rows of whatever spiked.

Work goes on by groups of samples, step by step, and within a step by blocks of neurons whose
weights stay in the cache while the whole group passes over them.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from lsm.vector_code import LANES, ROWS_AT_ONCE, add_rows, append_bits, lif_lanes

BLOCK_BYTES = 786_432  # of weights, to stay inside a core's second-level cache
BLOCK_COST = 1.5  # of visiting a block, in vectors
WIDEST = 8  # vectors a block, as many copies of `add_rows` there are
GROUP_ONE_BLOCK, GROUP_MANY_BLOCKS = 8, 256  # samples that pass over a block together
SLACK = 8  # entries that `append_bits` and the padding may write beyond the last
NORMAL_BITS = 12  # read noise is drawn from a table of 2^12 normal quantiles


class Work(NamedTuple):
    """What the loop fills, each (B, reads of that kind, neurons); counts may be wider."""

    counts: np.ndarray
    traces: np.ndarray
    membranes: np.ndarray


def pack(integers: np.ndarray) -> np.ndarray:
    """Cut integer weights (rows, neurons) into blocks of neurons that fit the cache.

    Returns:
        (blocks, rows + 1, 32 * vectors) int16, the last row of zeros.
    """
    rows, neurons = integers.shape
    widest = int(np.clip(BLOCK_BYTES // (2 * LANES * (rows + 1)), 1, WIDEST))
    vectors = min(range(1, widest + 1), key=lambda v: -(-neurons // (LANES * v)) * (v + BLOCK_COST))
    width = LANES * vectors
    blocks = -(-neurons // width)
    padded = np.zeros((rows + 1, blocks * width), np.int16)
    padded[:rows, :neurons] = integers
    table = aligned((blocks, rows + 1, width), np.int16)
    table[:] = padded.reshape(rows + 1, blocks, width).transpose(1, 0, 2)
    return table


def aligned(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeros that start on a cache line: loads across two lines cost double."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


@cache
def normal_table() -> np.ndarray:
    """Quantiles of the normal distribution at 2^12 equal steps, float32, variance 1."""
    from scipy.special import ndtri

    size = 1 << NORMAL_BITS
    z = ndtri((np.arange(size) + 0.5) / size)
    return (z / z.std()).astype(np.float32)


@njit(cache=True, nogil=True, inline="always")
def mix(key: np.ndarray) -> np.ndarray:
    """Spread a uint64 over all its bits (splitmix64); scalars and arrays."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


@njit(cache=True, nogil=True)
def _add(vectors, table, stride, active, count, out):
    # The width must be a literal: one copy of the code for each.
    if vectors == 1:
        add_rows(1, table, stride, active, count, out)
    elif vectors == 2:
        add_rows(2, table, stride, active, count, out)
    elif vectors == 3:
        add_rows(3, table, stride, active, count, out)
    elif vectors == 4:
        add_rows(4, table, stride, active, count, out)
    elif vectors == 5:
        add_rows(5, table, stride, active, count, out)
    elif vectors == 6:
        add_rows(6, table, stride, active, count, out)
    elif vectors == 7:
        add_rows(7, table, stride, active, count, out)
    else:
        add_rows(8, table, stride, active, count, out)


# Below, indices instead of slices: a slice in an inner loop costs more than a row of weights.


@njit(cache=True, nogil=True)
def _gather_inputs(rows, channels, row, active, g, n, zero):
    # Appends the input channels of a step to the neurons that fired, padded for `add_rows`.
    for k in range(rows[row], rows[row + 1]):
        active[g, n] = channels[k]
        n += 1
    for k in range(n, n + ROWS_AT_ONCE):
        active[g, k] = zero
    return (n + ROWS_AT_ONCE - 1) // ROWS_AT_ONCE * ROWS_AT_ONCE


@njit(cache=True, nogil=True)
def _fire(membranes, itemsize, sums, seen, width, neuron, base, fired, n, places):
    # One block of one sample: who fires is appended to `fired`; returns their number.
    unit, decay, threshold = neuron
    for start in range(0, width, LANES):
        u, four = membranes + start * itemsize, start * 4
        bits = lif_lanes(u, sums + four, seen + four, unit, decay, threshold)
        n += append_bits(bits, np.uint32(base + start), places, fired + n * 4)
    return n


@njit(cache=True, nogil=True)
def _fire_noisy(u, g, base, drive, neuron, inputs, fired, n, seen, at):
    _, decay, threshold = neuron
    for j in range(len(drive)):
        new = decay * u[g, base + j] + drive[j]
        u[g, base + j] = new
        if new > threshold:
            u[g, base + j] = 0
            seen[at[0], at[1], base + j] += 1
            fired[g, n] = inputs + base + j
            n += 1
    return n


@njit(cache=True, nogil=True)
def _noisy_drive(sums, squares, unit, scale, key, quantiles, drive, spread):
    # drive = sum + sqrt(variance) * z, with z from a counter: sample, step and neuron fix it.
    # The integers go through the floating arrays so that no product is rounded in float64.
    for j in range(len(sums)):
        drive[j] = sums[j]
        spread[j] = squares[j]
    for j in range(len(sums)):
        z = quantiles[mix(key + np.uint64(j)) >> np.uint64(64 - NORMAL_BITS)]
        drive[j] = unit * drive[j] + scale * np.sqrt(spread[j]) * z


@njit(cache=True, nogil=True)
def run(trains, tables, neuron, noise, plan, work, span, group, places):
    """Run samples `span` = (first, last) through the reservoir, filling `work`.

    Args:
        trains: (rows, channels, steps, inputs) of `SpikeTrains`.
        tables: weights and squared conductances, see `pack`.
        neuron: (what 1 stands for in the weights, decay, threshold), in the floating type of
            the membranes.
        noise: (scale, key, quantiles); scale 0: no read noise.
        plan: (window (T,), trace weights (T, K), membrane slot (T,) or -1).
        work: see `Work`; its first sample is `span[0]`.
        span: first and last sample.
        group: samples that go together.
        places: `BIT_PLACES`.
    """
    steps, neurons = trains[2], work.traces.shape[2]
    blocks, rows_each, width = tables[0].shape
    u = np.zeros((group, blocks * width), work.membranes.dtype)
    active = np.zeros((group, rows_each + SLACK), np.uint32)
    fired = np.zeros_like(active)
    counts, lengths = np.zeros(group, np.int64), np.zeros(group, np.int64)
    sums, squares = np.empty(width, np.int32), np.empty(width, np.int32)
    scratch = (sums, squares, np.empty(width, u.dtype), np.empty(width, u.dtype), lengths, places)
    for first in range(span[0], span[1], group):
        size, offset = min(group, span[1] - first), first - span[0]
        u[:] = 0
        counts[:] = 0
        for t in range(steps):
            lists, at = (active, fired, counts), (first, size, t, offset, plan[0][t])
            _step(trains, tables, neuron, noise, u, lists, scratch, work.counts, at)
            if plan[1].shape[1]:
                _trace(fired, counts, size, offset, plan[1][t], trains[3], work.traces)
            if plan[2][t] >= 0:
                for g in range(size):
                    work.membranes[offset + g, plan[2][t]] = u[g, :neurons]
            active, fired = fired, active


@njit(cache=True, nogil=True)
def _trace(fired, counts, size, offset, weights, inputs, traces):
    for g in range(size):
        for k in range(counts[g]):
            for i in range(len(weights)):
                traces[offset + g, i, np.int64(fired[g, k]) - inputs] += weights[i]


@njit(cache=True, nogil=True)
def _step(trains, tables, neuron, noise, u, lists, scratch, seen, at):
    # One step of a group: `active` lists the counts[g] neurons that fired last; fills `fired`.
    rows, channels, steps, inputs = trains
    blocks, rows_each, width = tables[0].shape
    active, fired, counts = lists
    sums, squares, drive, spread, lengths, places = scratch
    first, size, t, offset, window = at
    for g in range(size):
        row = (first + g) * steps + t
        lengths[g] = _gather_inputs(rows, channels, row, active, g, counts[g], rows_each - 1)
        counts[g] = 0
    stride, stored = width * 2, active.shape[1] * 4
    for b in range(blocks):
        block, base = b * rows_each * stride, b * width
        for g in range(size):
            listed = active.ctypes.data + g * stored
            weights = tables[0].ctypes.data + block
            _add(width // LANES, weights, stride, listed, lengths[g], sums.ctypes.data)
            if noise[0] == 0:
                membranes = u.ctypes.data + (g * u.shape[1] + base) * u.itemsize
                row = (offset + g) * seen.shape[1] + window
                counts[g] = _fire(
                    membranes, u.itemsize, sums.ctypes.data,
                    seen.ctypes.data + (row * seen.shape[2] + base) * 4, width, neuron,
                    inputs + base, fired.ctypes.data + g * stored, counts[g], places.ctypes.data,
                )  # fmt: skip
                continue
            variances = tables[1].ctypes.data + block
            _add(width // LANES, variances, stride, listed, lengths[g], squares.ctypes.data)
            key = mix(noise[1] + np.uint64((first + g) * steps + t)) + np.uint64(base)
            _noisy_drive(sums, squares, neuron[0], noise[0], key, noise[2], drive, spread)
            counts[g] = _fire_noisy(
                u, g, base, drive, neuron, inputs, fired, counts[g], seen, (offset + g, window)
            )
