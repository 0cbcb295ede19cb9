"""Random things of a household as labelled surfaces, for the stand-in of ShapeNet-part.

y points up, the front is +x where there is one, sizes are near 1. Part numbers count inside the
category, in the order of `part_table`. Proportions vary widely, and parts come and go.
"""

from dataclasses import replace

import numpy as np

from deplm.data.stand_ins.seg_surfaces import (
    Parts,
    Rng,
    Surface,
    X,
    Z,
    box,
    corners,
    cylinder,
    ellipsoid,
    mirrored,
    torus,
    tube,
)


def bag(r: Rng) -> Parts:
    """Handle, body."""
    wide, high, deep = r.uniform(0.6, 1.0), r.uniform(0.5, 0.9), r.uniform(0.15, 0.4)
    whole = box(wide, high, deep) if r.random() < 0.6 else ellipsoid(wide / 2, high / 2, deep / 2)
    slope = r.uniform(-0.3, 0.3)
    body = whole.warped(lambda p: p * [1, 1, 1] * (1 + slope * p[:, 1:2] / high * [1, 0, 1]))
    parts: Parts = [(1, body)]
    if r.random() < 0.92:
        big, stretch = wide * r.uniform(0.2, 0.4), r.uniform(0.7, 2.0)
        loop = torus(big, r.uniform(0.012, 0.03), 0, 180).warped(lambda p: p * [1, stretch, 1])
        gaps = r.choice([0.0, deep * 0.6])
        sides = (-gaps / 2, gaps / 2) if gaps else (0.0,)
        parts += [(0, loop.at(0, high / 2 * r.uniform(0.9, 1.0), z)) for z in sides]
    return parts


def cap(r: Rng) -> Parts:
    """Panels, peak."""
    wide, high = r.uniform(0.4, 0.5), r.uniform(0.3, 0.5)
    dome = ellipsoid(wide * 1.1, high, wide, keep=r.uniform(-0.1, 0.1))
    reach, bend = r.uniform(0.25, 0.5), r.uniform(0.0, 0.5)

    def brim(p: np.ndarray) -> np.ndarray:
        out, across = p[:, 0] + 0.5, 2 * p[:, 2]
        x = wide * 1.02 * np.sqrt(np.maximum(1 - 0.8 * across**2, 0.05)) + out * reach
        y = p[:, 1] - bend * 0.25 * across**2 - 0.15 * bend * out
        return np.stack([x, y, across * wide * 0.8], axis=1)

    peak = replace(box(1, 0.02, 1).warped(brim), area=3.2 * wide * reach)
    return [(0, dome), (1, peak)]


def chair(r: Rng) -> Parts:
    """Back, seat, leg, arm."""
    wide, deep, thick = r.uniform(0.4, 0.6), r.uniform(0.4, 0.55), r.uniform(0.03, 0.12)
    high, legs, tilt = r.uniform(0.35, 0.65), r.uniform(0.3, 0.5), r.uniform(-2, 15)
    parts: Parts = [(1, box(deep, thick, wide) if r.random() < 0.7 else _round_seat(deep, thick))]
    if r.random() < 0.6:
        back = [box(0.05, high, wide * r.uniform(0.8, 1.0)).at(0, high / 2)]
    else:
        count = int(r.integers(3, 6))
        spread = np.linspace(-0.45, 0.45, count) * wide
        back = [cylinder(0.02, 0.02, high).at(0, high / 2, z) for z in spread]
        back.append(box(0.04, 0.1, wide).at(0, high))
    parts += [(0, piece.turned(Z, tilt).at(-deep / 2 + 0.02, thick / 2)) for piece in back]
    kind = r.random()
    if kind < 0.65:
        splay, leg = r.uniform(0.8, 1.1), cylinder(0.018, 0.03, legs)
        where = corners(deep * 0.9 * splay, wide * 0.9 * splay)
        parts += [(2, leg.at(x, -legs / 2 - thick / 2, z)) for x, z in where]
    elif kind < 0.85:
        parts.append((2, cylinder(0.03, 0.03, legs).at(0, -legs / 2 - thick / 2)))
        arm = box(0.5 * deep, 0.03, 0.04).at(0.25 * deep)
        parts += [(2, arm.turned(1, 72 * k).at(0, -legs - thick / 2)) for k in range(5)]
    else:
        for z in (-0.45 * wide, 0.45 * wide):
            x, y, top = 0.45 * deep, -legs - thick / 2, -thick / 2
            parts.append((2, tube([[-x, top, z], [-x, y, z], [x, y, z], [x, top, z]], 0.018)))
    if r.random() < 0.5:
        rise = r.uniform(0.12, 0.25)
        rest = tube([[-deep / 2, rise, 0], [deep * 0.4, rise, 0], [deep * 0.4, 0, 0]], 0.025)
        parts += mirrored(3, lambda s: rest.at(0, 0, s * wide * 0.48))
    return parts


def _round_seat(deep: float, thick: float) -> Surface:
    return cylinder(deep / 2, deep / 2, thick)


def earphone(r: Rng) -> Parts:
    """Earphone, headband, data wire."""
    half, cup = r.uniform(0.3, 0.42), r.uniform(0.12, 0.22)
    depth = r.uniform(0.06, 0.16)
    muff = cylinder(cup, cup * r.uniform(0.7, 1), depth, X)
    if r.random() < 0.4:
        muff = ellipsoid(depth, cup, cup * 0.8)
    parts: Parts = mirrored(0, lambda s: muff.at(s * half))
    if r.random() < 0.8:
        stretch = r.uniform(0.9, 1.5)
        parts.append((1, torus(half, 0.025, 0, 180).warped(lambda p: p * [1, stretch, 1.6])))
    if r.random() < 0.55:
        t, fall, wave = np.linspace(0, 1, 8), r.uniform(0.5, 1.0), r.uniform(0.02, 0.12)
        x = -half * (1 - t) ** 2 + wave * np.sin(9 * t)
        path = np.stack([x, -cup * 0.8 - fall * t, wave * np.cos(7 * t)], axis=1)
        parts.append((2, tube(path, 0.012)))
    return parts


def guitar(r: Rng) -> Parts:
    """Head, neck, body; the neck points up."""
    low, waist, thick = r.uniform(0.18, 0.26), r.uniform(0.7, 0.95), r.uniform(0.03, 0.1)
    neck, wide = r.uniform(0.4, 0.6), r.uniform(0.02, 0.035)
    parts: Parts
    if r.random() < 0.65:
        upper = low * waist
        parts = [
            (2, ellipsoid(low, low * 0.95, thick)),
            (2, ellipsoid(upper, upper, thick * 0.98).at(0, low * 1.15)),
        ]
        top = low * 1.15 + upper * 0.8
    else:
        lean = r.uniform(20, 40)
        horn = box(0.16, 0.6, thick).at(0, -0.2)
        parts = mirrored(2, lambda s: horn.turned(Z, s * lean))
        top = 0.1
    parts.append((1, box(2 * wide, neck, 0.03).at(0, top + neck / 2, thick * 0.5)))
    head = box(wide * r.uniform(2.2, 4), r.uniform(0.1, 0.18), 0.025).turned(X, r.uniform(-15, 5))
    parts.append((0, head.at(0, top + neck + 0.06, thick * 0.5)))
    if r.random() < 0.6:
        peg = cylinder(0.01, 0.01, wide * 6, X)
        parts += [(0, peg.at(0, top + neck + d, thick * 0.5)) for d in (0.03, 0.07, 0.11)]
    return parts


def knife(r: Rng) -> Parts:
    """Blade, handle."""
    long, high, grip = r.uniform(0.4, 0.8), r.uniform(0.06, 0.14), r.uniform(0.25, 0.45)
    point, curve = r.uniform(0.1, 0.9), r.uniform(-0.15, 0.25)

    def edge(p: np.ndarray) -> np.ndarray:
        out = p[:, 0] / long + 0.5
        y = p[:, 1] * (1 - point * out**2) + curve * high * out
        return np.stack([p[:, 0], y, p[:, 2] * (0.5 - p[:, 1] / high)], axis=1)

    handle = box(grip, high * r.uniform(0.5, 1.0), 0.05)
    if r.random() < 0.5:
        handle = ellipsoid(grip / 2, high * 0.4, 0.04)
    bow = r.uniform(-0.4, 0.4)
    handle = handle.warped(lambda p: p + bow * p[:, :1] ** 2 * [0, 1, 0])
    return [(0, box(long, high, 0.025).warped(edge).at(long / 2)), (1, handle.at(-grip / 2 + 0.01))]


def lamp(r: Rng) -> Parts:
    """Base, shade, canopy, tube; standing or hanging."""
    wide, taper, high = r.uniform(0.15, 0.3), r.uniform(0.4, 0.95), r.uniform(0.18, 0.35)
    shade = cylinder(wide, wide * taper, high, caps=False)
    if r.random() < 0.2:
        shade = ellipsoid(wide, high / 2, wide)
    pole = r.uniform(0.4, 0.9)
    stem = cylinder(0.014, 0.014, pole)
    if r.random() < 0.65:
        foot = r.uniform(0.1, 0.22)
        flat = cylinder(foot, foot * r.uniform(0.5, 1), r.uniform(0.02, 0.12))
        return [(1, shade), (3, stem.at(0, -pole / 2)), (0, flat.at(0, -pole))]
    plate = r.uniform(0.05, 0.14)
    flat = cylinder(plate, plate * 0.7, r.uniform(0.02, 0.08))
    return [(1, shade), (3, stem.at(0, pole / 2)), (2, flat.at(0, pole))]


def laptop(r: Rng) -> Parts:
    """Keyboard, screen."""
    wide, deep, thick = r.uniform(0.7, 1.0), r.uniform(0.5, 0.7), r.uniform(0.02, 0.06)
    lid = box(thick * 0.6, deep, wide).at(0, deep / 2)
    keys = box(deep, thick, wide).at(deep / 2)
    return [(0, keys), (1, lid.turned(Z, r.uniform(-10, 55)).at(0, thick / 2))]


def mug(r: Rng) -> Parts:
    """Handle, cup."""
    radius, high = r.uniform(0.28, 0.4), r.uniform(0.55, 0.9)
    lean, wall = r.uniform(0.8, 1.1), r.uniform(0.88, 0.95)
    cup = cylinder(radius * lean, radius, high, caps=False)
    inner = cylinder(radius * lean * wall, radius * wall, high * 0.95, caps=False).at(0, 0.02)
    bottom = cylinder(radius * lean, radius * lean, 0.02).at(0, -high / 2)
    big, tall = r.uniform(0.14, 0.22), r.uniform(0.8, 1.5)
    ear = torus(big, r.uniform(0.02, 0.045), -100, 100).warped(lambda p: p * [1, tall, 1.3])
    lift = r.uniform(-0.08, 0.08)
    return [(1, cup), (1, inner), (1, bottom), (0, ear.at(radius * (1 + lean) / 2 - 0.03, lift))]


def pistol(r: Rng) -> Parts:
    """Barrel, handle, trigger."""
    long, high = r.uniform(0.6, 0.95), r.uniform(0.09, 0.16)
    parts: Parts = [(0, box(long, high, 0.08).at(long / 2 - 0.1))]
    if r.random() < 0.5:
        tip = r.uniform(0.05, 0.2)
        parts.append((0, cylinder(0.03, 0.03, tip, X).at(long - 0.1 + tip / 2, high * 0.2)))
    if r.random() < 0.3:
        parts.append((0, cylinder(0.075, 0.075, 0.14, X).at(0.2)))
    grip = box(r.uniform(0.12, 0.17), r.uniform(0.3, 0.42), 0.075).at(0, -0.18)
    parts.append((1, grip.turned(Z, -r.uniform(5, 30)).at(-0.02, -high * 0.3)))
    guard = r.uniform(0.05, 0.08)
    if r.random() < 0.9:
        parts.append((2, torus(guard, 0.012, 170, 370).at(0.15, -high / 2)))
        parts.append((2, tube([[0.13, -high / 2, 0], [0.14, -high / 2 - guard * 0.7, 0]], 0.012)))
    return parts


def table(r: Rng) -> Parts:
    """Top, leg, drawer."""
    wide, deep, thick = r.uniform(0.7, 1.2), r.uniform(0.45, 0.8), r.uniform(0.02, 0.07)
    high = r.uniform(0.3, 0.7)
    is_round = r.random() < 0.25
    plate = cylinder(deep / 2, deep / 2, thick) if is_round else box(wide, thick, deep)
    parts: Parts = [(0, plate)]
    fat, below = r.uniform(0.015, 0.04), -high / 2 - thick / 2
    if is_round and r.random() < 0.6:
        parts.append((1, cylinder(fat * 1.5, fat * 1.5, high).at(0, below)))
        parts.append((1, cylinder(deep * 0.3, deep * 0.1, 0.04).at(0, -high - thick / 2)))
    else:
        x_wide, z_wide = (deep * 0.6, deep * 0.6) if is_round else (wide * 0.92, deep * 0.88)
        leg = box(2 * fat, high, 2 * fat) if r.random() < 0.5 else cylinder(fat * 0.6, fat, high)
        parts += [(1, leg.at(x, below, z)) for x, z in corners(x_wide, z_wide)]
        if r.random() < 0.3:
            parts += [
                (1, box(x_wide, 0.03, 0.02).at(0, -high * 0.8, s * z_wide / 2)) for s in (-1, 1)
            ]
    if not is_round and r.random() < 0.4:
        tall, each = high * r.uniform(0.2, 0.6), wide * r.uniform(0.25, 0.4)
        sides = (-1, 1) if r.random() < 0.5 else (1,)
        parts += [
            (2, box(each, tall, deep * 0.8).at(s * (wide - each) * 0.46, -(tall + thick) / 2))
            for s in sides
        ]
    return parts
