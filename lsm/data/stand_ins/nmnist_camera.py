"""A simulated event camera that looks at a picture in three saccades, as N-MNIST was recorded.

Each pixel remembers the log intensity at its last event and fires when the present one differs
by its threshold (Lichtsteiner et al. 2008). The camera is moved over the picture along a
triangle (Orchard et al. 2015); its path here was read off 597 real recordings.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter

from harness.events import Events, as_events

# (ms, x, y): where the picture's corner lies on the sensor, in pixels. Centres of the events of
# 597 real recordings in slices of 10 ms, less the pictures' own centres.
SACCADES = np.array(
    [
        (0, 0.3, 1.4), (10, 0.3, 1.55), (20, 0.3, 1.9), (30, 0.3, 2.4), (40, 0.33, 3.2),
        (50, 0.55, 4.3), (60, 1.05, 5.35), (70, 1.65, 6.0), (80, 2.1, 6.2), (88, 2.35, 6.2),
        (100, 2.4, 6.2),
        (115, 2.5, 6.2), (125, 2.85, 6.1), (135, 3.25, 5.55), (145, 3.7, 4.65), (155, 4.1, 3.6),
        (165, 4.5, 2.6), (175, 4.9, 2.05), (185, 5.25, 1.85), (195, 5.55, 1.8), (205, 5.75, 1.7),
        (222, 5.75, 1.6), (232, 5.5, 1.55), (245, 4.6, 1.55), (255, 3.6, 1.55), (265, 2.6, 1.5),
        (275, 1.85, 1.45), (285, 1.4, 1.45), (297, 1.15, 1.5), (308, 1.1, 1.5),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class EventCamera:
    """The camera and the screen it looks at.

    Attributes:
        pixels: sensor is pixels x pixels.
        contrast: log intensity of the background over that of full ink.
        threshold: change of log intensity that makes an event.
        threshold_std: spread of the threshold from pixel to pixel and between polarities.
        blur_px: s.d. of the optics' blur, in sensor pixels.
        noise_hz: events of a pixel that sees nothing change, per second.
        jitter_us: s.d. of the delay of an event.
        step_us: time between two evaluations of the path; events in between are interpolated.
        seed: which sensor (thresholds).
    """

    pixels: int = 34
    contrast: float = 1.0
    threshold: float = 0.137
    threshold_std: float = 0.025
    blur_px: float = 0.65
    noise_hz: float = 0.3
    jitter_us: float = 4000.0
    step_us: int = 2000
    seed: int = 0


NMNIST_CAMERA = EventCamera()


def record(image: np.ndarray, number: int, camera: EventCamera = NMNIST_CAMERA) -> Events:
    """Events of one picture shown to the moving camera, in order of time.

    Args:
        image: (28, 28) uint8, ink 255.
        number: of the recording; seeds its noise.
        camera: the camera.
    """
    path, thresholds = _path(camera), _thresholds(camera)
    scene = _scene(image, camera)
    generator = np.random.default_rng([camera.seed, number])
    duration = (len(path) - 1) * camera.step_us
    quiet = generator.poisson(camera.noise_hz * duration / 1e6 * camera.pixels**2)
    room = int(40 * image.size + quiet)
    pixel, p, t = _watch(scene, path, thresholds, camera.step_us, room)
    t = t + generator.normal(0, camera.jitter_us, len(t))
    pixel = np.concatenate([pixel, generator.integers(0, camera.pixels**2, quiet)])
    p = np.concatenate([p, generator.integers(0, 2, quiet)])
    t = np.concatenate([t, generator.uniform(0, duration, quiet)]).clip(0, duration - 1)
    order = np.argsort(t)
    pixel = pixel[order]
    return as_events(pixel % camera.pixels, pixel // camera.pixels, p[order], t[order])


@cache
def _path(camera: EventCamera) -> np.ndarray:
    # (steps + 1, 2): x and y of the picture's corner, in pixels.
    t = np.arange(0, SACCADES[-1, 0] * 1000 + 1, camera.step_us) / 1000
    return PchipInterpolator(SACCADES[:, 0], SACCADES[:, 1:])(t)


@cache
def _thresholds(camera: EventCamera) -> np.ndarray:
    # (2, pixels^2): for falling and rising intensity.
    generator = np.random.default_rng(camera.seed)
    spread = generator.normal(camera.threshold, camera.threshold_std, (2, camera.pixels**2))
    return spread.clip(0.25 * camera.threshold).astype(np.float32)


def _scene(image: np.ndarray, camera: EventCamera) -> np.ndarray:
    # Log intensity with a margin, so that every shift of the path stays inside. The polarities
    # of the real recordings are those of dark ink on a bright screen.
    margin = camera.pixels
    ink = np.pad(image.astype(np.float32) / 255, margin)
    return -camera.contrast * gaussian_filter(ink, camera.blur_px, truncate=3)


@njit(cache=True, nogil=True)
def _watch(scene, path, thresholds, step_us, room):  # noqa: ANN001, ANN202
    side = int(np.sqrt(thresholds.shape[1]) + 0.5)
    margin = side
    pixel = np.empty(room, np.int64)
    p = np.empty(room, np.int64)
    t = np.empty(room, np.float64)
    last, seen, now = np.empty((3, side * side), np.float32)
    _look(scene, path[0], margin, side, now)
    last[:] = now
    n = 0
    for k in range(1, len(path)):
        seen[:] = now
        _look(scene, path[k], margin, side, now)
        for i in range(side * side):
            change = now[i] - last[i]
            if -thresholds[0, i] < change < thresholds[1, i]:
                continue
            sign = 1 if change > 0 else -1
            size = thresholds[(sign + 1) // 2, i]
            while sign * (now[i] - last[i]) >= size and n < room:
                last[i] += sign * size
                pixel[n], p[n] = i, (sign + 1) // 2
                t[n] = (k - 1 + (last[i] - seen[i]) / (now[i] - seen[i])) * step_us
                n += 1
    return pixel[:n], p[:n], t[:n]


@njit(cache=True, nogil=True)
def _look(scene, corner, margin, side, out):  # noqa: ANN001, ANN202
    # Bilinear view of the scene whose corner lies at `corner` on the sensor.
    x, y = margin - corner[0], margin - corner[1]
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = np.float32(x - x0), np.float32(y - y0)
    one = np.float32(1)
    for i in range(side):
        for j in range(side):
            above = (one - fx) * scene[y0 + i, x0 + j] + fx * scene[y0 + i, x0 + j + 1]
            below = (one - fx) * scene[y0 + i + 1, x0 + j] + fx * scene[y0 + i + 1, x0 + j + 1]
            out[i * side + j] = (one - fy) * above + fy * below
