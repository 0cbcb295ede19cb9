"""What is read from a reservoir while it runs: spike rates, traces, membranes."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.errors import UserError


class States(NamedTuple):
    """What a run of the reservoir fills.

    Attributes:
        counts: (B, windows, neurons) float32, spikes of every neuron in every window.
        traces: (B, traces, neurons) float64.
        membranes: (B, membranes, neurons), in the floating type of the membranes.
    """

    counts: np.ndarray
    traces: np.ndarray
    membranes: np.ndarray


class Plan(NamedTuple):
    """For every step its window (T,), trace weights (T, K) and membrane slot (T,) or -1."""

    window: np.ndarray
    traces: np.ndarray
    slot: np.ndarray

    def states(self, samples: int, neurons: int, dtype: type) -> States:
        """Zeros for what is read; `dtype` is that of the membranes."""
        return States(
            np.zeros((samples, self.window.max() + 1, neurons), np.float32),
            np.zeros((samples, self.traces.shape[1], neurons), np.float64),
            np.zeros((samples, self.slot.max() + 1, neurons), dtype),
        )

    def write(self, states: States, out: np.ndarray) -> None:
        """Lay rates, traces and membranes side by side in `out` (B, width), float32."""
        steps = np.bincount(self.window).astype(np.float32)
        rates = states.counts / steps[:, None]
        blocks = (rates, states.traces, states.membranes)
        out[:] = np.concatenate(
            [b.reshape(len(out), -1) for b in blocks], 1, dtype=np.float32, casting="same_kind"
        )


@dataclass(frozen=True)
class StateFeatures:
    """What is read from the reservoir; features are laid side by side in this order.

    Attributes:
        windows: spikes per step of each neuron in that many equal parts of the time. The
            paper's feature is one window.
        traces: exponential traces at the end, sum over t of g^(T-1-t) s[t], one for each g.
        membranes: membranes after reset at that many equally spaced times, the last at the end.
    """

    windows: int = 1
    traces: tuple[float, ...] = ()
    membranes: int = 0

    def width(self, neurons: int) -> int:
        """Number of features."""
        return neurons * (self.windows + len(self.traces) + self.membranes)

    def plan(self, steps: int) -> Plan:
        """What to do in which of `steps` steps.

        Raises:
            UserError: more windows or membranes than steps, or a decay outside 0 to 1.
        """
        if not 1 <= self.windows <= steps or not 0 <= self.membranes <= steps:
            raise UserError(f"{self}: windows 1 to {steps}, membranes 0 to {steps}")
        if not all(0 <= g <= 1 for g in self.traces):
            raise UserError(f"{self}: trace decays must be between 0 and 1")
        t = np.arange(steps)
        decays = np.array(self.traces, np.float64).reshape(1, -1)
        slot = np.full(steps, -1)
        for k in range(self.membranes):
            slot[(k + 1) * steps // self.membranes - 1] = k
        weights = decays ** (steps - 1 - t[:, None])
        return Plan(t * self.windows // steps, weights, slot)
