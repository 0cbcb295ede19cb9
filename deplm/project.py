"""The product with the fixed random weights, on which most of the encoding time goes."""

import torch
from torch.nn import functional

NARROW = 8  # inputs below which oneDNN's own form of the data costs more than it saves


def project(inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """inputs (..., I) @ weights (I, C), both float32 and without gradients.

    On a CPU by oneDNN, where torch was built with it: `@` calls another library, which leaves
    half of the vector units of some processors unused.
    """
    usual = inputs.device.type != "cpu" or not torch.backends.mkldnn.is_available()
    if usual or len(weights) < NARROW:
        return inputs @ weights
    return functional.linear(inputs.to_mkldnn(), weights.T.to_mkldnn()).to_dense()
