"""A reservoir on noisy cells, plain and obvious: a normal number for every cell and product."""

import numpy as np


def states(x, plus, minus, decay, threshold, noise, noise_on, rng):
    """Spikes (T, B, N) and last membranes after reset (B, N) of noisy reads.

    x (T, B, C) of 0 and 1; plus, minus (C + N, N), the conductances of input and recurrent rows.
    In every product of every sample, cells read G (1 + noise e), or weights W (1 + noise e).
    """
    steps, samples, _ = x.shape
    neurons = plus.shape[1]
    u, s, spikes = np.zeros((samples, neurons)), np.zeros((samples, neurons)), []
    for t in range(steps):
        active = np.concatenate([x[t], s], 1)
        for b in range(samples):
            rows = np.flatnonzero(active[b])
            if noise_on == "cells":
                drawn = [
                    g[rows] * (1 + noise * rng.normal(size=(len(rows), neurons)))
                    for g in (plus, minus)
                ]
                read = drawn[0] - drawn[1]
            else:
                weights = plus[rows] - minus[rows]
                read = weights * (1 + noise * rng.normal(size=weights.shape))
            u[b] = decay * u[b] * (1 - s[b]) + read.sum(0)
        s = (u > threshold).astype(float)
        spikes.append(s)
    return np.stack(spikes), u * (1 - s)
