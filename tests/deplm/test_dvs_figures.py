import numpy as np

from deplm.tables.dvs_figures import OFF, ON, draw_clips, event_image
from harness.data.events import as_events, no_events


def clip(count=2000):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 128, (2, count))
    return as_events(x, y, rng.integers(0, 2, count), np.sort(rng.integers(0, 1_450_000, count)))


def test_colours_say_the_polarity():
    image = event_image(as_events([3, 7], [5, 9], [1, 0], [0, 1]))
    assert image.shape == (128, 128, 3)
    np.testing.assert_allclose(image[5, 3], ON)
    np.testing.assert_allclose(image[9, 7], OFF)
    assert (image[0, 0] == 1).all() and (event_image(no_events()) == 1).all()


def test_a_picture_is_written_with_and_without_a_real_clip(tmp_path):
    rows = [("hand clapping", clip(), clip(500)), ("air guitar", clip(), None)]
    path = draw_clips(rows, tmp_path / "a.png", stand_in="synthetic")
    assert path.read_bytes()[1:4] == b"PNG"
