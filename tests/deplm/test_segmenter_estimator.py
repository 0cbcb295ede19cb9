"""`DEPLMSegmenter` labels points, knows categories, and is the ridge of the table."""

import pickle

import numpy as np
import pytest
import torch

from deplm import DEPLMSegmenter, PointNetwork, SetAbstraction
from deplm.encoder import encode
from deplm.estimators.inputs import as_clouds
from deplm.tables.seg_readout import Choice, PartStatistics, solve
from harness.readouts.ridge import RidgeReadout
from rram import UserError

ONE = RidgeReadout(penalties=(1e-3,))
SMALL = PointNetwork(
    0, (SetAbstraction(6, 20, 8, 0.3), SetAbstraction(9, 6, 4, 0.5), SetAbstraction(30))
)


def parts(count, seed=0):
    """Clouds of a ball's points: the upper and the lower part, of category 1 the sides too."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(n, 3)) for n in rng.integers(60, 100, count)]
    X = [cloud / np.linalg.norm(cloud, axis=1, keepdims=True) for cloud in X]
    categories = np.arange(count) % 2
    y = [(c[:, 2] > 0) + 2 * k * (c[:, 0] > 0) for c, k in zip(X, categories, strict=True)]
    return X, y, categories


def test_segmenter_labels_points_and_knows_categories(tmp_path):
    X, y, categories = parts(40)
    model = DEPLMSegmenter().fit(X, y, categories)
    test = parts(10, seed=1)
    assert model.score(*test) > 0.8 and list(model.classes_) == [0, 1, 2, 3]
    predicted = model.predict(test[0], test[2])
    assert [len(p) for p in predicted] == [len(cloud) for cloud in test[0]]
    assert set(np.concatenate(predicted[::2])) <= {0, 1}  # category 0 has two parts
    shuffled = [np.random.default_rng(0).permutation(labels) for labels in test[1]]
    assert model.score(test[0], shuffled, test[2]) < 0.6
    without = DEPLMSegmenter().fit(X[::2], y[::2])
    assert without.score(test[0][::2], test[1][::2]) > 0.9
    array = np.stack([cloud[:60] for cloud in test[0]])
    assert without.predict(array).shape == (10, 60)
    assert np.array_equal(
        pickle.loads(pickle.dumps(without)).predict(array), without.predict(array)
    )


def test_segmenter_is_the_ridge_of_the_table():
    """Plain ridge of `deplm.tables.seg_readout` on the same features, penalty and points."""
    X, y, _ = parts(20)
    readout = RidgeReadout(penalties=(1e-4,))
    model = DEPLMSegmenter(readout=readout).fit(X, y)
    clouds_ = as_clouds(X, model.network_, "train")
    statistics = PartStatistics()
    for indices, (features,) in encode(clouds_, [model.encoder_]):
        for n, rows in zip(indices, features, strict=True):
            rows = torch.from_numpy(rows[: len(y[n])])
            statistics.add(PartStatistics.of(rows, torch.from_numpy(y[n])))
    (table,) = solve(statistics, [Choice(1e-4, 0.0, plain=True)])
    np.testing.assert_allclose(model.readouts_[0].coef_, table.coef[:, :4], rtol=0, atol=1e-4)


def test_unfit_segments_are_refused():
    X, y, categories = parts(8)
    cases = [
        ((X, [*y[:-1], y[-1][:-1]]), r"cloud 7: labels of shape \(\d+,\), \d+ points"),
        ((X, y, categories[:-1]), r"categories \(7,\) of int64: expected \(8,\)"),
        ((X, y, categories - 1), "whole numbers from 0"),
        ((X, y, np.arange(8) // 7), "category 1 has 1 cloud: expected 2 or more"),
    ]
    for arguments, said in cases:
        with pytest.raises(UserError, match=said):
            DEPLMSegmenter().fit(*arguments)
    model = DEPLMSegmenter(readout=ONE).fit(X, y)
    with pytest.raises(UserError, match=r"category 1: expected one of \[0\]"):
        model.predict(X, categories)
    with pytest.raises(UserError, match="4 values a point, expected 3"):
        model.predict([np.ones((60, 4))])
    with pytest.raises(UserError, match="expected None or a PartNetwork"):
        DEPLMSegmenter(SMALL).fit(X, y)
