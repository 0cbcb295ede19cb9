"""Recurrent spiking networks trained end to end as NIR graphs, and back: see `lsm.interchange`."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from lsm.interchange import (
    DT_S,
    INPUT,
    LIQUID,
    OUTPUT,
    WEIGHTS,
    flat,
    import_nir,
    neurons,
    read_layers,
    recurrent_neurons,
)
from lsm.training.recurrent import RecurrentNetwork, TrainedSpec
from rram import UserError

if TYPE_CHECKING:
    import nir

OUTPUT_WEIGHTS, OUTPUT_NEURONS = "output_weights", "output_lif"


def network_to_nir(network: RecurrentNetwork) -> "nir.NIRGraph":
    """The graph of a network: input -> weights -> recurrent neurons -> readout -> output.

    The mean of its output over the steps is the network's scores: of a linear readout its
    values, of a spiking one its spikes.

    Args:
        network: SRNN-ANN (readout "linear") or SRNN-SNN ("spiking").

    Raises:
        UserError: `nir` is not installed, or the network does not spike.
    """
    nir, spec = import_nir(), network.spec
    if spec.readout == "rnn":
        raise UserError(
            "readout is 'rnn': a tanh network has no spikes, expected linear or spiking"
        )
    first, recurrent, last, bias = (
        p.detach().cpu().numpy().astype(np.float64)
        for p in (network.input, network.recurrent, network.output, network.bias)
    )
    liquid = recurrent_neurons(recurrent, spec.decay, spec.threshold)
    nodes = {
        INPUT: nir.Input(np.array([spec.inputs])),
        WEIGHTS: nir.Linear(first.T / (1 - spec.decay)),
        LIQUID: liquid,
    }
    if spec.readout == "linear":
        nodes[OUTPUT_WEIGHTS] = nir.Affine(last.T, bias)
    else:
        final = neurons(spec.classes, spec.output_decay, spec.output_threshold)
        nodes[OUTPUT_WEIGHTS] = nir.Linear(last.T / (1 - spec.output_decay))
        nodes[OUTPUT_NEURONS] = final
    nodes[OUTPUT] = nir.Output(np.array([spec.classes]))
    return nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)))


def network_from_nir(graph: "nir.NIRGraph", steps: int, dt: float = DT_S) -> RecurrentNetwork:
    """The network of such a graph, to score or to train on.

    Args:
        graph: as `network_to_nir` makes it.
        steps: T of its input.
        dt: length of a step in s.

    Raises:
        UserError: `nir` is not installed, or another graph.
    """
    nir, layers = import_nir(), read_layers(graph, dt)
    affine = [node for node in flat(graph)[0].values() if isinstance(node, nir.Affine)]
    kinds = (len(layers), len(affine))
    if kinds not in ((1, 1), (2, 0)) or layers[0].recurrent is None:
        raise UserError(
            f"a graph of {kinds[0]} layers of neurons and {kinds[1]} affine ones: expected "
            "recurrent neurons, then an affine layer or neurons"
        )
    hidden, final = layers[0], layers[-1]
    inputs, count = hidden.weights.shape
    last = affine[0].weight.T if affine else final.weights
    spec = TrainedSpec(
        "linear" if affine else "spiking", inputs, count, last.shape[1], steps,
        decay=hidden.decay, threshold=hidden.threshold,
        output_decay=final.decay, output_threshold=final.threshold,
    )  # fmt: skip
    network = RecurrentNetwork(spec, seed=0)
    bias = affine[0].bias if affine else np.zeros(last.shape[1])
    parts = {"input": hidden.weights, "recurrent": hidden.recurrent, "output": last, "bias": bias}
    with torch.no_grad():
        for name, values in parts.items():
            getattr(network, name).copy_(torch.from_numpy(np.ascontiguousarray(values)).float())
    return network
