"""Figures that every table has."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from harness.errors import UserError
from harness.report import figures


def record(row, metric="accuracy", protocol="validation", paper=None, mean=50.0, **more):
    data = {"name": "Toy", "kind": "synthetic"}
    return {
        "row": row, "metric": metric, "unit": "%", "protocol": protocol, "paper": paper,
        "mean": mean, "std": 1.0, "values": [mean], "data": data, **more,
    }  # fmt: skip


@pytest.fixture
def drawn(monkeypatch):
    """The figures themselves, in place of files."""
    kept = []

    def save(figure, path, **_):
        kept.append(figure)
        return path

    monkeypatch.setattr(figures, "save", save)
    return kept


def points(axes):
    """(label, value, line) of every point of a panel."""
    return {
        (bars.get_label(), *(float(x[0]) for x in bars.lines[0].get_data()))
        for bars in axes.containers
    }


def test_a_table_is_drawn_figure_by_figure(drawn, tmp_path):
    records = [
        record("ridge", paper=77.2, mean=83.0),
        record("ridge", "accuracy, plain ridge", mean=82.0),
        record("recipe", paper=77.2, mean=72.0),
        record("recipe", protocol="published", paper=77.2, mean=73.0),
        record("recipe", protocol="oracle", mean=99.0),
        record("recipe", "aside", mean=1.0),
    ]
    figures.draw_table(records, "Toy table", tmp_path / "a.png")
    (axes,) = drawn[0].axes
    assert {(label, value) for label, value, _ in points(axes)} == {
        ("paper", 77.2),
        ("here, chosen on validation data", 83.0),
        ("here, plain ridge", 82.0),
        ("here, chosen on validation data", 72.0),
        ("here, published rule: chosen on test data", 73.0),
    }
    lines = {round(line) for _, value, line in points(axes) if value in (72.0, 73.0)}
    assert lines == {1}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ridge", "recipe"]
    assert "synthetic data; the paper's figures are of real data" in drawn[0].get_suptitle()


def test_without_the_papers_figures_the_first_metric_of_each_row_is_drawn(drawn, tmp_path):
    records = [
        record("a", mean=60.0),
        record("a", "aside"),
        record("b", "points", mean=3.0),
        record("b", mean=61.0) | {"unit": "points"},
    ]
    figures.draw_table(records, "Toy", tmp_path / "a.png")
    assert [axes.get_xlabel() for axes in drawn[0].axes] == ["accuracy (%)", "points (%)"]
    assert figures.draw_table([records[-1]], "Toy", tmp_path / "a.png") is None


def test_learning_curves_show_every_epoch_of_validation_and_test(drawn, tmp_path):
    details = {"history 0": [[1.0, 2.0], [3.0, 4.0]], "history 1": [[3.0, 4.0], [5.0, 8.0]]}
    records = [record("recipe", paper=7.0, details=details), record("ridge", details={})]
    figures.draw_learning_curves(records, "Toy", tmp_path / "a.png")
    (axes,) = (axes for axes in drawn[0].axes if axes.get_visible())
    curves = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_array_equal(curves["validation"], [2.0, 3.0])
    np.testing.assert_array_equal(curves["test"], [4.0, 6.0])
    assert curves["paper"][0] == 7.0
    assert figures.draw_learning_curves(records[1:], "Toy", tmp_path / "a.png") is None


def plain_figure(title):
    figure = Figure()
    figure.subplots().set_title(title)
    return figure


def test_a_figure_names_the_kind_of_its_data(tmp_path):
    figures.save(plain_figure("Toy (simulated-sensor)"), tmp_path / "a.png")
    assert imread(tmp_path / "a.png").ndim == 3
    for title in ("Toy", "really", "simulated-sensors"):
        with pytest.raises(ValueError, match="data kinds"):
            figures.save(plain_figure(title), tmp_path / "b.png")
    figures.save(plain_figure("a chip"), tmp_path / "c.png", shows_data=False)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.png", "c.png"]


def test_a_full_disk_leaves_the_old_figure(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_text("old")

    def full(_, file, **__):
        file.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(UserError, match=r"No space left on device.*results are kept"):
        figures.save(plain_figure("real"), path)
    assert [f.read_text() for f in tmp_path.iterdir()] == ["old"]
