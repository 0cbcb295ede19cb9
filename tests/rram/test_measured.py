"""The device fitted to the sister chip's measured cells (only where they lie in DATA_ROOT)."""

import os
from pathlib import Path

import numpy as np
import pytest

from rram import Chip, Device

FOLDER = Path(os.environ.get("DATA_ROOT", "")) / "rram"
pytestmark = pytest.mark.skipif(
    not (os.environ.get("DATA_ROOT") and FOLDER.is_dir()), reason="needs DATA_ROOT with rram/"
)


@pytest.fixture(scope="module")
def device():
    return Device.from_measurements(
        FOLDER / "breakdown_voltage_400_cells.csv", FOLDER / "conductance_map_50x8.csv"
    )


def test_breakdown_fit(device):
    assert abs(device.breakdown_mean_v - 3.433) < 0.02
    assert abs(device.breakdown_std_v - 0.114) < 0.02


@pytest.mark.parametrize(
    ("voltage", "measured"), [(3.30, 0.16), (3.40, 0.39), (3.50, 0.71), (3.60, 0.94)]
)
def test_broken_fraction(device, voltage, measured):
    """Within 5 points of the measured fraction, as a formula and as programmed cells."""
    assert abs(device.broken_fraction(voltage) - measured) < 0.05
    cells = Chip(device, programming_voltage_v=voltage).program("a", (512, 512)).plus
    assert abs((cells > 0).float().mean() - measured) < 0.05


def test_conductance_fit(device):
    assert device.conductance_mean_us == pytest.approx(12.3, abs=0.1)
    assert device.conductance_std_us == pytest.approx(1.7, abs=0.1)


def test_the_map_as_a_chip():
    chip = Chip.from_map(FOLDER / "conductance_map_50x8.csv")
    cells = np.loadtxt(FOLDER / "conductance_map_50x8.csv", delimiter=",")
    pair = chip.program("a", (50, 8))
    assert np.allclose(np.sort(pair.plus.numpy(), None), np.sort(cells, None))
