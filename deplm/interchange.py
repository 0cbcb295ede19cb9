"""The point encoder as an ONNX model, for runtimes without Python.

Sampling and grouping are loops that ONNX has no operator for, and depend on coordinates only:
their indices are inputs of the model, which `sampling_inputs` gives.

    model = encoder_to_onnx(classifier.encoder_, classifier.readout_)
    onnx.save(model, "classifier.onnx")
    session.run(["scores"], sampling_inputs(classifier.network_, points, features))

Needs the package `onnx`: pip install "random-resistive-memory[interchange]".
"""

from typing import TYPE_CHECKING

import numpy as np
import torch

from deplm.encoder import FrozenEncoder
from deplm.layers import AbstractionLayer
from deplm.network import PointNetwork
from deplm.points import Clouds, ball_query, farthest_point_sample, gather
from harness.readouts.interchange import Graph, Value, add_readout
from harness.readouts.ridge import Readout
from rram import UserError

if TYPE_CHECKING:
    import onnx


def encoder_to_onnx(encoder: FrozenEncoder, readout: Readout | None = None) -> "onnx.ModelProto":
    """A calibrated encoder, and perhaps a readout behind it, as a model.

    Inputs: `points` (B, N, 3) and `features` (B, N, F) float32, and for each local abstraction n
    `centres<n>` (B, S) and `neighbours<n>` (B, S, K) int64, indices into the points before.
    Outputs: `encoded` (B, C) float32; with a readout `scores` (B, classes) float64 and `label`
    (B,) int64, the number of a class in `readout.classes_`.

    Args:
        encoder: the paper's network on a chip, read without noise.
        readout: fitted to its features.

    Raises:
        UserError: `onnx` is not installed, another encoder, or one that reads with noise.
    """
    if not isinstance(encoder, FrozenEncoder):
        raise UserError(f"{type(encoder).__name__}: expected a FrozenEncoder, the paper's network")
    config = encoder.layers[0].crossbar.read_config
    if config.read_noise or config.input_bits is not None:
        raise UserError(f"{config}: expected an exact read, a model file has no noise")
    graph, features = Graph(), encoder.network.features
    points = graph.input("points", np.float32, ("samples", "points", 3))
    values = points
    if features:
        own = graph.input("features", np.float32, ("samples", "points", features))
        values = graph.add("Concat", points, own, name="inputs", axis=2)
    for n, layer in enumerate(encoder.layers, 1):
        local = encoder.network.abstractions[n - 1].centres is not None
        encoded, points = _abstraction(graph, n, layer, points, values, local=local)
        if local:
            values = graph.add("Concat", points, encoded, name=f"inputs{n + 1}", axis=2)
    outputs = {encoded: Value(np.float32, ("samples", encoder.width))}
    if readout is not None:
        outputs |= add_readout(graph, readout, encoded)
    return graph.model(**outputs)


def sampling_inputs(
    network: PointNetwork, points: np.ndarray, features: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Inputs of such a model for some clouds, sampled and grouped as the encoder's are.

    Args:
        network: of the encoder.
        points: (B, N, 3) float32.
        features: (B, N, F) float32; None where the network has none.
    """
    here = torch.from_numpy(np.ascontiguousarray(points, np.float32))
    own = here[..., :0] if features is None else torch.from_numpy(np.asarray(features, np.float32))
    network.check(Clouds(here, own), "clouds")
    inputs = {"points": here.numpy()}
    if network.features:
        inputs["features"] = own.numpy()
    for n, layer in enumerate(network.abstractions, 1):
        if layer.centres is None:
            continue
        chosen = farthest_point_sample(here, layer.centres)
        centres = gather(here, chosen)
        near = ball_query(here, centres, layer.radius, layer.neighbours)
        inputs |= {f"centres{n}": chosen.numpy().astype(np.int64)}
        inputs |= {f"neighbours{n}": near.numpy().astype(np.int64)}
        here = centres
    return inputs


def _abstraction(
    graph: Graph, n: int, layer: AbstractionLayer, points: str, values: str, *, local: bool
) -> tuple[str, str]:
    """ReLU(BN(max over k of W [p_k - c_s, f_k])): names of the features and of the centres."""
    weights, norm = layer.crossbar.weights.cpu().numpy(), layer.calibrated()
    projected = graph.add(
        "MatMul", values, graph.constant(f"weights{n}", weights), name=f"projected{n}"
    )
    if local:
        centres = _gathered(graph, points, f"centres{n}", ("samples", f"centres of {n}"))
        shape = ("samples", f"centres of {n}", f"neighbours of {n}")
        groups = _gathered(graph, projected, f"neighbours{n}", shape)
        best = graph.add("ReduceMax", groups, name=f"maximum{n}", axes=[2], keepdims=0)
        of_points = graph.constant(f"point_weights{n}", weights[:3])
        offset = graph.add("MatMul", centres, of_points, name=f"offset{n}")
        best, points = graph.add("Sub", best, offset, name=f"differences{n}"), centres
    else:
        best = graph.add("ReduceMax", projected, name=f"maximum{n}", axes=[1], keepdims=0)
    for kind, part in (("Mul", "scale"), ("Add", "shift")):
        constant = graph.constant(f"{part}{n}", norm._asdict()[part].cpu().numpy())
        best = graph.add(kind, best, constant, name=f"{part}d{n}")
    return graph.add("Relu", best, name=f"features{n}" if local else "encoded"), points


def _gathered(graph: Graph, values: str, index: str, shape: tuple[str, ...]) -> str:
    """Rows of values (B, N, C) at the input `index` (B, ...)."""
    index = graph.input(index, np.int64, shape)
    last = graph.constant(f"axis_of_{index}", np.array([-1]))
    deeper = graph.add("Unsqueeze", index, last, name=f"{index}_deep")
    return graph.add("GatherND", values, deeper, name=f"{index}_rows", batch_dims=1)
