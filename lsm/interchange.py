"""Liquids as NIR graphs, for other simulators and for neuromorphic chips, and back.

NIR (neuromorphic intermediate representation, Pedersen et al., Nature Communications 15:8122,
2024) describes neurons by equations in continuous time,

    tau dv/dt = v_leak - v + R I;    v > v_threshold: spike, v = v_reset

A step of forward Euler of length dt = tau (1 - d), with R = 1, v_leak = v_reset = 0 and weights
times tau / dt, is the step of `lsm.neurons.lif_step`: u = d u + drive, reset to 0. R = 1, and the
factor in the weights, since Norse does not read R; snnTorch takes dt = 0.0001 for granted.
The recurrence is a graph of its own, a cycle of neurons and weights, that stands in the graph as
one node: snnTorch 1.0 misreads a cycle beside other nodes. Read noise is not part of NIR.

    nir.write("liquid.nir", to_nir(reservoir))
    reservoir = from_nir(nir.read("liquid.nir"), steps=50)

Needs the package `nir`: pip install "random-resistive-memory[interchange]".
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lsm.reservoir import Reservoir, ReservoirSpec, from_weights
from rram import UserError

if TYPE_CHECKING:
    import nir

DT_S = 1e-4  # of a step, in s, as snnTorch reads graphs
INPUT, WEIGHTS, LIQUID, NEURONS, RECURRENT, OUTPUT = (
    "input", "input_weights", "liquid", "lif", "recurrent", "output",
)  # fmt: skip


class Layer(NamedTuple):
    """A layer of neurons as read from a graph.

    Attributes:
        weights: (inputs, neurons) in membrane units.
        recurrent: (neurons, neurons), or None.
        decay: d.
        threshold: Vth, in membrane units.
    """

    weights: np.ndarray
    recurrent: np.ndarray | None
    decay: float
    threshold: float


def to_nir(reservoir: Reservoir) -> "nir.NIRGraph":
    """The graph of a liquid: input -> weights -> recurrent neurons -> output.

    Args:
        reservoir: its weights, without read noise.

    Raises:
        UserError: `nir` is not installed, or a decay of 1, which has no time constant.
    """
    nir, spec = import_nir(), reservoir.spec
    weights = reservoir.weights.astype(np.float64)
    gain = 1 / _leak(spec.decay)
    nodes = {
        INPUT: nir.Input(np.array([spec.inputs])),
        WEIGHTS: nir.Linear(weights[: spec.inputs].T * gain),
        LIQUID: recurrent_neurons(weights[spec.inputs :], spec.decay, spec.threshold),
        OUTPUT: nir.Output(np.array([spec.neurons])),
    }
    return nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)))


def from_nir(graph: "nir.NIRGraph", steps: int, dt: float = DT_S) -> Reservoir:
    """A liquid of the weights and constants of a graph.

    Args:
        graph: input -> weights -> recurrent neurons -> output, as `to_nir` makes it or with the
            recurrence beside the other nodes.
        steps: T of its input.
        dt: length of a step in s.

    Raises:
        UserError: `nir` is not installed, another graph, or neurons of another kind.
    """
    layers = read_layers(graph, dt)
    if len(layers) != 1 or layers[0].recurrent is None:
        raise UserError(f"a graph of {len(layers)} layers of neurons: expected 1, with recurrence")
    (layer,) = layers
    inputs, neurons = layer.weights.shape
    spec = ReservoirSpec(inputs, neurons, layer.decay, layer.threshold, 1.0, steps)
    return from_weights(spec, layer.weights, layer.recurrent)


def neurons(count: int, decay: float, threshold: float) -> "nir.LIF":
    """Leaky integrate-and-fire neurons with R = 1 that are reset to 0."""
    nir = import_nir()
    tau = DT_S / _leak(decay)
    constants = {"tau": tau, "r": 1.0, "v_leak": 0.0, "v_threshold": threshold, "v_reset": 0.0}
    return nir.LIF(**{name: np.full(count, value) for name, value in constants.items()})


def recurrent_neurons(recurrent: np.ndarray, decay: float, threshold: float) -> "nir.NIRGraph":
    """Such neurons and their recurrent weights (neurons, neurons), a cycle, as one node."""
    nir = import_nir()
    count = np.array([len(recurrent)])
    nodes = {
        INPUT: nir.Input(count),
        NEURONS: neurons(len(recurrent), decay, threshold),
        RECURRENT: nir.Linear(recurrent.T / _leak(decay)),
        OUTPUT: nir.Output(count),
    }
    edges = [(INPUT, NEURONS), (NEURONS, RECURRENT), (RECURRENT, NEURONS), (NEURONS, OUTPUT)]
    return nir.NIRGraph(nodes, edges)


def read_layers(graph: "nir.NIRGraph", dt: float = DT_S) -> list[Layer]:
    """Layers of neurons of a graph, from its input on.

    Raises:
        UserError: see `from_nir`.
    """
    nir = import_nir()
    nodes, edges = flat(graph)
    found, layers = [name for name, node in nodes.items() if isinstance(node, nir.LIF)], []
    for name in found:
        before = [source for source, target in edges if target == name]
        recurrent = [w for w in before if (name, w) in edges]
        forward = [w for w in before if w not in recurrent]
        if len(forward) != 1 or len(recurrent) > 1 or not _linear(nodes, [*forward, *recurrent]):
            raise UserError(
                f"neurons {name!r} after {', '.join(before)}: expected one linear layer, and one "
                "more in a cycle with them"
            )
        decay, gain, threshold = _constants(name, nodes[name], dt)
        weights = nodes[forward[0]].weight.T * gain
        cycle = nodes[recurrent[0]].weight.T * gain if recurrent else None
        layers.append(Layer(weights, cycle, decay, threshold))
    return layers


def flat(graph: "nir.NIRGraph", prefix: str = "") -> tuple[dict, set[tuple[str, str]]]:
    """Nodes by name and edges of a graph, the graphs within it unfolded."""
    nir = import_nir()
    nodes, edges, ends = {}, set(), {}
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRGraph):
            nodes[prefix + name] = node
            continue
        inner, links = flat(node, f"{prefix}{name}.")
        kinds = {nir.Input: [], nir.Output: []}
        for key, part in inner.items():
            kinds.get(type(part), []).append(key)
        (first,), (last,) = kinds.values()
        ends[prefix + name] = (
            [target for source, target in links if source == first],
            [source for source, target in links if target == last],
        )
        nodes |= {key: part for key, part in inner.items() if key not in (first, last)}
        edges |= {link for link in links if first not in link and last not in link}
    for source, target in graph.edges:
        source, target = prefix + source, prefix + target
        sources = ends[source][1] if source in ends else [source]
        targets = ends[target][0] if target in ends else [target]
        edges |= {(a, b) for a in sources for b in targets}
    return nodes, edges


def import_nir():  # noqa: ANN201
    """The package `nir`.

    Raises:
        UserError: it is not installed.
    """
    try:
        import nir
    except ImportError as error:
        raise UserError(
            'NIR graphs need the package nir: pip install "random-resistive-memory[interchange]"'
        ) from error
    return nir


def _leak(decay: float) -> float:
    """dt / tau of a decay."""
    if not 0 <= decay < 1:
        raise UserError(
            f"decay is {decay:g}: expected 0 or more and below 1, NIR has tau = dt / (1 - d)"
        )
    return 1 - decay


def _linear(nodes: dict, names: list[str]) -> bool:
    nir = import_nir()
    return all(isinstance(nodes[name], nir.Linear) for name in names)


def _constants(name: str, node: "nir.LIF", dt: float) -> tuple[float, float, float]:
    """Decay, gain of the input, and threshold."""
    fields = ("tau", "r", "v_leak", "v_threshold", "v_reset")
    values = {field: np.unique(getattr(node, field)) for field in fields}
    for field, found in values.items():
        if len(found) > 1:
            raise UserError(
                f"neurons {name!r}: {len(found)} values of {field}, expected one for all"
            )
    tau, r, leak, threshold, reset = (float(found[0]) for found in values.values())
    if leak != 0 or reset != 0:
        raise UserError(f"neurons {name!r}: v_leak {leak:g}, v_reset {reset:g}, expected 0 and 0")
    if tau < dt:
        raise UserError(f"neurons {name!r}: tau {tau:g} s, expected {dt:g} s (a step) or more")
    # Rounded: 1 - 0.1 in float32 is 0.9 again.
    return round(1 - dt / tau, 7), r * dt / tau, threshold
