"""A generative model of handwriting: lower-case letters as pen paths, no two instances alike.

It drives both sides of the brain-visual stand-in: the pen's velocity makes a motor cortex fire
(`lsm.data.stand_ins.brain_visual_cortex`), and the drawn path is a letter image (`draw`).
Synthetic: the paths are made by hand, one form a letter; the spread of the instances was
chosen, not fitted to writers.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import KDTree

from harness.errors import UserError

SAMPLES = 160  # of a path, equally spaced in time
SIDE = 28  # pixels of an image
MARGIN = 2  # pixels left blank around the letter, as in E-MNIST

# Control points in hundredths of the x-height: y = 0 is the base line, 100 the top of an x. "*"
# is a corner, "/" lifts the pen. A smooth curve runs through the points between two corners.
LETTERS = {
    "a": "75,82 45,100 12,80 5,42 22,5 48,8 70,38 79,97* 79,30 86,3 100,12",
    "b": "8,190 8,0* 10,55 35,98 70,85 82,45 60,4 30,0 8,22",
    "c": "80,82 50,100 15,80 5,45 20,10 50,0 82,18",
    "d": "76,80 45,100 12,80 5,40 25,4 50,8 76,40 80,190* 80,0",
    "e": "8,50 80,55* 74,88 45,102 12,80 5,40 25,6 50,0 82,18",
    "f": "82,172 62,190 42,172 36,120 36,0 / 5,98 75,98",
    "g": "76,80 45,100 10,80 8,35 40,8 70,40 80,97* 79,-35 60,-85 30,-88 4,-62",
    "h": "8,190 8,0* 10,50 32,95 60,95 75,65 75,0",
    "i": "30,100 30,0 / 29,146 31,138",
    "j": "50,100 50,-50 30,-88 0,-68 / 49,146 51,138",
    "k": "8,190 8,0 / 70,100 10,42* 78,0",
    "l": "20,190 20,25 32,2 55,6",
    "m": "5,100 5,0* 6,55 25,97 44,88 51,50 51,0* 52,55 70,97 92,88 99,50 99,0",
    "n": "8,100 8,0* 10,55 35,97 65,90 75,55 75,0",
    "o": "50,100 15,82 5,45 25,5 55,0 84,30 82,75 50,100",
    "p": "8,100 8,-90* 10,55 35,98 70,85 80,45 55,4 25,4 8,25",
    "q": "76,80 45,100 10,80 8,35 40,5 70,40 79,97* 79,-90* 104,-62",
    "r": "10,100 10,0* 12,55 35,95 68,94",
    "s": "76,84 45,100 15,80 30,57 60,44 78,22 50,0 8,13",
    "t": "36,160 36,20 50,0 76,12 / 4,105 72,105",
    "u": "8,100 8,38 30,2 58,8 75,45 76,100* 77,18 86,0 98,6",
    "v": "5,100 40,0* 75,100",
    "w": "2,100 28,0* 50,80* 74,0* 100,100",
    "x": "6,100 76,0 / 76,100 5,0",
    "y": "5,100 44,8 / 80,100 44,8 12,-90",
    "z": "8,100 76,100* 5,0* 80,0",
}
ALPHABET = tuple(LETTERS)


@dataclass(frozen=True)
class Hand:
    """How instances differ; each is a standard deviation.

    Attributes:
        slant: shear of x by y.
        aspect: logarithm of width over height.
        size: logarithm of the size.
        turn: rotation in radians.
        jitter: of every control point, in x-heights.
        tempo: logarithm of the speed along the path, drifting slowly.
    """

    slant: float
    aspect: float
    size: float
    turn: float
    jitter: float
    tempo: float


MANY_WRITERS = Hand(slant=0.18, aspect=0.15, size=0.1, turn=0.07, jitter=0.06, tempo=0.25)
ONE_WRITER = Hand(slant=0.06, aspect=0.06, size=0.06, turn=0.03, jitter=0.04, tempo=0.2)


class PenPath(NamedTuple):
    """A pen at `SAMPLES` equally spaced times.

    Attributes:
        position: (SAMPLES, 2) x to the right and y up, in x-heights.
        velocity: (SAMPLES, 2) x-heights per duration of the letter.
        down: (SAMPLES,) bool, whether the pen touches the paper.
    """

    position: np.ndarray
    velocity: np.ndarray
    down: np.ndarray

    @property
    def length(self) -> float:
        """Way of the pen in x-heights, lifted or not."""
        return float(np.linalg.norm(np.diff(self.position, axis=0), axis=1).sum())


def write_letter(letter: str, hand: Hand, rng: np.random.Generator) -> PenPath:
    """One instance of a letter.

    The pen slows down where the path bends (the two-thirds power law of handwriting), at the
    start and at the end.

    Args:
        letter: a to z.
        hand: how far the instance may be from the model letter.
        rng: source of the variation.

    Raises:
        UserError: another letter.
    """
    if letter not in LETTERS:
        raise UserError(f"letter {letter!r}: there are models of a to z only")
    points, down = _trace(LETTERS[letter], hand.jitter, rng)
    points = gaussian_filter1d(points, rng.uniform(1.0, 3.0), axis=0, mode="nearest")
    points = points @ _transform(hand, rng).T
    times = _times(points, hand.tempo, rng)
    at = np.linspace(0, 1, SAMPLES)
    position = np.stack([np.interp(at, times, axis) for axis in points.T], 1)
    velocity = np.gradient(position, at[1], axis=0)
    return PenPath(position, velocity, np.interp(at, times, down) > 0.5)


def draw(path: PenPath, pen: float = 2.2) -> np.ndarray:
    """The letter as an image, scaled to fit and centred as in E-MNIST.

    Args:
        path: what the pen did.
        pen: width of its line in pixels; edges are anti-aliased.

    Returns:
        (28, 28) uint8, 255 is ink; row 0 is the top.
    """
    ink = path.position[path.down]
    low, high = ink.min(0), ink.max(0)
    scale = (SIDE - 2 * MARGIN - pen) / max((high - low).max(), 0.1)
    pixels = (path.position - (low + high) / 2) * (scale, -scale) + (SIDE - 1) / 2
    drawn = path.down[:-1] & path.down[1:]
    between = np.linspace(0, 1, 6)[:, None, None]
    line = pixels[:-1][drawn] + between * np.diff(pixels, axis=0)[drawn]
    places = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).reshape(-1, 2)
    distance, _ = KDTree(line.reshape(-1, 2)).query(places)
    return (255 * (pen / 2 + 0.5 - distance).clip(0, 1)).reshape(SIDE, SIDE).astype(np.uint8)


def _trace(model: str, jitter: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    # Points about 0.02 x-heights apart, and whether the pen is down there.
    points, down = [], []
    for stroke in model.split("/"):
        marks = stroke.split()
        corner = np.array([mark.endswith("*") for mark in marks])
        knots = np.array([mark.rstrip("*").split(",") for mark in marks], float) / 100
        knots += rng.normal(0, jitter, knots.shape)
        if points:  # the way through the air
            lift = _dense(np.stack([points[-1][-1], knots[0]]))
            points.append(lift)
            down.append(np.zeros(len(lift)))
        ends = [0, *np.flatnonzero(corner), len(knots) - 1]
        curves = [_curve(knots[a : b + 1]) for a, b in pairwise(ends)]
        points.append(np.concatenate(curves))
        down.append(np.ones(len(points[-1])))
    return np.concatenate(points), np.concatenate(down)


def _curve(knots: np.ndarray) -> np.ndarray:
    """Catmull-Rom curve through the knots, the ends mirrored."""
    p = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    u = np.linspace(0, 1, 20, endpoint=False)[:, None, None]
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    curve = 0.5 * (
        2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - 3 * c + d - a) * u**3
    )
    return _dense(np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), knots[-1:]]))


def _dense(points: np.ndarray, spacing: float = 0.02) -> np.ndarray:
    way = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    at = np.linspace(0, way[-1], max(3, round(way[-1] / spacing)))
    return np.stack([np.interp(at, way, axis) for axis in points.T], 1)


def _transform(hand: Hand, rng: np.random.Generator) -> np.ndarray:
    slant, aspect, size, turn = rng.normal(0, (hand.slant, hand.aspect, hand.size, hand.turn))
    stretch = np.diag(np.exp([size + aspect / 2, size - aspect / 2]))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return rotation @ np.array([[1, slant], [0, 1]]) @ stretch


def _times(points: np.ndarray, tempo: float, rng: np.random.Generator) -> np.ndarray:
    """When the pen is at each point, 0 to 1."""
    steps = np.diff(points, axis=0)
    way = np.linalg.norm(steps, axis=1)
    heading = gaussian_filter1d(np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])), 2)
    bend = np.abs(np.gradient(heading)) / np.maximum(way, 1e-6)
    middle = np.linspace(0, 1, len(way))
    drift = np.interp(middle, np.linspace(0, 1, 6), rng.normal(0, tempo, 6))
    ends = 0.25 + np.minimum(1, 6 * np.minimum(middle, 1 - middle))
    speed = gaussian_filter1d((1 + bend) ** (-1 / 3) * np.exp(drift) * ends, 3)
    times = np.r_[0, np.cumsum(way / speed)]
    return times / times[-1]
