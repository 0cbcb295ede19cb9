"""`LiquidClassifier` keeps scikit-learn's conventions, and learns."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks

from lsm import Chip, LiquidClassifier, ReadConfig, SpikeTrains, StateFeatures


def spikes(count=90, seed=0):
    """Three classes: the first, the middle, or the last third of the channels is busy."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    busy = np.arange(30) // 10 == labels[:, None]
    X = rng.random((count, 20, 30)) < np.where(busy, 0.3, 0.05)[:, None]
    return X, np.array(["first", "middle", "last"])[labels]


@pytest.fixture(scope="module")
def fitted():
    return LiquidClassifier(60, const=0.15).fit(*spikes())


def test_learns_spikes_with_labels_of_any_kind(fitted):
    X, y = spikes(60, seed=1)
    assert fitted.score(X, y) > 0.9
    assert fitted.score(X, np.random.default_rng(0).permutation(y)) < 0.6
    assert list(fitted.classes_) == ["first", "last", "middle"]
    assert fitted.decision_function(X).shape == (60, 3)
    trains = SpikeTrains.from_dense(X.transpose(1, 0, 2))
    assert np.array_equal(fitted.predict(trains), fitted.predict(X))


def test_own_chip_noise_and_features(fitted):
    X, y = spikes()
    options = {"const": 0.15, "features": StateFeatures(windows=4), "penalty": 1e-3}
    noisy = LiquidClassifier(60, chip=Chip(seed=4), read_config=ReadConfig(0.02), **options)
    assert noisy.fit(X, y).score(*spikes(60, seed=1)) > 0.8
    assert noisy.readout_.coef_.shape == (240, 3)
    assert np.array_equal(noisy.predict(X), noisy.predict(X))
    other = LiquidClassifier(60, const=0.15, chip_seed=1).fit(X, y)
    assert not np.array_equal(other.decision_function(X), fitted.decision_function(X))


APPLICABLE = (
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimators_unfitted",
)


@pytest.mark.parametrize("name", APPLICABLE)
def test_checks_of_scikit_learn_that_need_no_rows_of_real_numbers(name):
    """The other checks give rows of real numbers, which are no spikes."""
    getattr(estimator_checks, name)("LiquidClassifier", LiquidClassifier(30))


@pytest.mark.parametrize("option", ["fit again", "clone", "pickle"])
def test_what_the_checks_on_rows_ask_holds_on_spikes(fitted, option):
    X, y = spikes()
    scores, before = fitted.decision_function(X), fitted.get_params()
    other = {
        "fit again": lambda: fitted.fit(X, y),
        "clone": lambda: clone(fitted).fit(X, y),
        "pickle": lambda: pickle.loads(pickle.dumps(fitted)),
    }[option]()
    np.testing.assert_array_equal(other.decision_function(X), scores)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(other.decision_function(X[order]), scores[order], atol=1e-9)
    np.testing.assert_allclose(other.decision_function(X[:5]), scores[:5], atol=1e-9)
    assert other.get_params() == before and other.n_features_in_ == 30
    learned = {name for name in vars(other) if name not in before}
    assert all(name.endswith("_") for name in learned)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[:, 0], y), "Reshape your data"),
        (lambda X, y: (X * 0.5, y), "0 or 1"),
        (lambda X, y: (np.where(X, np.nan, 0), y), "0 or 1"),
        (lambda X, y: (X, y[:-1]), "90 samples and 89 labels"),
        (lambda X, y: (X, np.zeros(90)), "two are needed"),
        (lambda X, y: (X, np.linspace(0, 1, 90)), "continuous"),
        (lambda X, y: (X[:0], y[:0]), "0 samples"),
    ],
)
def test_unfit_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        LiquidClassifier(30).fit(*change(*spikes()))


def test_unfit_options_and_other_shapes_are_refused(fitted):
    with pytest.raises(ValueError, match="penalty is -1"):
        LiquidClassifier(30, penalty=-1).fit(*spikes())
    with pytest.raises(ValueError, match="decay"):
        LiquidClassifier(30, decay=2).fit(*spikes())
    with pytest.raises(ValueError, match="19 steps and 30 channels"):
        fitted.predict(spikes()[0][:, 1:])
