"""The reservoir's compiled loop for the CPU: add the weight rows of whatever spiked.

Work goes on by groups of samples, step by step, and within a step by blocks of neurons whose
weights stay in the cache while the whole group passes over them.
"""

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
    """What the loop fills, each (B, reads of that kind, neurons)."""

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
def _fire(membranes, itemsize, sums, width, unit, decay, threshold, base, fired, n, places):
    # One block of one sample: who fires is appended to `fired`; returns their number.
    for start in range(0, width, LANES):
        bits = lif_lanes(membranes + start * itemsize, sums + start * 4, unit, decay, threshold)
        n += append_bits(bits, np.uint32(base + start), places, fired + n * 4)
    return n


@njit(cache=True, nogil=True)
def _fire_noisy(u, start, drive, decay, threshold, base, fired, g, n):
    for j in range(len(drive)):
        new = decay * u[g, start + j] + drive[j]
        u[g, start + j] = new
        if new > threshold:
            u[g, start + j] = 0
            fired[g, n] = base + j
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
def run(trains, tables, unit, decay, threshold, noise, plan, work, span, group, places):
    """Run samples `span` = (first, last) through the reservoir, filling `work`.

    Args:
        trains: (rows, channels, steps, inputs) of `SpikeTrains`.
        tables: weights and squared conductances, see `pack`.
        unit: what 1 stands for in the weights, in the floating type of the membranes.
        decay: d, same type.
        threshold: Vth, same type.
        noise: (scale, key, quantiles); scale 0: no read noise.
        plan: (window (T,), trace weights (T, K), membrane slot (T,) or -1).
        work: see `Work`; its first sample is `span[0]`.
        span: first and last sample.
        group: samples that go together.
        places: `BIT_PLACES`.
    """
    steps, neurons = trains[2], work.counts.shape[2]
    blocks, _, width = tables[0].shape
    u = np.zeros((group, blocks * width), work.membranes.dtype)
    active = np.zeros((group, tables[0].shape[1] + SLACK), np.uint32)
    fired = np.zeros_like(active)
    counts = np.zeros(group, np.int64)
    scratch = (
        np.empty(width, np.int32),
        np.empty(width, np.int32),
        np.empty(width, u.dtype),
        np.empty(width, u.dtype),
        np.empty(group, np.int64),
        places,
    )
    for first in range(span[0], span[1], group):
        size = min(group, span[1] - first)
        u[:] = 0
        counts[:] = 0
        for t in range(steps):
            _step(
                trains,
                tables,
                unit,
                decay,
                threshold,
                noise,
                u,
                active,
                fired,
                counts,
                scratch,
                first,
                size,
                t,
            )
            _record(fired, counts, size, first - span[0], t, trains[3], plan, work)
            if plan[2][t] >= 0:
                for g in range(size):
                    work.membranes[first + g - span[0], plan[2][t]] = u[g, :neurons]
            active, fired = fired, active


@njit(cache=True, nogil=True)
def _record(fired, counts, size, offset, t, inputs, plan, work):
    windows, weights, _ = plan
    seen, traces = work.counts, work.traces
    window, kinds = windows[t], weights.shape[1]
    for g in range(size):
        for k in range(counts[g]):
            neuron = np.int64(fired[g, k]) - inputs
            seen[offset + g, window, neuron] += 1
            for i in range(kinds):
                traces[offset + g, i, neuron] += weights[t, i]


@njit(cache=True, nogil=True)
def _step(
    trains, tables, unit, decay, threshold, noise, u, active, fired, counts, scratch, first, size, t
):
    # One step of a group: `active` lists the counts[g] neurons that fired last; fills `fired`.
    rows, channels, steps, inputs = trains
    weights, variances = tables
    blocks, rows_each, width = weights.shape
    vectors, stride = width // LANES, width * 2
    scale, key, quantiles = noise
    sums, squares, drive, spread, lengths, places = scratch
    for g in range(size):
        row = (first + g) * steps + t
        lengths[g] = _gather_inputs(rows, channels, row, active, g, counts[g], rows_each - 1)
        counts[g] = 0
    sums_at, squares_at = sums.ctypes.data, squares.ctypes.data
    for b in range(blocks):
        base = b * width
        for g in range(size):
            at = active.ctypes.data + g * active.shape[1] * 4
            _add(
                vectors,
                weights.ctypes.data + b * rows_each * stride,
                stride,
                at,
                lengths[g],
                sums_at,
            )
            if scale == 0:
                membranes = u.ctypes.data + (g * u.shape[1] + base) * u.itemsize
                counts[g] = _fire(
                    membranes,
                    u.itemsize,
                    sums_at,
                    width,
                    unit,
                    decay,
                    threshold,
                    inputs + base,
                    fired.ctypes.data + g * fired.shape[1] * 4,
                    counts[g],
                    places.ctypes.data,
                )
                continue
            squares_of = variances.ctypes.data + b * rows_each * stride
            _add(vectors, squares_of, stride, at, lengths[g], squares_at)
            stream = mix(key + np.uint64((first + g) * steps + t)) + np.uint64(base)
            _noisy_drive(sums, squares, unit, scale, stream, quantiles, drive, spread)
            counts[g] = _fire_noisy(
                u, base, drive, decay, threshold, inputs + base, fired, g, counts[g]
            )
