"""Readouts against closed formulas, scikit-learn, and themselves in pieces."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from harness.errors import UserError
from harness.readouts.discriminative import DiscriminativeRidge
from harness.readouts.logistic import LogisticReadout
from harness.readouts.ridge import RidgeReadout


def blobs(count, width=6, classes=3, seed=0, spread=1.5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    centres = np.random.default_rng(99).normal(size=(classes, width)) * spread
    features = (centres[labels] + rng.normal(size=(count, width))).astype(np.float32)
    return features, labels


def test_ridge_equals_scikit_learn():
    x, labels = blobs(300)
    ours = RidgeReadout(3).partial_fit(x, labels).solve(1e-2)
    ridge = 1e-2 * np.trace(np.cov(x.T.astype(float), bias=True)) * len(x) / x.shape[1]
    theirs = Ridge(alpha=ridge).fit(x.astype(float), np.eye(3)[labels])
    np.testing.assert_allclose(ours.coef_, theirs.coef_.T, atol=1e-8)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-8)


def test_streaming_and_merging_give_the_same():
    x, labels = blobs(300)
    whole = RidgeReadout(3).partial_fit(x, labels).solve(1e-3)
    streamed = RidgeReadout(3)
    for start in range(0, 300, 70):
        streamed.partial_fit(x[start : start + 70], labels[start : start + 70])
    parts = [RidgeReadout(3).partial_fit(x[p], labels[p]) for p in (slice(120), slice(120, 300))]
    for other in (streamed.solve(1e-3), parts[0].merge(parts[1]).solve(1e-3)):
        np.testing.assert_allclose(other.coef_, whole.coef_, atol=1e-10)


def test_float32_products_predict_the_same():
    x, labels = blobs(2000, width=300)
    exact, fast = (
        RidgeReadout(3, products=p).partial_fit(x, labels).solve(3e-4)
        for p in (np.float64, np.float32)
    )
    np.testing.assert_allclose(fast.coef_, exact.coef_, atol=1e-4)
    assert np.mean(fast.predict(x) == exact.predict(x)) > 0.999


def test_penalty_comes_from_the_validation_rows():
    """With pure noise in 80 of 82 features and few rows, a strong penalty must win."""
    rng = np.random.default_rng(0)

    def rows(count):
        x, labels = blobs(count, width=2, seed=count)
        return np.concatenate([x, rng.normal(size=(count, 80)) * 3], 1), labels

    readout = RidgeReadout(3, (1e-8, 1.0)).partial_fit(*rows(90)).choose_penalty([rows(2000)])
    assert readout.penalty_ == 1.0


def test_chosen_readout_is_fitted_to_all_rows():
    training, validation = blobs(200), blobs(100, seed=1)
    chosen = RidgeReadout(3).partial_fit(*training).choose_penalty([validation])
    both = [np.concatenate(pair) for pair in zip(training, validation, strict=True)]
    whole = RidgeReadout(3).partial_fit(*both).solve(chosen.penalty_)
    np.testing.assert_allclose(chosen.coef_, whole.coef_, atol=1e-10)


def test_dragged_ridge_without_steps_is_ridge():
    training, validation = blobs(200), blobs(100, seed=1)
    plain = RidgeReadout(3).partial_fit(*training).choose_penalty([validation])
    discriminative = DiscriminativeRidge(3, steps=0).fit_with_validation(training, validation)
    assert discriminative.penalty_ == plain.penalty_
    np.testing.assert_allclose(discriminative.coef_, plain.coef_, atol=1e-5)
    np.testing.assert_allclose(discriminative.ridge_.coef_, plain.coef_, atol=1e-5)


def test_one_step_by_hand():
    """One feature, two classes: the second solve has targets max(s, 1) and min(s, 0)."""
    x = np.array([[-3.0], [-1.0], [1.0], [3.0]])
    labels = np.array([0, 0, 1, 1])
    readout = DiscriminativeRidge(2, (1e-9,), steps=1)
    readout.penalty_ = 1e-9
    ridge = RidgeReadout(2).partial_fit(x, labels)
    (first, second) = readout._path(ridge, [(x, labels)], 1)
    np.testing.assert_allclose(first[0][0], [-0.2, 0.2], atol=1e-6)
    scores = x @ first[0] + first[1]  # class 1: -0.1, 0.3, 0.7, 1.1
    targets = np.array([-0.1, 0.0, 1.0, 1.1])
    slope = (x[:, 0] * (targets - targets.mean())).sum() / (x[:, 0] ** 2).sum()
    assert scores[3, 1] == pytest.approx(1.1, abs=1e-6)
    assert second[0][0, 1] == pytest.approx(slope, abs=1e-6)


def test_with_few_rows_the_order_of_sums_does_not_matter():
    # Noise that all features share leaves directions of little variance, as rates of neurons do.
    x, labels = blobs(60, width=31, spread=0.1)
    x = (x @ (np.eye(31) + 3)).astype(np.float32)
    order = np.random.default_rng(0).permutation(60)
    parts = [(x[rows], labels[rows]) for rows in (np.arange(60), order)]
    ridge = DiscriminativeRidge(3, (1e-6,), steps=16)
    found = [clone(ridge).fit_with_validation(part, (x, labels)) for part in parts]
    assert found[0].steps_ == found[1].steps_ == 16
    np.testing.assert_allclose(found[0].coef_, found[1].coef_, rtol=0, atol=1e-9)


def test_every_step_lowers_the_loss():
    """The squared distance to the new targets falls from step to step."""
    x, labels = blobs(500)
    readout = DiscriminativeRidge(3, (1e-9,))
    readout.penalty_ = 1e-9
    ridge = RidgeReadout(3).partial_fit(x, labels)
    right = np.eye(3, dtype=bool)[labels]
    losses = []
    for coef, intercept in readout._path(ridge, [(x, labels)], 16):
        scores = x @ coef + intercept
        targets = np.where(right, scores.clip(min=1), scores.clip(max=0))
        losses.append(np.sum((targets - scores) ** 2))
    assert np.all(np.diff(losses) < 1e-3)
    assert losses[-1] < 0.8 * losses[0]


def test_logistic_equals_scikit_learn():
    x, labels = blobs(400)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    penalty = 1e-2
    ours = LogisticReadout(3, (penalty,), iterations=500).fit_with_validation(
        (x, labels), (x, labels)
    )
    model = LogisticRegression(C=1 / (penalty * 400), tol=1e-8, max_iter=2000)
    theirs = model.fit(x.astype(float), labels)
    shares = [
        np.exp(s - s.max(1, keepdims=True)) for s in (ours.scores(x), theirs.decision_function(x))
    ]
    a, b = (share / share.sum(1, keepdims=True) for share in shares)
    np.testing.assert_allclose(a, b, atol=2e-3)


def test_logistic_takes_constant_features_and_chooses():
    training, validation = blobs(300), blobs(200, seed=1)
    flat = [
        (np.concatenate([x, np.ones((len(x), 1), x.dtype)], 1), y)
        for x, y in (training, validation)
    ]
    readout = LogisticReadout(3, (1e3, 1e-3)).fit_with_validation(*flat)
    assert readout.penalty_ == 1e-3
    assert np.isfinite(readout.coef_).all()
    assert np.mean(readout.predict(flat[1][0]) == flat[1][1]) > 0.7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y: (x, y + 3), "3 classes"),
        (lambda x, y: (x, y - 1), "3 classes"),
        (lambda x, y: (x * np.nan, y), "NaN"),
        (lambda x, y: (x[:0], y[:0]), r"0 sample\(s\)"),
        (lambda x, y: (x, y[:-1]), "inconsistent numbers of samples"),
    ],
)
def test_unfit_rows_are_refused(change, words):
    with pytest.raises(UserError, match=words):
        RidgeReadout(3).partial_fit(*change(*blobs(50)))


def test_rows_of_another_width_are_refused():
    readout = RidgeReadout(3).partial_fit(*blobs(50))
    with pytest.raises(UserError, match="7 features, but RidgeReadout is expecting 6"):
        readout.partial_fit(*blobs(50, width=7))
    with pytest.raises(UserError, match="6 and 7 features"):
        readout.merge(RidgeReadout(3).partial_fit(*blobs(50, width=7)))


def refused_weights(estimator):
    """Several penalties with weights: the choice among them is on rows held out by number."""
    if not isinstance(estimator, RidgeReadout) or len(estimator.penalties) == 1:
        return {}
    names = ("not_an_array", "list", "shape", "not_overwritten", "pandas_series")
    names = [f"check_sample_weights_{name}" for name in names]
    names += [
        "check_sample_weight_equivalence_on_dense_data",
        "check_all_zero_sample_weights_error",
    ]
    names.append("check_classifiers_one_label_sample_weights")
    return dict.fromkeys(names, "exact for one penalty only")


@parametrize_with_checks(
    [RidgeReadout(penalties=(1e-3,)), RidgeReadout(), DiscriminativeRidge(), LogisticReadout()],
    expected_failed_checks=refused_weights,
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_a_row_of_weight_two_is_two_rows():
    x, labels = blobs(300)
    times = np.random.default_rng(1).integers(0, 4, 300)
    weighted = RidgeReadout(penalties=(1e-3,)).fit(x, labels, sample_weight=times)
    repeated = RidgeReadout(penalties=(1e-3,)).fit(np.repeat(x, times, 0), np.repeat(labels, times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=0, atol=1e-12)
    alone = RidgeReadout(penalties=(1e-3,)).fit(x, labels)
    assert not np.allclose(weighted.coef_, alone.coef_)
    in_parts = RidgeReadout(3, (1e-3,))
    for rows in (slice(100), slice(100, 300)):
        in_parts.partial_fit(x[rows], labels[rows], sample_weight=times[rows])
    assert np.array_equal(in_parts.predict(x), weighted.predict(x))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (-np.ones(50), "Negative values in data passed"),
        (np.zeros(50), "at least one non-zero|too small to solve"),
        (np.ones(49), "sample_weight"),
    ],
)
def test_unfit_weights_are_refused(weights, words):
    with pytest.raises(UserError, match=words):
        RidgeReadout(3, (1e-3,)).partial_fit(*blobs(50), sample_weight=weights)


def test_rows_that_were_added_are_in_the_next_prediction():
    x, labels = blobs(300)
    streamed = RidgeReadout(3, (1e-3,)).partial_fit(x[:30], labels[:30])
    before = streamed.decision_function(x)
    streamed.partial_fit(x[30:], labels[30:])
    whole = RidgeReadout(3, (1e-3,)).fit(x, labels)
    np.testing.assert_allclose(streamed.decision_function(x), whole.decision_function(x), atol=1e-9)
    assert not np.allclose(before, whole.decision_function(x))
    with pytest.raises(UserError, match="2 penalties are to choose among"):
        RidgeReadout(3, (1e-3, 1.0)).partial_fit(x, labels).predict(x)


@pytest.mark.parametrize("kind", [RidgeReadout, DiscriminativeRidge, LogisticReadout])
def test_labels_may_be_names(kind):
    x, labels = blobs(300)
    names = np.array(["ant", "bee", "cat"])[labels]
    readout = kind().fit(x, names)
    assert list(readout.classes_) == ["ant", "bee", "cat"]
    assert readout.score(x, names) > 0.8
    assert readout.score(x, np.random.default_rng(0).permutation(names)) < 0.5
    assert np.array_equal(readout.classes_[kind(3).fit(x, labels).predict(x)], readout.predict(x))


def test_two_classes_have_one_score():
    x, labels = blobs(300, classes=2)
    readout = RidgeReadout(penalties=(1e-3,)).fit(x, labels)
    assert readout.scores(x).shape == (300, 2)
    assert np.array_equal(readout.decision_function(x) > 0, readout.predict(x) == 1)


def test_a_label_that_the_first_rows_did_not_have_is_refused():
    x, labels = blobs(90)
    readout = RidgeReadout().partial_fit(x, labels, classes=[0, 1, 2])
    with pytest.raises(UserError, match="did not have"):
        readout.partial_fit(x, labels + 1)


def test_a_second_fit_forgets_the_first():
    x, labels = blobs(300)
    fresh = RidgeReadout(penalties=(1e-3,)).fit(x[:100], labels[:100])
    again = RidgeReadout(penalties=(1e-3,)).fit(x, labels).fit(x[:100], labels[:100])
    assert np.array_equal(fresh.coef_, again.coef_)
