import dataclasses
import json

import numpy as np
import pytest

from harness.errors import UserError
from harness.run.cli import main
from harness.run.protocol import split_groups
from lsm.reservoir import ReservoirSpec, from_chip
from lsm.tables import nmnist as table
from lsm.tables.common import CHIP, LsmConfig, make_reservoir
from rram import LSM_40NM, Chip
from rram.crossbar import ReadConfig
from tests.chance import above_chance

QUICK = (
    "LSM, chip, published readout; LSM, chip, discriminative ridge; "
    "event counts in time windows, discriminative ridge; LSM+, discriminative ridge"
)
# With the published 1e-4, smoke data would need thousands of epochs.
FAST = ("--set", "readout_epochs=60", "readout_learning_rate=0.01")


def smoke(tmp_path, *options):
    folders = ["--data", str(tmp_path), "--results", str(tmp_path / "results")]
    return main(table.TABLE, ["--smoke", *folders, *options])


def rows_of(tmp_path):
    return json.loads((tmp_path / "results" / "nmnist.json").read_text())["rows"]


def test_rows_are_measured_and_repeat(tmp_path, capsys):
    assert smoke(tmp_path, "--rows", QUICK, *FAST) == 0
    first = rows_of(tmp_path)
    assert smoke(tmp_path, "--rows", QUICK, *FAST) == 0
    assert [r["values"] for r in first] == [r["values"] for r in rows_of(tmp_path)]
    assert {r["data"]["kind"] for r in first} == {"synthetic"}
    assert {r["protocol"] for r in first} == {"validation", "published"}
    bound = above_chance(first[0]["data"]["test"], 10)
    assert {r["row"]: r["mean"] for r in first if r["mean"] <= bound} == {}
    assert "without a reservoir, event counts in 8 windows reach" in first[-1]["note"]
    assert "on real N-MNIST" in capsys.readouterr().out
    for what in ("table", "learning", "raster", "rates", "tsne", "confusion"):
        assert (tmp_path / "results" / f"nmnist_{what}.png").stat().st_size < 400_000


def test_shuffled_labels_are_at_chance(tmp_path, monkeypatch):
    def load(run):
        data = nmnist_load(run)
        shuffled = np.random.default_rng(0).permutation(data.train_labels)
        return dataclasses.replace(data, train_labels=shuffled)

    nmnist_load = table.load
    rows = [r for r in table.TABLE.rows if r.name in QUICK.split("; ")]
    monkeypatch.setattr(
        table, "TABLE", dataclasses.replace(table.TABLE, load=load, rows=tuple(rows))
    )
    assert smoke(tmp_path, *FAST) == 0
    first = rows_of(tmp_path)
    assert max(r["mean"] for r in first) < above_chance(first[0]["data"]["test"], 10)


@pytest.mark.slow
def test_every_row_runs(tmp_path):
    assert smoke(tmp_path, "--rows", "all") == 0
    assert {r["row"] for r in rows_of(tmp_path)} == {row.name for row in table.TABLE.rows}
    assert (tmp_path / "results" / "nmnist_size.png").is_file()


def test_the_papers_row_comes_first():
    assert table.TABLE.rows[0].name == "LSM, chip, published readout"
    assert table.TABLE.rows[0].default


def test_speakers_do_not_meet():
    groups = np.array([3, 1, 1, 2, 3, 2])
    fit, held = split_groups(groups, 0.3)
    assert not set(groups[fit]) & set(groups[held])
    assert sorted([*fit, *held]) == list(range(6))
    with pytest.raises(UserError, match="one speaker"):
        split_groups(np.zeros(5, int), 0.3)


def test_chip_rows_follow_the_law_of_the_noise():
    spec = ReservoirSpec(6, 20, 0.5, 0.3, 0.1, 8)
    cells, weight, batch = (
        make_reservoir(LsmConfig(**constants), 0, CHIP, spec)
        for constants in ({}, {"noise_on": "weight"}, {"noise_per": "batch"})
    )
    expected = from_chip(spec, Chip(LSM_40NM, 0, sparsity=0.0), ReadConfig(0.02))
    assert np.array_equal(cells.squares, expected.squares) and not cells.noise_per_batch
    # The law of the cells adds the squares of both, that of the weight squares their difference.
    squares = [r.squares.astype(float).sum() * r.square_unit for r in (cells, weight)]
    assert 0 < squares[1] < squares[0]
    assert batch.noise_per_batch and batch.squares is None
    assert np.array_equal(batch.integers, cells.integers)
