"""The reservoir's compiled loop for the CPU: add the weight rows of whatever spiked.

Work goes on by groups of samples, step by step, and within a step by blocks of neurons whose
weights stay in the cache while the whole group passes over them.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from lsm.vector_code import LANES, ROWS_AT_ONCE, add_rows, lif_lanes, lowest_bit

BLOCK_BYTES = 786_432  # of weights, to stay inside a core's second-level cache
BLOCK_COST = 1.5  # of visiting a block, in vectors
WIDEST = 8  # vectors a block, as many copies of `add_rows` there are
GROUP_ONE_BLOCK, GROUP_MANY_BLOCKS = 8, 256  # samples that pass over a block together
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


@njit(cache=True, nogil=True)
def _gather_inputs(rows, channels, first, steps, t, active, counts, zero):
    # Appends the input channels of step t to the neurons that fired, padded for `add_rows`.
    for g in range(len(counts)):
        row = (first + g) * steps + t
        n = counts[g]
        for k in range(rows[row], rows[row + 1]):
            active[g, n] = channels[k]
            n += 1
        while n % ROWS_AT_ONCE:
            active[g, n] = zero
            n += 1
        counts[g] = n


@njit(cache=True, nogil=True)
def _record(work, sample, neuron, window, weights):
    work.counts[sample, window, neuron] += 1
    for k in range(len(weights)):
        work.traces[sample, k, neuron] += weights[k]


@njit(cache=True, nogil=True)
def _fire(u, sums, unit, decay, threshold, base, fired, n):
    # One block of one sample: who fires is appended to `fired`; returns their number.
    one = np.uint32(1)
    for start in range(0, len(sums), LANES):
        bits = lif_lanes(
            u.ctypes.data + start * u.itemsize,
            sums.ctypes.data + start * 4,
            unit,
            decay,
            threshold,
        )
        while bits != 0:
            fired[n] = base + start + lowest_bit(bits)
            n += 1
            bits &= bits - one
    return n


@njit(cache=True, nogil=True)
def _fire_noisy(u, drive, decay, threshold, base, fired, n):
    for j in range(len(drive)):
        new = decay * u[j] + drive[j]
        u[j] = new
        if new > threshold:
            u[j] = 0
            fired[n] = base + j
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
def run(trains, tables, unit, decay, threshold, noise, plan, work, span, group):
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
    """
    steps, neurons = trains[2], work.counts.shape[2]
    blocks, _, width = tables[0].shape
    u = np.zeros((group, blocks * width), work.membranes.dtype)
    active = np.zeros((2, group, tables[0].shape[1] + ROWS_AT_ONCE), np.uint32)
    counts = np.zeros((2, group), np.int64)
    for first in range(span[0], span[1], group):
        size = min(group, span[1] - first)
        u[:] = 0
        counts[:] = 0
        for t in range(steps):
            now, then = active[t % 2], active[(t + 1) % 2]
            n_now, n_then = counts[t % 2, :size], counts[(t + 1) % 2, :size]
            _step(
                trains, tables, unit, decay, threshold, noise, u, now, n_now, then, n_then, first, t
            )
            for g in range(size):
                for k in range(n_then[g]):
                    neuron = then[g, k] - np.uint32(trains[3])
                    _record(work, first + g - span[0], neuron, plan[0][t], plan[1][t])
                if plan[2][t] >= 0:
                    work.membranes[first + g - span[0], plan[2][t]] = u[g, :neurons]


@njit(cache=True, nogil=True)
def _step(trains, tables, unit, decay, threshold, noise, u, now, n_now, then, n_then, first, t):
    # One step of a group: `now` lists the neurons that fired last; fills `then`.
    rows, channels, steps, inputs = trains
    weights, variances = tables
    blocks, zero_row, width = weights.shape[0], weights.shape[1] - 1, weights.shape[2]
    vectors = width // LANES
    scale, key, quantiles = noise
    sums, squares = np.empty(width, np.int32), np.empty(width, np.int32)
    drive, spread = np.empty(width, u.dtype), np.empty(width, u.dtype)
    _gather_inputs(rows, channels, first, steps, t, now, n_now, zero_row)
    n_then[:] = 0
    for b in range(blocks):
        base = b * width
        for g in range(len(n_now)):
            part = u[g, base : base + width]
            at, n = now[g].ctypes.data, n_now[g]
            _add(vectors, weights[b].ctypes.data, width * 2, at, n, sums.ctypes.data)
            if scale == 0:
                n_then[g] = _fire(
                    part, sums, unit, decay, threshold, inputs + base, then[g], n_then[g]
                )
                continue
            _add(vectors, variances[b].ctypes.data, width * 2, at, n, squares.ctypes.data)
            stream = mix(key + np.uint64((first + g) * steps + t)) + np.uint64(base)
            _noisy_drive(sums, squares, unit, scale, stream, quantiles, drive, spread)
            n_then[g] = _fire_noisy(
                part, drive, decay, threshold, inputs + base, then[g], n_then[g]
            )
