import dataclasses
import json

import numpy as np
import pytest

from harness.cli import main
from harness.errors import UserError
from harness.events import as_events, write_events_5byte
from harness.protocol import split_groups
from lsm.data import nmnist
from lsm.data.stand_ins.nmnist_camera import record
from lsm.tables import nmnist as table
from lsm.tables import nmnist_real as real_table
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
    bound = above_chance(10, first[0]["data"]["test"])
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
    assert max(r["mean"] for r in first) < above_chance(10, first[0]["data"]["test"])


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


def files(root, count=1):
    for split in nmnist.SPLITS.values():
        for digit in nmnist.DIGITS:
            folder = root / "nmnist" / split / digit
            folder.mkdir(parents=True)
            image = np.zeros((28, 28), np.uint8)
            image[6:22, 4 + 2 * int(digit)] = 255
            for n in range(count + (digit == "7")):  # sevens are one more: counts may differ
                write_events_5byte(folder / f"{n}{digit}.bin", record(image, n))


def bad_bin(folder):
    (folder / "03.bin").write_bytes(b"1234567")


def outside(folder):
    write_events_5byte(folder / "03.bin", as_events(*map(np.array, ([3], [34], [0], [0]))))


def empty(folder):
    (folder / "03.bin").write_bytes(b"")


def no_digits(folder):
    for other in folder.parent.iterdir():
        other.rename(other.with_name("x" + other.name))


@pytest.mark.parametrize("damage", [bad_bin, outside, empty, no_digits])
def test_bad_recordings_end_with_one_line(tmp_path, capsys, damage):
    files(tmp_path)
    damage(tmp_path / "nmnist" / "Train" / "3")
    folders = ["--data", str(tmp_path), "--results", str(tmp_path / "results")]
    assert main(real_table.TABLE, folders) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_digits_may_differ_in_number(tmp_path):
    files(tmp_path)
    data = nmnist.load(tmp_path, kind="real")
    assert np.bincount(data.train_labels).tolist() == [1] * 7 + [2, 1, 1]


def test_no_real_recordings_is_said(tmp_path, capsys):
    assert main(real_table.TABLE, ["--data", str(tmp_path), "--results", str(tmp_path)]) == 2
    assert "no real recordings" in capsys.readouterr().err
