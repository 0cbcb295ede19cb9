"""Baselines trained by gradient: resumed to the same digits, and above chance."""

import json

import numpy as np
import pytest

from harness.run.cli import main
from harness.run.protocol import Run
from harness.scale.parallel import torch_threads
from lsm.data.spike_set import SpikeSet
from lsm.spikes import SpikeTrains
from lsm.tables import nmnist, supervised_trained
from lsm.tables.supervised_trained import trained
from lsm.training.recurrent import TrainedSpec
from tests.chance import above_chance

CLASSES = 3
SPEC = TrainedSpec(
    "linear", 12, 20, CLASSES, 8, const=0.1, learning_rate=2e-2, batch_size=16, epochs=4
)


def easy_set(shuffled=False):
    """150 training and 90 test samples; each class drives channels of its own."""
    generator = np.random.default_rng(0)
    labels = np.arange(240) % CLASSES
    rates = np.where(np.arange(12)[None] // 4 == labels[:, None], 0.4, 0.05)
    trains = SpikeTrains.from_dense(generator.random((8, 240, 12)) < rates)
    train_labels = generator.permutation(labels[:150]) if shuffled else labels[:150]
    train, test = trains.take(slice(150)), trains.take(slice(150, None))
    return SpikeSet(
        "easy", "synthetic", "0", ("a", "b", "c"), train, train_labels, test, labels[150:]
    )


def run_of(folder, data, **settings):
    config = nmnist.NmnistConfig(**settings)
    run = Run(config, [0], "cpu", folder, folder, table="nmnist")
    run.data = data
    return run


def measured(folder, spec=SPEC, *, shuffled=False):
    data = easy_set(shuffled)
    with torch_threads(1):
        return trained(run_of(folder, data), 0, "SRNN-ANN", spec, data)


@pytest.mark.parametrize("readout", ["linear", "spiking", "rnn"])
def test_a_baseline_learns_and_shuffled_labels_do_not(tmp_path, readout):
    spec = TrainedSpec(**{**vars(SPEC), "readout": readout, "epochs": 12})
    bound = above_chance(90, CLASSES)
    measurement = measured(tmp_path / "true", spec)
    values = measurement.values
    assert "trained on 125 samples, epoch chosen on others" in measurement.note
    assert "trained on all 150, best test epoch" in measurement.note
    assert set(values) == {"accuracy", "accuracy (published)"}
    assert min(values.values()) > bound
    assert measured(tmp_path / "shuffled", spec, shuffled=True).values["accuracy"] < bound


def test_a_killed_training_goes_on_to_the_same_digits(tmp_path, monkeypatch):
    straight = measured(tmp_path / "straight")
    score, calls = supervised_trained._score, []

    def killed(*arguments):
        calls.append(arguments)
        if len(calls) == 5:  # two epochs of two scores each are on disk
            raise KeyboardInterrupt
        return score(*arguments)

    monkeypatch.setattr(supervised_trained, "_score", killed)
    with pytest.raises(KeyboardInterrupt):
        measured(tmp_path / "killed")
    monkeypatch.setattr(supervised_trained, "_score", score)
    (file,) = (tmp_path / "killed" / "checkpoints").glob("*.npz")
    assert file.name == "nmnist-srnn-ann-chip0.npz"
    resumed = measured(tmp_path / "killed")
    assert resumed.values == straight.values
    assert resumed.details == straight.details


def test_two_epochs_are_continued_to_four_and_four_cut_to_two(tmp_path):
    two, four = (TrainedSpec(**{**vars(SPEC), "epochs": n}) for n in (2, 4))
    straight = measured(tmp_path / "straight", four)
    short = measured(tmp_path / "both", two)
    assert measured(tmp_path / "both", four).details == straight.details
    assert measured(tmp_path / "both", two).details == short.details


def smoke(folder, *settings):
    folders = ["--data", str(folder), "--results", str(folder / "results")]
    return main(nmnist.TABLE, ["--smoke", "--rows", "RNN", *folders, "--set", *settings])


@pytest.mark.parametrize("damage", ["foreign", "truncated", "altered"])
def test_a_wrong_checkpoint_ends_with_one_line(tmp_path, capsys, monkeypatch, damage):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(supervised_trained.Histories, "values", killed)
    assert smoke(tmp_path, "trained_epochs=1") != 0
    monkeypatch.undo()
    file = tmp_path / "results" / "checkpoints" / "nmnist-rnn-chip0.npz"
    content = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "altered":
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    capsys.readouterr()
    rate = "0.01" if damage == "foreign" else "0.0005"
    assert smoke(tmp_path, "trained_epochs=1", f"rnn_learning_rate={rate}") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert ("spec.learning_rate is 0.0005 there, 0.01 here" in error) == (damage == "foreign")


def test_baseline_says_its_recipe(tmp_path):
    assert smoke(tmp_path, "trained_epochs=2") == 0
    first, second = json.loads((tmp_path / "results" / "nmnist.json").read_text())["rows"]
    assert first["note"].startswith("2 epochs; 50 steps, adam 0.0005, batch 20, mse; validation")
    assert (first["protocol"], second["protocol"]) == ("validation", "published")
    assert np.shape(first["details"]["history 0"]) == (3, 2)
