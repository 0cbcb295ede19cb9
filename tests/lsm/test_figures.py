import numpy as np
import pytest
from PIL import Image

from harness.errors import UserError
from lsm.tables import figures

RNG = np.random.default_rng(0)
FIGURES = {
    "rasters": ((RNG.random((20, 30)) < 0.1), (RNG.random((20, 40)) < 0.1), "a synthetic sample"),
    "firing_rates": (
        {"chip": RNG.integers(0, 9, (50, 20)) / 50, "silent": np.zeros((5, 4))},
        "synthetic"),
    "accuracy_against_size": (np.array([50, 100]), {"LSM": RNG.random((2, 3))}, "synthetic"),
    "embedding": (RNG.random((30, 2)), np.arange(30) % 11, tuple("0123456789o"), "synthetic"),
    "recordings_side_by_side": (
        [RNG.random((34, 34))] * 3, [RNG.random((34, 34))] * 3,
        {"real": RNG.random(60), "simulated": RNG.random(60)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_is_drawn(name, tmp_path):
    path = getattr(figures, name)(tmp_path / f"{name}.png", *FIGURES[name])
    pixels = np.asarray(Image.open(path).convert("L"))
    assert min(pixels.shape) > 200
    assert pixels.std() > 5


@pytest.mark.parametrize("shape", [(40, 8), (40, 1), (2, 8), (1, 1)])
def test_features_without_any_spread_have_their_plane(shape):
    """As t-SNE gives it them, they end the interpreter: it divides by zero in compiled code."""
    assert not figures.in_the_plane(np.ones(shape)).any()


def test_one_feature_has_its_plane():
    assert figures.in_the_plane(np.arange(20.0)[:, None]).shape == (20, 2)
    with pytest.raises(UserError, match="no finite numbers"):
        figures.in_the_plane(np.array([[np.nan]] * 20))
