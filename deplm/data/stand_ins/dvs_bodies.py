"""People who gesture: limbs as capsules, for the stand-in of DVS128 Gesture.

Image coordinates: x to the right, y down, in pixels of the 128 x 128 sensor. A person faces the
camera, so the right arm is on the left of the picture. "Clockwise" is as the person sees it,
which is how the real clip of class 4 turns.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RIGHT, LEFT = 0, 1
OUTWARD = (-1.0, 1.0)  # x direction from the body, of the right and of the left arm


@dataclass(frozen=True)
class Person:
    """Build, clothes and habits of one person, in pixels where not said otherwise.

    Attributes:
        x: of the body's middle.
        shoulder_y: height of the shoulders.
        size: scale of everything.
        thick: scale of the limbs' radii.
        skin, clothes: log brightness against the background.
        pace: factor on the speed of every gesture.
        reach: factor on the width of every gesture.
        lefty: plays the guitar the other way round.
    """

    x: float
    shoulder_y: float
    size: float
    thick: float
    skin: float
    clothes: float
    pace: float
    reach: float
    lefty: bool


def random_person(rng: np.random.Generator) -> Person:
    """Draw a person."""
    return Person(
        x=rng.uniform(53, 76),
        shoulder_y=rng.uniform(53, 73),
        size=rng.uniform(0.8, 1.2),
        thick=rng.uniform(0.8, 1.2),
        skin=rng.uniform(0.6, 1.0),
        clothes=rng.choice([-0.7, 0.1]) + rng.uniform(-0.2, 0.2),
        pace=rng.uniform(0.7, 1.35),
        reach=rng.uniform(0.65, 1.15),
        lefty=bool(rng.random() < 0.15),
    )


@dataclass
class Stage:
    """One trial as it is being made: the person, the clock and the two hands' paths.

    Attributes:
        person: who.
        t: (F,) s.
        rng: of everything that varies.
        shoulders: (2, F, 2).
        hands: (2, F, 2), hanging down until a gesture moves them.
    """

    person: Person
    t: np.ndarray
    rng: np.random.Generator
    shoulders: np.ndarray
    hands: np.ndarray

    def phase(self, low_hz: float, high_hz: float) -> np.ndarray:
        """(F,) rad of a movement whose speed wanders."""
        rate = self.rng.uniform(low_hz, high_hz) * self.person.pace
        wander = 0.25 * np.sin(2 * np.pi * self.rng.uniform(0.2, 0.5) * self.t + self._angle())
        steps = rate * (1 + wander) * np.gradient(self.t)
        return 2 * np.pi * np.cumsum(steps) + self._angle()

    def _angle(self) -> float:
        return self.rng.uniform(0, 2 * np.pi)

    def near(self, side: int, outward: float, down: float, spread: float = 6.0) -> np.ndarray:
        """(F, 2) a place relative to a shoulder, in person sizes, off by `spread` at random."""
        offset = np.array([OUTWARD[side] * outward, down]) + self.rng.uniform(-spread, spread, 2)
        return self.shoulders[side] + self.person.size * offset

    def span(self, low: float, high: float) -> float:
        """A width in pixels, drawn and scaled to the person."""
        return self.rng.uniform(low, high) * self.person.size * self.person.reach


def _clap(s: Stage) -> None:
    phase, gap = s.phase(1.3, 2.6), s.span(7, 15)
    middle = 0.5 * (s.near(RIGHT, -2, 24, 7) + s.near(LEFT, -2, 24, 7))
    tilt = s.rng.uniform(-0.6, 0.6)
    apart = np.stack([np.cos(tilt) * np.ones_like(phase), np.sin(tilt) * np.ones_like(phase)], 1)
    open_by = (2 + gap * (1 + np.cos(phase)) / 2)[:, None] * apart
    share = s.rng.uniform(0.5, 1.5)  # often one hand beats and the other is beaten
    s.hands[RIGHT], s.hands[LEFT] = middle - share * open_by, middle + (2 - share) * open_by


def _wave(s: Stage, side: int) -> None:
    angle = np.radians(s.rng.uniform(18, 45)) * s.person.reach * np.sin(s.phase(1.2, 2.4))
    angle += OUTWARD[side] * np.radians(s.rng.uniform(-10, 30))
    elbow = s.near(side, 9, s.rng.uniform(2, 16))
    forearm = 22 * s.person.size
    s.hands[side] = elbow + forearm * np.stack([np.sin(angle), -np.cos(angle)], axis=1)


def _circle(s: Stage, side: int, clockwise: bool) -> None:
    phase = s.phase(0.7, 1.3) * (-1 if clockwise else 1)
    wide, high, lean = s.span(12, 24), s.span(18, 32), s.rng.uniform(-0.3, 0.3)
    x, y = wide * np.cos(phase), high * np.sin(phase)
    turned = np.stack([np.cos(lean) * x - np.sin(lean) * y, np.sin(lean) * x + np.cos(lean) * y], 1)
    s.hands[side] = s.near(side, 11, 4, 7) + turned


def _roll(s: Stage) -> None:
    phase, high, deep = s.phase(1.0, 2.2), s.span(5, 11), s.span(1, 5)
    phase = phase * s.rng.choice([-1, 1])
    middle = 0.5 * (s.near(RIGHT, 0, 23, 7) + s.near(LEFT, 0, 23, 7))
    for side, sign in ((RIGHT, 1), (LEFT, -1)):
        orbit = sign * np.stack([deep * np.cos(phase), high * np.sin(phase)], axis=1)
        s.hands[side] = middle + orbit - np.array([OUTWARD[side] * s.span(-1, 4), 0])


def _drums(s: Stage) -> None:
    phase, together = s.phase(1.3, 2.8), s.rng.random() < 0.25
    for side in (RIGHT, LEFT):
        beat = s.span(5, 13) * np.sin(phase + (0 if together else np.pi * side))
        sweep = s.span(0, 6) * np.sin(s.phase(0.2, 0.6))
        s.hands[side] = s.near(side, s.rng.uniform(-4, 7), 22, 7) + np.stack([sweep, beat], axis=1)


def _guitar(s: Stage) -> None:
    strum, fret = (LEFT, RIGHT) if s.person.lefty else (RIGHT, LEFT)
    beat, lean = s.span(4, 11) * np.sin(s.phase(1.3, 2.8)), s.rng.uniform(-0.7, 0.7)
    path = np.stack([np.sin(lean) * beat, np.cos(lean) * beat], axis=1)
    s.hands[strum] = s.near(strum, -9, 29, 7) + path
    slide = s.span(1, 7) * np.sin(s.phase(0.3, 1.2))
    away = np.stack([OUTWARD[fret] * slide, -0.5 * slide], axis=1)
    s.hands[fret] = s.near(fret, 13, 14, 7) + away


def _other(s: Stage) -> None:
    for side in (RIGHT, LEFT):
        phase = s.phase(0.5, 1.5)
        path = np.stack([s.span(4, 14) * np.cos(phase), s.span(4, 14) * np.sin(2 * phase)], axis=1)
        s.hands[side] = s.near(side, 6, -6, 10) + path


GESTURES: tuple[Callable[[Stage], None], ...] = (
    _clap,
    lambda s: _wave(s, RIGHT),
    lambda s: _wave(s, LEFT),
    lambda s: _circle(s, RIGHT, True),
    lambda s: _circle(s, RIGHT, False),
    lambda s: _circle(s, LEFT, True),
    lambda s: _circle(s, LEFT, False),
    _roll,
    _drums,
    _guitar,
    _other,
)


def perform(
    person: Person, gesture: int, frames: int, frame_us: int, rng: np.random.Generator
) -> np.ndarray:
    """A person doing gesture 1..11 once.

    Args:
        person: who.
        gesture: official class number.
        frames: F.
        frame_us: time between frames.
        rng: of pose, speed and width.

    Returns:
        (F, C, 8) float32 capsules for `GestureCamera.film`.
    """
    t = np.arange(frames) * frame_us * 1e-6
    sway = _sway(t, rng, rng.uniform(0.4, 2))
    size = person.size
    shoulders = np.stack(
        [np.array([person.x + d * 13 * size, person.shoulder_y]) + sway for d in OUTWARD]
    )
    hang = np.array([[OUTWARD[k] * 5 * size, 43 * size] for k in (RIGHT, LEFT)])
    idle = np.stack([_sway(t, rng, rng.uniform(0.5, 5)) for _ in OUTWARD])
    stage = Stage(person, t, rng, shoulders, shoulders + hang[:, None] + idle)
    GESTURES[gesture - 1](stage)
    parts = _trunk(person, sway, t, rng)
    for side in (RIGHT, LEFT):
        parts += _arm(stage, side)
    return np.stack(parts, axis=1).astype(np.float32)


def _sway(t: np.ndarray, rng: np.random.Generator, amount: float) -> np.ndarray:
    waves = [
        np.sin(2 * np.pi * rng.uniform(0.2, 1.0) * t + rng.uniform(0, 2 * np.pi)) for _ in range(4)
    ]
    return amount * 0.5 * np.stack([waves[0] + waves[1], waves[2] + waves[3]], axis=1)


def _capsule(
    a: np.ndarray, b: np.ndarray, r0: float, r1: float, tone: float, texture: float
) -> np.ndarray:
    rest = np.broadcast_to(np.array([r0, r1, tone, texture]), (len(a), 4))
    return np.concatenate([a, b, rest], axis=1)


def _trunk(
    p: Person, sway: np.ndarray, t: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    s, at = p.size, np.array([p.x, p.shoulder_y]) + sway
    nod = _sway(t, rng, 0.8)

    def place(x: float, y: float) -> np.ndarray:
        return at + np.array([x, y])

    return [
        _capsule(place(0, 12 * s), place(0, 75 * s), 12 * s, 14 * s, p.clothes, 0.05),
        _capsule(place(-10 * s, 2), place(10 * s, 2), 5 * s, 5 * s, p.clothes, 0.05),
        _capsule(place(0, -15 * s) + nod, place(0, -18 * s) + nod, 7 * s, 8 * s, p.skin, 0.15),
    ]


def _arm(s: Stage, side: int) -> list[np.ndarray]:
    p, shoulder, hand = s.person, s.shoulders[side], s.hands[side]
    elbow = _elbow(shoulder, hand, 24 * p.size, 22 * p.size, OUTWARD[side])
    thick = p.thick * p.size
    along = hand - elbow
    direction = along / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-6)
    palm = hand + 3 * p.size * direction
    # A sleeve has its own shade, or an arm before the chest would not be seen.
    parts = [
        _capsule(shoulder, elbow, 4.5 * thick, 3.8 * thick, p.clothes + 0.2, 0.2),
        _capsule(elbow, hand, 3.8 * thick, 3.0 * thick, p.clothes + 0.3, 0.25),
        _capsule(hand, palm, 3.6 * thick, 4.4 * thick, p.skin, 0.35),
    ]
    splay = s.rng.uniform(0.15, 0.35) + 0.08 * np.sin(s.phase(0.5, 2.0))
    for finger in (-1.5, -0.5, 0.5, 1.5):
        c, sn = np.cos(finger * splay), np.sin(finger * splay)
        turned = np.stack(
            [
                c * direction[:, 0] - sn * direction[:, 1],
                sn * direction[:, 0] + c * direction[:, 1],
            ],
            axis=1,
        )
        tip = palm + (8.5 - abs(finger)) * p.size * turned
        parts.append(_capsule(palm, tip, 1.6 * thick, 1.1 * thick, p.skin, 0.3))
    return parts


def _elbow(
    shoulder: np.ndarray, hand: np.ndarray, upper: float, fore: float, outward: float
) -> np.ndarray:
    """(F, 2) where the elbow lies when it points outward and down; stretched when too far."""
    gap = hand - shoulder
    distance = np.linalg.norm(gap, axis=1, keepdims=True) + 1e-6
    along = np.clip((distance**2 + upper**2 - fore**2) / (2 * distance), -upper, upper)
    # Arms also bend towards the camera, which shortens what is seen of it.
    aside = 0.7 * np.sqrt(np.maximum(upper**2 - along**2, 0))
    unit = gap / distance
    normal = np.stack([-unit[:, 1], unit[:, 0]], axis=1)
    facing = normal @ np.array([outward, 0.5])
    along = np.where(distance > upper + fore, distance * upper / (upper + fore), along)
    return shoulder + along * unit + np.tanh(4 * facing)[:, None] * aside * normal
