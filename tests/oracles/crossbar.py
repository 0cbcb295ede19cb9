"""The plain product on the chip: a draw for every cell and product, bit plane by bit plane."""

import numpy as np


def product(x, plus, minus, noise=0.0, bits=None, rng=None):
    """x (n, I), conductances (I, C) -> (n, C), float64; one vector at a time."""
    rng = rng or np.random.default_rng(0)
    out = np.empty((len(x), plus.shape[1]))
    for n, vector in enumerate(x):
        if bits is None:
            planes, step, minimum = [(1.0, vector)], 1.0, 0.0
        else:
            minimum = vector.min()
            step = (vector.max() - minimum) / (2**bits - 1)
            levels = np.rint((vector - minimum) / step).astype(int) if step > 0 else 0 * vector
            levels = np.asarray(levels, int)
            planes = [(2.0**i, ((levels >> i) & 1).astype(float)) for i in range(bits)]
        total = np.zeros(plus.shape[1])
        for weight, plane in planes:
            read = [g * (1 + noise * rng.standard_normal(g.shape)) for g in (plus, minus)]
            total += weight * (plane @ (read[0] - read[1]))
        out[n] = step * total + minimum * (plus - minus).sum(0)
    return out
