import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from harness.run.cli import main
from harness.run.protocol import Run
from harness.scale.parallel import torch_threads
from lsm.data.spike_set import SpikeSet
from lsm.spikes import SpikeTrains
from lsm.tables import brain_visual as table
from lsm.zero_shot.modalities import match
from tests.chance import above_chance

COMPONENTS = "LSM-CLIP, principal components"
QUICK = f"{COMPONENTS}; closed-form alignment; LSM-CLIP, permuted control"
SMALL = ("choices=2", "selection_splits=1", "component_epochs=40")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def smoke(data, results, *options, figures=False):
    measured = table.TABLE if figures else replace(table.TABLE, figures=lambda run, rows: [])
    return main(measured, ["--smoke", "--data", str(data), "--results", str(results), *options])


def rows_of(results):
    return json.loads((results / "brain_visual.json").read_text())["rows"]


def test_rows_are_measured_and_repeat(data, tmp_path, capsys):
    assert smoke(data, tmp_path / "a", "--rows", QUICK, "--set", *SMALL, figures=True) == 0
    assert smoke(data, tmp_path / "b", "--rows", COMPONENTS, "--set", *SMALL) == 0
    first, again = rows_of(tmp_path / "a"), rows_of(tmp_path / "b")
    values = [r["values"] for r in first if r["row"] == COMPONENTS]
    assert values == [r["values"] for r in again]
    assert {r["row"] for r in first} == set(QUICK.split("; "))
    assert {r["protocol"] for r in first} == {"validation", "oracle"}
    assert {r["data"]["kind"] for r in first} == {"synthetic"}
    seen = next(r for r in first if r["row"] == "closed-form alignment")
    assert seen["metric"] == "neural -> letter, seen top-1"
    assert seen["mean"] > above_chance(22 * 6, 22)
    for what in ("similarity", "tsne", "retrieved", "distribution", "data"):
        assert (tmp_path / "a" / f"brain_visual_{what}.png").stat().st_size < 350_000
    assert "none of these figures reproduces the paper's" in capsys.readouterr().out


@pytest.mark.slow
def test_every_row_runs(data, tmp_path):
    assert smoke(data, tmp_path, "--rows", "all") == 0
    assert {r["row"] for r in rows_of(tmp_path)} == {row.name for row in table.TABLE.rows}


def faint(name, channels, rate):
    # Letters whose channels fire at 0.7 or 1.3 times the same rate, as many channels as theirs.
    generator = np.random.default_rng(channels)
    rates = rate * generator.choice((0.7, 1.3), (4, channels))
    labels = np.tile(np.arange(4), 36)
    trains = SpikeTrains.from_dense(generator.random((30, 144, channels)) < rates[labels])
    train, test = ((trains.take(part), labels[part]) for part in (slice(96), slice(96, None)))
    return SpikeSet(name, "synthetic", name, tuple("abcd"), *train, *test)


@pytest.mark.parametrize(("name", "floor"), [("SRNN-Prototype", 60), ("SRNN-CLIP, trained", 60)])
def test_trained_encoders_learn(name, floor, tmp_path):
    # Few neurons need larger weights than the paper's 2,048.
    config = table.BrainVisualConfig(
        unseen="d", other_unseen="d", selection_splits=1, trained_epochs=8, trained_batch=16,
        prototype_batch=64, pool_size=12, trained_neurons=60, trained_rate=5e-3,
        trained_neural_const=0.03, trained_letter_const=0.03, trained_prototype_const=0.03,
        trained_neural_threshold=0.3, trained_letter_threshold=0.3, enlarge_train=2,
        prototype_temperature=0.1, trained_temperature=0.1,
    )  # fmt: skip
    both = faint("a", 192, 0.18), faint("b", 784, 0.05)
    run = Run(config, [0], "cpu", tmp_path, tmp_path, table="brain_visual")
    run.data = match(*both, table.DIRECTIONS.names)
    (row,) = (row for row in table.TABLE.rows if row.name == name)
    with torch_threads(1):
        measurement = row.measure(run, 0)
    assert measurement.values["neural -> letter, seen top-1 (published)"] > floor  # chance 33
    assert len(measurement.details["history 0"][1]) == 8
    (kept,) = (tmp_path / "checkpoints").glob("*.npz")  # the command line removes it in the end
    with torch_threads(1):
        assert row.measure(run, 0).values == measurement.values  # from the checkpoint
    kept.unlink()


def test_random_choices_differ_and_are_the_same_on_every_chip():
    config = table.BrainVisualConfig()
    run = SimpleNamespace(
        config=config, data=SimpleNamespace(classes=tuple("abcdefghijklmnopqrstuvwxyz"))
    )
    chosen = table.random_choices(run)
    assert len(set(chosen)) == config.choices >= 20
    assert all(len(one) == 4 and len(one.seen) == 22 for one in chosen)
    assert chosen == table.random_choices(run)
    assert len(np.unique(np.concatenate([list(one) for one in chosen]))) > 20  # of 26 letters


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("unseen=", "no unseen class"),
        ("unseen=s,t,3", "unseen 3"),
        ("other_unseen=A", "unseen A"),
        ("unseen=" + ",".join("abcdefghijklmnopqrstuvwxy"), "two or more must stay seen"),
        ("choices=0", "choices is 0"),
        ("data_kind=real", "no real"),
    ],
)
def test_bad_settings_end_with_one_line(data, tmp_path, capsys, setting, message):
    options = ["--data", str(data), "--results", str(tmp_path), "--set", setting]
    smoke_run = [] if setting == "data_kind=real" else ["--smoke"]
    assert main(table.TABLE, [*smoke_run, *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_consecutive_letters_are_the_papers_windows():
    run = SimpleNamespace(
        config=table.BrainVisualConfig(),
        data=SimpleNamespace(classes=tuple("abcdefghijklmnopqrstuvwxyz")),
    )
    windows = table.consecutive_letters(run)
    assert len(windows) == 23
    assert [tuple(windows[n]) for n in (0, -1)] == [(0, 1, 2, 3), (22, 23, 24, 25)]


def test_noise_takes_and_gives_spikes():
    trains = SpikeTrains.from_dense(
        (np.random.default_rng(0).random((20, 30, 40)) < 0.2).astype(np.uint8)
    )
    faint_noise = table.noisy_spikes(trains, 0.01, 0)
    assert np.array_equal(faint_noise.dense(), trains.dense())
    noisy = table.noisy_spikes(trains, 0.5, 0)
    changed = np.mean(noisy.dense() != trains.dense())
    assert changed == pytest.approx(0.1587, abs=0.01)  # P(N > 1)
    assert np.array_equal(noisy.dense(), table.noisy_spikes(trains, 0.5, 0).dense())


def test_pools_larger_than_the_data_are_said(data, tmp_path):
    options = (
        "--rows",
        "closed-form alignment",
        "--set",
        "pool_size=30",
        "selection_splits=1",
        "enlarge_test=1",
    )
    assert smoke(data, tmp_path, *options) == 0
    note = rows_of(tmp_path)[0]["note"]
    assert "neural pool 6 a class, not 30: all 6 there are" in note
    assert "letter pool 10 a class, not 30" in note
