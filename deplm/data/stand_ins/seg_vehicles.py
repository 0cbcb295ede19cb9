"""Random vehicles as labelled surfaces, for the stand-in of ShapeNet-part.

y points up, the front is +x where there is one, sizes are near 1. Part numbers count inside the
category, in the order of `part_table`. Proportions vary widely, and parts come and go.
"""

import numpy as np

from deplm.data.stand_ins.seg_surfaces import (
    Parts,
    Rng,
    X,
    Z,
    box,
    corners,
    cylinder,
    ellipsoid,
    mirrored,
    torus,
    tube,
    wing,
)


def airplane(r: Rng) -> Parts:
    """Body, wing, tail, engine."""
    long, fat = r.uniform(0.8, 1.1), r.uniform(0.05, 0.1)
    fuselage = (
        ellipsoid(long / 2, fat, fat)
        if r.random() < 0.5
        else cylinder(fat * r.uniform(0.3, 0.9), fat, long, X)
    )
    span, sweep, low = r.uniform(0.3, 0.6), -r.uniform(0.0, 0.3), r.uniform(-0.6, 0.8) * fat
    chord = r.uniform(0.14, 0.26)
    parts: Parts = [(0, fuselage)]
    if r.random() < 0.5:
        parts.append((0, ellipsoid(fat * 1.8, fat, fat).at(long / 2 - fat)))

    plane = wing(chord, chord * r.uniform(0.3, 0.7), span, 0.02, sweep)
    plane = plane.turned(X, r.uniform(-6, 3))
    parts += mirrored(1, lambda s: plane.warped(lambda p: p * [1, 1, s]).at(0.03, low))
    back, small = -0.43 * long, r.uniform(0.12, 0.22)
    fin = wing(0.14, 0.08, small, 0.015, -0.1).turned(X, -90).at(back, fat * 0.5)
    high = r.choice([0.0, 0.9]) * small
    flat = wing(0.1, 0.06, small, 0.015, -0.06)
    parts.append((2, fin))
    parts += mirrored(2, lambda s: flat.warped(lambda p: p * [1, 1, s]).at(back - 0.03, high))
    for k in range(int(r.choice([0, 1, 1, 2]))):
        out = span * (0.35 + 0.3 * k)
        pod = cylinder(0.035, 0.028, r.uniform(0.1, 0.18), X)
        where = 0.1 + sweep * out / span
        parts += mirrored(3, lambda s, w=where, o=out, p=pod: p.at(w, low - 0.045, s * o))
    return parts


def car(r: Rng) -> Parts:
    """Roof, hood, wheel, body."""
    long, wide = r.uniform(0.9, 1.1), r.uniform(0.36, 0.46)
    low, high = r.uniform(0.12, 0.18), r.uniform(0.1, 0.2)
    cabin, middle = long * r.uniform(0.4, 0.6), long * r.uniform(-0.15, 0.02)
    lean = r.uniform(0.1, 0.4)
    glass = box(cabin, high, wide * 0.92).warped(
        lambda p: p * np.stack([1 - lean * (p[:, 1] / high + 0.5), *np.ones((2, len(p)))], axis=1)
    )
    hood = long / 2 - (middle + cabin / 2)
    parts: Parts = [
        (3, box(long, low, wide)),
        (3, glass.at(middle, low / 2 + high / 2)),
        (0, box(cabin * (1 - lean), 0.02, wide * 0.88).at(middle, low / 2 + high + 0.008)),
        (1, box(hood * 0.95, 0.025, wide * 0.92).at(long / 2 - hood / 2, low / 2 + 0.006)),
    ]
    radius, axle = r.uniform(0.07, 0.11), long * r.uniform(0.28, 0.34)
    tyre = cylinder(radius, radius, r.uniform(0.05, 0.08), Z)
    return parts + [(2, tyre.at(x, -low / 2, z)) for x, z in corners(2 * axle, wide * 0.95)]


def motorbike(r: Rng) -> Parts:
    """Gas tank, seat, wheel, handle, light, frame."""
    half, radius = r.uniform(0.3, 0.38), r.uniform(0.15, 0.2)
    thick = r.uniform(0.02, 0.05)
    wheel = torus(radius, thick)
    high = r.uniform(0.18, 0.28)
    parts: Parts = [(2, wheel.at(-half)), (2, wheel.at(half))]
    if r.random() < 0.5:
        parts += [(2, cylinder(radius * 0.5, radius * 0.5, 0.03, Z).at(s * half)) for s in (-1, 1)]
    tank = ellipsoid(r.uniform(0.12, 0.18), r.uniform(0.06, 0.09), r.uniform(0.05, 0.08))
    parts += [
        (0, tank.turned(Z, r.uniform(0, 20)).at(0.08, high)),
        (1, box(r.uniform(0.22, 0.34), 0.04, 0.1).turned(Z, r.uniform(-8, 4)).at(-0.18, high)),
        (5, box(r.uniform(0.22, 0.32), r.uniform(0.1, 0.2), 0.1).at(0, high - 0.17)),
        (5, tube([[-half, 0, 0.05], [-0.1, high - 0.15, 0.05], [0.2, high - 0.05, 0]], 0.02)),
    ]
    top = np.array([half * 0.62, high + r.uniform(0.1, 0.18), 0.0])
    flare = np.array([0, 0, 0.04])
    parts += mirrored(5, lambda s: tube([[half, 0, s * 0.05], top + flare * s], 0.014))
    grip = np.array([-0.08, 0.03, r.uniform(0.16, 0.26)])
    parts += mirrored(3, lambda s: tube([top, top + grip * [1, 1, s]], 0.016))
    if r.random() < 0.85:
        parts.append((4, ellipsoid(0.035, 0.045, 0.045).at(top[0] + 0.06, top[1] - 0.04)))
    return parts


def rocket(r: Rng) -> Parts:
    """Body, fin, nose; it stands."""
    radius, long = r.uniform(0.06, 0.14), r.uniform(0.5, 0.8)
    parts: Parts = [(0, cylinder(radius * r.uniform(0.8, 1.15), radius, long))]
    tip = r.uniform(0.12, 0.3)
    nose = cylinder(radius, 0.005, tip, caps=False).at(0, long / 2 + tip / 2)
    if r.random() < 0.5:
        nose = ellipsoid(radius, tip, radius, keep=0.0).at(0, long / 2)
    parts.append((2, nose))
    span, root, sweep = r.uniform(0.1, 0.24), r.uniform(0.12, 0.28), r.uniform(-0.2, 0.05)
    blade = wing(root, root * r.uniform(0.3, 0.9), span, 0.02, sweep)
    blade = blade.turned(Z, 90).at(0, 0, radius * 0.9)
    count = int(r.integers(3, 5))
    lift = -long / 2 + root * 0.5
    parts += [(1, blade.turned(1, 360 * k / count).at(0, lift)) for k in range(count)]
    if r.random() < 0.3:
        parts.append((0, cylinder(radius, radius * 0.5, 0.08, caps=False).at(0, -long / 2 - 0.04)))
    return parts


def skateboard(r: Rng) -> Parts:
    """Wheel, deck, belt."""
    long, wide, bend = r.uniform(0.9, 1.1), r.uniform(0.2, 0.3), r.uniform(0.0, 0.9)

    def kick(p: np.ndarray) -> np.ndarray:
        out = np.maximum(np.abs(p[:, 0]) / (long / 2) - 0.65, 0)
        narrow = np.sqrt(np.maximum(1 - (2.2 * out) ** 2, 0.15))
        return np.stack([p[:, 0], p[:, 1] + bend * out**2, p[:, 2] * narrow], axis=1)

    parts: Parts = [(1, box(long, 0.02, wide).warped(kick))]
    axle, radius = long * r.uniform(0.27, 0.33), r.uniform(0.03, 0.05)
    drop = -radius - r.uniform(0.01, 0.04)
    tyre = cylinder(radius, radius, 0.045, Z)
    parts += [(0, tyre.at(x, drop, z)) for x, z in corners(2 * axle, wide * 0.85)]
    if r.random() < 0.15:
        strap = torus(wide * 0.35, 0.012, 0, 180).turned(1, 90)
        parts += [(2, strap.at(x * axle, 0.01)) for x in (-0.7, 0.7)]
    if r.random() < 0.5:
        parts += [(1, box(0.06, 0.03, wide * 0.6).at(x * axle, drop / 2)) for x in (-1, 1)]
    return parts
