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
