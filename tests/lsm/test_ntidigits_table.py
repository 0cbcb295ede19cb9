import json
import wave

import h5py
import numpy as np
import pytest

from harness.run.cli import main
from harness.run.protocol import Run
from lsm.data import ntidigits
from lsm.data.spike_set import SpikeSet
from lsm.data.stand_ins import ntidigits_spoken as spoken
from lsm.data.stand_ins.ntidigits_cochlea import AudioSpikes
from lsm.spikes import SpikeTrains
from lsm.tables import ntidigits as table
from lsm.tables.supervised import fitted_first
from tests.chance import above_chance

EMPTY = SpikeTrains.from_dense(np.zeros((50, 2, 64), np.uint8))
SETS = SpikeSet("", "synthetic", "", ntidigits.CLASSES, EMPTY, np.zeros(2), EMPTY, np.zeros(2))
SPIKES = AudioSpikes(np.array([0, 63, 5]), np.array([0.0, 0.0005, 0.128]))


def run(tmp_path, *options):
    folders = ["--data", str(tmp_path), "--results", str(tmp_path / "results")]
    return main(table.TABLE, [*folders, *options])


def test_rows_are_measured(tmp_path):
    rows = "event counts, discriminative ridge; LSM, software, discriminative ridge"
    assert run(tmp_path, "--smoke", "--rows", rows) == 0
    results = json.loads((tmp_path / "results" / "ntidigits.json").read_text())
    assert results["data"]["kind"] == "synthetic"
    assert [r["paper"] for r in results["rows"] if r["metric"] == "accuracy"] == [70.79, None]
    assert min(r["mean"] for r in results["rows"]) > above_chance(results["data"]["test"], 11)


@pytest.mark.parametrize("row", ["SRNN-ANN", "SRNN-SNN", "RNN"])
def test_baselines_learn(tmp_path, row):
    rates = ("srnn_ann_learning_rate=0.005", "srnn_snn_learning_rate=0.005")
    epochs = ("trained_epochs=15", "trained_samples=176", "rnn_learning_rate=0.005")
    assert run(tmp_path, "--smoke", "--rows", row, "--set", *rates, *epochs) == 0
    results = json.loads((tmp_path / "results" / "ntidigits.json").read_text())
    assert min(r["mean"] for r in results["rows"]) > above_chance(results["data"]["test"], 11)


def test_rnn_sees_the_first_steps():
    dense = (np.random.default_rng(0).random((6, 3, 5)) < 0.4).astype(np.uint8)
    cut = table.first_steps(SpikeTrains.from_dense(dense), 4)
    assert (cut.steps, len(cut), cut.inputs) == (4, 3, 5)
    assert np.array_equal(cut.dense(np.uint8), dense[:4])


def test_baselines_are_binned_as_published(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        table, "published", lambda _, steps, bin_ms: asked.append((steps, bin_ms)) or SETS
    )
    monkeypatch.setattr(table, "trained", lambda *a, **binned: (a[3], a[4].train.steps, binned))
    run_ = Run(table.NtidigitsConfig(), [0], "cpu", tmp_path, tmp_path)
    found = [row(run_, 0) for row in (table.srnn_ann, table.srnn_snn, table.rnn)]
    assert asked == [(90, 10.0), (70, 1.0), (50, 1.0)]
    assert [steps for _, steps, _ in found] == [50, 50, 30]  # of the 50 columns the RNN sees 30
    ann, snn, rnn = (spec for spec, _, _ in found)
    assert (ann.threshold, ann.batch_size, ann.learning_rate) == (0.6, 100, 5e-4)
    assert (snn.threshold, snn.output_threshold, snn.output_decay) == (0.3, 0.3, 0.99)
    assert (snn.batch_size, snn.learning_rate) == (128, 2e-4)
    assert (rnn.batch_size, rnn.learning_rate, rnn.readout) == (256, 9e-4, "rnn")
    assert {spec.epochs for spec in (ann, snn, rnn)} == {100}
    assert {spec.loss for spec in (ann, snn, rnn)} == {"cross-entropy"}


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
    samples = fitted_first(ntidigits.load(tmp_path), 0.3)
    assert (samples.fitted, len(samples.labels)) == (11, 22)
    assert sorted(samples.labels[: samples.fitted]) == list(range(11))


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
