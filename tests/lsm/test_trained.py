from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import UserError
from harness.scale.parallel import torch_threads
from lsm.spikes import SpikeTrains
from lsm.training import recurrent
from lsm.training.recurrent import RecurrentNetwork, TrainedSpec, loss_of

SPEC = TrainedSpec(
    "linear", 12, 30, 3, 10, decay=0.9, threshold=0.3, const=0.1, learning_rate=2e-2,
    batch_size=20, epochs=10,
)  # fmt: skip


def easy(samples=120):
    # Each class drives channels of its own.
    generator = np.random.default_rng(0)
    labels = np.arange(samples) % 3
    rates = np.where(np.arange(12)[None] // 4 == labels[:, None], 0.4, 0.05)
    return SpikeTrains.from_dense(generator.random((10, samples, 12)) < rates), labels


def trained(spec, trains, labels):
    network = RecurrentNetwork(spec, 0)
    epochs = recurrent.train_epochs(
        network, recurrent.make_optimizer(network), trains, labels, seed=0
    )
    assert list(epochs) == list(range(1, spec.epochs + 1))
    return network


@pytest.mark.parametrize(
    ("readout", "loss"), [("linear", "mse"), ("spiking", "cross-entropy"), ("rnn", "cross-entropy")]
)
def test_learns_an_easy_task_and_repeats(readout, loss):
    trains, labels = easy()
    spec = replace(SPEC, readout=readout, loss=loss)
    with torch_threads(1):
        network = trained(spec, trains, labels)
        assert (recurrent.predict(network, trains) == labels).mean() > 0.85
        short = replace(spec, epochs=1)
        states = [trained(short, trains, labels).state_dict() for _ in range(2)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_gradients_reach_every_weight():
    trains, labels = easy(20)
    for readout in ("linear", "spiking", "rnn"):
        network = RecurrentNetwork(replace(SPEC, readout=readout, threshold=0.1), 0)
        loss_of(network(trains), torch.from_numpy(labels), "cross-entropy").backward()
        assert network.input.grad.abs().sum() > 0
        assert network.recurrent.grad.abs().sum() > 0
        assert network.trained_weights == 12 * 30 + 30 * 30 + 30 * 3


def test_losses_by_hand():
    scores, labels = torch.tensor([[0.5, 0.0, 1.0], [0.0, 0.0, 0.0]]), torch.tensor([2, 0])
    # Squares (0.25 + 0 + 0) and (1 + 0 + 0), over 6 scores.
    assert loss_of(scores, labels, "mse").item() == pytest.approx(1.25 / 6)
    # -log(e / (e^0.5 + 1 + e)) and -log(1 / 3).
    first = np.log(np.exp(0.5) + 1 + np.exp(1)) - 1
    assert loss_of(scores, labels, "cross-entropy").item() == pytest.approx((first + np.log(3)) / 2)


def one_neuron(readout, **values):
    """A network of one channel, one neuron and one class, with weights that are given."""
    spec = TrainedSpec(readout, 1, 1, 1, 3, decay=0.5, threshold=1.0, output_decay=0.5)
    network = RecurrentNetwork(spec, 0)
    for name, value in values.items():
        getattr(network, name).data.fill_(value)
    return network(SpikeTrains.from_dense(np.array([[[1]], [[0]], [[1]]], np.uint8))).item()


def test_rnn_by_hand():
    # h = tanh(0.5), tanh(0.8 h0), tanh(0.5 + 0.8 h1): mean times 2, plus 0.1.
    hidden = [np.tanh(0.5)]
    hidden.append(np.tanh(0.8 * hidden[0]))
    hidden.append(np.tanh(0.5 + 0.8 * hidden[1]))
    found = one_neuron("rnn", input=0.5, recurrent=0.8, output=2.0, bias=0.1)
    assert found == pytest.approx(2 * np.mean(hidden) + 0.1)


def test_srnn_ann_by_hand():
    # u0 = 1.2: fires, reset. u1 = 0.9 (from its own spike): none. u2 = 0.45 + 1.2: fires.
    found = one_neuron("linear", input=1.2, recurrent=0.9, output=3.0, bias=0.1)
    assert found == pytest.approx(3.0 * 2 / 3 + 0.1)


def test_srnn_snn_by_hand():
    # Hidden spikes 1, 0, 1 as above. Output: 0.25, 0.125, 0.3125 > 0.3: fires once in 3 steps.
    found = one_neuron("spiking", input=1.2, recurrent=0.9, output=0.25)
    assert found == pytest.approx(1 / 3)


def test_batches():
    rows = np.arange(7)
    assert [len(b) for b in recurrent._batches(rows, 3)] == [3, 3, 1]
    assert [len(b) for b in recurrent._batches(rows, 3, drop_last=True)] == [3, 3]
    assert [len(b) for b in recurrent._batches(rows, 8, drop_last=True)] == [7]


def test_what_does_not_fit_is_said():
    with pytest.raises(UserError, match="'relu'"):
        replace(SPEC, readout="relu")
    with pytest.raises(UserError, match="epochs"):
        replace(SPEC, epochs=0)
    with pytest.raises(UserError, match="thresholds"):
        replace(SPEC, output_threshold=-1.0)
    with pytest.raises(UserError, match="5 channels, expected 12"):
        RecurrentNetwork(SPEC, 0)(SpikeTrains.from_dense(np.zeros((10, 2, 5), np.uint8)))
