import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.cli import main
from harness.parallel import torch_threads
from lsm.data.spike_set import SpikeSet
from lsm.spikes import SpikeTrains
from lsm.tables import brain_visual as table
from lsm.zero_shot.modalities import match
from lsm.zero_shot.windowed_clip import cosine_with_query_expansion

QUICK = "LSM-CLIP+; closed-form alignment; LSM-CLIP, permuted control"
SMALL = ("choices=2", "pseudo_splits=1", "plus_epochs=40")


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
    assert smoke(data, tmp_path / "b", "--rows", "LSM-CLIP+", "--set", *SMALL) == 0
    first, again = rows_of(tmp_path / "a"), rows_of(tmp_path / "b")
    of_plus = [r["values"] for r in first if r["row"] == "LSM-CLIP+"]
    assert of_plus == [r["values"] for r in again]
    assert {r["row"] for r in first} == set(QUICK.split("; "))
    assert {r["protocol"] for r in first} == {"validation", "oracle"}
    assert {r["data"]["kind"] for r in first} == {"synthetic"}
    (plus,) = (
        r for r in first
        if r["row"] == "LSM-CLIP+" and r["protocol"] != "validation" and "unseen" not in r["metric"]
    )  # fmt: skip
    assert plus["metric"] == "neural -> letter, seen top-1"
    assert plus["mean"] > 15  # chance 100 / 22
    for what in ("similarity", "tsne", "retrieved", "distribution", "data"):
        assert (tmp_path / "a" / f"brain_visual_{what}.png").stat().st_size < 350_000
    assert "none of these figures reproduces the paper's" in capsys.readouterr().out


def test_neighbours_of_ones_own_pool_are_averaged():
    # Two tight groups a side: the neighbourhood mean of an outlier is that of its group.
    first = torch.tensor([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.1], [-1.0, -0.1]]).repeat(5, 1)
    second = 3 * first
    alike = cosine_with_query_expansion(first, second)
    same = torch.sign(first[:, :1]) == torch.sign(second[:, 0])
    assert alike[same].min() > 0.9 > -0.9 > alike[~same].max()
    assert cosine_with_query_expansion(first[:3], second[:2]).shape == (
        3,
        2,
    )  # fewer than neighbours


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


def test_trained_prototypes_learn_where_the_rate_of_the_frozen_rows_kills_neurons():
    config = table.BrainVisualConfig(
        unseen="d", pseudo_splits=1, trained_epochs=8, trained_batch=8, pool_size=12
    )
    sides = faint("a", 192, 0.18), faint("b", 784, 0.05)
    run = SimpleNamespace(config=config, device="cpu", data=match(*sides, table.TASK.sides))
    (row,) = (row for row in table.TABLE.rows if row.name == "SRNN-Prototype, 64")
    with torch_threads(1):
        values = row.measure(run, 1).values
    assert values["neural -> letter, seen top-1 (oracle)"] > 80  # best epoch; chance 33


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


def test_pools_larger_than_the_data_are_said(data, tmp_path):
    options = ("--rows", "closed-form alignment", "--set", "pool_size=30", "pseudo_splits=1")
    assert smoke(data, tmp_path, *options) == 0
    note = rows_of(tmp_path)[0]["note"]
    assert "neural pool 6 a class, all there are, not 30" in note
    assert "letter pool 10 a class" in note
