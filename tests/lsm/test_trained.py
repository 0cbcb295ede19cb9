from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import UserError
from harness.parallel import torch_threads
from lsm.spikes import SpikeTrains
from lsm.training import recurrent as trained

SPEC = trained.TrainedSpec(
    "linear", 12, 30, 3, 10, decay=0.9, threshold=0.3, const=0.1, learning_rate=2e-2,
    batch_size=20, epochs=10,
)  # fmt: skip


def easy(samples=120):
    # Each class drives channels of its own.
    generator = np.random.default_rng(0)
    labels = np.arange(samples) % 3
    rates = np.where(np.arange(12)[None] // 4 == labels[:, None], 0.4, 0.05)
    return SpikeTrains.from_dense(generator.random((10, samples, 12)) < rates), labels


@pytest.mark.parametrize(
    ("readout", "loss"), [("linear", "mse"), ("spiking", "cross-entropy"), ("rnn", "cross-entropy")]
)
def test_learns_an_easy_task_and_repeats(readout, loss):
    trains, labels = easy()
    spec = replace(SPEC, readout=readout, loss=loss)
    epochs = []
    with torch_threads(1):
        network = trained.train(spec, trains, labels, after_epoch=lambda e, _: epochs.append(e))
        assert (trained.predict(network, trains) == labels).mean() > 0.85
        assert epochs == list(range(1, spec.epochs + 1))
        short = replace(spec, epochs=1)
        states = [trained.train(short, trains, labels).state_dict() for _ in range(2)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_gradients_reach_every_weight():
    trains, labels = easy(20)
    for readout in ("linear", "spiking", "rnn"):
        network = trained.RecurrentNetwork(replace(SPEC, readout=readout, threshold=0.1), 0)
        scores = network(trains)
        torch.nn.functional.cross_entropy(scores, torch.from_numpy(labels)).backward()
        assert network.input.grad.abs().sum() > 0
        assert network.recurrent.grad.abs().sum() > 0
        assert network.trained_weights == 12 * 30 + 30 * 30 + 30 * 3


def test_what_does_not_fit_is_said():
    with pytest.raises(UserError, match="'relu'"):
        replace(SPEC, readout="relu")
    with pytest.raises(UserError, match="epochs"):
        replace(SPEC, epochs=0)
    with pytest.raises(UserError, match="5 channels, expected 12"):
        trained.RecurrentNetwork(SPEC, 0)(SpikeTrains.from_dense(np.zeros((10, 2, 5), np.uint8)))
