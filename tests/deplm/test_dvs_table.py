"""The DVS128 Gesture table: votes, pooled features, whole runs."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from deplm.data.dvs_clouds import (
    EventData,
    WindowClouds,
    gesture_scores,
    split_persons,
    trial_votes,
)
from deplm.data.dvs_gesture import INFO
from deplm.data.dvs_windows import WindowSettings, empty_windows
from deplm.data.stand_ins.dvs_gesture import write_stand_in
from deplm.encoder import FrozenEncoder, calibration_batches, encode_all
from deplm.network import DVS_GESTURE, PointNetwork, SetAbstraction
from deplm.plus import DvsPlusEncoder, DvsPlusNetwork, pool
from deplm.tables.common import real_samples, with_effects
from deplm.tables.dvs import TABLE, DvsConfig, load, network, plus_network
from deplm.tables.dvs_ridge import GestureRow, drawn_rows, measure_chips
from deplm.tables.rivals import CountEncoder, EventCounts
from harness.data.events import as_events, write_events_5byte
from harness.readouts.ridge import RidgeReadout
from harness.run.cli import main
from harness.run.config import with_settings
from harness.run.protocol import DataRecord, Run
from rram import Chip, UserError
from rram.crossbar import ReadConfig

SMALL = PointNetwork(
    features=0,
    abstractions=(
        SetAbstraction(5, centres=30, neighbours=8, radius=0.3),
        SetAbstraction(7, centres=12, neighbours=4, radius=0.5),
    ),
)


def some_windows(count=40, people=4):
    """Windows of class c have their events around place c / 10."""
    windows = empty_windows(count, WindowSettings(kept=200))
    rng = np.random.default_rng(0)
    windows.labels[:] = np.arange(count) % 10
    place = 127 * (windows.labels[:, None, None] / 10) + rng.normal(0, 8, (count, 200, 2))
    windows.xy[:] = place.clip(0, 127)
    windows.t[:] = np.sort(rng.random((count, 200)), 1)
    windows.kept[:] = 200
    windows.trials[:] = np.arange(count) // 2
    windows.subjects[:] = np.arange(count) // (count // people)
    return windows


def clouds(name="train"):
    windows = some_windows()
    return WindowClouds(name, windows, np.arange(len(windows)), points=64)


def test_a_shift_moves_whole_windows_and_repeats():
    source = clouds()
    still, moved = (source.redrawn(3, shift).clouds(np.arange(40)).points for shift in (0.0, 0.1))
    offset = (moved - still)[:, :1]
    torch.testing.assert_close(moved - still, offset.expand(-1, 64, -1), atol=1e-6, rtol=0)
    assert offset.abs().max() <= 0.1 + 1e-6 and len(offset.unique()) == 120
    alone = source.redrawn(3, 0.1).clouds(np.array([7])).points
    assert torch.equal(alone[0], moved[7])


def test_votes():
    trials = np.array([7, 7, 7, 2, 2, 9])
    guesses = np.array([1, 3, 3, 0, 4, 2])
    np.testing.assert_array_equal(trial_votes(guesses, trials, 10), [3, 3, 3, 0, 0, 2])
    windows = some_windows(6, 2)
    windows.trials[:], windows.labels[:] = trials, [3, 3, 3, 4, 4, 2]
    scores = gesture_scores(WindowClouds("test", windows, np.arange(6)), guesses, 10)
    assert scores == {"accuracy": pytest.approx(400 / 6), "trial accuracy": pytest.approx(200 / 3)}


def test_a_person_is_on_one_side_of_the_split():
    train, held = split_persons(some_windows(), 0.25, 64)
    people = [set(part.windows.subjects[part.rows]) for part in (train, held)]
    assert len(people[1]) == 1 and not people[0] & people[1] and len(train) + len(held) == 40
    with pytest.raises(UserError, match="two subjects"):
        split_persons(some_windows(people=1), 0.25, 64)


def plain_pool(centres, hidden, cells):
    """Centre by centre, place by place."""
    out = torch.zeros(len(hidden), cells, cells, hidden.shape[-1])
    for b, points in enumerate(centres):
        for s, (_, x, y) in enumerate(points):
            for row in range(cells):
                for column in range(cells):
                    wx = max(0, 1 - abs(float(x) * (cells - 1) - column))
                    wy = max(0, 1 - abs(float(y) * (cells - 1) - row))
                    out[b, row, column] += wx * wy * hidden[b, s] / len(points)
    return out.flatten(1)


def test_pooled_features_are_the_plain_ones():
    generator = torch.Generator().manual_seed(0)
    centres = torch.rand(2, 9, 3, generator=generator)
    hidden = torch.rand(2, 9, 4, generator=generator)
    for cells in (2, 5):
        pooled = pool(centres, hidden, cells)
        torch.testing.assert_close(pooled, plain_pool(centres, hidden, cells))
    torch.testing.assert_close(pooled.view(2, -1, 4).sum(1), hidden.mean(1))


def test_grid_features_repeat_and_have_their_width():
    source, network = clouds(), DvsPlusNetwork(0, SMALL.abstractions, cells=(3, 2))
    encoder = DvsPlusEncoder(network, Chip(seed=0))
    encoder.calibrate(calibration_batches(source, network, 16))
    first, second = (encode_all(source, [encoder], threads=n)[0] for n in (1, 2))
    assert first.shape == (40, network.width) == (40, 5 * 9 + 7 * 4)
    assert np.array_equal(first, second) and first.std() > 0
    assert network.fixed_weights == 3 * 5 + 8 * 7
    with pytest.raises(UserError, match="must be local"):
        DvsPlusNetwork(0, SMALL.abstractions, cells=(3,))


def test_plus_stays_within_the_weights_of_the_paper():
    network = plus_network(DvsConfig())
    assert network.fixed_weights + 10 * network.width <= 67_591


SMALL_GLOBAL = PointNetwork(0, (*SMALL.abstractions, SetAbstraction(20)))


def some_run(folder, **constants):
    config = DvsConfig(calibration_clouds=16, **constants)
    some = Run(config, [0, 1], "cpu", folder, folder, table="dvs")
    record = DataRecord("toy", "synthetic", 40, 40, "")
    some.data = EventData(record, clouds(), clouds(), clouds("test").redrawn(5))
    return some


def test_streamed_fit_is_the_fit_of_all_rows(tmp_path):
    source, some = clouds(), some_run(tmp_path, fit_draws=2, fit_shift=0.0)
    encoder = FrozenEncoder(SMALL_GLOBAL, Chip(seed=0))
    encoder.calibrate(calibration_batches(source, SMALL_GLOBAL, 16))
    streamed = RidgeReadout(10)
    for (rows,) in drawn_rows(some, [encoder], source, "fit"):
        streamed.partial_fit(*rows)
    features = [encode_all(source.redrawn(seed), [encoder])[0] for seed in (0, 1)]
    whole = RidgeReadout(10).partial_fit(np.concatenate(features), np.tile(source.labels, 2))
    np.testing.assert_allclose(streamed.solve(1e-2).coef_, whole.solve(1e-2).coef_, atol=1e-9)
    assert not np.array_equal(*features)


@pytest.mark.parametrize("rival", [False, True])
def test_a_class_that_has_its_place_is_learned(tmp_path, rival):
    """And not when the training labels are shuffled."""
    row = (
        GestureRow(CountEncoder, EventCounts(2, 8))
        if rival
        else (GestureRow(FrozenEncoder, SMALL_GLOBAL, test_draws=2))
    )
    some = some_run(tmp_path, fit_draws=3, fit_shift=0.01)
    for measurement in measure_chips(some, [0, 1], row).values():
        assert measurement.values["accuracy"] > 60
        assert measurement.trained_weights == (1280 if rival else 200)
        assert np.sum(measurement.details["confusion"]) == 40
    for part in (some.data.train, some.data.validation):
        part.windows.labels[:] = np.random.default_rng(0).permutation(part.windows.labels)
    for measurement in measure_chips(some, [0, 1], row).values():
        assert measurement.values["accuracy"] < 45


def test_counts_are_those_of_a_histogram():
    source = clouds()
    network_of_counts = EventCounts(2, 4)
    batch = network_of_counts.batch(source, np.arange(3))
    features = CountEncoder(network_of_counts)(batch)
    for cloud, row in zip(batch.clouds.points.numpy(), features.numpy(), strict=True):
        counts, _ = np.histogramdd(cloud, bins=(2, 4, 4), range=((0, 1),) * 3)
        np.testing.assert_allclose(row**2, counts.ravel(), atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "law", "words"),
    [
        ({}, ("cells", "product"), "2.0% read noise a product, 6-bit inputs"),
        (
            {"noise_on": "weight", "noise_per": "vector"},
            ("weight", "vector"),
            "2.0% read noise a vector on the signed weight, 6-bit inputs",
        ),
    ],
)
def test_chip_effects_follow_the_law_of_the_noise(tmp_path, settings, law, words):
    assert with_effects(some_run(tmp_path, **settings)) == (ReadConfig(0.02, *law, 6), words)


def test_the_default_constants_are_the_paper_s_network():
    assert network(DvsConfig()) == DVS_GESTURE


def run(results, *arguments):
    status = main(TABLE, ["--results", str(results), "--device", "cpu", *map(str, arguments)])
    path = results / "dvs.json"
    return status, json.loads(path.read_text())["rows"] if path.exists() else None


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root in which the tiny stand-in need only be written once."""
    return tmp_path_factory.mktemp("data")


def test_a_smoke_run_gives_the_table(root, tmp_path, capsys):
    status, rows = run(tmp_path, "--smoke", "--data", root, "--rows", "all")
    assert status == 0 and {row["row"] for row in rows} == {row.name for row in TABLE.rows}
    for row in rows:
        assert row["data"]["kind"] == "synthetic"
        assert "difficulty was set once" in row["note"]
    assert "synthetic" in capsys.readouterr().out
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert drawn == {f"dvs_{n}.png" for n in ("clips", "confusion", "table", "learning")}
    first = next(row for row in rows if row["row"] == "DEPLM, ridge")
    again = run(tmp_path, "--smoke", "--data", root)[1]
    assert first["values"] == next(r for r in again if r["row"] == first["row"])["values"]


@pytest.mark.parametrize(
    ("setting", "changed"), [("time_range=drawn", "time_range"), ("window_origin=first event", "t")]
)
def test_how_windows_are_cut_can_be_set(root, tmp_path, setting, changed):
    def windows(*settings):
        config = with_settings(DvsConfig(clips=str(tmp_path)), list(settings))
        some = Run(config, [0], "cpu", root, tmp_path, smoke=True)
        loaded = load(some)
        return loaded.train.windows, loaded.clips.windows

    events = np.random.default_rng(0).integers(40, 60, (2, 3000))
    times = np.sort(np.random.default_rng(1).integers(0, 1_400_000, 3000))
    write_events_5byte(tmp_path / "3.bs2", as_events(*events, events[0] % 2, times))
    usual, again = windows(), windows("time_range=window", "window_origin=label")
    other = windows(setting)
    assert np.array_equal(usual[0].t, again[0].t) and usual[0].time_range == "window"
    assert not np.array_equal(getattr(usual[0], changed), getattr(other[0], changed))
    assert other[1].time_range == other[0].time_range
    with pytest.raises(UserError, match="is 'begin'"):
        windows(f"{setting.split('=')[0]}=begin")


def test_the_real_layout_runs(tmp_path):
    folder = tmp_path / INFO.folder
    folder.mkdir()
    write_stand_in(folder, 2, 1, 700_000)
    settings = ("--set", "plus_first=4", "plus_second=4", "fit_draws=1", "test_draws=1")
    status, rows = run(tmp_path / "results", "--data", tmp_path, "--seeds", 1, *settings)
    assert status == 0 and rows[0]["data"]["kind"] == "real"
    assert "difficulty" not in rows[0]["note"]


def test_samples_are_named_in_the_data_folder_or_by_a_path(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "1.bs2").touch()
    run = Run(DvsConfig(), [0], "cpu", tmp_path, tmp_path)
    for named in ("clips", str(folder)):
        assert real_samples(run, named, INFO, "synthetic") == [folder / "1.bs2"]
    assert real_samples(run, "clips", INFO, "real") == []
    assert real_samples(run, None, INFO, "synthetic") == []  # the set's own folder is not there
    with pytest.raises(UserError, match="no real samples"):
        real_samples(run, str(tmp_path), INFO, "synthetic")


def test_real_clips_are_classified_beside_the_stand_in(root, tmp_path, capsys):
    folder = Path(os.environ.get("DATA_ROOT", "nowhere"), INFO.folder)
    if not any(folder.glob("*.bs2")):
        pytest.skip("DATA_ROOT holds no real clips")
    status, rows = run(tmp_path, "--smoke", "--data", root, "--set", f"clips={folder}")
    assert status == 0 and np.sum(rows[0]["details"]["clips"]) >= 4
    assert "clip of hand clapping: its windows look like" in capsys.readouterr().out
    assert run(tmp_path, "--smoke", "--data", root, "--set", f"clips={tmp_path}")[0] == 2
