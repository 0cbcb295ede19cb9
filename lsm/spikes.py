"""Binary spike trains of many samples, stored as the list of channels that spike in each step."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from harness.errors import UserError


@dataclass(frozen=True)
class SpikeTrains:
    """Spike trains of B samples, T steps, C channels, in compressed rows.

    Row `sample * steps + step` holds the active channels of that step, each once, ascending:
    `channels[rows[r]:rows[r + 1]]`. Memory grows with the number of spikes.

    Attributes:
        rows: (B * T + 1,) int64, where each row starts.
        channels: (spikes,) uint16, the active channels.
        steps: T.
        inputs: C, at most 65,536.
    """

    rows: np.ndarray
    channels: np.ndarray
    steps: int
    inputs: int

    def __len__(self) -> int:
        return (len(self.rows) - 1) // self.steps

    @property
    def density(self) -> float:
        """Fraction of (sample, step, channel) that spike."""
        return len(self.channels) / max(1, (len(self.rows) - 1) * self.inputs)

    @classmethod
    def from_events(
        cls,
        sample: np.ndarray,
        step: np.ndarray,
        channel: np.ndarray,
        shape: tuple[int, int, int],
    ) -> Self:
        """From events in any order; several in one (sample, step, channel) count once.

        Args:
            sample: (events,) integers below `shape[0]`.
            step: (events,) integers below `shape[1]`.
            channel: (events,) integers below `shape[2]`.
            shape: (samples, steps, inputs).

        Raises:
            UserError: the three arrays differ in length, or a number is out of range.
        """
        samples, steps, inputs = shape
        if not len(sample) == len(step) == len(channel):
            raise UserError(f"{len(sample)} samples, {len(step)} steps, {len(channel)} channels")
        if not 1 <= inputs <= 65536:
            raise UserError(f"inputs is {inputs}: 1 to 65536")
        for name, values, limit in zip(
            ("sample", "step", "channel"), (sample, step, channel), shape, strict=True
        ):
            if len(values) and not (values.min() >= 0 and values.max() < limit):
                raise UserError(f"{name}s {values.min()} to {values.max()}: 0 to {limit - 1}")
        key = (sample.astype(np.int64) * steps + step) * inputs + channel
        key = np.unique(key)
        rows = np.searchsorted(key, np.arange(samples * steps + 1) * inputs)
        return cls(rows.astype(np.int64), (key % inputs).astype(np.uint16), steps, inputs)

    @classmethod
    def from_keys(cls, keys: list[np.ndarray], steps: int, inputs: int) -> Self:
        """From one array a sample of ascending numbers step * inputs + channel, each once."""
        starts = np.cumsum([0] + [len(k) for k in keys])
        joined = np.concatenate([np.zeros(0, np.int64), *keys])
        grid = np.arange(steps) * inputs
        rows = [np.searchsorted(k, grid) + at for k, at in zip(keys, starts, strict=False)]
        rows = np.concatenate([*rows, starts[-1:]]).astype(np.int64)
        return cls(rows, (joined % inputs).astype(np.uint16), steps, inputs)

    @classmethod
    def from_dense(cls, spikes: np.ndarray) -> Self:
        """From a time-first array (T, B, C) of zeros and ones."""
        if spikes.ndim != 3:
            raise UserError(f"dense spikes have shape {spikes.shape}, expected (T, B, C)")
        if not np.isin(spikes, (0, 1)).all():
            raise UserError("dense spikes must be 0 or 1")
        steps, samples, inputs = spikes.shape
        sample, step, channel = np.nonzero(spikes.transpose(1, 0, 2))
        return cls.from_events(sample, step, channel, (samples, steps, inputs))

    def dense(self, dtype: np.dtype | type = np.float32) -> np.ndarray:
        """Time-first array (T, B, C) of zeros and ones."""
        spikes = np.zeros((len(self), self.steps, self.inputs), dtype)
        row = np.repeat(np.arange(len(self.rows) - 1), np.diff(self.rows))
        spikes.reshape(-1, self.inputs)[row, self.channels] = 1
        return np.ascontiguousarray(spikes.transpose(1, 0, 2))

    def counts(self, windows: int = 1) -> np.ndarray:
        """Spikes of every channel in `windows` equal parts of the time, (B, windows * C)."""
        row = np.repeat(np.arange(len(self.rows) - 1), np.diff(self.rows))
        sample, step = np.divmod(row, self.steps)
        column = (step * windows // self.steps) * self.inputs + self.channels
        width = windows * self.inputs
        flat = np.bincount(sample * width + column, minlength=len(self) * width)
        return flat.reshape(len(self), width).astype(np.float32)

    def take(self, samples: slice | np.ndarray) -> Self:
        """The trains of some samples, in the order given: a slice, numbers or a mask."""
        chosen = np.arange(len(self))[samples]
        lengths = np.diff(self.rows).reshape(-1, self.steps)[chosen]
        rows = np.concatenate([[0], np.cumsum(lengths)])
        starts = self.rows[:-1].reshape(-1, self.steps)[chosen].ravel()
        shift = np.repeat(starts - rows[:-1], lengths.ravel())
        channels = self.channels[np.arange(rows[-1]) + shift]
        return type(self)(rows, channels, self.steps, self.inputs)

    @classmethod
    def concatenate(cls, parts: "list[SpikeTrains]") -> Self:
        """The samples of several trains of the same steps and inputs, one after another."""
        shapes = {(part.steps, part.inputs) for part in parts}
        if len(shapes) != 1:
            raise UserError(f"trains of different (steps, inputs): {sorted(shapes)}")
        offsets = np.cumsum([0] + [len(part.channels) for part in parts])
        rows = [part.rows[:-1] + offset for part, offset in zip(parts, offsets, strict=False)]
        channels = np.concatenate([part.channels for part in parts])
        return cls(np.concatenate([*rows, offsets[-1:]]), channels, *shapes.pop())
