"""Readouts as ONNX models, for runtimes without Python.

Needs the package `onnx`: pip install "random-resistive-memory[interchange]".
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from harness.errors import UserError
from harness.readouts.ridge import Readout

if TYPE_CHECKING:
    import onnx

OPSET = 17  # of ONNX; onnxruntime has read it since version 1.12


class Graph:
    """Nodes and constants of an ONNX graph under construction.

    Attributes:
        nodes: in order.
        constants: arrays that nodes read.
        inputs: values that a user gives: element type and shape by name.
    """

    def __init__(self) -> None:
        self.onnx = import_onnx()
        self.nodes: list = []
        self.constants: list = []
        self.inputs: dict[str, Value] = {}

    def input(self, name: str, dtype: type, shape: tuple[int | str, ...]) -> str:
        """Declare an input; names in the shape are sizes of any value."""
        self.inputs[name] = Value(dtype, shape)
        return name

    def constant(self, name: str, values: np.ndarray) -> str:
        """Keep an array; gives its name."""
        values = np.ascontiguousarray(values)
        self.constants.append(self.onnx.numpy_helper.from_array(values, name))
        return name

    def add(self, kind: str, *inputs: str, name: str, **attributes: int | float | list[int]) -> str:
        """Add a node with one output; gives its name."""
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def model(self, **outputs: "Value") -> "onnx.ModelProto":
        """The checked model with these outputs."""
        ends = [
            [self._info(name, value) for name, value in values.items()]
            for values in (self.inputs, outputs)
        ]
        helper = self.onnx.helper
        graph = helper.make_graph(self.nodes, "rrm", *ends, self.constants)
        opset = [helper.make_opsetid("", OPSET)]
        made = helper.make_model(graph, opset_imports=opset, ir_version=8)
        self.onnx.checker.check_model(made)
        return made

    def _info(self, name: str, value: "Value") -> "onnx.ValueInfoProto":
        helper = self.onnx.helper
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
        return helper.make_tensor_value_info(name, kind, value.shape)


class Value(NamedTuple):
    """Element type and shape of an input or output."""

    dtype: type
    shape: tuple[int | str, ...]


def readout_to_onnx(readout: Readout) -> "onnx.ModelProto":
    """A readout as a model: features (n, D) float32 -> scores (n, classes), label (n,).

    Scores are float64; `label` is the number of a class in `readout.classes_`.

    Args:
        readout: fitted.

    Raises:
        UserError: `onnx` is not installed.
    """
    check_is_fitted(readout, "coef_")
    graph = Graph()
    features = graph.input("features", np.float32, ("samples", len(readout.coef_)))
    return graph.model(**add_readout(graph, readout, features))


def add_readout(graph: Graph, readout: Readout, features: str) -> dict[str, Value]:
    """Nodes of a readout behind the value `features`; gives the outputs `scores` and `label`."""
    double = graph.onnx.TensorProto.DOUBLE
    wide = graph.add("Cast", features, name="wide", to=double)
    coef = graph.constant("coef", readout.coef_.astype(np.float64))
    intercept = graph.constant("intercept", np.asarray(readout.intercept_, np.float64))
    product = graph.add("MatMul", wide, coef, name="product")
    scores = graph.add("Add", product, intercept, name="scores")
    graph.add("ArgMax", scores, name="label", axis=1, keepdims=0)
    return {
        "scores": Value(np.float64, ("samples", readout.coef_.shape[1])),
        "label": Value(np.int64, ("samples",)),
    }


def import_onnx():  # noqa: ANN201
    """The package `onnx`.

    Raises:
        UserError: it is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise UserError(
            'ONNX models need the package onnx: pip install "random-resistive-memory[interchange]"'
        ) from error
    return onnx
