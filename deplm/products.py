"""One product on the chip for every grouped neighbour: the price of per-product effects.

When each product is read with fresh noise, or inputs are quantised vector by vector, a point's
projection differs from neighbour to neighbour and cannot be shared.
"""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.special import ndtri

from deplm import kernels
from deplm.points import gather
from deplm.project import project
from rram import Crossbar

_LEVELS = 1 << 16
NORMAL_QUANTILES = ndtri((np.arange(_LEVELS) + 0.5) / _LEVELS).astype(np.float32)


def product_currents(
    inputs: torch.Tensor,
    centres: torch.Tensor,
    neighbours: torch.Tensor,
    crossbar: Crossbar,
    keys: list[int],
) -> Iterator[torch.Tensor]:
    """Products of every neighbour's vector with the array, one cloud after another.

    Args:
        inputs: (B, N, 3 + F), coordinates first.
        centres: (B, S, 3), subtracted from the coordinates.
        neighbours: (B, S, K) int32.
        crossbar: array and reading.
        keys: B integers, the read-noise stream of each cloud.

    Yields:
        (S, K, C) float32 a cloud.
    """
    compiled = inputs.device.type == "cpu" and crossbar.reading.adc_bits is None
    for b, key in enumerate(keys):
        cloud = inputs[b], centres[b], neighbours[b]
        yield (_compiled if compiled else plain_currents)(*cloud, crossbar, key)


def plain_currents(
    inputs: torch.Tensor,
    centres: torch.Tensor,
    neighbours: torch.Tensor,
    crossbar: Crossbar,
    key: int,
) -> torch.Tensor:
    """The same for one cloud with `Crossbar.product`, bit plane by bit plane."""
    vectors = gather(inputs[None], neighbours[None])[0]
    vectors[..., :3] -= centres[:, None]
    return crossbar.product(vectors, torch.Generator().manual_seed(key))


def _compiled(
    inputs: torch.Tensor,
    centres: torch.Tensor,
    neighbours: torch.Tensor,
    crossbar: Crossbar,
    key: int,
) -> torch.Tensor:
    rows, width = neighbours.numel(), inputs.shape[-1]
    levels, powers = torch.empty(rows, width), torch.empty(rows, width)
    scale = np.empty((rows, 2), np.float32)
    kernels.neighbour_vectors(
        inputs.contiguous().numpy(),
        centres.contiguous().numpy(),
        neighbours.contiguous().numpy(),
        crossbar.reading.input_bits or 0,
        levels.numpy(),
        powers.numpy(),
        scale,
    )
    current, spread = project(levels, crossbar.weights), project(powers, crossbar.variance)
    kernels.noisy_currents(
        current.numpy(),
        spread.numpy(),
        scale,
        crossbar.weights.sum(0).numpy(),
        np.float32(crossbar.reading.read_noise),
        NORMAL_QUANTILES,
        np.uint64(key),
    )
    return current.view(*neighbours.shape, -1)
