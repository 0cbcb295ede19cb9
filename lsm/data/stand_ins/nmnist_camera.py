"""A simulated event camera that looks at a picture in three saccades, as N-MNIST was recorded.

Its pixels are those of `harness.data.event_camera`. The camera is moved over the picture along a
triangle (Orchard et al. 2015); its path here was measured on 597 real recordings. Noise is drawn
after the picture's events, whose times are jittered.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter

from harness.data.event_camera import EventPixels
from harness.data.events import Events, as_events

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
class SaccadeCamera(EventPixels):
    """The camera and the screen it looks at; its defaults were fitted to real recordings.

    Attributes:
        pixels: sensor is pixels x pixels.
        contrast: log intensity of the background over that of full ink.
        blur_px: s.d. of the optics' blur, in sensor pixels.
        noise_hz: events of a pixel that sees nothing change, per second.
        jitter_us: s.d. of the delay of an event, in us.
        step_us: time between two evaluations of the path; events in between are interpolated.
        seed: which sensor (thresholds).
    """

    threshold: float = 0.137
    mismatch: float = 0.025 / 0.137
    lowest: float = 0.25
    highest: float = np.inf
    refractory_us: int = 0
    divided: bool = False
    pixels: int = 34
    contrast: float = 1.0
    blur_px: float = 0.65
    noise_hz: float = 0.3
    jitter_us: float = 4000.0
    step_us: int = 2000
    seed: int = 0


NMNIST_CAMERA = SaccadeCamera()


def record(image: np.ndarray, number: int, camera: SaccadeCamera = NMNIST_CAMERA) -> Events:
    """Events of one picture shown to the moving camera, in order of time.

    Args:
        image: (28, 28) uint8, ink 255.
        number: of the recording; seeds its noise.
        camera: the camera.
    """
    path, pixels = _path(camera), camera.pixels
    frames = _views(_scene(image, camera), path, pixels)
    seen = camera.watch(frames, camera.step_us, _thresholds(camera), frames[0])
    rng = np.random.default_rng([camera.seed, number])
    duration = (len(path) - 1) * camera.step_us
    quiet = rng.poisson(camera.noise_hz * duration / 1e6 * pixels**2)
    t = seen.t_us + rng.normal(0, camera.jitter_us, len(seen.t_us))
    pixel = np.concatenate([seen.y * pixels + seen.x, rng.integers(0, pixels**2, quiet)])
    p = np.concatenate([seen.p, rng.integers(0, 2, quiet)])
    t = np.concatenate([t, rng.uniform(0, duration, quiet)]).clip(0, duration - 1)
    order = np.argsort(t)
    pixel = pixel[order]
    return as_events(pixel % pixels, pixel // pixels, p[order], t[order])


@cache
def _path(camera: SaccadeCamera) -> np.ndarray:
    # (steps + 1, 2): x and y of the picture's corner, in pixels.
    t = np.arange(0, SACCADES[-1, 0] * 1000 + 1, camera.step_us) / 1000
    return PchipInterpolator(SACCADES[:, 0], SACCADES[:, 1:])(t)


@cache
def _thresholds(camera: SaccadeCamera) -> np.ndarray:
    return camera.thresholds(camera.pixels, camera.pixels, np.random.default_rng(camera.seed))


def _scene(image: np.ndarray, camera: SaccadeCamera) -> np.ndarray:
    # Log intensity with a margin, so that every shift of the path stays inside. The polarities
    # of the real recordings are those of dark ink on a bright screen.
    margin = camera.pixels
    ink = np.pad(image.astype(np.float32) / 255, margin)
    return -camera.contrast * gaussian_filter(ink, camera.blur_px, truncate=3)


@njit(cache=True, nogil=True)
def _views(scene, path, side):  # noqa: ANN001, ANN202
    # (steps, side, side): bilinear views of the scene whose corner lies at `path` on the sensor.
    views = np.empty((len(path), side, side), np.float32)
    one = np.float32(1)
    for k in range(len(path)):
        x, y = side - path[k, 0], side - path[k, 1]
        x0, y0 = int(np.floor(x)), int(np.floor(y))
        fx, fy = np.float32(x - x0), np.float32(y - y0)
        for i in range(side):
            for j in range(side):
                a, b = scene[y0 + i, x0 + j], scene[y0 + i, x0 + j + 1]
                c, d = scene[y0 + i + 1, x0 + j], scene[y0 + i + 1, x0 + j + 1]
                above, below = (one - fx) * a + fx * b, (one - fx) * c + fx * d
                views[k, i, j] = (one - fy) * above + fy * below
    return views
