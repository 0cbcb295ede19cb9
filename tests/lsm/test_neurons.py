import torch

from lsm.neurons import LIFParameters, LIFState, lif_step, rest, spike


def test_trace_by_hand():
    # d = 0.5, Vth = 1. The drive of a step is not decayed in that step; 1.0 does not fire (the
    # threshold is strict); after a spike the membrane starts from 0.
    parameters = LIFParameters(0.5, 1.0)
    state = rest(1, 1, torch.zeros(1, dtype=torch.float64))
    drives = [0.8, 0.6, 0.5, 0.25, 1.5, 0.25, 2.0, 2.0]
    membranes = [0.8, 1.0, 1.0, 0.75, 1.875, 0.25, 2.125, 2.0]
    fired = [0, 0, 0, 0, 1, 0, 1, 1]
    for drive, membrane, s in zip(drives, membranes, fired, strict=True):
        state = lif_step(torch.tensor([[drive]], dtype=torch.float64), state, parameters)
        assert state.membrane.item() == membrane
        assert state.spikes.item() == s


def test_state_is_per_sample_and_neuron():
    state = LIFState(torch.tensor([[2.0, 0.5]]), torch.tensor([[1.0, 0.0]]))
    new = lif_step(torch.zeros(1, 2), state, LIFParameters(0.5, 1.0))
    assert new.membrane.tolist() == [[0.0, 0.25]]


def test_surrogate_is_a_rectangle():
    above = torch.tensor([-0.3, -0.2, 0.0, 0.2, 0.25, 0.3], requires_grad=True)
    spikes = spike(above)
    spikes.sum().backward()
    assert spikes.tolist() == [0, 0, 0, 1, 1, 1]
    assert above.grad.tolist() == [0, 2, 2, 2, 0, 0]
