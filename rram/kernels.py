"""Compiled inner loops of the products on the chip, for the CPU.

They work on arrays that they are given and release the GIL. Arithmetic is in float32.
"""

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy")
RUN = 1024  # outputs whose noise lies side by side in the bank
PLAIN = False  # tests set it, so that the torch branches of other devices run on the CPU


def runs_compiled(x):
    """Whether compiled loops serve the tensor x: on the CPU they do, elsewhere plain torch."""
    return x.device.type == "cpu" and not PLAIN


@compiled
def quantise_vectors(vectors, power_of, levels, powers, scale):
    """Min-max quantisation of every vector, as `rram.crossbar.quantise`.

    vectors (n, I); power_of (2^bits,), what a level adds to the variance of the read noise ->
    levels (n, I), their powers (n, I), scale (n, 2): minimum and step, so that a vector is
    minimum + step * levels.
    """
    for n in range(len(vectors)):
        vector, level, power = vectors[n], levels[n], powers[n]
        low = high = vector[0]
        for value in vector:
            low, high = min(low, value), max(high, value)
        step = (high - low) / np.float32(len(power_of) - 1)
        scale[n, 0], scale[n, 1] = low, step
        for c in range(len(vector)):
            whole = np.int32(np.rint((vector[c] - low) / step)) if step > 0 else np.int32(0)
            level[c] = whole
            power[c] = power_of[whole]


@compiled
def rescale_and_add_noise(current, spread, scale, offset, noise, bank, key, first):
    """current <- step current + minimum offset + noise step sqrt(spread) N(0, 1), in place.

    current, spread (n, C): levels @ W and powers @ V, V the variance of a cell pair; scale (n, 2)
    as above; offset (C,), the column sums of W; bank: normal numbers, see `normal_bank`; key
    uint64: the noise stream; first: how many products of the stream came before.
    """
    for n in range(len(current)):
        row, deviation = current[n], spread[n]
        _rescale(row, scale[n, 0], scale[n, 1], offset)
        if noise > 0:
            _deviation(deviation, noise * scale[n, 1], deviation)
            for start in range(0, len(row), RUN):
                place = _place(key, first + n, start, bank)
                for c in range(start, min(start + RUN, len(row))):
                    row[c] += deviation[c] * bank[place + c - start]


@compiled
def noisy_group_max(current, spread, scale, offset, noise, sizes, wanted, bank, key, first, sums):
    """Maxima (groups, C) over each group of noisy products, each read anew.

    The vectors of a group lie together, `sizes` (groups,) of them; the first is read again until
    there are `wanted` reads. Other arguments as above; first: groups of the stream before these.
    sums (2, C) float64: of all reads and of their squares; (0, 0): not wanted.
    """
    width, measured = len(offset), len(sums) > 0
    best = np.full((len(sizes), width), np.float32(-np.inf), np.float32)
    deviation = np.empty(width, np.float32)
    n = 0
    for g in range(len(sizes)):
        for k in range(sizes[g]):
            row = current[n]
            _rescale(row, scale[n, 0], scale[n, 1], offset)
            _deviation(spread[n], noise * scale[n, 1], deviation)
            again = wanted - sizes[g] if k == 0 and (noise > 0 or measured) else 0
            for read in range(1 + again):
                number = (first + g) * wanted + (k if read == 0 else sizes[g] + read - 1)
                for start in range(0, width, RUN):
                    run = slice(start, min(start + RUN, width))
                    place = _place(key, number, start, bank)
                    normals = bank[place : place + RUN]
                    _keep_maximum(row[run], deviation[run], normals, best[g, run])
                    if measured:
                        _add_moments(row[run], deviation[run], normals, sums[:, run])
            n += 1
    return best


@compiled
def _keep_maximum(row, deviation, normals, out):
    for c in range(len(out)):
        value = row[c] + deviation[c] * normals[c]
        out[c] = value if value > out[c] else out[c]


@compiled
def _add_moments(row, deviation, normals, sums):
    for c in range(len(row)):
        value = np.float64(row[c] + deviation[c] * normals[c])
        sums[0, c] += value
        sums[1, c] += value * value


@compiled
def _rescale(row, low, step, offset):
    for c in range(len(row)):
        row[c] = row[c] * step + low * offset[c]


@compiled
def _deviation(spread, factor, out):
    if factor == 0:  # without noise nothing is known of the spread
        out[:] = 0
        return
    for c in range(len(spread)):
        out[c] = factor * np.sqrt(spread[c])


@compiled
def _place(key, number, start, bank):
    """Where in the bank the noise of a product begins: splitmix64 of a counter."""
    z = key + np.uint64(number + 1) * np.uint64(0xD1342543DE82EF95) + np.uint64(start)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64((z ^ (z >> np.uint64(31))) % np.uint64(len(bank) - RUN))
