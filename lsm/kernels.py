"""The reservoir's compiled loop for the CPU: add the weight rows of whatever spiked.

Work goes on by groups of samples, step by step, and within a step by blocks of neurons whose
weights stay in the cache while the whole group passes over them.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from lsm.vector_code import (
    LANES,
    ROWS_AT_ONCE,
    add_rows,
    append_bits,
    lif_lanes,
    load_int,
    store_int,
    widen,
)

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


class Layout(NamedTuple):
    """What a step works on, as numbers: numba counts references to every array it passes on.

    Addresses first: `rows` and `channels` of `SpikeTrains`; weights, see `pack`; membranes
    (group, neurons); what is seen (samples, windows, neurons); lists (2, group, room) of who
    fired last and who fires now, uint32; counts (group,) of who fires now and lengths (group,)
    of the rows to add, int64; sums (width,) int32; `BIT_PLACES`. Then sizes: `spikes` is the
    length of `channels`, `room` the bytes of a list, `block_rows` the rows of a block.
    """

    rows: int
    channels: int
    weights: int
    membranes: int
    seen: int
    lists: int
    counts: int
    lengths: int
    sums: int
    places: int
    spikes: int
    steps: int
    inputs: int
    windows: int
    group: int
    room: int
    blocks: int
    block_rows: int
    width: int
    itemsize: int


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


# Below, addresses or indices instead of slices: a slice costs more than a row of weights.


@njit(cache=True, nogil=True)
def _append_inputs(layout, row, listed, n):
    # Appends the input channels of a step to the neurons that fired, padded for `add_rows`.
    first, last = load_int(layout.rows + 8 * row), load_int(layout.rows + 8 * row + 8)
    source, target = layout.channels + 2 * first, listed + 4 * n
    count = last - first
    if last + 8 <= layout.spikes:  # eight at once may read the channels of the next step
        for k in range(0, count, 8):
            widen(8, source + 2 * k, target + 4 * k)
    else:
        for k in range(count):
            widen(1, source + 2 * k, target + 4 * k)
    zeros = (layout.block_rows - 1) * 0x1_0000_0001  # twice the row of zeros
    store_int(target + 4 * count, zeros)
    store_int(target + 4 * count + 8, zeros)
    return (n + count + ROWS_AT_ONCE - 1) // ROWS_AT_ONCE * ROWS_AT_ONCE


@njit(cache=True, nogil=True)
def _list_rows(layout, first, size, t):
    # The rows that a step adds for each sample: neurons that fired last, and inputs.
    active = layout.lists + t % 2 * layout.group * layout.room
    for g in range(size):
        row, count = (first + g) * layout.steps + t, layout.counts + 8 * g
        n = _append_inputs(layout, row, active + g * layout.room, load_int(count))
        store_int(layout.lengths + 8 * g, n)
        store_int(count, 0)


@njit(cache=True, nogil=True)
def _fire(layout, membranes, seen, neuron, base, fired):
    # One block of one sample: writes who fires to `fired`; returns their number.
    unit, decay, threshold = neuron
    n = 0
    for start in range(0, layout.width, LANES):
        u, four = membranes + start * layout.itemsize, start * 4
        bits = lif_lanes(u, layout.sums + four, seen + four, unit, decay, threshold)
        n += append_bits(bits, np.uint32(base + start), layout.places, fired + n * 4)
    return n


@njit(cache=True, nogil=True)
def _step(layout, neuron, size, t, row):
    # One step of a group; `row` is the first sample's in `seen`.
    active = layout.lists + t % 2 * layout.group * layout.room
    fired = layout.lists + (t + 1) % 2 * layout.group * layout.room
    stride, neurons = layout.width * 2, layout.blocks * layout.width
    for b in range(layout.blocks):
        weights, base = layout.weights + b * layout.block_rows * stride, b * layout.width
        for g in range(size):
            listed, length = active + g * layout.room, load_int(layout.lengths + 8 * g)
            _add(layout.width // LANES, weights, stride, listed, length, layout.sums)
            membranes = layout.membranes + (g * neurons + base) * layout.itemsize
            seen = layout.seen + ((row + g * layout.windows) * neurons + base) * 4
            count = layout.counts + 8 * g
            n = load_int(count)
            to = fired + g * layout.room + 4 * n
            store_int(count, n + _fire(layout, membranes, seen, neuron, layout.inputs + base, to))


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
def _noisy_step(layout, tables, neuron, noise, u, lists, counts, lengths, buffers, seen, at):
    # The same with read noise; also the sum of squares is needed.
    first, size, t, offset, window = at
    sums, squares, drive, spread = buffers
    active, fired = lists[t % 2], lists[(t + 1) % 2]
    stride, vectors = layout.width * 2, layout.width // LANES
    for b in range(layout.blocks):
        block, base = b * layout.block_rows * stride, b * layout.width
        for g in range(size):
            listed = active.ctypes.data + g * layout.room
            for k, out in enumerate((sums, squares)):
                table = tables[k].ctypes.data + block
                _add(vectors, table, stride, listed, lengths[g], out.ctypes.data)
            key = mix(noise[1] + np.uint64((first + g) * layout.steps + t)) + np.uint64(base)
            _noisy_drive(sums, squares, neuron[0], noise[0], key, noise[2], drive, spread)
            counts[g] = _fire_noisy(
                u, g, base, drive, neuron, layout.inputs, fired, counts[g], seen,
                (offset + g, window),
            )  # fmt: skip


@njit(cache=True, nogil=True)
def _trace(fired, counts, size, offset, weights, inputs, traces):
    for g in range(size):
        for k in range(counts[g]):
            for i in range(len(weights)):
                traces[offset + g, i, np.int64(fired[g, k]) - inputs] += weights[i]


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
    rows, channels, steps, inputs = trains
    window, trace_weights, slots = plan
    (blocks, block_rows, width), neurons = tables[0].shape, work.traces.shape[2]
    u = np.zeros((group, blocks * width), work.membranes.dtype)
    lists = np.zeros((2, group, block_rows + SLACK), np.uint32)
    counts, lengths = np.zeros(group, np.int64), np.zeros(group, np.int64)
    sums, squares = np.empty(width, np.int32), np.empty(width, np.int32)
    buffers = (sums, squares, np.empty(width, u.dtype), np.empty(width, u.dtype))
    # Numba frees an array after its last use: each of these is used in the loop below, too.
    layout = Layout(
        rows.ctypes.data, channels.ctypes.data, tables[0].ctypes.data, u.ctypes.data,
        work.counts.ctypes.data, lists.ctypes.data, counts.ctypes.data, lengths.ctypes.data,
        sums.ctypes.data, places.ctypes.data, len(channels), steps, inputs, work.counts.shape[1],
        group, 4 * lists.shape[2], blocks, block_rows, width, u.itemsize,
    )  # fmt: skip
    for first in range(span[0], span[1], group):
        size, offset = min(group, span[1] - first), first - span[0]
        u[:] = 0
        counts[:] = 0
        for t in range(steps):
            _list_rows(layout, first, size, t)
            if noise[0] == 0:
                _step(layout, neuron, size, t, offset * layout.windows + window[t])
            else:
                at = (first, size, t, offset, window[t])
                _noisy_step(
                    layout, tables, neuron, noise, u, lists, counts, lengths, buffers, work.counts,
                    at,
                )  # fmt: skip
            if trace_weights.shape[1]:
                fired = lists[(t + 1) % 2]
                _trace(fired, counts, size, offset, trace_weights[t], inputs, work.traces)
            if slots[t] >= 0:
                for g in range(size):
                    work.membranes[offset + g, slots[t]] = u[g, :neurons]
