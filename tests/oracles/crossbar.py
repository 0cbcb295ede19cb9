"""The plain product on the chip: a draw for every cell and read, bit plane by bit plane."""

import numpy as np


def read(plus, minus, noise, on, rng):
    """Signed weights as one read gives them."""
    if on == "weight":
        return (plus - minus) * (1 + noise * rng.standard_normal(plus.shape))
    read = [g * (1 + noise * rng.standard_normal(g.shape)) for g in (plus, minus)]
    return read[0] - read[1]


def product(x, plus, minus, noise=0.0, bits=None, rng=None, on="cells", per="product"):
    """x (n, I), conductances (I, C) -> (n, C), float64; one vector at a time."""
    rng = rng or np.random.default_rng(0)
    out = np.empty((len(x), plus.shape[1]))
    for n, vector in enumerate(x):
        if per == "vector" or (per == "batch" and n == 0):
            weights = read(plus, minus, noise, on, rng)
        if bits is None:
            planes, step, minimum = [(1.0, vector)], 1.0, 0.0
        else:
            minimum = vector.min()
            step = (vector.max() - minimum) / (2**bits - 1)
            levels = np.rint((vector - minimum) / step).astype(int) if step > 0 else 0 * vector
            levels = np.asarray(levels, int)
            planes = [(2.0**i, ((levels >> i) & 1).astype(float)) for i in range(bits)]
        total = np.zeros(plus.shape[1])
        for factor, plane in planes:
            if per == "product":
                weights = read(plus, minus, noise, on, rng)
            total += factor * (plane @ weights)
        out[n] = step * total + minimum * (plus - minus).sum(0)
    return out
