"""A simulated event camera that looks at moving limbs.

The scene is made of capsules (rounded segments) before a still background, as logarithms of
brightness, rendered frame by frame. The pixels are those of `harness.data.event_camera`; beside
what they see they fire now and then for no reason, and a few of them (hot pixels) all the time.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from deplm.data.dvs_aedat import HEIGHT, WIDTH
from harness.data.event_camera import EventPixels
from harness.data.events import Events, as_events

# Columns of a capsule: both ends and radii in pixels, log brightness, depth of its texture.
X0, Y0, X1, Y1, R0, R1, TONE, TEXTURE = range(8)


@dataclass(frozen=True)
class GestureCamera(EventPixels):
    """Constants of the sensor under one light.

    Attributes:
        noise_hz: events a pixel and second that nothing caused.
        hot_pixels: pixels that fire `hot_hz` times a second.
        hot_hz: their rate.
        frame_us: the scene is rendered this often; between frames times are interpolated.
    """

    threshold: float = 0.067
    mismatch: float = 0.1
    lowest: float = 0.5
    highest: float = 1.5
    refractory_us: int = 1000
    divided: bool = True
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
        thresholds = self.thresholds(HEIGHT, WIDTH, rng)
        phase = rng.random((HEIGHT, WIDTH), np.float32)  # how near to firing each pixel begins
        frames, boxes = _render(np.ascontiguousarray(capsules, np.float32), background)
        offset = (phase.astype(np.float64) - 0.5) * thresholds[0]
        reference = (frames[0] + offset).astype(np.float32)
        seen = self.watch(frames, self.frame_us, thresholds, reference, boxes)
        rows = np.stack([start_us + seen.t_us.astype(np.int64), seen.x, seen.y, seen.p], axis=1)
        noise = self._noise(len(capsules) * self.frame_us, start_us, rng)
        return _in_order(np.concatenate([rows, noise]))

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
def _render(capsules: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames (F, 128, 128), and the boxes (F, 4) in which each differs from the one before."""
    height, width = background.shape
    frames = np.empty((len(capsules), height, width), np.float32)
    boxes = np.empty((len(capsules), 4), np.int64)
    before = np.array([height, 0, width, 0])
    for k in range(len(capsules)):
        frames[k] = background
        for c in range(capsules.shape[1]):
            _paint(frames[k], capsules[k, c])
        box = _bounds(capsules[k], height, width)
        boxes[k, 0], boxes[k, 1] = min(before[0], box[0]), max(before[1], box[1])
        boxes[k, 2], boxes[k, 3] = min(before[2], box[2]), max(before[3], box[3])
        before = box
    return frames, boxes


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
