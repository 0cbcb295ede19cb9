"""What a user gives, as spike trains: dense arrays, and lists of recordings of events."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lsm.spikes import SpikeTrains
from rram import UserError

Spikes = np.ndarray | Sequence[np.ndarray] | SpikeTrains
COLUMNS = {2: ("t", "x"), 3: ("x", "y", "t"), 4: ("x", "y", "t", "p")}  # of arrays without names


class Sensor(NamedTuple):
    """Size of a sensor, in the order of tonic's `sensor_size`."""

    width: int
    height: int = 1
    polarities: int = 1

    @property
    def channels(self) -> int:
        """One for every pixel and polarity."""
        return self.width * self.height * self.polarities


def from_dense(X: np.ndarray) -> SpikeTrains:
    """Spike trains of an array (n, T, C) of zeros and ones.

    Raises:
        UserError: another rank, other values, or no samples.
    """
    X = np.asarray(X)
    if X.ndim != 3:
        raise UserError(
            f"X of shape {X.shape}: Reshape your data to (samples, steps, channels) of 0 and 1, or "
            "give a list of recordings of events"
        )
    if len(X) == 0:
        raise UserError("0 samples: a minimum of 1 is required")
    return SpikeTrains.from_dense(X.transpose(1, 0, 2))


def is_events(X: Spikes) -> bool:
    """Whether X is a list of recordings of events, and no array of spikes."""
    return isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype == object)


def read_events(X: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Columns t, x and perhaps y and p of every recording.

    Raises:
        UserError: an array without such columns, times or places that are not whole numbers,
            times that run backwards, an empty recording.
    """
    if len(X) == 0:
        raise UserError("0 samples: a minimum of 1 is required")
    return [_columns(np.asarray(events), f"recording {n}") for n, events in enumerate(X)]


def sensor_of(recordings: Sequence[dict[str, np.ndarray]]) -> Sensor:
    """The smallest sensor that holds all events."""
    sizes = [max((int(r[c].max()) for r in recordings if c in r), default=0) + 1 for c in "xyp"]
    return Sensor(*sizes)


def bin_events(
    recordings: Sequence[dict[str, np.ndarray]], steps: int, sensor: Sensor
) -> SpikeTrains:
    """Spike trains of events: `steps` equal steps from a recording's first to its last event.

    The channel of an event is (p height + y) width + x; several in one step and channel count
    once, as in the paper.

    Raises:
        UserError: an event outside the sensor.
    """
    keys = []
    for n, events in enumerate(recordings):
        for column, size in zip("xyp", sensor, strict=True):
            if column in events and not 0 <= events[column].min() <= events[column].max() < size:
                low, high = events[column].min(), events[column].max()
                raise UserError(
                    f"recording {n}: {column} from {low} to {high}, expected 0 to {size - 1}: the "
                    f"sensor is {tuple(sensor)}; give sensor=(width, height, polarities)"
                )
        first, last = events["t"][0], events["t"][-1]
        step = (events["t"] - first) * steps // (last - first + 1)
        y, p = (events.get(column, 0) for column in "yp")
        channel = (p * sensor.height + y) * sensor.width + events["x"]
        keys.append(np.unique(step * sensor.channels + channel))
    return SpikeTrains.from_keys(keys, steps, sensor.channels)


def _columns(events: np.ndarray, where: str) -> dict[str, np.ndarray]:
    names = events.dtype.names
    if names is None:
        names = COLUMNS.get(events.shape[1]) if events.ndim == 2 else None
        if names is None:
            raise UserError(
                f"{where} of shape {events.shape}: expected fields x, y, t, p, or columns (t, x), "
                "(x, y, t) or (x, y, t, p); spikes of 0 and 1 are one array (samples, steps, "
                "channels)"
            )
        columns = dict(zip(names, events.T, strict=True))
    else:
        columns = {name: events[name] for name in names if name in "xytp"}
        if not {"t", "x"} <= set(columns):
            raise UserError(
                f"{where} with fields {', '.join(names)}: expected t and x, or x, y, t, p"
            )
    if len(events) == 0:
        raise UserError(f"{where}: no events, expected 1 or more")
    for name, values in columns.items():
        if values.dtype.kind not in "iub":
            raise UserError(
                f"{where}: {name} of {values.dtype}, expected whole numbers (t in us, say)"
            )
    columns = {name: values.astype(np.int64) for name, values in columns.items()}
    backwards = np.flatnonzero(np.diff(columns["t"]) < 0)
    if len(backwards):
        n = int(backwards[0])
        raise UserError(
            f"{where}: time runs backwards from event {n} ({columns['t'][n]}) to event {n + 1} "
            f"({columns['t'][n + 1]}), expected times that rise: sort the events by t"
        )
    return columns
