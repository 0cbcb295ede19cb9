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

QUICK = "linear on event counts; LSM, chip (RRAM), paper's readout; LSM+"


def smoke(tmp_path, *options):
    folders = ["--data", str(tmp_path), "--results", str(tmp_path / "results")]
    return main(table.TABLE, ["--smoke", *folders, *options])


def test_rows_are_measured_and_repeat(tmp_path, capsys):
    assert smoke(tmp_path, "--rows", QUICK) == 0
    path = tmp_path / "results" / "nmnist.json"
    first = json.loads(path.read_text())
    assert smoke(tmp_path, "--rows", QUICK) == 0
    again = json.loads(path.read_text())
    assert [r["values"] for r in first["rows"]] == [r["values"] for r in again["rows"]]
    assert first["data"]["kind"] == "synthetic"
    assert {r["protocol"] for r in first["rows"]} == {"validation", "published"}
    assert "on real N-MNIST" in capsys.readouterr().out
    for what in ("raster", "rates", "tsne", "confusion"):
        assert (tmp_path / "results" / f"nmnist_{what}.png").stat().st_size < 400_000


@pytest.mark.slow
def test_every_row_runs(tmp_path):
    assert smoke(tmp_path, "--rows", "all") == 0
    rows = json.loads((tmp_path / "results" / "nmnist.json").read_text())["rows"]
    assert {r["row"] for r in rows} == {row.name for row in table.TABLE.rows}
    assert (tmp_path / "results" / "nmnist_size.png").is_file()


def test_baseline_says_its_epochs(tmp_path):
    assert smoke(tmp_path, "--rows", "RNN", "--set", "trained_epochs=2") == 0
    (row, _) = json.loads((tmp_path / "results" / "nmnist.json").read_text())["rows"]
    assert row["note"].startswith("2 of the paper's 100 epochs on 100 samples")


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
