"""The Fashion-MNIST table end to end on tiny synthetic data, every row."""

import json

import numpy as np
import pytest

from deplm.network import FASHION_MNIST
from deplm.tables import image
from deplm.tables.image import ImageConfig, network, other_starts, plus_network
from deplm.tables.image_figures import class_names
from harness.run.cli import main
from harness.run.protocol import Run


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


FROZEN = ("pixels", "DEPLM, discriminative", "DEPLM, logistic", "DEPLM+ ", "DEPLM++")


def test_frozen_rows_learn_the_toy_images(smoke):
    rows = [r for r in smoke[1]["rows"] if r["row"].startswith(FROZEN)]
    assert len(rows) == 11 and all(row["mean"] > 85 for row in rows)


def test_shuffled_labels_are_not_learned(tmp_path):
    """With the bound above, no row can pass by chance or by looking at test labels."""
    run = Run(ImageConfig(calibration_clouds=16), [0], "cpu", tmp_path, tmp_path, smoke=True)
    run.data = image.load(run)
    labels = run.data.train.labels
    labels[:] = np.random.default_rng(0).permutation(labels)
    for measure in (image.discriminative_ridge, image.logistic_regression, image.pixels):
        assert all(value < 40 for value in measure(run, 0).values.values())


def test_several_starts_read_the_same_network_otherwise(tmp_path):
    """Other first points give other features, the same ones every time."""

    def starts() -> list[np.ndarray]:
        run = Run(ImageConfig(calibration_clouds=16), [0, 1], "cpu", tmp_path, tmp_path, smoke=True)
        run.data = image.load(run)
        return other_starts(run, 1)

    first, again = starts(), starts()
    assert len(first) == 3
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    assert not np.allclose(*first[:2])


def test_several_starts_are_scored(smoke):
    rows = {(row["row"], row["metric"]) for row in smoke[1]["rows"]}
    assert ("DEPLM, logistic regression", "accuracy, 4 sampling starts") in rows


def test_weights_are_counted_as_in_the_paper(smoke):
    row = next(
        r for r in smoke[1]["rows"] if r["row"] == "DEPLM, discriminative ridge (re-targeted)"
    )
    assert (row["fixed_weights"], row["trained_weights"]) == (91_809, 8_190)


def test_rows_by_gradient_say_how_long_they_trained(smoke):
    notes = {row["row"]: row["note"] for row in smoke[1]["rows"]}
    for name in ("DEPLM, paper recipe", "fully trained twin"):
        assert notes[name] == "1 of the paper's 300 epochs, batch 64, 60 images"


def test_figures_are_drawn(smoke):
    names = {path.name for path in smoke[0].glob("*.png")}
    kinds = ("chip", "points", "confusion", "curve", "table", "learning")
    assert names == {f"image_{kind}.png" for kind in kinds}


def test_the_default_constants_are_the_paper_s_network():
    assert network(ImageConfig()) == FASHION_MNIST
    assert network(ImageConfig(num_feat=1000, r0=0.3)).abstractions[2].channels == 400


def test_the_paper_s_row_comes_first_and_the_rival_is_a_default_row():
    rows = {row.name: row for row in image.TABLE.rows}
    assert next(iter(rows)).startswith("DEPLM, ") and rows["pixels, logistic regression"].default


def test_images_of_one_s_own_have_class_names_of_their_own(tmp_path):
    run = Run(ImageConfig(dataset="mine"), [0], "cpu", tmp_path, tmp_path)
    assert class_names(run)[0] == "class 0"
    run.config = ImageConfig()
    assert class_names(run)[0] == "T-shirt"


def test_the_learning_curve_rises(smoke):
    """The penalty is chosen for each number of images."""
    rows = [r for r in smoke[1]["rows"] if "curve" in r.get("details", {})]
    frozen = [row.name for row in image.TABLE.rows if row.name.startswith(FROZEN)]
    assert [row["row"] for row in rows] == frozen
    for row in rows:
        (_, few), (_, all_of_them) = row["details"]["curve"]
        assert all_of_them >= few - 3


def test_budgets():
    """DEPLM+ within 100,000 weights, biases counted too; DEPLM++ has 101 thousand."""
    config = ImageConfig()
    plus = plus_network(config.plus_channels, config.plus_second)
    assert plus.fixed_weights + 10 * plus.width + 10 <= 100_000
    more = plus_network(config.plus_plus_channels, config.plus_plus_second)
    assert round((more.fixed_weights + 10 * more.width) / 1000) == 101


def test_a_measured_map_serves_as_the_chip(tmp_path):
    cells = np.random.default_rng(0).uniform(0, 30, (20, 8)).round(1)
    np.savetxt(tmp_path / "map.csv", cells, delimiter=",")
    options = [
        "--smoke",
        "--rows",
        "DEPLM+ (same weight budget), discriminative ridge",
        "--results",
        str(tmp_path),
    ]
    options += ["--data", str(tmp_path), "--set", f"conductance_map={tmp_path / 'map.csv'}"]
    assert main(image.TABLE, options) == 0


def test_a_bad_map_is_one_line(tmp_path, capsys):
    (tmp_path / "map.csv").write_text("1,2\n-3,4\n")
    options = ["--smoke", "--results", str(tmp_path), "--data", str(tmp_path)]
    options += ["--set", f"conductance_map={tmp_path / 'map.csv'}"]
    assert main(image.TABLE, options) == 2
    assert "line 2, column 1: -3 is below 0" in capsys.readouterr().err
