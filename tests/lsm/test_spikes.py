import numpy as np
import pytest

from harness.errors import UserError
from lsm.spikes import SpikeTrains


def dense(seed=0, shape=(6, 5, 9)):
    return (np.random.default_rng(seed).random(shape) < 0.3).astype(np.float32)


def test_dense_and_back():
    x = dense()
    trains = SpikeTrains.from_dense(x)
    assert np.array_equal(trains.dense(), x)
    assert trains.density == pytest.approx(x.mean())
    assert np.array_equal(trains.counts(), x.sum(0))
    assert np.array_equal(trains.counts(3)[:, 9:18], x[2:4].sum(0))


def test_repeated_events_count_once_in_any_order():
    columns = np.array([[1, 3, 8], [0, 2, 4], [1, 3, 8], [1, 0, 0]]).T
    trains = SpikeTrains.from_events(*columns, (2, 4, 9))
    assert trains.channels.tolist() == [4, 0, 8]
    assert trains.dense()[3, 1, 8] == 1


@pytest.mark.parametrize(
    "samples", [slice(1, 4), np.array([3, 0, 3]), np.array([True] * 2 + [False] * 3)]
)
def test_take_is_indexing(samples):
    x = dense()
    assert np.array_equal(SpikeTrains.from_dense(x).take(samples).dense(), x[:, samples])


def test_concatenate():
    a, b = dense(0), dense(1)
    joined = SpikeTrains.concatenate([SpikeTrains.from_dense(a), SpikeTrains.from_dense(b)])
    assert np.array_equal(joined.dense(), np.concatenate([a, b], 1))


def test_bad_events_are_said():
    one = np.array([0])
    with pytest.raises(UserError, match="channels 9 to 9"):
        SpikeTrains.from_events(one, one, one + 9, (1, 1, 9))
    with pytest.raises(UserError, match="0 or 1"):
        SpikeTrains.from_dense(np.full((1, 1, 1), 2))
    with pytest.raises(UserError, match="different"):
        SpikeTrains.concatenate([SpikeTrains.from_dense(dense(shape=(2, 2, s))) for s in (3, 4)])


GOOD = {"rows": np.array([0, 2, 2, 3, 5]), "channels": np.array([1, 4, 0, 2, 3])}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channels": np.array([1, 9, 0, 2, 3])}, "channels 0 to 9: 0 to 8"),
        ({"channels": np.array([-1, 4, 0, 2, 3])}, "channels -1 to 4"),
        ({"channels": np.array([4, 4, 0, 2, 3])}, "ascend, each once"),
        ({"channels": np.array([4, 1, 0, 2, 3])}, "ascend, each once"),
        ({"channels": np.array([1, 4, 0, 2.0, 3])}, "channels: float64"),
        ({"channels": np.array([1, np.nan, 0, 2, 3])}, "integers"),
        ({"channels": GOOD["channels"][None]}, r"\(1, 5\), expected a row"),
        ({"channels": GOOD["channels"][:4]}, "rise from 0 to the number of spikes, 4"),
        ({"rows": np.array([0, 2, 1, 3, 5])}, "must rise"),
        ({"rows": np.array([1, 2, 2, 3, 5])}, "must rise"),
        ({"rows": np.array([0, 2, 3, 5])}, "4 rows"),
        ({"rows": np.zeros(0, np.int64)}, "0 rows"),
        ({"rows": GOOD["rows"] / 1}, "rows: float64"),
        ({"steps": 0}, "steps is 0"),
        ({"inputs": 70_000}, "1 to 65536"),
    ],
)
def test_arrays_that_are_no_spike_trains_are_refused(changed, message):
    good = {**GOOD, "steps": 2, "inputs": 9}
    assert len(SpikeTrains(**good)) == 2
    with pytest.raises(UserError, match=message):
        SpikeTrains(**{**good, **changed})


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (([0], [1.5], [3]), "steps: float64"),
        (([0], [-1], [3]), "steps -1 to -1: 0 to 3"),
        (([0], [4], [3]), "steps 4 to 4"),
        (([2], [1], [3]), "samples 2 to 2"),
        (([0, 1], [1], [3]), "2 samples, 1 steps"),
        (([[0]], [[1]], [[3]]), "expected a row of integers"),
        (([0], [np.nan], [3]), "integers"),
    ],
)
def test_events_out_of_range_or_not_integers_are_refused(events, message):
    with pytest.raises(UserError, match=message):
        SpikeTrains.from_events(*map(np.array, events), (2, 4, 9))


@pytest.mark.parametrize(
    ("key", "message"),
    [([3, 36], "3 to 36"), ([5, 3], "ascend"), ([3, 3], "ascend"), ([3.0], "integers")],
)
def test_keys_out_of_range_or_order_are_refused(key, message):
    with pytest.raises(UserError, match=message):
        SpikeTrains.from_keys([np.array([1]), np.array(key)], 4, 9)


def test_empty_sets_are_allowed():
    none = np.zeros(0)
    assert len(SpikeTrains.from_events(none, none, none, (0, 4, 9))) == 0
    assert SpikeTrains.from_events(none, none, none, (3, 4, 9)).counts().sum() == 0
    assert len(SpikeTrains.from_dense(np.zeros((4, 0, 9)))) == 0
    assert len(SpikeTrains.from_keys([], 4, 9)) == 0


def test_windows_and_samples_that_are_not_there_are_said():
    trains = SpikeTrains.from_dense(dense())
    with pytest.raises(UserError, match="windows is 7"):
        trains.counts(7)
    with pytest.raises(UserError, match="no such samples among 5"):
        trains.take(np.array([7]))
    with pytest.raises(UserError, match="0 or 1"):
        SpikeTrains.from_dense(np.full((1, 1, 1), np.nan))
