"""The ShapeNet-part table: readout from streamed statistics, scores, whole runs."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deplm.data.seg_categories import CATEGORIES
from deplm.data.seg_shapenet import INFO
from deplm.data.stand_ins.seg_shapenet import write_stand_in
from deplm.segmentation import PART_NETWORK
from deplm.tables import seg
from deplm.tables.rivals import MonomialEncoder, Monomials
from deplm.tables.seg import TABLE, SegConfig, network, plus_network, train_and_validation
from deplm.tables.seg_figures import decoded_parts, encoded_parts
from deplm.tables.seg_readout import Choice, PartReadout, PartStatistics, solve
from deplm.training.seg_scores import best_parts, mean_scores, score_shapes
from harness.readouts.ridge import RidgeReadout
from harness.run.cli import main
from harness.run.protocol import Run
from rram import UserError

BAG = CATEGORIES[1].labels  # parts 4 and 5


def some_points(count=400, width=6, parts=(4, 5, 0, 1), seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.choice(parts, count)
    features = rng.normal(size=(count, width)) + labels[:, None] * 0.3
    return features.astype(np.float32), labels


def statistics(features, labels):
    return PartStatistics.of(torch.from_numpy(features), torch.from_numpy(labels))


def test_statistics_in_pieces_are_those_of_all():
    features, labels = some_points()
    pieces = PartStatistics()
    for start in range(0, 400, 64):
        pieces.add(statistics(features[start : start + 64], labels[start : start + 64]))
    for part, sums in statistics(features, labels).parts.items():
        for piece, whole in zip(pieces.parts[part], sums, strict=True):
            np.testing.assert_allclose(piece, whole, rtol=1e-12)


def test_plain_readout_is_the_ridge_of_the_harness():
    features, labels = some_points()
    (readout,) = solve(statistics(features, labels), [Choice(1e-3, 0.0, plain=True)])
    ridge = RidgeReadout(50).partial_fit(features, labels).solve(1e-3)
    np.testing.assert_allclose(readout.coef, ridge.coef_, atol=1e-6)
    np.testing.assert_allclose(readout.intercept, ridge.intercept_, atol=1e-6)


def test_a_category_is_fitted_to_its_own_points_only():
    features, labels = some_points()
    (readout,) = solve(statistics(features, labels), [Choice(1e-3, 0.0)])
    own = np.isin(labels, BAG)
    ridge = RidgeReadout(2).partial_fit(features[own], labels[own] - 4).solve(1e-3)
    np.testing.assert_allclose(readout.coef[:, BAG], ridge.coef_, atol=1e-6)
    np.testing.assert_allclose(readout.intercept[BAG], ridge.intercept_, atol=1e-6)
    assert not readout.coef[:, 44:].any()  # no skateboard was seen


def test_balance_is_a_weight_on_rows():
    features, labels = some_points(parts=(4, 4, 4, 5))
    (readout,) = solve(statistics(features, labels), [Choice(1e-9, 1.0)])
    share = np.array([(labels == part).mean() for part in BAG])
    weight = np.sqrt(1 / share[labels - 4])[:, None]
    x = np.concatenate([features, np.ones((400, 1))], 1)
    solution = np.linalg.lstsq(weight * x, weight * np.eye(2)[labels - 4], rcond=None)[0]
    np.testing.assert_allclose(readout.coef[:, BAG], solution[:-1], atol=1e-4)


def test_points_that_cannot_be_fitted_are_told():
    features, labels = some_points()
    for x, y, said in (
        (features[:0], labels[:0], "no rows to fit"),
        (features, labels + 46, "there are 50 parts"),
        (np.where(features > 2, np.nan, features), labels, "NaN"),
    ):
        with pytest.raises(UserError, match=said):
            statistics(x, y)


def plain_iou(true, guess, parts):
    """As the published evaluation does it, part by part."""
    found = []
    for part in parts:
        either = np.sum((true == part) | (guess == part))
        found.append(1.0 if either == 0 else np.sum((true == part) & (guess == part)) / either)
    return np.mean(found)


def test_scores_are_the_plain_ones():
    rng = np.random.default_rng(0)
    kinds = np.array([0, 1, 10, 15, 0])
    parts = [CATEGORIES[k].labels for k in kinds]
    true = np.stack([rng.choice(p, 30) for p in parts])
    guess = np.stack([rng.choice(p, 30) for p in parts]).astype(np.uint8)
    true[1], guess[1] = 5, 5  # no handle, and none predicted: that part counts 1
    scores = score_shapes(true, guess, kinds)
    assert scores.iou[1] == scores.correct[1] == 1
    expected = [plain_iou(*shape) for shape in zip(true, guess, parts, strict=True)]
    np.testing.assert_allclose(scores.iou, expected)
    np.testing.assert_allclose(scores.correct, (true == guess).mean(1))
    means = mean_scores(scores, kinds)
    assert means["instance mIoU"] == pytest.approx(100 * np.mean(expected))
    by_kind = [np.mean([expected[0], expected[4]]), *expected[1:4]]
    assert means["class mIoU"] == pytest.approx(100 * np.mean(by_kind))


def test_guesses_stay_in_the_category():
    rng = np.random.default_rng(0)
    readout = PartReadout(rng.normal(size=(6, 50)).astype(np.float32), np.zeros(50, np.float32))
    features = rng.normal(size=(16, 20, 6)).astype(np.float32)
    for kind, guesses in enumerate(readout.predict(features, np.arange(16))):
        assert set(guesses) <= set(CATEGORIES[kind].labels)
        scores = features[kind] @ readout.coef[:, CATEGORIES[kind].labels]
        np.testing.assert_array_equal(guesses, CATEGORIES[kind].first + scores.argmax(1))
        (text,) = encoded_parts(guesses[None], np.array([kind]))
        np.testing.assert_array_equal(decoded_parts(text, kind), guesses)
    every = features @ readout.coef
    expected = readout.predict(features, np.arange(16))
    np.testing.assert_array_equal(best_parts(every, np.arange(16)), expected)


def test_plus_stays_within_the_weights_of_the_paper():
    network = plus_network(SegConfig())
    assert network.fixed_weights + 50 * network.width <= 100_006


def run(results, *arguments):
    status = main(TABLE, ["--results", str(results), "--device", "cpu", *map(str, arguments)])
    path = results / "seg.json"
    return status, json.loads(path.read_text())["rows"] if path.exists() else None


def test_a_smoke_run_gives_the_table(tmp_path, capsys):
    status, rows = run(tmp_path, "--smoke", "--data", tmp_path, "--rows", "all")
    assert status == 0 and {row["row"] for row in rows} == {row.name for row in TABLE.rows}
    for row in rows:
        assert row["data"]["kind"] == "synthetic"
        assert "difficulty was set once" in row["note"]
    assert "synthetic" in capsys.readouterr().out
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert {"seg_categories.png", "seg_confusion.png", "seg_predictions.png"} <= drawn
    assert {"seg_table.png", "seg_learning.png"} <= drawn
    first = rows[0]
    assert first["row"] == "DEPLM, ridge per category, class-balanced" and first["mean"] > 55
    again = run(tmp_path, "--smoke", "--data", tmp_path)[1]
    assert first["values"] == next(r for r in again if r["row"] == first["row"])["values"]


def tiny_run(folder):
    config = SegConfig(points=512, calibration_clouds=8)
    some = Run(config, [0], "cpu", folder, folder, table="seg", smoke=True)
    some.data = seg.load(some)
    return some


def test_shuffled_parts_are_not_learned(tmp_path):
    """The bound of the smoke run is out of reach by chance."""
    some = tiny_run(tmp_path)
    rng = np.random.default_rng(0)
    fitted = np.concatenate([some.data.train.rows, some.data.validation.rows])
    shapes = some.data.shapes
    for shape in fitted:
        points = slice(*shapes.offsets[shape : shape + 2])
        shapes.labels[points] = rng.permutation(shapes.labels[points])
    for measure in (seg.ridge, seg.coordinates):
        assert measure(some, 0).values["instance mIoU"] < 45


def test_no_test_shape_is_trained_on(tmp_path):
    """The official lists name some shapes twice."""
    data = tiny_run(tmp_path).data
    rows = train_and_validation(data)
    assert set(rows) == set(data.train.rows) | set(data.validation.rows)
    twice = replace(
        data, train=replace(data.train, rows=np.r_[data.train.rows, data.test.rows[:2]])
    )
    np.testing.assert_array_equal(train_and_validation(twice), rows)


def test_monomials_are_the_products_of_coordinates():
    terms = Monomials(2)
    points = torch.tensor([[[2.0, 3.0, 5.0]]])
    batch = type("B", (), {"clouds": type("C", (), {"points": points})})
    expected = [2, 3, 5, 4, 6, 10, 9, 15, 25]
    assert MonomialEncoder(terms)(batch).flatten().tolist() == expected and terms.width == 9


def test_the_default_constants_are_the_paper_s_network():
    assert network(SegConfig()) == PART_NETWORK


@pytest.fixture
def official(tmp_path):
    """A data root with the official layout, as the real set has it."""
    folder = tmp_path / INFO.folder
    folder.mkdir()
    write_stand_in(folder, {"train": 2, "val": 1, "test": 1})
    return tmp_path


SMALL = ("--seeds", 1, "--set", "points=512", "calibration_clouds=8", "plus_last=8")


def test_the_real_layout_runs_and_missing_shapes_must_be_allowed(official, capsys):
    assert run(official / "results", "--data", official, *SMALL)[0] == 0
    rows = json.loads((official / "results" / "seg.json").read_text())["rows"]
    assert rows[0]["data"]["kind"] == "real" and rows[0]["note"] == ""
    next((official / INFO.folder / "04379243").iterdir()).unlink()
    assert run(official / "other", "--data", official, *SMALL) == (2, None)
    assert "1 of 64 listed shapes are missing" in capsys.readouterr().err
    status, rows = run(
        official / "other", "--data", official, "--set", "allow_missing=true", *SMALL
    )
    assert status == 0 and "1 listed shapes are missing" in rows[0]["note"]


def test_real_shapes_are_segmented_beside_the_stand_in(tmp_path, capsys):
    folder = Path(os.environ.get("DATA_ROOT", "nowhere"), INFO.folder)
    if not any(folder.glob("*/*.txt")):
        pytest.skip("DATA_ROOT holds no real shapes")
    status, rows = run(tmp_path, "--smoke", "--data", tmp_path, "--set", f"samples={folder}")
    assert status == 0 and rows[0]["details"]["samples"]
    assert "of the points correct" in capsys.readouterr().out
    assert (tmp_path / "seg_real.png").is_file()
    assert run(tmp_path, "--smoke", "--data", tmp_path, "--set", f"samples={tmp_path}")[0] == 2
