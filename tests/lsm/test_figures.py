import numpy as np
import pytest
from PIL import Image

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
