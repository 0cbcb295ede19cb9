"""The Fashion-MNIST table end to end on tiny synthetic data, every row."""

import json

import numpy as np
import pytest

from deplm.tables import image
from deplm.tables.image import ImageConfig, plus_network
from deplm.tables.image_features import other_starts
from harness.cli import main
from harness.protocol import Run


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke run")  # with a space in its name
    options = ["--smoke", "--rows", "all", "--results", str(folder), "--data", str(folder)]
    assert main(image.TABLE, [*options, "--set", "train_limit=60"]) == 0
    return folder, json.loads((folder / "image.json").read_text())


def test_every_row_is_there(smoke):
    _, results = smoke
    names = [row["row"] for row in results["rows"]]
    assert list(dict.fromkeys(names)) == [row.name for row in image.TABLE.rows]
    assert results["data"]["kind"] == "synthetic"
    assert all(0 <= value <= 100 for row in results["rows"] for value in row["values"])


def test_frozen_rows_learn_the_toy_images(smoke):
    rows = {row["row"]: row["mean"] for row in smoke[1]["rows"] if row["metric"] == "accuracy"}
    for name in ("linear on pixels", "DEPLM, closed-form readout", "DEPLM+, same weight budget"):
        assert rows[name] > 90


def test_several_starts_read_the_same_network_otherwise(tmp_path):
    """Other first points give other features, the same ones every time."""

    def starts() -> list[np.ndarray]:
        run = Run(ImageConfig(calibration_clouds=16), [0, 1], "cpu", tmp_path, tmp_path, smoke=True)
        run.data = image.load(run)
        return other_starts(run, 1, 2)

    first, again = starts(), starts()
    assert len(first) == 2
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    assert not np.allclose(*first)


def test_several_starts_are_scored(smoke):
    rows = {(row["row"], row["metric"]) for row in smoke[1]["rows"]}
    assert ("DEPLM, logistic readout", "accuracy, 4 sampling starts") in rows


def test_weights_are_counted_as_in_the_paper(smoke):
    row = next(r for r in smoke[1]["rows"] if r["row"] == "DEPLM, closed-form readout")
    assert (row["fixed_weights"], row["trained_weights"]) == (91_809, 8_190)


def test_rows_by_gradient_say_how_long_they_trained(smoke):
    notes = {row["row"]: row["note"] for row in smoke[1]["rows"]}
    for name in ("DEPLM, paper recipe", "fully trained twin"):
        assert notes[name] == "1 of the paper's 300 epochs, batch 64, 60 images"


FIGURES = ("table", "learning", "chip", "points", "confusion", "curve")


def test_figures_are_drawn(smoke):
    names = {path.name for path in smoke[0].glob("*.png")}
    assert names == {f"image_{n}.png" for n in FIGURES}


def test_budgets():
    """DEPLM+ within 100,000 weights, DEPLM++ within a million, biases counted too."""
    config = ImageConfig()
    plus = plus_network(config.plus_channels, config.plus_second)
    assert plus.fixed_weights + 10 * plus.width + 10 <= 100_000
    more = plus_network(config.plus_plus_channels, config.plus_plus_second)
    assert 100_000 < more.fixed_weights + 10 * more.width + 10 <= 1_000_000


def test_a_measured_map_serves_as_the_chip(tmp_path):
    cells = np.random.default_rng(0).uniform(0, 30, (20, 8)).round(1)
    np.savetxt(tmp_path / "map.csv", cells, delimiter=",")
    options = ["--smoke", "--rows", "DEPLM+, same weight budget", "--results", str(tmp_path)]
    options += ["--data", str(tmp_path), "--set", f"conductance_map={tmp_path / 'map.csv'}"]
    assert main(image.TABLE, options) == 0


def test_a_bad_map_is_one_line(tmp_path, capsys):
    (tmp_path / "map.csv").write_text("1,2\n-3,4\n")
    options = ["--smoke", "--results", str(tmp_path), "--data", str(tmp_path)]
    options += ["--set", f"conductance_map={tmp_path / 'map.csv'}"]
    assert main(image.TABLE, options) == 2
    assert "line 2, column 1: -3 is below 0" in capsys.readouterr().err
