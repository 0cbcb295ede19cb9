import numpy as np
import pytest

from deplm.data.seg_categories import CATEGORIES
from deplm.data.stand_ins.seg_shapenet import build
from deplm.tables.seg_figures import (
    draw_category_bars,
    draw_predictions,
    draw_shapes,
)
from deplm.training.seg_scores import part_confusion


@pytest.fixture(scope="module")
def shapes():
    built = []
    for number in (0, 10):
        rows = build(CATEGORIES[number], np.random.default_rng(number))
        built.append((number, rows[:, :3], rows[:, 6].astype(np.uint8)))
    return built


def is_png(path):
    return path.read_bytes()[1:4] == b"PNG"


def test_pictures_are_written(shapes, tmp_path):
    assert is_png(draw_shapes(shapes, tmp_path / "a.png", title="synthetic shapes"))
    predicted = [(*shape, shape[2]) for shape in shapes]
    assert is_png(draw_predictions(predicted, tmp_path / "b.png", title="a row, synthetic"))
    values = np.linspace(40, 90, 16)
    values[3] = np.nan  # a category without shapes
    assert is_png(
        draw_category_bars({"DEPLM": values}, tmp_path / "c.png", title="a row, synthetic")
    )


def test_confusion_counts_true_down_and_predicted_across():
    true, predicted = np.uint8([4, 4, 4, 5, 5, 4]), np.uint8([4, 5, 5, 5, 4, 4])
    counts = part_confusion(true, predicted, CATEGORIES[1].labels)
    np.testing.assert_array_equal(counts, [[2, 2], [1, 1]])
