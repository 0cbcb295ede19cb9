"""Compiled inner loops of the products on the chip, for the CPU.

Both fill arrays that they are given and release the GIL. Arithmetic is in float32.
"""

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy")
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
def rescale_and_add_noise(current, spread, scale, offset, noise, quantiles, key, first):
    """current <- step current + minimum offset + noise step sqrt(spread) N(0, 1), in place.

    current, spread (n, C): levels @ W and powers @ V, V the variance of a cell pair; scale (n, 2)
    as above; offset (C,), the column sums of W; quantiles (65536,) of N(0, 1); key uint64: the
    noise stream; first: how many products of the stream came before.
    """
    words = np.empty(-(-len(offset) // 4), np.uint64)
    for n in range(len(current)):
        row, deviation = current[n], spread[n]
        low, step = scale[n, 0], scale[n, 1]
        for c in range(len(row)):
            row[c] = row[c] * step + low * offset[c]
        if noise > 0:
            for c in range(len(row)):
                deviation[c] = noise * step * np.sqrt(deviation[c])
            product = np.uint64(first + n + 1) * np.uint64(0xD1342543DE82EF95)
            _add_normals(_mix(key + product), quantiles, deviation, row, words)


@compiled
def _mix(z):
    """splitmix64: 64 well-mixed bits from a counter."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _add_normals(counter, quantiles, spread, out, words):
    """Add spread[c] * N(0, 1) to out[c]: four normals from each of the 64-bit `words`."""
    for n in range(len(words)):
        words[n] = _mix(counter + np.uint64(4 * n) * np.uint64(0x9E3779B97F4A7C15))
    whole = len(out) // 4
    for n in range(whole):
        for lane in range(4):
            bits = (words[n] >> np.uint64(16 * lane)) & np.uint64(0xFFFF)
            out[4 * n + lane] += spread[4 * n + lane] * quantiles[bits]
    for c in range(4 * whole, len(out)):
        bits = (words[whole] >> np.uint64(16 * (c - 4 * whole))) & np.uint64(0xFFFF)
        out[c] += spread[c] * quantiles[bits]
