import json

import numpy as np
import pytest

from harness.errors import UserError
from harness.run.cli import main
from harness.run.protocol import Run
from harness.run.selection import History, Published
from lsm.tables import audio_visual as table
from lsm.tables.audio_visual import BACK, FORWARD, AudioVisualConfig
from lsm.tables.zero_shot_rows import published, published_rule, validated
from lsm.training.recurrent import TrainedSpec
from lsm.zero_shot.encoders import ContrastiveTraining, PrototypeTraining, SpikingEncoders
from lsm.zero_shot.projections import ProjectionConfig
from lsm.zero_shot.training import Pairs
from tests.chance import above_chance
from tests.lsm.two_modalities import two_modalities

QUICK = "LSM-CLIP, chip (RRAM); event counts, windows; closed-form alignment; LSM-Prototype, 64"
LEAKY = "LSM-Prototype, 64, trains on test items"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audio_visual")


def smoke(folder, *options):
    folders = ["--data", str(folder), "--results", str(folder / "results")]
    return main(table.TABLE, ["--smoke", *folders, *options])


def measured(folder):
    return json.loads((folder / "results" / "audio_visual.json").read_text())


@pytest.fixture(scope="module")
def quick(folder):
    assert smoke(folder, "--rows", f"{QUICK}; {LEAKY}", "--set", "epochs=2") == 0
    return measured(folder)


def test_rows_are_measured_and_repeat(folder, quick):
    for what in ("similarity", "tsne", "retrieved"):
        assert (folder / "results" / f"audio_visual_{what}.png").stat().st_size < 300_000
    assert quick["data"]["kind"] == "synthetic"
    assert {r["protocol"] for r in quick["rows"]} == {"validation", "published"}
    assert all("audio pool 6 a class, not 20" in r["note"] for r in quick["rows"])
    chip = [r for r in quick["rows"] if r["row"] == "LSM-CLIP, chip (RRAM)"]
    assert chip[0]["fixed_weights"] == (256 + 200) * 200 + (64 + 200) * 200
    assert chip[0]["trained_weights"] == 25_600
    assert len(chip) == 14
    run = Run(AudioVisualConfig(**chip[0]["config"]), [0], "cpu", folder, folder, smoke=True)
    run.data = table.load(run)
    (row,) = [row for row in table.TABLE.rows if row.name == "LSM-CLIP, chip (RRAM)"]
    again = row.measure(run, 0).values
    assert [again[metric.key] for metric in row.metrics] == [r["values"][0] for r in chip]


def test_seen_digits_are_found_above_chance(quick):
    top1 = {(r["row"], r["metric"]): r["mean"] for r in quick["rows"]}
    for row in ("event counts, windows", "closed-form alignment"):
        assert top1[row, f"{FORWARD}, seen top-1"] > above_chance(7 * 6, 7)
        assert top1[row, f"{BACK}, seen top-1"] > above_chance(7 * 6, 7)


def test_a_row_that_trains_on_test_items_says_so(quick):
    leaky = [r for r in quick["rows"] if r["row"] == LEAKY]
    assert {r["protocol"] for r in leaky} == {"published"}
    assert all(r["note"].startswith("trains on test items of the seen classes") for r in leaky)
    honest = [r for r in quick["rows"] if r["row"] == "LSM-Prototype, 64"]
    assert {r["protocol"] for r in honest} == {"validation"}
    assert "test" not in honest[0]["note"].split(";")[0]


def epochs(*scores):
    """Test scores (seen, unseen) of the first direction; the other one's are reversed."""
    history = History()
    for n, (seen, unseen) in enumerate(scores):
        names = (f"{FORWARD}, seen", f"{FORWARD}, unseen", f"{BACK}, seen", f"{BACK}, unseen")
        values = seen, unseen, scores[-n - 1][0], scores[-n - 1][1]
        every = {
            f"{name} top-{k}": value
            for name, value in zip(names, values, strict=True)
            for k in (1, 5)
        }
        history.add(test=every, validation=every)
    return history


def test_published_rule_by_hand():
    # Only epochs 1 and 2 pass 65 and 85; the best seen of all, epoch 3, does not.
    history = epochs((60, 99), (66, 86), (68, 85), (80, 84))
    rule = published_rule(FORWARD, (65, 85))
    assert rule.choose(history) == 2
    assert rule.passing(history).tolist() == [False, True, True, False]
    values = published(history, {FORWARD: (65.0, 85.0), BACK: (None, None)})
    assert values[f"{FORWARD}, seen top-1 (published)"] == 68
    assert values[f"{FORWARD}, unseen top-1 (published)"] == 85  # that epoch's own
    assert values[f"{FORWARD}, epochs above the floors (published)"] == 2
    # The other direction has its own epoch, and no floors.
    assert values[f"{BACK}, seen top-1 (published)"] == 80
    assert values[f"{BACK}, unseen top-1 (published)"] == 84
    assert f"{BACK}, epochs above the floors (published)" not in values


def test_published_rule_when_no_epoch_passes():
    history = epochs((60, 99), (70, 10))
    values = published(history, {FORWARD: (65.0, 85.0)})
    assert values[f"{FORWARD}, epochs above the floors (published)"] == 0
    assert values[f"{FORWARD}, seen top-1 (published)"] == 70  # the best seen epoch
    assert values[f"{FORWARD}, unseen top-1 (published)"] == 10
    rule = Published(f"{FORWARD}, seen top-1", {f"{FORWARD}, unseen top-1": 85})
    assert rule.choose(history) == 0
    assert rule.passing(history).tolist() == [True, False]


def test_validation_by_hand():
    history = History()
    for test, validation in (((10, 20), (90, 1)), ((30, 40), (50, 2))):
        history.add(
            test={
                f"{d}, {pool} top-{k}": value + k
                for d in (FORWARD, BACK)
                for pool, value in zip(("seen", "unseen"), test, strict=True)
                for k in (1, 5)
            },
            validation={
                f"{d}, {pool} top-{k}": value if d == FORWARD else -value
                for d in (FORWARD, BACK)
                for pool, value in zip(("seen", "unseen"), validation, strict=True)
                for k in (1, 5)
            },
        )
    values = validated(history, (FORWARD, BACK))
    assert values[f"{FORWARD}, seen top-1"] == 11
    assert values[f"{FORWARD}, seen top-5"] == 15
    assert values[f"{FORWARD}, unseen top-1"] == 41
    assert values[f"{BACK}, seen top-1"] == 31
    assert values[f"{BACK}, unseen top-1"] == 21


def test_distribution_and_control_hold_every_pair(folder):
    rows = "LSM-CLIP, every two unseen digits; LSM-CLIP, permuted control"
    assert smoke(folder, "--rows", rows, "--set", "epochs=1") == 0
    for row in measured(folder)["rows"]:
        if row["row"] in rows and "details" in row:
            values = row["details"]["unseen 0"]
            assert len(values) == 36
            assert row["mean"] == pytest.approx(np.mean(values))
            assert len({tuple(pair) for pair in row["details"]["splits 0"]}) == 36
            best = row["details"]["unseen (oracle) 0"]
            assert all(b >= v for b, v in zip(best, values, strict=True))
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
        ("targets=hard", "targets is 'hard'"),
        ("similarity=angle", "similarity is 'angle'"),
    ],
)
def test_bad_settings_end_with_one_line(folder, capsys, setting, said):
    assert smoke(folder, "--set", setting) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error


def spiking(data, threshold=0.3, const=0.3):
    return tuple(
        TrainedSpec(
            "linear", m.trains.inputs, 12, 4, m.trains.steps, threshold=threshold, const=const
        )
        for m in data.modalities
    )


def pairs_of(data):
    rows = [np.flatnonzero(m.labels < 3)[:24] for m in data.modalities]
    return Pairs(*rows, data.modalities[0].labels[rows[0]])


@pytest.mark.parametrize("kind", [ContrastiveTraining, PrototypeTraining])
def test_trained_encoders_learn_both_modalities(kind):
    data = two_modalities()
    specs = spiking(data)
    config = ProjectionConfig(4, targets="labels", learning_rate=1e-2, batch_size=8, epochs=2)
    trains = tuple(m.trains for m in data.modalities)
    pairs, rows = pairs_of(data), np.arange(5)

    def embedded():
        encoders = [SpikingEncoders(specs, config, seed) for seed in (1, 2)]
        training = kind(trains, encoders, [pairs, pairs], [[1], [2]], config)
        return [
            [embed(n, rows, slice(2)).numpy() for n in (0, 1)] for _, embed in training.epochs()
        ], training

    first, training = embedded()
    assert first[0][0].shape == (2, 5, 4)
    assert np.array_equal(training.embed(1, rows, slice(1, 2)), first[1][1][1:])
    assert not np.allclose(first[0][0], first[1][0])  # epochs change them
    assert not np.allclose(first[0][1], first[1][1])
    assert not np.allclose(first[1][0][0], first[1][0][1])  # so do seeds
    again, _ = embedded()
    assert np.array_equal(first[1][0], again[1][0])  # and they repeat
    weights = SpikingEncoders(specs, config, 0).trained_weights
    assert weights == sum(12 * (s.inputs + 12 + 4) for s in specs)


def test_a_gradient_without_bound_ends_with_one_line():
    data = two_modalities()
    config = ProjectionConfig(4, learning_rate=1e-2, batch_size=8, epochs=1)
    encoders = [SpikingEncoders(spiking(data), config, 1)]
    for parameter in encoders[0].parameters():
        parameter.data.fill_(float("nan"))
    trains = tuple(m.trains for m in data.modalities)
    training = ContrastiveTraining(trains, encoders, [pairs_of(data)], [[1]], config)
    with pytest.raises(UserError, match="trained_recurrent_gain"):
        list(training.epochs())
