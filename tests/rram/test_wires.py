"""Wire resistance, beside Kirchhoff's law written out and beside badcrossbar where installed."""

import warnings

import numpy as np
import pytest

from rram import Chip, UserError
from rram.wires import effective_conductances, through_wires
from tests.oracles import wires as oracle


def cells(shape, seed=0):
    return Chip(seed=seed).program("a", shape).plus.numpy().astype(float)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 1), (4, 7), (9, 5), (12, 12)])
@pytest.mark.parametrize("ohm", [0.5, 50.0, 5000.0])
def test_equal_to_kirchhoffs_law(shape, ohm):
    expected = oracle.effective_conductances(cells(shape), ohm)
    np.testing.assert_allclose(
        effective_conductances(cells(shape), ohm), expected, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(("shape", "ohm"), [((5, 8), 1.0), ((16, 9), 20.0)])
def test_equal_to_badcrossbar(shape, ohm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import badcrossbar
        except ImportError:
            pytest.skip("badcrossbar is not installed: the extra `wires`")
    if not hasattr(badcrossbar, "compute"):
        pytest.skip("badcrossbar without its own dependencies")
    g = cells(shape)
    with np.errstate(divide="ignore"):
        ohms = 1e6 / g
    solution = badcrossbar.compute(np.eye(shape[0]), ohms, r_i=ohm)
    np.testing.assert_allclose(
        effective_conductances(g, ohm), 1e6 * solution.currents.output, rtol=1e-5, atol=1e-6
    )


def test_one_cell_by_hand():
    """A cell of 100 uS (10 kOhm) between two segments of 500 Ohm: 1 / 11 kOhm."""
    assert effective_conductances(np.array([[100.0]]), 500.0)[0, 0] == pytest.approx(1e6 / 11e3)


def test_blocks_larger_than_an_array_are_cut():
    whole, g = through_wires(cells((10, 7)), 100.0, macro=(6, 4)), cells((10, 7))
    assert np.allclose(whole[6:, 4:], effective_conductances(g[6:, 4:], 100.0))
    assert np.array_equal(through_wires(g, 0.0), g)
    assert through_wires(g, 100.0).sum() < whole.sum() < g.sum()  # longer wires lose more


def test_a_negative_resistance_is_refused():
    with pytest.raises(UserError, match="wire_ohm"):
        through_wires(cells((2, 2)), -1.0)
