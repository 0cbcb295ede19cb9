import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.data.datasets import kind_of
from harness.data.events import as_events, write_events_5byte
from harness.data.idx import write_idx
from harness.errors import UserError
from lsm.data import nmnist
from lsm.data.stand_ins.nmnist_camera import SACCADES, SaccadeCamera, record


def events(x, y, p, t):
    return as_events(*map(np.array, (x, y, p, t)))


@pytest.fixture
def root(tmp_path):
    for split in nmnist.SPLITS.values():
        for digit in nmnist.DIGITS:
            folder = tmp_path / "nmnist" / split / digit
            folder.mkdir(parents=True)
            image = np.zeros((28, 28), np.uint8)
            image[6:22, 4 + 2 * int(digit)] = 255
            write_events_5byte(folder / f"0000{digit}.bin", record(image, int(digit)))
    return tmp_path


def test_binning_by_hand():
    # Kept: polarity 0 within rows and columns 9 to 24; 50 steps of (last - first + 1) / 50 us.
    recording = events(
        [9, 24, 9, 8, 10, 25], [9, 24, 9, 9, 10, 9], [0, 0, 0, 0, 1, 0], [0, 499, 9, 20, 30, 40]
    )
    assert nmnist.bin_events(recording).tolist() == [0, 49 * 256 + 255]


def test_files_are_read_back(root):
    data = nmnist.load(root, kind="real")
    assert (data.kind, len(data.train), len(data.test)) == ("real", 10, 10)
    assert data.train.dense().shape == (50, 10, 256)
    assert data.train_labels.tolist() == list(range(10))
    again = nmnist.load(root, kind="real")
    assert again.sha256 == data.sha256
    assert np.array_equal(again.train.channels, data.train.channels)


def test_a_changed_file_is_read_anew(root):
    before = nmnist.load(root, kind="real")
    shutil.copy(root / "nmnist/Train/1/00001.bin", root / "nmnist/Train/2/00002.bin")
    assert nmnist.load(root, kind="real").sha256 != before.sha256


def test_damaged_cache_is_made_again(root):
    before = nmnist.load(root, kind="real")
    (cache,) = (root / "cache").glob("nmnist-*/train_rows.npy")
    cache.write_bytes(cache.read_bytes()[:100])
    assert nmnist.load(root, kind="real").sha256 == before.sha256


def test_another_crop_is_read_anew(root, monkeypatch):
    before = nmnist.load(root, kind="real")
    monkeypatch.setattr(nmnist, "CROP", (10, 26))
    after = nmnist.load(root, kind="real")
    assert not np.array_equal(before.train.channels, after.train.channels)


def test_stand_in_on_a_bare_machine(tmp_path, capsys):
    data = nmnist.load(tmp_path, tiny=True)
    assert (data.kind, len(data.train), len(data.test)) == ("synthetic", 200, 100)
    assert set(data.train_labels) == set(range(10))
    assert "simulating" in capsys.readouterr().out
    assert nmnist.load(tmp_path, tiny=True).sha256 == data.sha256
    assert "simulating" not in capsys.readouterr().out


def test_mnist_goes_before_the_camera(tmp_path):
    (tmp_path / "mnist").mkdir()
    for name in ("train", "t10k"):
        images = np.random.default_rng(0).integers(0, 255, (10, 28, 28)).astype(np.uint8)
        write_idx(tmp_path / "mnist" / f"{name}-images-idx3-ubyte.gz", images)
        write_idx(
            tmp_path / "mnist" / f"{name}-labels-idx1-ubyte.gz", np.arange(10, dtype=np.uint8)
        )
    data = nmnist.load(tmp_path)
    labels = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    write_idx(labels, np.arange(10, dtype=np.uint8)[::-1])
    other = nmnist.load(tmp_path)  # the pictures have changed, and so has what is made of them
    assert other.sha256 != data.sha256
    assert data.kind == "simulated-sensor"
    made = list((tmp_path / "nmnist-stand-in").iterdir())
    assert [kind_of(folder) for folder in made] == ["simulated-sensor"] * 2
    assert len(data.train) == 10


def test_unfit_mnist_is_said(tmp_path):
    (tmp_path / "mnist").mkdir()
    for name in ("train", "t10k"):
        write_idx(tmp_path / "mnist" / f"{name}-images-idx3-ubyte", np.zeros((9, 28, 28)))
        write_idx(tmp_path / "mnist" / f"{name}-labels-idx1-ubyte", np.zeros(8))
    with pytest.raises(UserError, match=r"\(9, 28, 28\) and labels \(8,\)"):
        nmnist.load(tmp_path)


def test_the_camera_is_deterministic_and_quiet_without_a_picture():
    image = np.zeros((28, 28), np.uint8)
    noise = record(image, 3)
    image[10:20, 10:20] = 255
    a, b, other = record(image, 3), record(image, 3), record(image, 4)
    assert all(np.array_equal(u, v) for u, v in zip(a, b, strict=True))
    assert other.count != a.count or not np.array_equal(a.t_us, other.t_us)
    assert noise.count < 0.2 * a.count
    assert np.all(np.diff(a.t_us) >= 0)
    assert a.t_us.max() < SACCADES[-1, 0] * 1000


def test_dark_ink_dims_where_it_moves_to():
    # In the third saccade the picture moves to the left: what it uncovers gets brighter.
    image = np.zeros((28, 28), np.uint8)
    image[8:20, 10:18] = 255
    seen = record(image, 0, SaccadeCamera(noise_hz=0.0))
    late = seen.t_us > 240_000
    brighter, darker = (seen.x[late & (seen.p == p)].mean() for p in (1, 0))
    assert brighter > darker + 3


def damage(root, change):
    file = root / "nmnist/Train/3/00003.bin"
    if change == "cut":
        file.write_bytes(file.read_bytes()[:-2])
    elif change == "outside":
        write_events_5byte(file, events([3, 34], [3, 3], [0, 0], [0, 1]))
    elif change == "empty":
        file.write_bytes(b"")
    elif change == "corner":
        write_events_5byte(file, events([3], [3], [0], [0]))
    elif change == "no digit":
        shutil.rmtree(root / "nmnist/Train/3")
    elif change == "no recording":
        file.unlink()
    elif change == "no folders":
        for digit in nmnist.DIGITS:
            shutil.rmtree(root / "nmnist/Test" / digit)
        (root / "nmnist/Test/other").mkdir()
        shutil.copy(file, root / "nmnist/Test/other")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("cut", "whole number of 5-byte"),
        ("outside", "x=34"),
        ("empty", "empty"),
        ("corner", "centre"),
        ("no digit", r"digit \[3\]"),
        ("no recording", r"digit \[3\]"),
        ("no folders", "no digit folders"),
    ],
)
def test_bad_recordings_are_said(root, change, message):
    damage(root, change)
    with pytest.raises(UserError, match=message):
        nmnist.load(root, kind="real")


def test_a_kind_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UserError, match="no real recordings"):
        nmnist.load(tmp_path, kind="real")
    with pytest.raises(UserError, match="no MNIST"):
        nmnist.load(tmp_path, kind="simulated-sensor")


@pytest.mark.skipif("DATA_ROOT" not in os.environ, reason="needs real recordings")
def test_real_recordings():
    real = Path(os.environ["DATA_ROOT"]) / "nmnist"
    if not nmnist.INFO.found(real.parent):
        pytest.skip("no N-MNIST there")
    files = nmnist.recordings(real / "Train")[:50]
    trains, labels = nmnist.read(files)
    assert 0.05 < trains.density < 0.15
    assert len(labels) == len(files)
