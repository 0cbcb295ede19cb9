import json
import wave

import h5py
import numpy as np
import pytest

from harness.cli import main
from lsm.data import ntidigits
from lsm.data.stand_ins import ntidigits_spoken as spoken
from lsm.data.stand_ins.ntidigits_cochlea import AudioSpikes
from lsm.tables import ntidigits as table
from lsm.tables.supervised import ordered

SPIKES = AudioSpikes(np.array([0, 63, 5]), np.array([0.0, 0.0005, 0.1285]))


def run(tmp_path, *options):
    folders = ["--data", str(tmp_path), "--results", str(tmp_path / "results")]
    return main(table.TABLE, [*folders, *options])


def test_rows_are_measured(tmp_path):
    rows = "linear on event counts; LSM, software (Gaussian), closed-form readout"
    assert run(tmp_path, "--smoke", "--rows", rows) == 0
    results = json.loads((tmp_path / "results" / "ntidigits.json").read_text())
    assert results["data"]["kind"] == "synthetic"
    assert [r["paper"] for r in results["rows"] if r["metric"] == "accuracy"] == [None, 70.79]


def write(path, change):
    path.parent.mkdir()
    train = [(f"{who}-b-{d}", SPIKES) for who in ("ann", "bob") for d in spoken.DIGITS]
    ntidigits.write(path, {"train": train, "test": train[:11]})
    with h5py.File(path, "r+") as file:
        if change == "group":
            del file["test_timestamps"]
        elif change == "lengths":
            del file["train_addresses/ann-b-3"]
            file["train_addresses/ann-b-3"] = np.array([1, 2])
        elif change == "channel":
            file["train_addresses/ann-b-3"][0] = 64
        elif change == "time":
            file["train_timestamps/ann-b-3"][0] = -0.1
        elif change == "label":
            names = file["train_labels"][()]
            names[2] = b"ann-b-x"
            file["train_labels"][...] = names


def test_validation_speakers_are_not_trained_on(tmp_path):
    write(tmp_path / "ntidigits" / ntidigits.FILE, None)
    cut = ordered(ntidigits.load(tmp_path), 0.3)
    assert (cut.count, len(cut.labels)) == (11, 22)
    assert sorted(cut.labels[: cut.count]) == list(range(11))


@pytest.mark.parametrize("change", ["group", "lengths", "channel", "time", "label"])
def test_bad_files_end_with_one_line(tmp_path, capsys, change):
    write(tmp_path / "ntidigits" / ntidigits.FILE, change)
    assert run(tmp_path) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("rate", "channels", "width", "frames"),
    [(16000, 1, 2, 8000), (8000, 2, 2, 8000), (8000, 1, 3, 8000), (8000, 1, 2, 80)],
)
def test_bad_sounds_end_with_one_line(tmp_path, capsys, rate, channels, width, frames):
    (tmp_path / "fsdd").mkdir()
    with wave.open(str(tmp_path / "fsdd" / "1_ann_0.wav"), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(b"\1" * (frames * channels * width))
    assert run(tmp_path) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_silence_ends_with_one_line(tmp_path, capsys):
    (tmp_path / "fsdd").mkdir()
    with wave.open(str(tmp_path / "fsdd" / "1_ann_0.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))
    assert run(tmp_path) == 2
    assert "silence" in capsys.readouterr().err
