"""Liquids and trained networks as NIR graphs spike alike in other simulators, and come back."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lsm import NMNIST, NTIDIGITS, Chip, ReservoirSpec, SpikeTrains, encode, from_chip, gaussian
from lsm.interchange import DT_S, from_nir, to_nir
from lsm.training.interchange import network_from_nir, network_to_nir
from lsm.training.recurrent import RecurrentNetwork, TrainedSpec
from rram import LSM_40NM, UserError

nir = pytest.importorskip("nir", reason="needs the extra [interchange]")
SPECS = {
    "N-MNIST": replace(NMNIST, steps=30),
    "N-TIDIGITS": replace(NTIDIGITS, steps=30),
    "small": ReservoirSpec(30, 50, 0.5, 1.0, 0.05, 30, 0.5),
}


def trains(channels, steps=30, samples=6, seed=0):
    rng = np.random.default_rng(seed)
    return SpikeTrains.from_dense(rng.random((steps, samples, channels)) < 0.15)


def snntorch_of(graph):
    reader = pytest.importorskip("snntorch.import_nir", reason="needs snntorch and nirtorch")
    return reader.import_from_nir(graph)


def norse_of(graph):
    norse = pytest.importorskip("norse.torch", reason="needs norse")
    return norse.from_nir(graph, dt=DT_S)


READERS = {"snnTorch": snntorch_of, "Norse": norse_of}


@torch.no_grad()
def outputs(simulator, spikes):
    """What a simulator gives in each step, (T, B, ...)."""
    state, found = None, []
    for x in torch.from_numpy(spikes.dense()):
        out, state = simulator(x, state)
        found.append(out)
    return torch.stack(found).numpy()


def liquid(name):
    spec = SPECS[name]
    chip = Chip(LSM_40NM, 1, sparsity=0.0)
    return gaussian(spec, 0) if name == "small" else from_chip(spec, chip)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("reader", READERS)
def test_a_liquid_spikes_as_often_in_another_simulator(name, reader):
    reservoir = liquid(name)
    spikes = trains(reservoir.spec.inputs)
    ours = encode(spikes, reservoir) * np.float32(spikes.steps)
    theirs = outputs(READERS[reader](to_nir(reservoir)), spikes).sum(0)
    assert ours.sum() > 100
    np.testing.assert_array_equal(theirs, np.round(ours))


@pytest.mark.parametrize("reader", READERS)
def test_the_reset_rule_matters_and_is_a_reset_to_zero(reader):
    """With the threshold subtracted instead, the counts are others: the test above would tell."""
    reservoir = liquid("small")
    spikes = trains(reservoir.spec.inputs)
    simulator = READERS[reader](to_nir(reservoir))
    weights, n = reservoir.weights, reservoir.spec.inputs
    counts = {}
    for rule in ("zero", "subtract"):
        u, s = np.zeros((2, len(spikes), reservoir.spec.neurons))
        counts[rule] = np.zeros_like(u)
        for x in spikes.dense():
            left = u * (1 - s) if rule == "zero" else u - s * reservoir.spec.threshold
            u = reservoir.spec.decay * left + x @ weights[:n] + s @ weights[n:]
            s = (u > reservoir.spec.threshold).astype(float)
            counts[rule] += s
    theirs = outputs(simulator, spikes).sum(0)
    assert np.array_equal(theirs, counts["zero"])
    assert not np.array_equal(theirs, counts["subtract"])


@pytest.mark.parametrize("name", SPECS)
def test_a_liquid_comes_back_from_a_file(name, tmp_path):
    reservoir = liquid(name)
    nir.write(tmp_path / "liquid.nir", to_nir(reservoir))
    again = from_nir(nir.read(tmp_path / "liquid.nir"), steps=30)
    np.testing.assert_array_equal(again.integers * again.unit, reservoir.integers * reservoir.unit)
    assert again.spec.decay == reservoir.spec.decay
    spikes = trains(reservoir.spec.inputs)
    assert np.array_equal(encode(spikes, again), encode(spikes, reservoir))


def flat_graph(reservoir):
    """NIR graph of a liquid whose recurrence stands beside the other nodes, with R = tau / dt."""
    spec, weights = reservoir.spec, reservoir.weights.astype(float)
    constants = {"tau": DT_S / (1 - spec.decay), "r": 1 / (1 - spec.decay), "v_leak": 0.0,
                 "v_threshold": spec.threshold, "v_reset": 0.0}  # fmt: skip
    nodes = {
        "in": nir.Input(np.array([spec.inputs])),
        "w": nir.Linear(weights[: spec.inputs].T),
        "lif": nir.LIF(**{k: np.full(spec.neurons, v) for k, v in constants.items()}),
        "rec": nir.Linear(weights[spec.inputs :].T),
        "out": nir.Output(np.array([spec.neurons])),
    }
    edges = [("in", "w"), ("w", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "out")]
    return nir.NIRGraph(nodes, edges)


def test_graphs_of_other_programs_are_read():
    reservoir = liquid("small")
    again = from_nir(flat_graph(reservoir), steps=30)
    spikes = trains(reservoir.spec.inputs)
    assert np.array_equal(encode(spikes, again), encode(spikes, reservoir))


def network(readout):
    spec = TrainedSpec(readout, 20, 40, 3, 30, const=0.1, output_threshold=0.02)
    made = RecurrentNetwork(spec, seed=1)
    with torch.no_grad():
        made.bias += torch.tensor([0.1, -0.2, 0.3]) * (readout == "linear")
    return made


@pytest.mark.parametrize("readout", ["linear", "spiking"])
@pytest.mark.parametrize("reader", READERS)
def test_a_trained_network_gives_the_same_in_another_simulator_and_back(readout, reader, tmp_path):
    ours, spikes = network(readout), trains(20)
    nir.write(tmp_path / "network.nir", network_to_nir(ours))
    graph = nir.read(tmp_path / "network.nir")
    with torch.no_grad():
        scores, again = ours(spikes).numpy(), network_from_nir(graph, 30)(spikes).numpy()
    theirs = outputs(READERS[reader](graph), spikes).mean(0)
    np.testing.assert_allclose(theirs, scores, rtol=0, atol=1e-5)
    np.testing.assert_allclose(again, scores, rtol=0, atol=1e-6)
    assert scores.std() > 0.01


def changed(**values):
    graph = flat_graph(liquid("small"))
    for name, value in values.items():
        setattr(graph.nodes["lif"], name, np.full(50, value))
    return graph


def without_recurrence():
    graph = flat_graph(liquid("small"))
    graph.edges = [edge for edge in graph.edges if "rec" not in edge]
    return graph


def uneven():
    graph = flat_graph(liquid("small"))
    graph.nodes["lif"].tau[3] = 1.0
    return graph


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: changed(v_leak=0.5), "v_leak 0.5, v_reset 0, expected 0 and 0"),
        (lambda: changed(tau=1e-6), "tau 1e-06 s, expected 0.0001 s"),
        (uneven, "2 values of tau, expected one for all"),
        (without_recurrence, "1 layers of neurons: expected 1, with recurrence"),
        (lambda: network_to_nir(network("spiking")), "2 layers of neurons: expected 1"),
    ],
)
def test_other_graphs_are_refused(make, said):
    with pytest.raises(UserError, match=said):
        from_nir(make(), steps=30)


def test_what_nir_does_not_have_is_refused():
    with pytest.raises(UserError, match="decay is 1: expected 0 or more and below 1"):
        to_nir(gaussian(replace(SPECS["small"], decay=1.0), 0))
    with pytest.raises(UserError, match="readout is 'rnn'"):
        network_to_nir(RecurrentNetwork(TrainedSpec("rnn", 5, 6, 2, 9), 0))
    with pytest.raises(UserError, match="expected recurrent neurons, then an affine layer"):
        network_from_nir(to_nir(liquid("small")), 30)
