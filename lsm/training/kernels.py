"""Compiled loops of training through time, for the CPU: what did not spike costs nothing.

Every function works on its own samples, fills or adds to arrays it is given and releases the
GIL. Arrays are sample-first and contiguous, float32 or float64.
"""

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy")
summing = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz", "contract"})


@compiled
def spiking_steps(drives, recurrent, decay, threshold, membranes, spikes):
    """`lsm.neurons.lif_step` over time, from rest.

    Args:
        drives: (B, T, N) weighted input.
        recurrent: (N, N), row n is what a spike of neuron n adds to the next step's drives; or
            (0, N) for none.
        decay: d of the membranes, what a step leaves of them.
        threshold: Vth, membrane units.
        membranes: (B, T, N), filled: before reset.
        spikes: (B, T, N), filled: 0 or 1.
    """
    samples, steps, neurons = drives.shape
    fired = np.empty(neurons, np.int64)
    for b in range(samples):
        count = 0
        for t in range(steps):
            for j in range(neurons):
                membranes[b, t, j] = drives[b, t, j]
            if len(recurrent):
                for k in range(count):
                    n = fired[k]
                    for j in range(neurons):
                        membranes[b, t, j] += recurrent[n, j]
            if t:
                for j in range(neurons):
                    kept = decay * membranes[b, t - 1, j]
                    membranes[b, t, j] += kept * (1 - spikes[b, t - 1, j])
            count = 0
            for j in range(neurons):
                spikes[b, t, j] = membranes[b, t, j] > threshold
                fired[count] = j
                count += membranes[b, t, j] > threshold


@summing
def spiking_gradient(
    gradient, membranes, recurrent, decay, threshold, half_width, height, drives, weights
):
    """Back through `spiking_steps`, with a rectangular surrogate gradient of a spike.

    A spike's gradient counts only where the membrane is within `half_width` of the threshold:
    the sums over the next step's neurons are done for those alone.

    Args:
        gradient: (B, T, N) of the loss by the spikes.
        membranes: (B, T, N), as `spiking_steps` filled them.
        recurrent: (N, N), or (0, N) for none.
        decay: d of the membranes.
        threshold: Vth, membrane units.
        half_width: of the surrogate, membrane units.
        height: of the surrogate.
        drives: (B, T, N), filled: gradient by the drives.
        weights: as `recurrent`, added to: gradient by the recurrent weights.
    """
    samples, steps, neurons = gradient.shape
    near = np.empty(neurons + 3, np.int64)
    sums = np.zeros(neurons, drives.dtype)
    for b in range(samples):
        for j in range(neurons):
            inside = abs(membranes[b, steps - 1, j] - threshold) < half_width
            drives[b, steps - 1, j] = height * gradient[b, steps - 1, j] if inside else 0
        for t in range(steps - 2, -1, -1):
            later = drives[b, t + 1]
            if len(weights):
                count = 0
                for j in range(neurons):
                    near[count] = j
                    count += abs(membranes[b, t, j] - threshold) < half_width
                _sums_at(recurrent, later, near, count, sums)
            for j in range(neurons):
                membrane = membranes[b, t, j]
                above = membrane - threshold
                total = height * (gradient[b, t, j] + sums[j] - decay * membrane * later[j])
                kept = 0 if above > 0 else decay * later[j]
                drives[b, t, j] = kept + (total if abs(above) < half_width else 0)
            if len(weights):
                for j in range(neurons):
                    if membranes[b, t, j] > threshold:
                        for n in range(neurons):
                            weights[j, n] += later[n]


@summing
def _sums_at(table, vector, rows, count, out):
    """table (N, M) @ vector (M,) at the first `count` of `rows`, four at a time, into out (N,)."""
    for k in range(count, count + 3):
        rows[k] = rows[count - 1] if count else 0
    for first in range(0, count, 4):
        a, b, c, d = rows[first], rows[first + 1], rows[first + 2], rows[first + 3]
        zero = vector[0] * 0
        sum_a = sum_b = sum_c = sum_d = zero
        for n in range(len(vector)):
            sum_a += table[a, n] * vector[n]
            sum_b += table[b, n] * vector[n]
            sum_c += table[c, n] * vector[n]
            sum_d += table[d, n] * vector[n]
        out[a], out[b], out[c], out[d] = sum_a, sum_b, sum_c, sum_d
