"""Voices left out: no voice in both parts, steps that follow the utterance, chance."""

import json

import numpy as np
import pytest

from harness.run.cli import main
from lsm.data import ntidigits
from lsm.data.ntidigits import Binning, bin_spikes
from lsm.data.stand_ins.ntidigits_cochlea import AudioSpikes
from lsm.tables import ntidigits_voices as table
from tests.chance import above_chance


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("voices")  # of the stand-in, made once


def run(root, results, *options):
    folders = ["--data", str(root), "--results", str(results)]
    assert main(table.TABLE, [*folders, "--smoke", *options]) == 0
    return json.loads((results / "ntidigits_voices.json").read_text())


def test_aligned_steps_by_hand():
    # Four spikes at 0, 1, 2, 4 s; first and last hundredth of them: 0.03 and 3.94 s.
    spikes = AudioSpikes(np.arange(4), np.array([0.0, 1.0, 2.0, 4.0]))
    by_time = np.array([0, 0.97 / 3.91, 1.97 / 3.91, 1])
    by_rank = np.array([1, 2, 3, 4]) / 5
    steps = ((by_time + by_rank) / 2 * 10).astype(int)
    keys = bin_spikes(spikes, Binning(steps=10, aligned=True))
    assert keys.tolist() == (steps * 64 + np.arange(4)).tolist()


def test_a_slower_speaker_fills_the_same_steps():
    rng = np.random.default_rng(0)
    spikes = AudioSpikes(rng.integers(0, 64, 300), np.sort(rng.random(300)))
    slower = AudioSpikes(spikes.channels, 1.3 * spikes.times_s)
    aligned, published = Binning(aligned=True), Binning()
    assert np.array_equal(bin_spikes(spikes, aligned), bin_spikes(slower, aligned))
    assert not np.array_equal(bin_spikes(spikes, published), bin_spikes(slower, published))


def test_no_voice_is_in_both_parts(root):
    data = ntidigits.load(root, tiny=True)
    folds = list(table.voices_left_out(data, 10))
    assert len(folds) == 6  # voices of the tiny set, 4 of them to train
    for fold in folds:
        assert not set(fold.train_groups) & set(fold.test_groups)
        assert len(fold.train) + len(fold.test) == len(data.train) + len(data.test)
    assert sum(len(fold.test) for fold in folds) == len(data.train) + len(data.test)
    last = folds[-1]  # its voice is the last of the test set
    own = data.test.take(np.flatnonzero(data.test_groups == data.test_groups.max()))
    assert np.array_equal(last.test.dense(), own.dense())


@pytest.mark.parametrize("shuffled", [False, True])
def test_rows_are_above_chance_only_with_true_labels(root, tmp_path, monkeypatch, shuffled):
    def load(run):
        data = ntidigits.load(run.data_root, tiny=True)
        for labels in (data.train_labels, data.test_labels):
            if shuffled:
                np.random.default_rng(1).shuffle(labels)
        return data

    monkeypatch.setattr(table, "binned", lambda run, _: load(run))
    results = run(root, tmp_path, "--seeds", "1", "--rows", "LSM, chip, discriminative ridge")
    mean = next(r["mean"] for r in results["rows"] if r["metric"] == "accuracy")
    samples = results["data"]["train"] + results["data"]["test"]
    assert (mean > above_chance(samples, 11)) != shuffled


def test_a_smoke_run_draws_every_fold(root, tmp_path):
    rows = "event counts, aligned, discriminative ridge; LSM+, aligned, discriminative ridge"
    results = run(root, tmp_path, "--seeds", "1", "--rows", rows)
    assert (tmp_path / "ntidigits_voices.png").is_file()
    assert {r["metric"] for r in results["rows"]} == {m.name for m in table.METRICS}
