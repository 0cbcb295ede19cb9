"""The dense way through a reservoir: two matrix products a step in torch, on the CPU or a GPU."""

import numpy as np
import torch

from lsm.features import Plan, States
from lsm.neurons import LIFParameters, lif_step, rest
from lsm.noise import noise_key, noise_scale, standard_noise
from lsm.reservoir import Reservoir
from lsm.spikes import SpikeTrains


def run_dense(
    trains: SpikeTrains,
    reservoir: Reservoir,
    plan: Plan,
    span: tuple[int, int],
    seed: int,
    device: str,
    dtype: type,
) -> States:
    """Run the samples `span` through a reservoir, all neurons of all samples in every step.

    Args:
        trains: B samples.
        reservoir: the weights.
        plan: what to read.
        span: first sample and the one after the last.
        seed: of the read noise.
        device: of torch.
        dtype: of the membranes.

    Returns:
        What was read, the same to the bit as from `lsm.compiled.run_compiled`.
    """
    spec, samples = reservoir.spec, span[1] - span[0]
    spikes = torch.from_numpy(trains.take(slice(*span)).dense(np.uint8)).to(device)
    w_in, w_rec = _blocks(reservoir, reservoir.weights.astype(dtype), device)
    noise = _Noise(reservoir, span, trains.steps, seed, device, dtype)
    parameters = LIFParameters(float(dtype(spec.decay)), float(dtype(spec.threshold)))
    counts, traces, membranes = (
        torch.from_numpy(a).to(device) for a in plan.states(samples, spec.neurons, dtype)
    )
    trace_weights = torch.from_numpy(plan.traces).to(device)
    state = rest(samples, spec.neurons, w_in)
    for t in range(trains.steps):
        x = spikes[t].to(w_in.dtype)
        drive = x @ w_in + state.spikes @ w_rec + noise(x, state.spikes, t)
        state = lif_step(drive, state, parameters)
        counts[:, plan.window[t]] += state.spikes
        traces += trace_weights[t][:, None] * state.spikes[:, None]
        if plan.slot[t] >= 0:
            membranes[:, plan.slot[t]] = state.membrane * (1 - state.spikes)
    return States(*(a.cpu().numpy() for a in (counts, traces, membranes)))


class _Noise:
    """Noise of the drive: n sqrt(sum of the active rows' squares) z, or 0 without read noise."""

    def __init__(
        self,
        reservoir: Reservoir,
        span: tuple[int, int],
        steps: int,
        seed: int,
        device: str,
        dtype: type,
    ) -> None:
        self.neurons, self.steps = reservoir.spec.neurons, steps
        self.device, self.dtype = device, dtype
        self.squares = None
        if reservoir.squares is not None:
            self.squares = _blocks(reservoir, reservoir.squares.astype(dtype), device)
        self.scale, self.key = float(noise_scale(reservoir, dtype)), noise_key(seed)
        self.samples = np.arange(*span, dtype=np.uint64)

    def __call__(self, x: torch.Tensor, spikes: torch.Tensor, t: int) -> torch.Tensor | float:
        if self.squares is None:
            return 0.0
        z = standard_noise(self.key, self.samples, t, self.steps, self.neurons, self.dtype)
        spread = (x @ self.squares[0] + spikes @ self.squares[1]).sqrt()
        return self.scale * spread * torch.from_numpy(z).to(self.device)


def _blocks(
    reservoir: Reservoir, rows: np.ndarray, device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    # Input and recurrent rows.
    return torch.from_numpy(rows).to(device).split([reservoir.spec.inputs, reservoir.spec.neurons])
