"""Binary spike trains of many samples, stored as the list of channels that spike in each step."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from harness.errors import UserError

MAX_INPUTS = 65_536  # channels are kept as 16-bit numbers


@dataclass(frozen=True)
class SpikeTrains:
    """Spike trains of B samples, T steps, C channels, in compressed rows.

    Row `sample * steps + step` holds the active channels of that step, each once, ascending:
    `channels[rows[r]:rows[r + 1]]`. Memory grows with the number of spikes.

    Attributes:
        rows: (B * T + 1,) integers, where each row starts.
        channels: (spikes,) integers, the active channels.
        steps: T.
        inputs: C, at most 65,536.

    Raises:
        UserError: arrays that are no such rows: a channel out of range, twice in a step or out
            of order, row starts that fall, numbers that are not integers.

    Example:
        >>> import numpy as np
        >>> sample, step, channel = np.array([[0, 0, 7], [0, 2, 3], [1, 1, 5]]).T
        >>> trains = SpikeTrains.from_events(sample, step, channel, (2, 3, 8))
        >>> trains.dense().shape  # time first: (T, B, C)
        (3, 2, 8)
    """

    rows: np.ndarray
    channels: np.ndarray
    steps: int
    inputs: int

    def __post_init__(self) -> None:
        _check_shape(self.steps, self.inputs)
        rows = _integers("rows", self.rows)
        channels = _integers("channels", self.channels)
        if len(rows) % self.steps != 1 % self.steps or len(rows) == 0:
            raise UserError(f"{len(rows)} rows: samples * {self.steps} steps + 1 are needed")
        if rows[0] != 0 or rows[-1] != len(channels) or (rows[1:] < rows[:-1]).any():
            raise UserError(f"rows must rise from 0 to the number of spikes, {len(channels)}")
        _in_range("channels", channels, self.inputs)
        unsorted = np.flatnonzero(channels[1:] <= channels[:-1]) + 1
        if (rows[np.searchsorted(rows, unsorted)] != unsorted).any():
            raise UserError("channels of a step must ascend, each once; from_events sorts them")

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
            UserError: the three arrays differ in length, are not integers, or a number is out of
                range.
        """
        samples, steps, inputs = shape
        _check_shape(steps, inputs)
        columns = dict(zip(("samples", "steps", "channels"), (sample, step, channel), strict=True))
        sample, step, channel = (_integers(name, values) for name, values in columns.items())
        if not len(sample) == len(step) == len(channel):
            raise UserError(f"{len(sample)} samples, {len(step)} steps, {len(channel)} channels")
        for (name, values), limit in zip(columns.items(), shape, strict=True):
            _in_range(name, np.asarray(values), limit)
        sample, step, channel = (x.astype(np.int64) for x in (sample, step, channel))
        key = np.unique((sample * steps + step) * inputs + channel)
        rows = np.searchsorted(key, np.arange(samples * steps + 1) * inputs)
        return cls(rows.astype(np.int64), (key % inputs).astype(np.uint16), steps, inputs)

    @classmethod
    def from_keys(cls, keys: list[np.ndarray], steps: int, inputs: int) -> Self:
        """From one array a sample of ascending numbers step * inputs + channel, each once.

        Args:
            keys: an array a sample.
            steps: T.
            inputs: C.

        Raises:
            UserError: an array that is not of ascending integers below steps * inputs.
        """
        _check_shape(steps, inputs)
        for n, key in enumerate(keys):
            _in_range(f"keys of sample {n}", _integers(f"keys of sample {n}", key), steps * inputs)
            if (np.diff(key.astype(np.int64)) <= 0).any():
                raise UserError(f"keys of sample {n} must ascend, each once")
        starts = np.cumsum([0] + [len(k) for k in keys])
        joined = np.concatenate([np.zeros(0, np.int64), *keys])
        grid = np.arange(steps) * inputs
        rows = [np.searchsorted(k, grid) + at for k, at in zip(keys, starts, strict=False)]
        rows = np.concatenate([*rows, starts[-1:]]).astype(np.int64)
        return cls(rows, (joined % inputs).astype(np.uint16), steps, inputs)

    @classmethod
    def from_dense(cls, spikes: np.ndarray) -> Self:
        """From a time-first array (T, B, C) of zeros and ones."""
        spikes = np.asarray(spikes)
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
        if not 1 <= windows <= self.steps:
            raise UserError(f"windows is {windows}: 1 to {self.steps}, the number of steps")
        row = np.repeat(np.arange(len(self.rows) - 1), np.diff(self.rows))
        sample, step = np.divmod(row, self.steps)
        column = (step * windows // self.steps) * self.inputs + self.channels
        width = windows * self.inputs
        flat = np.bincount(sample * width + column, minlength=len(self) * width)
        return flat.reshape(len(self), width).astype(np.float32)

    def take(self, samples: slice | np.ndarray) -> Self:
        """The trains of some samples, in the order given: a slice, numbers or a mask."""
        try:
            chosen = np.arange(len(self))[samples]
        except IndexError as error:
            raise UserError(f"no such samples among {len(self)}: {error}") from error
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


def _check_shape(steps: int, inputs: int) -> None:
    if steps < 1:
        raise UserError(f"steps is {steps}: 1 or more")
    if not 1 <= inputs <= MAX_INPUTS:
        raise UserError(f"inputs is {inputs}: 1 to {MAX_INPUTS}")


def _integers(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise UserError(f"{name}: {values.dtype} {values.shape}, expected a row of integers")
    return values if values.size else values.astype(np.int64)


def _in_range(name: str, values: np.ndarray, limit: int) -> None:
    if len(values) and not (values.min() >= 0 and values.max() < limit):
        raise UserError(f"{name} {values.min()} to {values.max()}: 0 to {limit - 1} are allowed")
