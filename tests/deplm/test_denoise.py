import numpy as np
import pytest

from deplm.data.dvs_denoise import Denoiser
from harness.data.events import as_events
from tests.oracles.denoise import supported


def some_events(seed, count=400, size=12, last_us=60_000):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, size, (2, count))
    return as_events(x, y, np.zeros(count), np.sort(rng.integers(0, last_us, count)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("window_us", [1, 500, 10_000])
def test_equals_the_oracle_also_in_pieces(seed, window_us):
    events = some_events(seed)
    wanted = supported(*(c.tolist() for c in (events.x, events.y, events.t_us)), window_us)
    whole = Denoiser(12, 12, window_us)(events)
    np.testing.assert_array_equal(whole.t_us, events.t_us[wanted])
    pieces = Denoiser(12, 12, window_us)
    kept = [pieces(events.at(slice(i, i + 37))).x for i in range(0, 400, 37)]
    np.testing.assert_array_equal(np.concatenate(kept), events.x[wanted])


def test_zero_lets_everything_pass_and_a_pixel_does_not_support_itself():
    events = as_events([5, 5, 6], [5, 5, 6], [0, 0, 0], [0, 1, 2])
    assert Denoiser(12, 12, 0)(events).count == 3
    assert Denoiser(12, 12, 10)(events).t_us.tolist() == [2]
