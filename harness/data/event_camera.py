"""The pixels of an event camera, for the stand-ins of both papers' event data.

Each pixel remembers the logarithm of the intensity L at its last event and makes an event when

    |L(t) - L_last| >= threshold of this pixel and polarity,

which moves L_last by that threshold (Lichtsteiner, Posch and Delbruck 2008). The scene is given
as frames; L runs straight from one to the next, which gives each event its time (Rebecq, Gehrig
and Scaramuzza 2018, "ESIM"). After an event a pixel is silent for a refractory time.

The two cameras that have these pixels, `deplm.data.stand_ins.dvs_camera` and
`lsm.data.stand_ins.nmnist_camera`, render what they look at and add noise. That stays apart: one
draws hot pixels and whole microseconds, the other jitters times and draws fractions, and the data
made by both are to stay the same to the byte. So does the rounding of `EventPixels.divided`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

FIRST_ROOM = 1 << 13  # events; doubled whenever they do not fit


class Crossings(NamedTuple):
    """Events (E,) in the order of frames and, within a frame, of rows and columns.

    Attributes:
        t_us: float64, us since the first frame, fractions kept.
        x: int64, column in pixels.
        y: int64, row in pixels.
        p: int64, 1 where the intensity grew, 0 where it fell.
    """

    t_us: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray


@dataclass(frozen=True)
class EventPixels:
    """Constants of the pixels.

    Attributes:
        threshold: change of log intensity that makes an event, mean over pixels and polarities.
        mismatch: its relative s.d. over them.
        lowest: smallest threshold, relative to the mean.
        highest: largest one, likewise.
        refractory_us: silence of a pixel after each event, in us.
        divided: whether a change makes change / threshold events, rounded down, or as many as
            thresholds can be taken from it one by one. Both are equal but for rounding (about
            once in 10^8 events); the divided way also keeps each time within its frame.
    """

    threshold: float
    mismatch: float
    lowest: float
    highest: float
    refractory_us: int
    divided: bool

    def thresholds(self, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        """(2, height, width) float32 thresholds for falling and for rising intensity."""
        spread = 1 + self.mismatch * rng.standard_normal((2, height, width))
        return (self.threshold * spread.clip(self.lowest, self.highest)).astype(np.float32)

    def watch(
        self,
        frames: np.ndarray,
        frame_us: int,
        thresholds: np.ndarray,
        reference: np.ndarray,
        boxes: np.ndarray | None = None,
    ) -> Crossings:
        """Events of a scene.

        Args:
            frames: (F, height, width) float32 log intensity.
            frame_us: time between two frames, in us.
            thresholds: (2, height, width) float32, of `thresholds`.
            reference: (height, width) float32, log intensity that each pixel remembers at first.
            boxes: (F, 4) int64 first row, last row + 1, first column, last column + 1 outside of
                which a frame equals the one before; None: it may differ anywhere. Pixels outside
                are not looked at.
        """
        if boxes is None:
            boxes = np.tile([0, frames.shape[1], 0, frames.shape[2]], (len(frames), 1))
        state, rules = (thresholds, reference.copy()), (self.refractory_us, self.divided)
        t_us, place = _crossings(frames, boxes, *state, frame_us, *rules)
        return Crossings(t_us, *place.T)


@njit(cache=True, nogil=True)
def _crossings(frames, boxes, thresholds, reference, frame_us, refractory_us, divided):  # noqa: ANN001, ANN202
    last_us = np.full(reference.shape, -np.inf)
    t_us = np.empty(FIRST_ROOM, np.float64)
    place = np.empty((FIRST_ROOM, 3), np.int64)
    count = 0
    for k in range(1, len(frames)):
        top, bottom, left, right = boxes[k]
        for y in range(top, bottom):
            for x in range(left, right):
                before, now = frames[k - 1, y, x], frames[k, y, x]
                change = now - reference[y, x]
                sign = 1 if change > 0 else 0
                size = thresholds[sign, y, x]
                if abs(change) < size:
                    continue
                step = size if sign else -size
                more = int(change / step) if divided else -1
                while more > 0 or (more < 0 and abs(now - reference[y, x]) >= size):
                    more -= 1
                    reference[y, x] += step
                    slope = now - before
                    part = (reference[y, x] - before) / slope if slope != 0.0 else 1.0
                    if divided:
                        part = min(max(part, 0.0), 1.0)
                    t = (k - 1 + part) * frame_us
                    if np.floor(t) - last_us[y, x] < refractory_us:
                        continue
                    last_us[y, x] = np.floor(t)
                    if count == len(t_us):
                        t_us = np.concatenate((t_us, np.empty_like(t_us)))
                        place = np.concatenate((place, np.empty_like(place)))
                    t_us[count] = t
                    place[count, 0], place[count, 1], place[count, 2] = x, y, sign
                    count += 1
    return t_us[:count], place[:count]
