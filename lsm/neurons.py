"""The leaky integrate-and-fire neuron of the LSM paper: one step, and its surrogate gradient."""

from typing import Any, NamedTuple

import torch

SURROGATE_HALF_WIDTH = 0.25  # in units of the membrane (same code base as the LSM paper)
SURROGATE_HEIGHT = 2.0


class LIFState(NamedTuple):
    """Membrane before reset and spikes of the last step, each (B, neurons)."""

    membrane: torch.Tensor
    spikes: torch.Tensor


class LIFParameters(NamedTuple):
    """Decay d per step (0 to 1) and threshold Vth of the membrane."""

    decay: float
    threshold: float


def rest(batch: int, neurons: int, like: torch.Tensor) -> LIFState:
    """State before the first step: membrane 0 and no spikes, (batch, neurons)."""
    return LIFState(like.new_zeros(batch, neurons), like.new_zeros(batch, neurons))


def lif_step(
    drive: torch.Tensor, state: LIFState, parameters: LIFParameters, *, surrogate: bool = False
) -> LIFState:
    """One step of a layer of neurons (LSM paper, methods).

        u[t] = d u[t-1] (1 - s[t-1]) + drive[t];    s[t] = 1 if u[t] > Vth else 0

    with drive[t] = W_in x[t] + W_rec s[t-1]. The old membrane decays, a neuron that fired
    starts again from 0 (hard reset), then the input arrives and is not decayed; a membrane
    equal to the threshold does not fire. No refractory time.

    Args:
        drive: (B, neurons), weighted input of this step.
        state: of the step before, from `rest` at the start.
        parameters: decay and threshold.
        surrogate: let gradients through the spikes, see `spike`.

    Returns:
        The new state; spikes are 0 or 1 in the dtype of `drive`.
    """
    membrane = parameters.decay * state.membrane * (1 - state.spikes) + drive
    above = membrane - parameters.threshold
    return LIFState(membrane, spike(above) if surrogate else (above > 0).to(drive.dtype))


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, above: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        ctx.save_for_backward(above)
        return (above > 0).to(above.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        (above,) = ctx.saved_tensors
        return gradient * SURROGATE_HEIGHT * (above.abs() < SURROGATE_HALF_WIDTH)


def spike(above: torch.Tensor) -> torch.Tensor:
    """Spikes of membranes `above` = u - Vth, with a rectangular surrogate gradient.

    Forward 1 where above > 0; backward d spike / d above = 2 where |above| < 0.25, else 0.
    """
    return _Spike.apply(above)
