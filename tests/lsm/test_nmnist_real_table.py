"""The table of real N-MNIST recordings, on recordings written in their form."""

import json

import numpy as np
import pytest

from harness.data.events import as_events, write_events_5byte
from harness.data.idx import write_idx
from harness.run.cli import main
from lsm.data import nmnist
from lsm.data.stand_ins.nmnist_camera import record
from lsm.tables import nmnist_real as table
from tests.chance import above_chance

COUNTED = ("accuracy", "accuracy, plain ridge", "on simulated", "on real")


def bars(labels, seed=0):
    """(N, 28, 28): digit d as a bar that stands 2 d to the right, of random brightness."""
    images = np.zeros((len(labels), 28, 28), np.uint8)
    brightness = np.random.default_rng(seed).integers(150, 256, len(labels))
    for image, label, value in zip(images, labels, brightness, strict=True):
        image[6:22, 4 + 2 * label : 6 + 2 * label] = value
    return images


@pytest.fixture
def root(tmp_path):
    """80 recordings of the first of 200 MNIST images; every fourth is for test."""
    (tmp_path / "mnist").mkdir()
    for name, count in (("train", 200), ("t10k", 20)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = bars(labels)
        write_idx(tmp_path / "mnist" / f"{name}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / "mnist" / f"{name}-labels-idx1-ubyte.gz", labels)
        if name == "train":
            shown = images[:80]
    for split in nmnist.SPLITS.values():
        for digit in nmnist.DIGITS:
            (tmp_path / "nmnist" / split / digit).mkdir(parents=True)
    for n, image in enumerate(shown):
        split = "Test" if n % 40 >= 30 else "Train"
        path = tmp_path / "nmnist" / split / str(n % 10) / f"{n + 1:05d}.bin"
        write_events_5byte(path, record(image, n + 1000))
    return tmp_path


def test_every_row_is_above_chance(root):
    folder = root / "results"
    options = ["--data", str(root), "--results", str(folder), "--seeds", "1"]
    assert main(table.TABLE, options) == 0
    rows = json.loads((folder / "nmnist_real.json").read_text())["rows"]
    assert {r["row"] for r in rows} == {row.name for row in table.TABLE.rows}
    counted = [r for r in rows if r["metric"] in COUNTED]
    assert len(counted) == 14
    bound = above_chance(20, 10)
    assert {(r["row"], r["metric"]) for r in counted if r["mean"] <= bound} == set()
    (likeness,) = [r for r in rows if r["metric"] == "image correlation"]
    assert 0.9 < likeness["mean"] < 1
    for what in ("table", "pairs", "confusion"):
        assert (folder / f"nmnist_real_{what}.png").is_file()


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
    assert main(table.TABLE, folders) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_digits_may_differ_in_number(tmp_path):
    files(tmp_path)
    data = nmnist.load(tmp_path, kind="real")
    assert np.bincount(data.train_labels).tolist() == [1] * 7 + [2, 1, 1]


def test_no_real_recordings_is_said(tmp_path, capsys):
    assert main(table.TABLE, ["--data", str(tmp_path), "--results", str(tmp_path)]) == 3
    assert "no real recordings" in capsys.readouterr().err
