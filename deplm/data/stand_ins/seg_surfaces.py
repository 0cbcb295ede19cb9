"""Surfaces of simple solids, from which points with normals are drawn evenly.

y points up. A solid is made at the origin and then turned, moved or warped.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

# (random generator, number of points) -> points (n, 3) and normals (n, 3)
Sampler = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
X, Y, Z = 0, 1, 2


@dataclass(frozen=True)
class Surface:
    """A surface that knows its area and how to draw points from it."""

    area: float
    sample: Sampler

    def at(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> "Surface":
        """Moved."""
        shift = np.array([x, y, z])

        def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
            points, normals = self.sample(rng, n)
            return points + shift, normals

        return replace(self, sample=sample)

    def turned(self, axis: int, degrees: float) -> "Surface":
        """Turned about an axis through the origin."""
        matrix = turn(axis, degrees)

        def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
            points, normals = self.sample(rng, n)
            return points @ matrix.T, normals @ matrix.T

        return replace(self, sample=sample)

    def warped(self, change: Callable[[np.ndarray], np.ndarray]) -> "Surface":
        """Bent by a function of points; normals are kept, good enough for mild bends."""

        def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
            points, normals = self.sample(rng, n)
            return change(points), normals

        return replace(self, sample=sample)


Parts = list[tuple[int, Surface]]  # number of the part inside its category, and its surface
Rng = np.random.Generator


def mirrored(part: int, make: Callable[[float], Surface]) -> Parts:
    """Parts on both sides: `make` gets -1 and 1."""
    return [(part, make(-1.0)), (part, make(1.0))]


def corners(wide: float, deep: float) -> list[tuple[float, float]]:
    """The four (x, z) of a rectangle about the origin."""
    return [(x * wide / 2, z * deep / 2) for x in (-1, 1) for z in (-1, 1)]


def turn(axis: int, degrees: float) -> np.ndarray:
    """(3, 3) rotation about one axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = [(Y, Z), (Z, X), (X, Y)][axis]
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = c
    matrix[a, b], matrix[b, a] = -s, s
    return matrix


def box(wide: float, high: float, deep: float) -> Surface:
    """A box with its middle at the origin; sizes along x, y and z."""
    size = np.array([wide, high, deep])
    faces = np.array([high * deep, deep * wide, wide * high])

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        axis = rng.choice(3, n, p=faces / faces.sum())
        side = rng.choice([-0.5, 0.5], n)
        points = rng.uniform(-0.5, 0.5, (n, 3))
        normals = np.zeros((n, 3))
        points[np.arange(n), axis] = side
        normals[np.arange(n), axis] = 2 * side
        return points * size, normals

    return Surface(2 * faces.sum(), sample)


def cylinder(r0: float, r1: float, length: float, axis: int = Y, caps: bool = True) -> Surface:
    """A cylinder or, with another radius at its end, a cone; middle at the origin.

    Args:
        r0: radius where it begins, at -length / 2.
        r1: radius where it ends.
        length: along `axis`.
        axis: X, Y or Z.
        caps: whether its ends are closed.
    """
    slant = np.hypot(length, r1 - r0)
    areas = np.pi * np.array([(r0 + r1) * slant, caps * r0**2, caps * r1**2])

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        part = rng.choice(3, n, p=areas / areas.sum())
        along = rng.random(n)
        wall = part == 0
        along = np.where(wall, along, part == 2)
        radius = r0 + (r1 - r0) * along
        radius = np.where(wall, radius, radius * np.sqrt(rng.random(n)))
        angle = rng.uniform(0, 2 * np.pi, n)
        around = np.stack([np.cos(angle), np.zeros(n), np.sin(angle)], axis=1)
        points = radius[:, None] * around
        points[:, 1] = (along - 0.5) * length
        normals = np.where(wall[:, None], around * length, 0.0)
        normals[:, 1] = np.where(wall, r0 - r1, 2.0 * part - 3.0)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        order = [(Y, X, Z), (X, Y, Z), (X, Z, Y)][axis]
        return points[:, order], normals[:, order]

    return Surface(float(areas.sum()), sample)


def ellipsoid(rx: float, ry: float, rz: float, keep: float = -1.0) -> Surface:
    """An ellipsoid at the origin; `keep` cuts off what lies below that share of its half height."""
    radii = np.array([rx, ry, rz])
    # Knud Thomsen's formula, within 1.1 %.
    p = 1.6075
    a, b, c = radii**p
    whole = 4 * np.pi * ((a * b + a * c + b * c) / 3) ** (1 / p)

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        y, angle = rng.uniform(keep, 1, n), rng.uniform(0, 2 * np.pi, n)
        ring = np.sqrt(1 - y**2)
        unit = np.stack([ring * np.cos(angle), y, ring * np.sin(angle)], axis=1)
        normals = unit / radii
        return unit * radii, normals / np.linalg.norm(normals, axis=1, keepdims=True)

    return Surface(whole * (1 - keep) / 2, sample)


def torus(big: float, small: float, first: float = 0.0, last: float = 360.0) -> Surface:
    """A ring in the x-y plane, or the arc of it between two angles in degrees from x."""
    span = np.radians(last - first)

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        u = np.radians(first) + span * rng.random(n)
        v = rng.uniform(0, 2 * np.pi, n)
        normals = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], axis=1)
        middle = big * np.stack([np.cos(u), np.sin(u), np.zeros(n)], axis=1)
        return middle + small * normals, normals

    return Surface(2 * np.pi * small * big * span, sample)


def tube(path: np.ndarray, radius: float) -> Surface:
    """A thin tube along a polyline (m, 3); its ends are open."""
    path = np.asarray(path, float)
    steps = np.diff(path, axis=0)
    lengths = np.linalg.norm(steps, axis=1) + 1e-12

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        piece = rng.choice(len(steps), n, p=lengths / lengths.sum())
        direction = steps[piece] / lengths[piece, None]
        normals = np.cross(direction, rng.standard_normal((n, 3)))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        return path[piece] + rng.random((n, 1)) * steps[piece] + radius * normals, normals

    return Surface(2 * np.pi * radius * lengths.sum(), sample)


def wing(root: float, tip: float, span: float, thick: float, sweep: float) -> Surface:
    """A wing from the origin out along +z: chord `root` to `tip` along x, tip moved by `sweep`."""

    def taper(points: np.ndarray) -> np.ndarray:
        out = points[:, 2] / span + 0.5
        chord = 1 + (tip / root - 1) * out
        x, y = points[:, 0] * chord + sweep * out, points[:, 1] * (1 - 0.5 * out)
        return np.stack([x, y, points[:, 2] + span / 2], axis=1)

    whole = box(root, thick, span)
    return replace(whole.warped(taper), area=whole.area * (1 + tip / root) / 2)
