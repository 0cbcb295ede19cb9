"""Layers of trained spiking networks and their gradients through time.

On the CPU compiled and event-driven: only what spiked, or is near its threshold, is added up.
Elsewhere step by step in torch; both agree but for the order of sums. The compiled way stays
because it pays: a training step of plain torch takes 1.5 to 2.8 times as long on one thread of an
AMD EPYC (`results/bench_train_spikes.json`), with two to four times the memory.
"""

from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array

from harness.scale.parallel import map_in_order
from lsm.neurons import SURROGATE_HALF_WIDTH, SURROGATE_HEIGHT, LIFParameters, lif_step, rest
from lsm.spikes import SpikeTrains
from lsm.training import kernels

SLICES = 4  # of a batch, each with its own sums, whatever the number of threads


def weighted_input(trains: SpikeTrains, weights: torch.Tensor) -> torch.Tensor:
    """Weighted input of every step: spikes (T, B, C) times weights, (T, B, N).

    Args:
        trains: B samples of T steps and C channels.
        weights: (C, N), membrane units.
    """
    if weights.device.type == "cpu":
        return _EventProduct.apply(trains, weights)
    return torch.from_numpy(trains.dense(np.uint8)).to(weights.device, weights.dtype) @ weights


def spiking_layer(
    drives: torch.Tensor, recurrent: torch.Tensor | None, parameters: LIFParameters
) -> torch.Tensor:
    """Spikes (T, B, N) of a layer at rest before the first step, with surrogate gradients.

    Args:
        drives: (T, B, N) weighted input.
        recurrent: (N, N), row n is what a spike of neuron n adds to the next step's drives.
        parameters: of the neurons.
    """
    if drives.device.type == "cpu":
        return _SpikingLayer.apply(drives, recurrent, parameters)
    return stepwise(drives, recurrent, parameters)


def stepwise(
    drives: torch.Tensor, recurrent: torch.Tensor | None, parameters: LIFParameters
) -> torch.Tensor:
    """Spikes (T, B, N) of a layer, step by step in plain torch, for any device.

    Args:
        drives: (T, B, N) weighted input.
        recurrent: (N, N), row n is what a spike of neuron n adds to the next step's drives.
        parameters: of the neurons.
    """
    state, spikes = rest(*drives.shape[1:], drives), []
    for drive in drives:
        fed_back = 0 if recurrent is None else state.spikes @ recurrent
        state = lif_step(drive + fed_back, state, parameters, surrogate=True)
        spikes.append(state.spikes)
    return torch.stack(spikes)


class _EventProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, trains: SpikeTrains, weights: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        ctx.trains, table = trains, weights.detach().numpy()
        sums = _in_slices(lambda part: _matrix(trains, part, table.dtype) @ table, len(trains))
        out = torch.from_numpy(np.concatenate(sums))
        return out.view(len(trains), trains.steps, -1).transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple:  # noqa: ANN401
        trains, upstream = ctx.trains, _by_sample(gradient)
        width = upstream.shape[2]

        def added(part: slice) -> np.ndarray:
            return _matrix(trains, part, upstream.dtype).T @ upstream[part].reshape(-1, width)

        return None, torch.from_numpy(sum(_in_slices(added, len(trains))))


class _SpikingLayer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        drives: torch.Tensor,
        recurrent: torch.Tensor | None,
        parameters: LIFParameters,
    ) -> torch.Tensor:
        into = _by_sample(drives)
        table = np.zeros((0, into.shape[2]), into.dtype)
        if recurrent is not None:
            table = recurrent.detach().contiguous().numpy()
        decay, threshold = map(into.dtype.type, parameters)
        membranes, spikes = np.empty_like(into), np.empty_like(into)

        def run(part: slice) -> None:
            arrays = membranes[part], spikes[part]
            kernels.spiking_steps(into[part], table, decay, threshold, *arrays)

        _in_slices(run, len(into))
        ctx.constants, ctx.membranes, ctx.recurrent = (decay, threshold), membranes, table
        return torch.from_numpy(spikes).transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple:  # noqa: ANN401
        upstream, membranes = _by_sample(gradient), ctx.membranes
        drives = np.empty_like(membranes)
        surrogate = map(membranes.dtype.type, (SURROGATE_HALF_WIDTH, SURROGATE_HEIGHT))
        constants = *ctx.constants, *surrogate

        def run(part: slice) -> np.ndarray:
            weights = np.zeros_like(ctx.recurrent)
            kernels.spiking_gradient(
                upstream[part], membranes[part], ctx.recurrent, *constants,
                drives[part], weights,
            )  # fmt: skip
            return weights

        weights = torch.from_numpy(sum(_in_slices(run, len(drives))))
        return (
            torch.from_numpy(drives).transpose(0, 1),
            weights if len(ctx.recurrent) else None,
            None,
        )


def _in_slices(function: Any, samples: int) -> list:  # noqa: ANN401
    ends = np.linspace(0, samples, min(SLICES, samples) + 1).astype(int)
    return list(map_in_order(function, map(slice, ends[:-1], ends[1:])))


def _matrix(trains: SpikeTrains, part: slice, kind: np.dtype) -> csr_array:
    """Spikes of some samples as a sparse matrix (samples * steps, inputs) of ones."""
    rows = trains.rows[part.start * trains.steps : part.stop * trains.steps + 1]
    channels = trains.channels[rows[0] : rows[-1]]
    shape = len(rows) - 1, trains.inputs
    return csr_array((np.ones(len(channels), kind), channels, rows - rows[0]), shape=shape)


def _by_sample(x: torch.Tensor) -> np.ndarray:
    """(T, B, N) as contiguous (B, T, N)."""
    return x.detach().transpose(0, 1).contiguous().numpy()
