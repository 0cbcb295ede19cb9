import os
from pathlib import Path

import numpy as np
import pytest

from harness.data.events import as_events, write_events_5byte
from harness.data.idx import write_idx
from harness.errors import UserError
from lsm.data import nmnist
from lsm.data.stand_ins import nmnist_sensor_check as sensor_check
from lsm.data.stand_ins.nmnist_camera import record


@pytest.fixture
def root(tmp_path):
    # "Real" recordings that are the simulated ones: every figure of likeness is then known.
    (tmp_path / "mnist").mkdir()
    labels = np.repeat(np.arange(10), 2).astype(np.uint8)
    images = np.zeros((20, 28, 28), np.uint8)
    for n, label in enumerate(labels):
        images[n, 5 : 12 + label, 6 : 10 + label] = 255
        folder = tmp_path / "nmnist" / ("Train", "Test")[n % 2] / str(label)
        folder.mkdir(parents=True)
        write_events_5byte(folder / f"{n + 1:05d}.bin", record(images[n], n))
    write_idx(tmp_path / "mnist" / "train-images-idx3-ubyte.gz", images)
    write_idx(tmp_path / "mnist" / "train-labels-idx1-ubyte.gz", labels)
    return tmp_path


def test_equal_recordings_are_found_equal(root):
    found = sensor_check.pairs(root)
    assert sorted(found.images) == list(range(20))
    figures = sensor_check.compare(found.real, found.simulated)
    for key in ("events_ratio", "rhythm_correlation", "image_correlation"):
        assert figures[key] == pytest.approx(1.0)


def test_a_wrong_number_is_said(root):
    (root / "nmnist/Train/4/00009.bin").rename(root / "nmnist/Train/4/00019.bin")
    with pytest.raises(UserError, match="not the digit of MNIST"):
        sensor_check.pairs(root)


def test_transfer_leaves_the_pictures_out_of_training(root):
    found = sensor_check.pairs(root)
    half = sensor_check.Pairs(*(part[:10] for part in found))
    seen = []

    def fit(_, labels):
        seen.append(len(labels))
        return lambda x: np.zeros(len(x), np.int64)

    trains = sensor_check.as_trains(found.simulated)
    figures = sensor_check.transfer(half, (trains, found.labels), lambda t: t.counts(), fit)
    assert seen == [20 - len({i for i in half.images if i < 20})]
    assert figures["points_lost"] == 0


def test_no_real_recordings_is_said(tmp_path):
    with pytest.raises(UserError, match="no real recordings"):
        sensor_check.pairs(tmp_path)


@pytest.mark.skipif("DATA_ROOT" not in os.environ, reason="needs real recordings")
def test_the_simulated_camera_is_like_the_real_one():
    root = Path(os.environ["DATA_ROOT"])
    if not (nmnist.INFO.found(root) and (root / "mnist").is_dir()):
        pytest.skip("no N-MNIST or no MNIST there")
    found = sensor_check.pairs(root)
    figures = sensor_check.compare(found.real, found.simulated)
    assert 0.8 < figures["events_ratio"] < 1.2
    assert figures["image_correlation"] > 0.85
    assert figures["rhythm_correlation"] > 0.9
    assert abs(figures["duration_real_ms"] - figures["duration_simulated_ms"]) < 10
    for n in (1, 2):
        pauses = [figures[f"pause_{n}_{which}_ms"] for which in ("real", "simulated")]
        assert abs(pauses[0] - pauses[1]) <= 10


def test_event_image_counts_events():
    events = as_events(*map(np.array, ([3, 3], [5, 5], [0, 1], [0, 1])))
    assert sensor_check.event_image(events, 1e-9)[5, 3] == 2
