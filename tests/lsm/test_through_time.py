import numpy as np
import pytest
import torch

from lsm.neurons import LIFParameters
from lsm.spikes import SpikeTrains
from lsm.training import through_time
from lsm.training.through_time import spiking_layer, stepwise, weighted_input
from tests.oracles import spiking_layer as oracle

NEURONS = LIFParameters(0.8, 0.3)
WAYS = [spiking_layer, stepwise]


def example(steps=12, samples=7, inputs=9, neurons=21, dtype=torch.float64):
    generator = torch.Generator().manual_seed(steps + samples)
    on = torch.rand(steps, samples, inputs, generator=generator) < 0.2
    trains = SpikeTrains.from_dense(on.numpy().astype(np.uint8))
    w_in = torch.randn(inputs, neurons, generator=generator, dtype=dtype) / 5
    w_rec = torch.randn(neurons, neurons, generator=generator, dtype=dtype) / 10
    return trains, w_in.requires_grad_(), w_rec.requires_grad_()


def gradients(spikes, *weights):
    # A loss in which each spike of each step counts differently.
    torch.manual_seed(0)
    loss = (spikes * torch.randn(spikes.shape, dtype=spikes.dtype)).sum()
    return torch.autograd.grad(loss + spikes.mean(0).square().sum(), weights)


@pytest.mark.parametrize("layer", WAYS)
def test_two_steps_by_hand(layer):
    # u0 = 0.4: fires. u1 = 0.8 * 0.4 * (1 - 1) + 0.35 - 0.25 * 1 = 0.1: within 0.25 of 0.3.
    drives = torch.tensor([[[0.4]], [[0.35]]], dtype=torch.float64, requires_grad=True)
    recurrent = torch.tensor([[-0.25]], dtype=torch.float64, requires_grad=True)
    spikes = layer(drives, recurrent, NEURONS)
    assert spikes.flatten().tolist() == [1, 0]
    (3 * spikes[0] + 5 * spikes[1]).sum().backward()
    # dL/du1 = 2 * 5. dL/ds0 = 3 + 10 * (-0.25 - 0.8 * 0.4) = -2.7. dL/du0 = 2 * -2.7 + 0.
    assert drives.grad.flatten().tolist() == pytest.approx([-5.4, 10])
    assert recurrent.grad.item() == pytest.approx(10)


@pytest.mark.parametrize("layer", WAYS)
def test_leak_and_window_by_hand(layer):
    # u0 = 0.04, further than 0.25 below 0.3: no gradient of its spike, but u1 = 0.8 * 0.04 + 0.2.
    drives = torch.tensor([[[0.04]], [[0.2]]], dtype=torch.float64, requires_grad=True)
    spikes = layer(drives, None, NEURONS)
    (7 * spikes[0] + spikes[1]).sum().backward()
    assert spikes.flatten().tolist() == [0, 0]
    assert drives.grad.flatten().tolist() == pytest.approx([0.8 * 2, 2])


@pytest.mark.parametrize("layer", WAYS)
@pytest.mark.parametrize(("steps", "samples"), [(12, 7), (1, 3), (20, 1), (5, 16)])
def test_spikes_and_gradients_equal_the_oracle(layer, steps, samples):
    trains, w_in, w_rec = example(steps, samples)
    dense = torch.from_numpy(trains.dense()).double()
    expected = oracle.layer(dense @ w_in, w_rec, *NEURONS)
    found = layer(weighted_input(trains, w_in), w_rec, NEURONS)
    assert torch.equal(found, expected)
    if steps > 1:
        assert 0.02 < found.mean() < 0.9
    ours, theirs = (gradients(spikes, w_in, w_rec) for spikes in (found, expected))
    for a, b in zip(ours, theirs, strict=True):
        assert a.abs().sum() > 0 or steps == 1
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("layer", WAYS)
def test_without_recurrence(layer):
    trains, w_in, w_rec = example()
    expected = oracle.layer(weighted_input(trains, w_in), torch.zeros_like(w_rec), *NEURONS)
    found = layer(weighted_input(trains, w_in), None, NEURONS)
    assert torch.equal(found, expected)
    for a, b in zip(gradients(found, w_in), gradients(expected, w_in), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


def test_single_precision_agrees():
    # Weights and drives in eighths: every sum of them is exact in float32, in whatever order.
    trains, *weights = example(dtype=torch.float32)
    w_in, w_rec = (((w * 8).round() / 8).detach().requires_grad_() for w in weights)
    parameters = LIFParameters(0.5, 0.3)
    found, expected = (
        way(weighted_input(trains, w_in), w_rec, parameters) for way in (spiking_layer, stepwise)
    )
    assert found.dtype == torch.float32
    assert 0.02 < found.mean() < 0.9
    assert torch.equal(found, expected)
    for a, b in zip(*(gradients(s, w_in, w_rec) for s in (found, expected)), strict=True):
        assert a.abs().sum() > 0
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_weighted_input_is_the_dense_product():
    trains, w_in, _ = example()
    dense = torch.from_numpy(trains.dense()).double()
    torch.testing.assert_close(weighted_input(trains, w_in), dense @ w_in)
    weight = torch.randn(12, 7, 21, dtype=torch.float64)
    (ours,) = torch.autograd.grad((weighted_input(trains, w_in) * weight).sum(), w_in)
    torch.testing.assert_close(ours, torch.einsum("tbc,tbn->cn", dense, weight))


def test_any_number_of_threads_gives_the_same(monkeypatch):
    trains, w_in, w_rec = example(dtype=torch.float32)
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        spikes = spiking_layer(weighted_input(trains, w_in), w_rec, NEURONS)
        found.append([spikes, *gradients(spikes, w_in, w_rec)])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert through_time.SLICES > 1
