"""Cells allotted to blocks, measured maps with every imperfection, drift with a spread."""

import csv

import numpy as np
import pytest
import torch

from rram import Chip, UserError
from rram.allotment import SIDES, Tile, allot, write_allotment

SHAPES = {"a": (6, 5), "b": (4, 9), "c": (13, 3)}


def test_every_weight_has_a_cell_of_its_own():
    tiles = allot(SHAPES, (8, 10))
    taken = np.zeros((1 + max(t.macro for t in tiles), 8, 10), int)
    held = {(n, s): np.zeros(shape, int) for n, shape in SHAPES.items() for s in SIDES}
    for t in tiles:
        taken[t.macro, t.row : t.row + t.rows, t.column : t.column + t.columns] += 1
        rows = slice(t.first_input, t.first_input + t.rows)
        held[t.block, t.side][rows, t.first_output : t.first_output + t.columns] += 1
    assert taken.max() == 1
    assert all((count == 1).all() for count in held.values())


def test_too_few_cells_are_counted_or_used_again():
    with pytest.raises(UserError, match="need 210 cells, 1 macros of 8 x 10 have 80"):
        allot(SHAPES, (8, 10), macros=1)
    tiles = allot(SHAPES, (8, 10), macros=1, reuse=True)
    assert {t.macro for t in tiles} == {0}
    assert sum(t.rows * t.columns for t in tiles) == 210


def test_the_export_reads_back(tmp_path):
    tiles = allot(SHAPES, (8, 10))
    path = write_allotment(tiles, tmp_path / "cells.csv")
    with path.open() as file:
        header, *rows = csv.reader(file)
    assert header == list(Tile._fields)
    assert [Tile(r[0], r[1], *map(int, r[2:])) for r in rows] == tiles


def test_a_map_by_place():
    """Two maps: G+ and G- of a weight lie at the same place, each in its own array."""
    rng = np.random.default_rng(0)
    plus, minus = rng.uniform(1, 40, (2, 20, 30))
    tiles = allot({"a": (3, 4), "b": (5, 6)}, (20, 30), macros=1, sides=("plus",))
    chip = Chip.from_map(plus, minus=minus, tiles=tiles)
    pair = chip.program("b", (5, 6))
    b = tiles[1]
    here = np.s_[b.row : b.row + 5, b.column : b.column + 6]
    assert np.allclose(pair.plus, plus[here]) and np.allclose(pair.minus, minus[here])
    with pytest.raises(UserError, match="not in the allotment"):
        chip.program("c", (2, 2))
    with pytest.raises(UserError, match="another shape"):
        chip.program("a", (4, 4))


def test_a_map_with_all_imperfections():
    cells = np.random.default_rng(0).uniform(10, 40, (30, 40))
    options = {"stuck_off": 0.2, "drift_exponent": 0.05, "drift_spread": 0.02, "wire_ohm": 5.0}
    ideal, worn = Chip.from_map(cells, 1), Chip.from_map(cells, 1, **options).age(1e6)
    fresh, old = ideal.conductances("a", (30, 40)).plus, worn.conductances("a", (30, 40)).plus
    assert abs((worn.program("a", (30, 40)).plus == 0).float().mean() - 0.2) < 0.06
    kept = worn.program("a", (30, 40)).plus > 0
    assert (old[kept] < fresh[kept]).float().mean() > 0.95
    assert 0.3 < float(old[kept].sum() / fresh[kept].sum()) < 0.55  # 1e6^-0.05 = 0.5, and wires


def test_drift_with_a_spread():
    """log10 of the ratio after 1e4 s is -4 nu: mean -0.2, deviation 0.08, 5 standard errors."""
    chip = Chip(sparsity=0.0, drift_exponent=0.05, drift_spread=0.02)
    fresh, old = (c.conductances("a", (100, 100)).plus for c in (chip, chip.age(1e4)))
    ratio = torch.log10(old / fresh)
    assert abs(ratio.mean() + 0.2) < 5 * 0.08 / 100
    assert abs(ratio.std() / 0.08 - 1) < 5 / np.sqrt(2 * 10_000)
    again = chip.age(1e4).conductances("a", (100, 100)).plus
    assert torch.equal(old, again)


def test_one_factor_restores_the_total():
    chip = Chip(drift_exponent=0.05, drift_spread=0.02)
    fresh, old = (sum(g.sum() for g in c.conductances("a", (50, 50)))
                  for c in (chip, chip.age(1e7, corrected=True)))  # fmt: skip
    assert float(old / fresh) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "option", [{"wire_ohm": -1}, {"drift_spread": -0.1}, {"drift_exponent": float("nan")}]
)
def test_unfit_options_are_refused(option):
    with pytest.raises(UserError, match=next(iter(option))):
        Chip(**option)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (np.array([[1.0, np.nan]]), "NaN"),
        (np.array([[1.0, np.inf]]), "infinite"),
        (np.array([[1.0, 1e39]]), "no cell's conductance"),
        (np.array([[1.0, -2.0]]), "negative"),
        (np.array([1.0, 2.0]), "matrix"),
        (np.array([["a", "b"]]), "numbers"),
    ],
)
def test_unfit_arrays_are_refused(tmp_path, cells, said):
    path = tmp_path / "map.npy"
    np.save(path, cells)
    with pytest.raises(UserError, match=said):
        Chip.from_map(path)


def test_unfit_files_are_refused(tmp_path):
    quote = tmp_path / "quote.csv"
    quote.write_text('1,"2\n3,4\n')
    broken = tmp_path / "broken.npy"
    broken.write_bytes(b"\x93NUMPY nothing")
    large = tmp_path / "large.csv"
    large.write_text("1,1e39\n")
    for path in (quote, broken, large):
        with pytest.raises(UserError, match=path.name):
            Chip.from_map(path)
    good = tmp_path / "good.npy"
    np.save(good, np.array([[1, 2], [0, 3]]))
    assert set(Chip.from_map(good).program("a", (2, 2)).plus.flatten().tolist()) == {0, 1, 2, 3}
    with pytest.raises(UserError, match=r"\(2, 2\) and \(2, 3\)"):
        Chip.from_map(np.eye(2) + 1, minus=np.arange(6.0).reshape(2, 3))
