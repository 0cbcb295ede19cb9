import numpy as np
import pytest

from harness.data.event_camera import EventPixels
from tests.oracles.event_pixels import event_pixels

IDEAL = EventPixels(0.2, mismatch=0.0, lowest=0.5, highest=1.5, refractory_us=0, divided=False)


def ramp(*levels):
    """Frames of one pixel that has these log intensities."""
    return np.array(levels, np.float32)[:, None, None]


def watch(frames, camera=IDEAL, frame_us=1000):
    thresholds = camera.thresholds(*frames.shape[1:], np.random.default_rng(0))
    return camera.watch(frames, frame_us, thresholds, frames[0])


def test_a_ramp_by_hand():
    # Thresholds at 0.2 and 0.4 of a rise of 0.5 in 1 ms; then the way back from 0.4.
    seen = watch(ramp(0.0, 0.5, 0.0))
    assert seen.t_us == pytest.approx([400, 800, 1600, 2000], abs=0.01)
    assert seen.p.tolist() == [1, 1, 0, 0]


def test_refractory_time_swallows_events_but_not_their_steps():
    camera = EventPixels(0.2, 0.0, 0.5, 1.5, 500, divided=True)
    seen = watch(ramp(0.0, 0.5, 0.0), camera)
    assert seen.t_us == pytest.approx([400, 1600], abs=0.01)


def test_what_lies_outside_the_boxes_is_not_looked_at():
    frames = np.zeros((2, 3, 3), np.float32)
    frames[1] = 0.3
    thresholds = IDEAL.thresholds(3, 3, np.random.default_rng(0))
    boxes = np.array([[0, 3, 0, 3], [0, 2, 1, 2]])
    seen = IDEAL.watch(frames, 1000, thresholds, frames[0], boxes)
    assert list(zip(seen.x, seen.y, strict=True)) == [(1, 0), (1, 1)]


@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("refractory_us", [0, 700])
def test_random_scenes_as_the_plain_loop_sees_them(refractory_us, divided):
    rng = np.random.default_rng(1)
    frames = np.cumsum(rng.normal(0, 0.3, (60, 5, 4)), axis=0).astype(np.float32)
    camera = EventPixels(0.2, 0.2, 0.5, 1.5, refractory_us, divided)
    thresholds = camera.thresholds(5, 4, rng)
    seen = camera.watch(frames, 1000, thresholds, frames[0])
    expected = event_pixels(frames, 1000, thresholds, refractory_us)
    assert len(seen.t_us) == len(expected) > 500
    np.testing.assert_array_equal(np.stack([seen.x, seen.y, seen.p], 1), expected[:, 1:])
    np.testing.assert_allclose(seen.t_us, expected[:, 0], atol=0.01)


def test_more_events_than_the_first_room_holds():
    frames = np.tile(np.array([0, 1], np.float32), 20)[:, None, None] * np.ones((30, 30))
    seen = watch(frames.astype(np.float32))
    assert len(seen.t_us) > 1 << 16


def test_thresholds_stay_in_their_range():
    camera = EventPixels(0.1, 1.0, 0.5, 1.5, 0, divided=False)
    thresholds = camera.thresholds(50, 50, np.random.default_rng(0))
    assert thresholds.min() == np.float32(0.05) and thresholds.max() == np.float32(0.15)
    assert thresholds.shape == (2, 50, 50)
