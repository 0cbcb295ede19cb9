"""The reservoir, plain and obvious: every product of every step, spikes of all steps kept."""

import numpy as np


def spikes(x, w_in, w_rec, decay, threshold):
    """u[t] = d u[t-1] (1 - s[t-1]) + W_in x[t] + W_rec s[t-1];  s[t] = u[t] > Vth.

    x (T, B, C), w_in (C, N), w_rec (N, N) -> spikes and membranes, each (T, B, N).
    """
    steps, samples, _ = x.shape
    u, s = np.zeros((2, samples, w_in.shape[1]), w_in.dtype)
    all_s, all_u = [], []
    for t in range(steps):
        u = decay * u * (1 - s) + (x[t].astype(w_in.dtype) @ w_in + s @ w_rec)
        s = (u > threshold).astype(w_in.dtype)
        all_s.append(s)
        all_u.append(u)
    return np.stack(all_s), np.stack(all_u)
