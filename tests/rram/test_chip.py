"""Statistics of the chip, and that its blocks stand on their own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rram import DEPLM_40NM, LSM_40NM, Chip, Device, UserError

SHAPE = (512, 512)


def test_presets_are_the_papers():
    assert (DEPLM_40NM.conductance_mean_us, DEPLM_40NM.conductance_std_us) == (34.05538, 5.32269)
    assert (DEPLM_40NM.breakdown_mean_v, DEPLM_40NM.breakdown_std_v) == (3.433, 0.114)


def test_conductance_of_broken_cells():
    """Mean and s.d. of 131,000 cells within 0.1 uS: 7 and 9 standard errors."""
    cells = Chip(seed=1).program("a", SHAPE).plus
    broken = cells[cells > 0]
    assert abs(broken.mean() - 34.05538) < 0.1
    assert abs(broken.std() - 5.32269) < 0.1


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_sparsity(sparsity):
    """Fraction of unbroken cells within 0.005 of the one asked for, 5 standard errors."""
    pair = Chip(seed=2, sparsity=sparsity).program("a", SHAPE)
    for cells in pair:
        assert abs((cells == 0).float().mean() - sparsity) < 0.005


def test_masks_of_the_two_arrays_are_independent():
    """A weight is 0 with probability 0.25, about +-34 with 0.25 each (within 0.005)."""
    pair = Chip(seed=3).program("a", SHAPE)
    weights = pair.weights
    assert abs((weights == 0).float().mean() - 0.25) < 0.005
    for sign in (1, -1):
        single = (sign * weights > 0) & ((pair.plus == 0) | (pair.minus == 0))
        assert abs(single.float().mean() - 0.25) < 0.005
    both = weights[(pair.plus > 0) & (pair.minus > 0)]
    assert abs(both.std() - 7.53) < 0.1


def test_voltage_sets_the_sparsity():
    chip = Chip(seed=4, programming_voltage_v=3.5)
    expected = DEPLM_40NM.broken_fraction(3.5)
    assert abs((chip.program("a", SHAPE).plus > 0).float().mean() - expected) < 0.005


def test_a_higher_voltage_breaks_more_of_the_same_cells():
    low, high = (Chip(programming_voltage_v=v).program("a", SHAPE).plus for v in (3.4, 3.5))
    broken = low > 0
    assert torch.equal(low[broken], high[broken])
    assert (high > 0).sum() > broken.sum()


def test_lsm_chip_gives_weights_of_deviation_6_6():
    weights = Chip(LSM_40NM, sparsity=0.0).weights("input", SHAPE)
    assert abs(weights.std() - 6.643) < 0.05
    assert abs(weights.mean()) < 0.1


def test_blocks_do_not_disturb_each_other():
    alone, after = Chip(seed=5), Chip(seed=5)
    after.weights("other", (30, 40))
    assert torch.equal(alone.weights("a", (20, 10)), after.weights("a", (20, 10)))
    assert not torch.equal(alone.weights("a", (20, 10)), alone.weights("b", (20, 10)))


def test_two_chips_differ_and_one_repeats():
    first, same, other = (Chip(seed=s).weights("a", (50, 50)) for s in (6, 6, 7))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_known_cell():
    """The random stream itself is part of the contract: numbers repeat over versions."""
    weights = Chip(seed=0).weights("sa1", (6, 51))
    assert weights.double().sum().item() == pytest.approx(KNOWN_SUM, abs=1e-3)


KNOWN_SUM = -133.975


def test_cells_and_macros_are_counted():
    chip = Chip()
    chip.weights("a", (512, 512))
    assert (chip.cells, chip.macros) == (2 * 512 * 512, 2)
    chip.weights("b", (1, 1))
    chip.weights("b", (1, 1))
    assert (chip.cells, chip.macros) == (2 * 512 * 512 + 2, 3)


def test_ageing_drifts_all_conductances():
    chip = Chip(drift_exponent=0.05)
    fresh, old = chip.weights("a", (9, 9)), chip.age(1e6).weights("a", (9, 9))
    assert torch.allclose(old, fresh * 1e6**-0.05)
    assert torch.equal(chip.weights("a", (9, 9)), fresh)


def test_stuck_cells():
    """Fractions within 0.005: 5 standard errors."""
    cells = Chip(sparsity=0.0, stuck_off=0.2, stuck_on=0.1).program("a", SHAPE).plus
    assert abs((cells == 0).float().mean() - 0.2) < 0.005
    stuck = np.float32(DEPLM_40NM.conductance_mean_us)
    assert abs((cells == stuck).float().mean() - 0.1) < 0.005


def test_a_measured_map_gives_its_own_cells():
    cells = np.array([[0, 12.5, 13.0], [11.0, 0, 12.0]])
    chip = Chip.from_map(cells)
    pair = chip.program("a", (2, 3))
    assert sorted(pair.plus.flatten().tolist()) == sorted(cells.ravel().tolist())
    assert chip.map_reuse == 1
    assert set(chip.program("b", (5, 7)).minus.flatten().tolist()) <= set(cells.ravel().tolist())
    assert chip.map_reuse == pytest.approx(35 / 6)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_fit_to_csv_files(tmp_path):
    voltages = np.random.default_rng(0).normal(3.4, 0.1, 400)
    text = "breakdown_voltage_V\n" + "\n".join(f"{v:.4f}" for v in voltages)
    breakdown = write(tmp_path / "v.csv", text)
    cells = write(tmp_path / "g.csv", "0,10,12\n14,0,0\n")
    device = Device.from_measurements(breakdown, cells)
    assert device.breakdown_mean_v == pytest.approx(voltages.mean(), abs=1e-3)
    assert device.conductance_mean_us == pytest.approx(12.0)
    assert device.conductance_std_us == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n3,x\n", "line 2, column 2: 'x' is not a number"),
        ("1,2\n3,nan\n", "line 2, column 2: nan is not a finite"),
        ("1,2\n3,-4\n", "line 2, column 2: -4 is below 0"),
        ("1,2\n3\n", "line 2: 1 columns"),
        ("", "no numbers"),
        ("0,0\n0,0\n", "fewer than two"),
    ],
)
def test_unfit_maps_are_refused(tmp_path, text, words):
    with pytest.raises(UserError, match=words):
        Chip.from_map(write(tmp_path / "map.csv", text))


def test_a_missing_map_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.csv"):
        Chip.from_map(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    "arguments",
    [
        {"sparsity": 1.2},
        {"sparsity": -0.1},
        {"sparsity": 0.5, "programming_voltage_v": 3.4},
        {"programming_voltage_v": float("nan")},
        {"stuck_off": 0.7, "stuck_on": 0.7},
        {"seed": -1},
    ],
)
def test_unfit_chips_are_refused(arguments):
    with pytest.raises(UserError):
        Chip(**arguments)


def test_unfit_blocks_are_refused():
    chip = Chip()
    chip.weights("a", (3, 4))
    with pytest.raises(UserError, match=r"\(3, 4\)"):
        chip.weights("a", (4, 3))
    with pytest.raises(UserError, match=">= 1"):
        chip.weights("b", (0, 3))
    with pytest.raises(UserError):
        Device("x", conductance_mean_us=-1, conductance_std_us=1)
