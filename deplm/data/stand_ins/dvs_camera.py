"""A simulated event camera that looks at moving limbs.

The scene is made of capsules (rounded segments) before a still background, as logarithms of
brightness. A pixel fires whenever its log brightness has moved by its own threshold since its
last event (Lichtsteiner et al. 2008; interpolation between frames as in Rebecq et al. 2018,
"ESIM"), keeps silent for a refractory time, and now and then fires for no reason.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from deplm.data.dvs_aedat import HEIGHT, WIDTH
from harness.events import Events, as_events

# Columns of a capsule: both ends and radii in pixels, log brightness, depth of its texture.
X0, Y0, X1, Y1, R0, R1, TONE, TEXTURE = range(8)


@dataclass(frozen=True)
class Camera:
    """Constants of the sensor under one light.

    Attributes:
        threshold: step of log brightness that makes an event.
        mismatch: its relative s.d. over the pixels.
        refractory_us: silence of a pixel after each event.
        noise_hz: events a pixel and second that nothing caused.
        hot_pixels: pixels that fire `hot_hz` times a second.
        hot_hz: their rate.
        frame_us: the scene is rendered this often; between frames times are interpolated.
    """

    threshold: float = 0.067
    mismatch: float = 0.1
    refractory_us: int = 1000
    noise_hz: float = 0.15
    hot_pixels: int = 4
    hot_hz: float = 40.0
    frame_us: int = 4000

    def film(
        self, capsules: np.ndarray, background: np.ndarray, start_us: int, rng: np.random.Generator
    ) -> Events:
        """What the camera sees of a moving scene, noise included.

        Args:
            capsules: (F, C, 8) float32, later ones before earlier ones; a frame every `frame_us`.
            background: (128, 128) float32, log brightness.
            start_us: time of the first frame.
            rng: of mismatch and noise.

        Returns:
            The events in order of time.
        """
        spread = 1 + self.mismatch * rng.standard_normal((2, HEIGHT, WIDTH))
        thresholds = (self.threshold * np.clip(spread, 0.5, 1.5)).astype(np.float32)
        phase = rng.random((HEIGHT, WIDTH), np.float32)  # how near to firing each pixel begins
        capsules = np.ascontiguousarray(capsules, np.float32)
        seen = _film(
            capsules, background, thresholds, phase, start_us, self.frame_us, self.refractory_us
        )
        duration_us = len(capsules) * self.frame_us
        pieces = np.concatenate([seen, self._noise(duration_us, start_us, rng)])
        return _in_order(pieces)

    def idle(self, start_us: int, duration_us: int, rng: np.random.Generator) -> Events:
        """A still scene: noise only."""
        return _in_order(self._noise(duration_us, start_us, rng))

    def _noise(self, duration_us: int, start_us: int, rng: np.random.Generator) -> np.ndarray:
        seconds = duration_us / 1e6
        anywhere = rng.integers(
            0, WIDTH * HEIGHT, rng.poisson(self.noise_hz * WIDTH * HEIGHT * seconds)
        )
        hot = np.random.default_rng(self.hot_pixels).integers(0, WIDTH * HEIGHT, self.hot_pixels)
        shots = rng.choice(hot, rng.poisson(self.hot_hz * self.hot_pixels * seconds))
        pixel = np.concatenate([anywhere, shots])
        time = start_us + rng.integers(0, duration_us, len(pixel))
        sign = rng.integers(0, 2, len(pixel))
        return np.stack([time, pixel % WIDTH, pixel // WIDTH, sign], axis=1)


def _in_order(rows: np.ndarray) -> Events:
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    return as_events(rows[:, 1], rows[:, 2], rows[:, 3], rows[:, 0])


@njit(cache=True, nogil=True)
def _film(
    capsules: np.ndarray,
    background: np.ndarray,
    thresholds: np.ndarray,
    phase: np.ndarray,
    start_us: int,
    frame_us: int,
    refractory_us: int,
) -> np.ndarray:
    height, width = background.shape
    old, new = background.copy(), background.copy()
    reference = np.empty_like(background)
    last = np.full((height, width), -(1 << 62), np.int64)
    out = np.empty((1 << 16, 4), np.int64)
    count = 0
    box = np.array([height, 0, width, 0])
    for frame in range(len(capsules)):
        before = box
        box = _bounds(capsules[frame], height, width)
        top, bottom = min(before[0], box[0]), max(before[1], box[1])
        left, right = min(before[2], box[2]), max(before[3], box[3])
        new[top:bottom, left:right] = background[top:bottom, left:right]
        for c in range(capsules.shape[1]):
            _paint(new, capsules[frame, c])
        if frame == 0:
            reference[:] = new + (phase - 0.5) * thresholds[0]
        time = start_us + (frame - 1) * frame_us
        for y in range(top, bottom):
            for x in range(left, right):
                change = new[y, x] - reference[y, x]
                sign = 1 if change > 0 else 0
                step = thresholds[sign, y, x]
                if frame == 0 or abs(change) < step:
                    continue
                step = step if sign else -step
                slope = new[y, x] - old[y, x]
                for _ in range(int(change / step)):
                    reference[y, x] += step
                    part = (reference[y, x] - old[y, x]) / slope if slope != 0.0 else 1.0
                    t = time + int(frame_us * min(max(part, 0.0), 1.0))
                    if t - last[y, x] >= refractory_us:
                        if count == out.shape[0]:
                            out = np.concatenate((out, np.empty_like(out)))
                        out[count, 0], out[count, 1], out[count, 2], out[count, 3] = t, x, y, sign
                        last[y, x] = t
                        count += 1
        old[top:bottom, left:right] = new[top:bottom, left:right]
    return out[:count]


@njit(cache=True, nogil=True)
def _bounds(capsules: np.ndarray, height: int, width: int) -> np.ndarray:
    box = np.array([height, 0, width, 0])
    for c in capsules:
        r = max(c[R0], c[R1]) + 1.0
        box[0] = min(box[0], max(0, int(min(c[Y0], c[Y1]) - r)))
        box[1] = max(box[1], min(height, int(max(c[Y0], c[Y1]) + r) + 2))
        box[2] = min(box[2], max(0, int(min(c[X0], c[X1]) - r)))
        box[3] = max(box[3], min(width, int(max(c[X0], c[X1]) + r) + 2))
    return box


@njit(cache=True, nogil=True, fastmath=True)
def _paint(image: np.ndarray, c: np.ndarray) -> None:
    height, width = image.shape
    dx, dy = c[X1] - c[X0], c[Y1] - c[Y0]
    length = np.sqrt(dx * dx + dy * dy) + np.float32(1e-6)
    ux, uy = dx / length, dy / length
    r = max(c[R0], c[R1]) + np.float32(1.0)
    top, bottom = max(0, int(min(c[Y0], c[Y1]) - r)), min(height, int(max(c[Y0], c[Y1]) + r) + 2)
    left, right = max(0, int(min(c[X0], c[X1]) - r)), min(width, int(max(c[X0], c[X1]) + r) + 2)
    for y in range(top, bottom):
        for x in range(left, right):
            px, py = x - c[X0], y - c[Y0]
            along = min(max(px * ux + py * uy, np.float32(0.0)), length)
            nx, ny = px - along * ux, py - along * uy
            radius = c[R0] + (c[R1] - c[R0]) * along / length
            cover = radius + np.float32(0.5) - np.sqrt(nx * nx + ny * ny)
            if cover > 0.0:
                cover = min(cover, np.float32(1.0))
                across = px * uy - py * ux
                # The texture moves with the limb: folds of a sleeve, knuckles.
                fold = (
                    c[TEXTURE] * np.sin(np.float32(0.8) * along) * np.cos(np.float32(0.9) * across)
                )
                image[y, x] += cover * (c[TONE] + fold - image[y, x])
