"""One product on the chip for every grouped neighbour: the price of per-product effects.

When each product is read with fresh noise, or inputs are quantised vector by vector, a point's
projection differs from neighbour to neighbour and cannot be shared.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from scipy.special import ndtri

from deplm import kernels
from deplm.points import gather
from deplm.project import project
from rram import Crossbar
from rram.crossbar import ReadConfig

PRODUCTS = 1024  # at a time: they stay in the cache
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
        (s, K, C) float32, all neighbours of a few centres at a time, cloud after cloud.
    """
    compiled = inputs.device.type == "cpu" and crossbar.reading.adc_bits is None
    for b, key in enumerate(keys):
        cloud = inputs[b].contiguous(), centres[b].contiguous(), neighbours[b].contiguous()
        if compiled:
            yield from _compiled(*cloud, crossbar, key)
        else:
            yield plain_currents(*cloud, crossbar, key)


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
) -> Iterator[torch.Tensor]:
    per_centre = neighbours.shape[1]
    step = max(1, PRODUCTS // per_centre)
    for first in range(0, len(centres), step):
        part = slice(first, first + step)
        vectors = _vectors(inputs, centres[part], neighbours[part], crossbar.reading)
        levels, powers, scale = vectors
        current, spread = project(levels, crossbar.weights), project(powers, crossbar.variance)
        kernels.noisy_currents(
            current.numpy(),
            spread.numpy(),
            scale,
            crossbar.weights.sum(0).numpy(),
            np.float32(crossbar.reading.read_noise),
            NORMAL_QUANTILES,
            np.uint64(key),
            first * per_centre,
        )
        yield current.view(-1, per_centre, current.shape[1])


def _vectors(
    inputs: torch.Tensor, centres: torch.Tensor, neighbours: torch.Tensor, reading: ReadConfig
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    rows, width = neighbours.numel(), inputs.shape[-1]
    levels, powers = torch.empty(rows, width), torch.empty(rows, width)
    scale = np.empty((rows, 2), np.float32)
    arrays = inputs.numpy(), centres.numpy(), neighbours.numpy(), _power_of(reading.input_bits)
    kernels.neighbour_vectors(*arrays, levels.numpy(), powers.numpy(), scale)
    return levels, powers, scale


@cache
def _power_of(bits: int | None) -> np.ndarray:
    """Of each level of `bits` bits the sum of 4^i over its set bits i."""
    places = np.arange(bits or 0)
    return ((np.arange(2 ** len(places))[:, None] >> places & 1) * 4.0**places).sum(1, np.float32)
