"""`LSMClassifier` keeps scikit-learn's conventions, and learns."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data

from harness.readouts.discriminative import DiscriminativeRidge
from harness.readouts.ridge import RidgeReadout
from harness.run.config import smoke_config
from harness.run.protocol import Run
from lsm import (
    Chip,
    LSMClassifier,
    LSMEncoder,
    ReadConfig,
    SpikeTrains,
    StateFeatures,
    ZeroShotRetriever,
)
from lsm.data import nmnist as recordings
from lsm.data.nmnist import Events
from lsm.tables import nmnist
from lsm.tables.supervised import chip_ridge
from rram import UserError

ONE = RidgeReadout(penalties=(1e-3,))


def spikes(count=90, seed=0):
    """Three classes: the first, the middle, or the last third of the channels is busy."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    busy = np.arange(30) // 10 == labels[:, None]
    X = rng.random((count, 20, 30)) < np.where(busy, 0.3, 0.05)[:, None]
    return X, np.array(["first", "middle", "last"])[labels]


@pytest.fixture(scope="module")
def fitted():
    return LSMClassifier(60, const=0.15).fit(*spikes())


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
    options = {"const": 0.15, "features": StateFeatures(windows=4), "readout": ONE}
    noisy = LSMClassifier(60, chip=Chip(seed=4), read=ReadConfig(0.02), **options)
    assert noisy.fit(X, y).score(*spikes(60, seed=1)) > 0.8
    assert noisy.readout_.coef_.shape == (240, 3)
    assert np.array_equal(noisy.predict(X), noisy.predict(X))
    other = LSMClassifier(60, const=0.15, chip=1).fit(X, y)
    assert not np.array_equal(other.decision_function(X), fitted.decision_function(X))


@pytest.mark.parametrize("noise_per", ["product", "batch"])
def test_noisy_liquids_survive_another_process_and_a_file(noise_per, tmp_path):
    X, y = spikes()
    read = ReadConfig(0.05, noise_per=noise_per)
    model = LSMClassifier(60, const=0.15, read=read, readout=ONE).fit(X, y)
    scores = model.decision_function(X)
    for again in (
        pickle.loads(pickle.dumps(model)),
        LSMClassifier.load(model.save(tmp_path / "m")),
    ):
        np.testing.assert_array_equal(again.decision_function(X), scores)


class OnRows(LSMClassifier):
    """Takes rows of numbers, as scikit-learn's checks give them: a channel for every level."""

    def __init__(self, readout=None):
        super().__init__(100, const=0.3, readout=readout)

    def fit(self, X, y):
        X, y = validate_data(self, X, y)
        width = self.n_features_in_
        super().fit(X, y)
        self.n_features_in_ = width
        return self

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(validate_data(self, X, reset=False))

    def _trains(self, X):
        levels = np.linspace(-6, 6, 40)
        spikes = np.abs(X[:, :, None] - levels).reshape(len(X), -1) < 0.5
        return SpikeTrains.from_dense(np.tile(spikes, (8, 1, 1))), None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = True, False
        return tags


@pytest.mark.filterwarnings("ignore")
def test_all_checks_of_scikit_learn():
    checked = check_estimator(OnRows(ONE), on_fail=None)
    failed = [check["check_name"] for check in checked if check["status"] == "failed"]
    assert failed == [] and len(checked) > 40


WITHOUT_ROWS = (
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_get_params_invariance",
    "check_set_params",
)


@pytest.mark.parametrize("estimator", [LSMEncoder(), LSMClassifier(), ZeroShotRetriever()])
@pytest.mark.parametrize("name", WITHOUT_ROWS)
def test_checks_of_scikit_learn_that_need_no_rows(estimator, name):
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


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
        LSMClassifier(30).fit(*change(*spikes()))


def test_unfit_options_and_other_shapes_are_refused(fitted):
    with pytest.raises(ValueError, match="decay"):
        LSMClassifier(30, decay=2).fit(*spikes())
    with pytest.raises(ValueError, match="19 steps and 30 channels"):
        fitted.predict(spikes()[0][:, 1:])


def events(count=60, seed=0, named=True):
    """Recordings of three classes: events move left, stay, or move right; as tonic gives them."""
    rng = np.random.default_rng(seed)
    labels, X = rng.integers(0, 3, count), []
    for label in labels:
        t = np.sort(rng.integers(0, 300_000, rng.integers(150, 250)))
        x = rng.normal(8 + (label - 1) * (t - 150_000) / 40_000, 1).clip(0, 15).astype(int)
        columns = x, rng.integers(0, 4, len(t)), t, rng.integers(0, 2, len(t))
        dtype = [("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "i1")]
        X.append(
            np.array(list(zip(*columns, strict=True)), dtype) if named else np.stack(columns, 1)
        )
    return X, labels


def test_learns_recordings_of_events_in_a_pipeline_and_a_search():
    X, y = events()
    encoder = LSMEncoder(60, const=0.3, features=StateFeatures(windows=3), steps=30)
    model = make_pipeline(encoder, RidgeReadout()).fit(X, y)
    assert model.score(*events(60, seed=1)) > 0.8
    classifier = LSMClassifier(60, const=0.3, features=StateFeatures(windows=3), steps=30)
    search = GridSearchCV(classifier, {"const": [1e-4, 0.3]}, cv=2)
    with pytest.warns(UserWarning, match="no neuron fired in .* samples .*raise const, 0.0001"):
        assert search.fit(X, y).best_params_ == {"const": 0.3}
    found = search.best_estimator_
    width = 1 + max(recording["x"].max() for recording in X)
    assert tuple(found.sensor_) == (width, 4, 2) and found.n_features_in_ == 8 * width
    assert found.predict(X[:9]).shape == (9,)
    plain, _ = events(named=False)
    assert np.array_equal(found.decision_function(plain), found.decision_function(X))


def test_features_have_names():
    X, _ = events(9)
    read = StateFeatures(windows=2, traces=(0.5,), membranes=1)
    encoder = LSMEncoder(60, const=0.3, features=read)
    features = encoder.fit_transform(X)
    names = encoder.get_feature_names_out()
    assert len(names) == features.shape[1] == 240
    assert [names[n] for n in (0, 61, 120, 239)] == [
        "rate_window0_neuron0", "rate_window1_neuron1", "trace0_neuron0", "membrane0_neuron59",
    ]  # fmt: skip
    assert np.array_equal(features, encoder.transform(X))
    frame = encoder.set_output(transform="default").transform(X)
    assert frame.shape == (9, 240)


def test_events_are_binned_as_in_the_paper():
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 300_000, 400))
    x, y = rng.integers(0, 16, (2, 400))
    raw = Events(x + 9, y + 9, np.zeros(400, np.uint8), t)
    encoder = LSMEncoder(sensor=(16, 16, 1)).fit(
        [np.stack([x, y, t], 1), np.stack([x, y, t], 1)[:300]]
    )
    trains, _ = encoder._trains([np.stack([x, y, t], 1), np.stack([x, y, t], 1)[:300]])
    keys = recordings.bin_events(raw)
    assert np.array_equal(trains.take(slice(1)).channels, keys % 256)


BAD = {
    "recording 1: x of float64, expected whole numbers": lambda e: e.astype(float),
    r"recording 1: time runs backwards from event \d+": lambda e: e[::-1],
    r"recording 1: x from 0 to 99, expected 0 to 15: the sensor is \(16, 4, 2\)": lambda e: (
        np.concatenate([[[0, 0, 0, 0], [99, 0, 0, 0]], e])
    ),
    r"recording 1 of shape \(\d+, 5\): expected fields x, y, t, p": lambda e: np.tile(e, 2)[:, :5],
    "recording 1: no events": lambda e: e[:0],
}


@pytest.mark.parametrize("said", BAD)
def test_bad_events_are_refused_with_what_was_got_and_expected(said):
    X, y = events(named=False)
    model = LSMClassifier(30, const=0.3, sensor=(16, 4, 2), readout=ONE)
    with pytest.raises(UserError, match=said):
        model.fit([X[0], BAD[said](X[1]), *X[2:]], y)


def test_other_bad_input_is_refused():
    X, y = events()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        LSMClassifier().predict(X)
    with pytest.raises(UserError, match="class rare has 1 sample: expected 2 or more"):
        LSMClassifier(30, const=0.3).fit(X, ["rare", *["often"] * 29, *["other"] * 30])
    with pytest.raises(UserError, match="recording 0 with fields a, t: expected t and x"):
        LSMEncoder().fit([np.zeros(3, [("a", int), ("t", int)])] * 2)
    with pytest.raises(UserError, match="60 samples and 59 labels: expected one label each"):
        LSMClassifier(30).fit(X, y[:-1])
    fitted = LSMEncoder(30, const=0.3, sensor=(16, 4, 2)).fit(X)
    with pytest.raises(UserError, match="x from 0 to 16, expected 0 to 15"):
        fitted.transform([np.array([[0, 0, 0, 0], [16, 0, 1, 0]]), np.array([[0, 0, 0, 0]])])


@pytest.mark.parametrize("chip", [0, 1])
def test_the_digits_of_the_table_on_its_tiny_data(chip, tmp_path):
    """With the chip's read noise: every sample meets that of its place in the table."""
    run = Run(smoke_config(nmnist.NmnistConfig), [0], "cpu", tmp_path, tmp_path, smoke=True)
    run.data = data = nmnist.load(run)
    values = chip_ridge(run, chip).values
    readout = DiscriminativeRidge(None, run.config.penalties, run.config.discriminative_steps)
    model = LSMClassifier(chip=chip, read=ReadConfig(0.02), readout=readout)
    model.fit(data.train, data.train_labels)
    assert 100 * model.score(data.test, data.test_labels) == pytest.approx(values["accuracy"])
    plain = model.readout_.ridge_.predict(model.transform(data.test))
    assert 100 * np.mean(plain == data.test_labels) == pytest.approx(
        values["accuracy, plain ridge"]
    )
