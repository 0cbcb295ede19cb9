import json

import numpy as np
import pytest

from harness.cli import main
from harness.protocol import Run
from lsm.tables import audio_visual as table
from lsm.tables.audio_visual import AudioVisualConfig
from lsm.training.recurrent import TrainedSpec
from lsm.zero_shot.encoders import Encoders, srnn_trainer
from lsm.zero_shot.projections import Pairs, ProjectionConfig
from tests.lsm.two_sided_data import two_sides

QUICK = "LSM-CLIP, chip (RRAM); LSM-CLIP+; closed-form alignment; LSM-Prototype, 64"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audio_visual")


def smoke(folder, *options):
    folders = ["--data", str(folder), "--results", str(folder / "results")]
    return main(table.TABLE, ["--smoke", *folders, *options])


def measured(folder):
    return json.loads((folder / "results" / "audio_visual.json").read_text())


def test_rows_are_measured_and_repeat(folder):
    assert smoke(folder, "--rows", QUICK, "--set", "epochs=2") == 0
    first = measured(folder)
    for what in ("similarity", "tsne", "retrieved"):
        assert (folder / "results" / f"audio_visual_{what}.png").stat().st_size < 300_000
    assert first["data"]["kind"] == "synthetic"
    assert {r["protocol"] for r in first["rows"]} == {"validation", "oracle"}
    assert all("audio pool 6 a class, all there are, not 20" in r["note"] for r in first["rows"])
    chip = [r for r in first["rows"] if r["row"] == "LSM-CLIP, chip (RRAM)"]
    assert chip[0]["fixed_weights"] == (256 + 200) * 200 + (64 + 200) * 200
    assert chip[0]["trained_weights"] == 25_600
    assert len(chip) == 10
    run = Run(AudioVisualConfig(**chip[0]["config"]), [0], "cpu", folder, folder, smoke=True)
    run.data = table.load(run)
    (row,) = [row for row in table.TABLE.rows if row.name == "LSM-CLIP, chip (RRAM)"]
    again = row.measure(run, 0).values
    assert [again[metric.key] for metric in row.metrics] == [r["values"][0] for r in chip]


def test_chosen_on_the_test_pool_is_never_worse(folder):
    found = {(r["row"], r["metric"], r["protocol"]): r["mean"] for r in measured(folder)["rows"]}
    compared = [key for key in found if key[2] == "oracle"]
    assert len(compared) >= 8
    for row, metric, _ in compared:
        assert found[row, metric, "oracle"] >= found[row, metric, "validation"]


def test_distribution_and_control_hold_every_pair(folder):
    rows = "LSM-CLIP, every two unseen digits; LSM-CLIP, permuted control"
    assert smoke(folder, "--rows", rows, "--set", "epochs=1") == 0
    for row in measured(folder)["rows"]:
        if row["row"] in rows and "details" in row:
            values = row["details"]["unseen 0"]
            assert len(values) == 36
            assert row["mean"] == pytest.approx(np.mean(values))
            assert len({tuple(pair) for pair in row["details"]["splits 0"]}) == 36
    assert (folder / "results" / "audio_visual_distribution.png").stat().st_size < 300_000


@pytest.mark.slow
def test_every_row_runs(folder):
    assert smoke(folder, "--rows", "all") == 0
    assert {r["row"] for r in measured(folder)["rows"]} == {row.name for row in table.TABLE.rows}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("unseen=", "no unseen class"),
        ("unseen=0,8", "unseen 0: the classes are 1, 2"),
        ("unseen=1,2,3,4,5,6,7,8", "two or more must stay seen"),
        ("pool_size=0", "pool_size is 0"),
        ("temperature=0", "temperature is 0"),
    ],
)
def test_bad_settings_end_with_one_line(folder, capsys, setting, said):
    assert smoke(folder, "--set", setting) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error


def test_trained_encoders_learn_both_sides():
    data = two_sides()
    specs = tuple(
        TrainedSpec(
            "linear", side.trains.inputs, 12, 4, side.trains.steps, threshold=0.3, const=0.3
        )
        for side in data.sides
    )
    recipe = ProjectionConfig(4, targets="labels", learning_rate=1e-2, batch_size=8, epochs=2)
    trains = tuple(side.trains for side in data.sides)
    rows = [np.flatnonzero(side.labels < 3)[:24] for side in data.sides]
    pairs = Pairs(*rows, data.sides[0].labels[rows[0]])
    found = []

    def look(embed):
        both = [embed(n, np.arange(5), slice(2)).numpy() for n in (0, 1)]
        assert np.array_equal(embed(1, np.arange(5), slice(1, 2)), both[1][1:])
        found.append(both)

    for _ in range(2):
        srnn_trainer(trains, specs, recipe, None, "cpu")([pairs, pairs], [[1], [2]], look)
    assert found[0][0].shape == (2, 5, 4)
    assert not np.allclose(found[0][0], found[1][0])  # epochs change them
    assert not np.allclose(found[0][1], found[1][1])
    assert not np.allclose(found[1][0][0], found[1][0][1])  # so do seeds
    for first, second in zip(found[:2], found[2:], strict=True):
        assert np.array_equal(first[0], second[0])  # and they repeat
    weights = Encoders(specs, recipe, 0).trained_weights
    assert weights == sum(12 * (s.inputs + 12 + 4) for s in specs)
