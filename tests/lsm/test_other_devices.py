"""What a GPU does in the liquid, run on the CPU: no waiting, and as many samples as fit."""

import numpy as np
import pytest

from lsm import ReservoirSpec, SpikeTrains, StateFeatures, encode, from_chip, probe
from lsm.encode import bytes_a_sample
from rram import LSM_40NM, Chip, ReadConfig
from tests.no_waiting import NoWaiting

SPEC = ReservoirSpec(inputs=20, neurons=30, decay=0.9, threshold=5.0, const=0.1, steps=12)
STATE = StateFeatures(2, (0.5,), 2)


@pytest.fixture
def noisy():
    return from_chip(SPEC, Chip(LSM_40NM, seed=0, sparsity=0.0), ReadConfig(read_noise=0.05))


@pytest.fixture
def trains():
    return SpikeTrains.from_dense(np.random.default_rng(0).random((12, 40, 20)) < 0.1)


def test_the_liquid_never_waits_for_the_device(noisy, trains):
    compiled = encode(trains, noisy, STATE, seed=3)
    with NoWaiting():
        dense = encode(trains, noisy, STATE, seed=3, compiled=False)
    assert dense.std() > 0.1
    rates = STATE.windows * SPEC.neurons
    assert np.array_equal(dense[:, :rates], compiled[:, :rates])
    np.testing.assert_allclose(dense, compiled, atol=1e-5)  # membranes: rounding


@pytest.mark.parametrize("seed", [0, 1, 2**62])
def test_noise_drawn_on_the_device_is_that_of_the_compiled_loop(noisy, trains, seed):
    a, b = (encode(trains, noisy, seed=seed, compiled=c) for c in (True, False))
    assert np.array_equal(a, b)


def test_memory_of_a_sample_counts_its_spikes_and_features():
    one = bytes_a_sample(SPEC, STATE, 12)
    assert bytes_a_sample(SPEC, STATE, 24) - one == 12 * SPEC.inputs
    assert one > 12 * SPEC.inputs + 4 * STATE.width(SPEC.neurons)


def test_the_clock_that_auto_decides_by_runs(monkeypatch):
    monkeypatch.setattr(probe, "RECORDINGS", 50)
    assert 0 < probe.seconds_a_recording("cpu") < 10
