"""DEPLM's estimators keep scikit-learn's conventions, learn, and give the tables' digits."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from deplm import (
    ArrayClouds,
    Chip,
    DEPLMClassifier,
    DEPLMSegmenter,
    PointNetwork,
    ReadConfig,
    SetAbstraction,
)
from deplm.plus import ImagePlusNetwork, Window
from deplm.points import image_points
from harness.readouts.discriminative import DiscriminativeRidge
from harness.readouts.logistic import LogisticReadout
from harness.readouts.ridge import RidgeReadout
from rram import UserError

ONE = RidgeReadout(penalties=(1e-3,))
SMALL = PointNetwork(
    features=0,
    abstractions=(
        SetAbstraction(6, centres=20, neighbours=8, radius=0.3),
        SetAbstraction(9, centres=6, neighbours=4, radius=0.5),
        SetAbstraction(30),
    ),
)


def clouds(count=90, seed=0):
    """Three classes: points spread along x, along y, along z."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    points = rng.normal(0, 0.05, (count, 40, 3))
    points[np.arange(count), :, labels] *= 8
    return points, np.array(["along x", "along y", "along z"])[labels]


@pytest.fixture(scope="module")
def fitted():
    return DEPLMClassifier(SMALL, readout=ONE).fit(*clouds())


def test_learns_clouds_with_labels_of_any_kind(fitted):
    X, y = clouds(60, seed=1)
    assert fitted.score(X, y) > 0.9
    assert list(fitted.classes_) == ["along x", "along y", "along z"]
    assert fitted.decision_function(X).shape == (60, 3)
    shuffled = np.random.default_rng(0).permutation(y)
    assert fitted.score(X, shuffled) < 0.6  # what labels by chance would give


def test_penalty_is_chosen_where_none_is_given():
    chosen = DEPLMClassifier(SMALL).fit(*clouds())
    assert chosen.readout_.penalty_ > 0
    assert chosen.score(*clouds(60, seed=1)) > 0.9


def test_two_classes_have_one_score():
    X, y = clouds()
    two = y != "along z"
    model = DEPLMClassifier(SMALL, readout=ONE).fit(X[two], y[two])
    scores = model.decision_function(X)
    assert scores.shape == (90,)
    assert np.array_equal(model.predict(X), np.where(scores > 0, "along y", "along x"))


def images(count, seed=0):
    """Bright on the left or on the right."""
    rng = np.random.default_rng(seed)
    labels, pixels = rng.integers(0, 2, count), rng.integers(0, 100, (count, 28, 28))
    pixels[labels == 0, :, :14] += 100
    pixels[labels == 1, :, 14:] += 100
    return pixels, labels


@pytest.mark.parametrize(
    "network", [None, ImagePlusNetwork(((Window(8, 1),),), cells=(7,))], ids=["paper", "plus"]
)
def test_learns_images_of_any_range(network):
    model = DEPLMClassifier(network, readout=ONE).fit(*images(40))
    X, y = images(30, seed=1)
    assert model.score(X, y) > 0.9 and model.pixel_range_ == (0, 255)
    scaled = DEPLMClassifier(network, readout=ONE).fit(images(40)[0] / 255.0, images(40)[1])
    assert scaled.score(X / 255.0, y) > 0.9 and scaled.pixel_range_[1] < 1


def test_image_points_by_hand():
    points = image_points(np.array([[[0, 255], [255, 0]]], np.uint8))
    expected = [[-1, -0.5, -0.5], [1, 0, -0.5], [1, -0.5, 0], [-1, 0, 0]]
    assert np.array_equal(points[0], np.array(expected, np.float32))


def test_chips_and_reads_reach_the_features():
    X, y = clouds(30)
    features = [
        DEPLMClassifier(SMALL, readout=ONE, **options).fit(X, y).decision_function(X)
        for options in (
            {},
            {"chip": 1},
            {"chip": Chip(seed=1)},
            {"read": ReadConfig(read_noise=0.05)},
        )
    ]
    assert np.array_equal(features[1], features[2])
    assert not np.allclose(features[0], features[1]) and not np.allclose(features[0], features[3])


@pytest.mark.parametrize(
    "read", [ReadConfig(0.05, input_bits=4), ReadConfig(0.05, noise_per="batch")]
)
def test_noisy_networks_survive_another_process(read):
    X, y = clouds(30)
    model = DEPLMClassifier(SMALL, read=read, readout=ONE).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))


class OnRows(DEPLMClassifier):
    """Takes rows of numbers, as scikit-learn's checks give them: a point for each number."""

    def __init__(self, readout=None):
        local = SetAbstraction(8, 6, 4, 3.0), SetAbstraction(12, 3, 3, 5.0)
        super().__init__(PointNetwork(0, (*local, SetAbstraction(40))), readout=readout)

    def _features_in(self, X):
        if X.ndim != 2:
            raise UserError(f"X of shape {X.shape}: Reshape your data")
        return X.shape[1]

    def _clouds(self, X, network, name):
        count = max(8, X.shape[1])
        points = np.zeros((len(X), count, 3))
        points[..., 0] = X[:, np.resize(np.arange(X.shape[1]), count)]
        points[..., 1] = np.arange(count)
        return ArrayClouds(name, points)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = True, False
        return tags


@pytest.mark.filterwarnings("ignore")
def test_all_checks_of_scikit_learn():
    """All but one: in float32 the company of a sample moves its scores by about 1e-6."""
    invariance = {"check_methods_subset_invariance": "float32"}
    checked = check_estimator(OnRows(ONE), expected_failed_checks=invariance, on_fail=None)
    failed = [check["check_name"] for check in checked if check["status"] == "failed"]
    assert failed == [] and len(checked) > 40


def test_what_the_checks_on_rows_ask_holds_on_clouds(fitted):
    """Fitting twice, cloning, pickling, subsets and order change nothing; neither does use."""
    X, y = clouds()
    scores, before = fitted.decision_function(X), dict(vars(fitted))
    again = clone(fitted)
    assert not hasattr(again, "classes_") and again.get_params()["network"] == SMALL
    for other in (again.fit(X, y), again.fit(X, y), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.decision_function(X), scores)
    assert fitted.fit(X, y) is fitted
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(fitted.decision_function(X[order]), scores[order], atol=1e-5)
    alone = np.concatenate([fitted.decision_function(X[n : n + 1]) for n in range(10)])
    np.testing.assert_allclose(alone, scores[:10], atol=1e-5)
    assert vars(fitted).keys() == before.keys() and fitted.n_features_in_ == 3
    params = fitted.get_params(deep=False)
    assert params["network"] is SMALL and all(params[n] is before[n] for n in params)
    learned = {name for name in vars(fitted) if name not in params}
    assert all(name.endswith("_") for name in learned)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda X, y: (X[:, :, :2], y), r"2 values a point: expected \(clouds, points, 3\)"),
        (lambda X, y: (X[:, 0], y), r"\(clouds, points, 3 or more\)"),
        (lambda X, y: (X[:, :10], y), "10 points a cloud, this network needs 20"),
        (lambda X, y: (X * 1e6, y), "scale the clouds"),
        (lambda X, y: (np.where(X > 1, np.nan, X), y), "NaN"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X, np.zeros(len(y))), "two are needed"),
        (lambda X, y: (X, np.linspace(0, 1, len(y))), "continuous"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
    ],
)
def test_unfit_input_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        DEPLMClassifier(SMALL, readout=ONE).fit(*change(*clouds()))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"network": "video"}, "expected None, or one of PointNetwork"),
        ({"chip": -1}, "seed is -1"),
    ],
)
def test_unfit_options_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        DEPLMClassifier(**{"network": SMALL, **options}).fit(*clouds())


def test_other_clouds_than_those_fitted_are_refused(fitted):
    with pytest.raises(UserError, match="2 features, but DEPLMClassifier is expecting 3"):
        fitted.predict(clouds()[0][..., :2])


def ragged(count=90, seed=0):
    """The clouds of `clouds`, each without some of its last points."""
    X, y = clouds(count, seed)
    lengths = np.random.default_rng(seed + 7).integers(25, 41, count)
    return [cloud[:length] for cloud, length in zip(X, lengths, strict=True)], y


def test_clouds_of_different_lengths_have_the_features_that_each_has_alone(fitted):
    X, y = ragged()
    together = fitted.transform(X)
    alone = np.concatenate([fitted.transform(cloud[None]) for cloud in X])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    assert not np.allclose(together, fitted.transform(clouds()[0]), atol=1e-2)
    model = DEPLMClassifier(SMALL, readout=ONE).fit(X, y)
    assert model.score(*ragged(60, seed=1)) > 0.9
    assert np.array_equal(model.predict(clouds(9)[0]), model.predict(list(clouds(9)[0])))


def test_clouds_need_no_network_of_ones_own():
    X, y = clouds(60)
    model = DEPLMClassifier().fit(X, y)
    assert model.network_.abstractions[0].centres == 40
    assert model.score(*clouds(30, seed=1)) > 0.9
    names = model.get_feature_names_out()
    assert names[0] == "deplmclassifier0" and len(names) == model.transform(X).shape[1] == 819


def test_readouts_of_all_kinds():
    X, y = clouds()
    for readout in (
        DiscriminativeRidge(steps=2),
        LogisticReadout(penalties=(1e-2,)),
        LogisticRegression(),
    ):
        model = DEPLMClassifier(SMALL, readout=readout).fit(X, y)
        assert type(model.readout_) is type(readout) and model.readout_ is not readout
        assert model.score(*clouds(60, seed=1)) > 0.9


def test_pipeline_grid_search_and_joblib(tmp_path):
    X, y = ragged(60)
    smaller = FunctionTransformer(lambda clouds: [cloud / 2 for cloud in clouds])
    piped = Pipeline([("scale", smaller), ("deplm", DEPLMClassifier(SMALL, readout=ONE))])
    assert piped.fit(X, y).score(*ragged(30, seed=1)) > 0.8
    grid = {"chip": [0, 1], "readout__penalties": [(1e-3,), (1e3,)]}
    search = GridSearchCV(DEPLMClassifier(SMALL, readout=ONE), grid, cv=2).fit(X, y)
    assert search.best_params_["readout__penalties"] == (1e-3,) and search.best_score_ > 0.7
    joblib.dump(search.best_estimator_, tmp_path / "model")
    again = joblib.load(tmp_path / "model")
    assert np.array_equal(again.decision_function(X), search.best_estimator_.decision_function(X))


@pytest.mark.slow
def test_in_several_processes():
    X, y = ragged(60)
    search = GridSearchCV(DEPLMClassifier(SMALL, readout=ONE), {"chip": [0, 1]}, cv=2)
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    again = search.set_params(n_jobs=2).fit(X, y).cv_results_["mean_test_score"]
    assert np.array_equal(alone, again)


def test_bad_clouds_are_refused_with_what_was_got_and_expected():
    X, y = ragged(30)
    cases = [
        ([*X[:-1], X[0][:, :2]], y, r"cloud 29 of shape \(.*, 2\): expected \(points, 3 or more\)"),
        ([*X[:-1], np.ones((30, 4))], y, "cloud 29 has 4 values a point, cloud 0 3"),
        ([*X[:-1], X[0] * np.nan], y, "cloud 29: NaN or infinite"),
        ([*X[:-1], X[0][:19]], y, "cloud 29 has 19 points a cloud, this network needs 20"),
        ([*X[:-1], X[0].astype(str)], y, "cloud 29 of <U32: expected numbers"),
        (X, ["rare", *["often"] * 29], "class often has|class rare has 1 sample: expected 2"),
    ]
    for bad, labels, said in cases:
        with pytest.raises(UserError, match=said):
            DEPLMClassifier(SMALL).fit(bad, labels)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        DEPLMClassifier(SMALL).predict(X)


@pytest.mark.filterwarnings("ignore:layer 2")
@pytest.mark.parametrize(
    ("scale", "said"), [(100, "hold a single point"), (1e-3, "the same points")]
)
def test_coordinates_that_do_not_suit_the_radii_are_told(scale, said):
    X, y = clouds(30)
    with pytest.warns(UserWarning, match=rf"layer 1, radius 0.3, clouds that span .*{said}"):
        DEPLMClassifier(SMALL, readout=ONE).fit(X * scale, y)


WITHOUT_ROWS = (
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_get_params_invariance",
    "check_set_params",
)


@pytest.mark.parametrize("estimator", [DEPLMClassifier(), DEPLMSegmenter()])
@pytest.mark.parametrize("name", WITHOUT_ROWS)
def test_checks_of_scikit_learn_that_need_no_rows(estimator, name):
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)
