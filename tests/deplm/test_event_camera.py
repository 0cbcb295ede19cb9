import numpy as np
import pytest

from deplm.data.stand_ins.dvs_bodies import perform, random_person
from deplm.data.stand_ins.dvs_camera import GestureCamera

QUIET = GestureCamera(threshold=0.2, mismatch=0.0, noise_hz=0.0, hot_hz=0.0, refractory_us=0)
WALL = np.zeros((128, 128), np.float32)


def moving_disc(frames=50, speed=1.0, tone=1.0):
    """A disc of radius 5 that moves to the right, `speed` pixels a frame."""
    x = 30 + speed * np.arange(frames)
    y = np.full(frames, 64.0)
    columns = [x, y, x, y, *(np.full(frames, v) for v in (5.0, 5.0, tone, 0.0))]
    return np.stack(columns, axis=1)[:, None]


def test_a_bright_disc_is_on_before_and_off_behind():
    events = QUIET.film(moving_disc(), WALL, 1000, np.random.default_rng(0))
    assert np.all(np.diff(events.t_us) >= 0)
    assert events.t_us[0] >= 1000 and events.t_us[-1] <= 1000 + 50 * QUIET.frame_us
    centre = 30 + (events.t_us - 1000) / QUIET.frame_us
    on = events.p == 1
    assert (events.x[on] > centre[on]).all() and (events.x[~on] < centre[~on]).all()
    # A pixel passed over rises by 1.0 and falls by 1.0: five thresholds each, less a rest of one.
    passed = (events.x == 50) & (events.y == 64)
    assert 4 <= (passed & on).sum() <= 5 and 4 <= (passed & ~on).sum() <= 5


def test_dark_discs_are_the_other_way_round():
    events = QUIET.film(moving_disc(tone=-1.0), WALL, 0, np.random.default_rng(0))
    centre = 30 + events.t_us / QUIET.frame_us
    assert (events.x[events.p == 1] < centre[events.p == 1]).all()


def test_refractory_time_is_kept_by_every_pixel():
    camera = GestureCamera(threshold=0.05, noise_hz=0.0, hot_hz=0.0, refractory_us=3000)
    events = camera.film(moving_disc(), WALL, 0, np.random.default_rng(0))
    order = np.lexsort((events.t_us, events.x, events.y))
    x, y, t = events.x[order], events.y[order], events.t_us[order]
    same = (np.diff(x) == 0) & (np.diff(y) == 0)
    assert np.diff(t)[same].min() >= 3000


def test_a_still_scene_makes_no_event_but_noise():
    still = moving_disc(speed=0.0)
    assert QUIET.film(still, WALL, 0, np.random.default_rng(0)).count == 0
    noisy = GestureCamera(noise_hz=1.0, hot_pixels=1, hot_hz=100.0)
    events = noisy.idle(500, 1_000_000, np.random.default_rng(0))
    assert abs(events.count - 16_484) < 600
    assert events.t_us.min() >= 500 and events.t_us.max() < 1_000_500


def test_many_events_are_all_kept():
    """More than the first buffer holds."""
    wide = moving_disc(frames=80)
    wide[:, :, 4:6] = 40
    camera = GestureCamera(threshold=0.01, noise_hz=0.0, hot_hz=0.0, refractory_us=0)
    events = camera.film(wide, WALL, 0, np.random.default_rng(0))
    assert events.count > 1 << 18


@pytest.mark.parametrize("gesture", range(1, 12))
def test_every_gesture_moves_what_it_should(gesture):
    rng = np.random.default_rng(gesture)
    scene = perform(random_person(rng), gesture, 250, 4000, rng)
    assert scene.shape == (250, 17, 8) and np.isfinite(scene).all()
    hands = scene[:, [5, 12], :2]  # where each palm begins: right, left
    moved = np.ptp(hands, axis=0).max(axis=1)
    right, left = {2: (1, 0), 3: (0, 1), 4: (1, 0), 5: (1, 0), 6: (0, 1), 7: (0, 1)}.get(
        gesture, (1, 1)
    )
    if right != left:
        assert moved[0 if right else 1] > 1.5 * moved[1 if right else 0]
    else:
        assert moved.max() > 4
    if gesture in (4, 5, 6, 7):
        path = hands[:, 0 if right else 1].astype(float)
        x, y = (path - path.mean(axis=0)).T
        area = np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])
        assert (area < 0) == (gesture in (4, 6))  # y points down
