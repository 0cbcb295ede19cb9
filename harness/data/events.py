"""Events of a neuromorphic sensor, and the 5-byte file layout that N-MNIST made common.

One event is five bytes: x, y, then 24 bits big-endian of which the first is the polarity and
the other 23 are the time in microseconds (Orchard et al. 2015). 23 bits hold 8.39 s.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.data.files import read_file
from harness.errors import UserError

EVENT_BYTES = 5
TIME_LIMIT_US = 1 << 23  # the first time that does not fit


class Events(NamedTuple):
    """Events of one recording, or of a piece of one, in the order of the file.

    Attributes:
        x: (E,) int16, column in pixels.
        y: (E,) int16, row in pixels.
        p: (E,) uint8, 1 where the light grew, 0 where it fell.
        t_us: (E,) int64, time in microseconds.
    """

    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    t_us: np.ndarray

    @property
    def count(self) -> int:
        """How many events (`len` of a NamedTuple is its number of fields)."""
        return len(self.t_us)

    def at(self, index: slice | np.ndarray) -> "Events":
        """The events at a slice, a mask or positions."""
        return Events(*(column[index] for column in self))


def as_events(x: np.ndarray, y: np.ndarray, p: np.ndarray, t_us: np.ndarray) -> Events:
    """Events of four columns of any integer type, each (E,)."""
    return Events(
        np.asarray(x, np.int16),
        np.asarray(y, np.int16),
        np.asarray(p, np.uint8),
        np.asarray(t_us, np.int64),
    )


def no_events() -> Events:
    """Events of which there are none."""
    nothing = np.zeros(0, np.int64)
    return as_events(nothing, nothing, nothing, nothing)


def join_events(pieces: list[Events]) -> Events:
    """One piece after the other."""
    return Events(*map(np.concatenate, zip(*pieces, strict=True))) if pieces else no_events()


def check_events(
    events: Events, width: int, height: int, where: str, *, sorted_times: bool = True
) -> Events:
    """Give `events` back when they lie on the sensor and, if asked, in order of time.

    Raises:
        UserError: names `where` and the first event that is wrong.
    """
    outside = (events.x < 0) | (events.x >= width) | (events.y < 0) | (events.y >= height)
    if outside.any():
        i = int(outside.argmax())
        raise UserError(
            f"{where}: event {i} at x={events.x[i]}, y={events.y[i]} lies outside the"
            f" {width} x {height} sensor; is this a recording of another camera?"
        )
    if sorted_times and events.count > 1:
        steps = np.diff(events.t_us)
        if steps.min() < 0:
            i = int((steps < 0).argmax()) + 1
            raise UserError(
                f"{where}: time runs backwards at event {i} ({events.t_us[i - 1]} us, then"
                f" {events.t_us[i]} us); the file is damaged, get it again"
            )
    return events


def read_events_5byte(
    path: str | Path, width: int, height: int, *, sorted_times: bool = False
) -> Events:
    """Read one recording of 5-byte events from a sensor of `width` x `height` pixels.

    Args:
        path: the file.
        width: pixels a row; 34 in N-MNIST, 128 in DVS128 Gesture.
        height: rows.
        sorted_times: also refuse times that run backwards.

    Raises:
        UserError: no such file, empty, not a whole number of events, an event outside the sensor.
    """
    path = Path(path)
    raw = np.frombuffer(read_file(path), np.uint8)
    if raw.size == 0:
        raise UserError(f"{path}: empty, a recording was expected; get the file again")
    if raw.size % EVENT_BYTES:
        raise UserError(
            f"{path}: {raw.size} bytes is not a whole number of {EVENT_BYTES}-byte events;"
            " the file is cut short or of another format, get it again"
        )
    x, y, high, middle, low = raw.reshape(-1, EVENT_BYTES).T
    t_us = ((high & 0x7F).astype(np.int64) << 16) | (middle.astype(np.int64) << 8) | low
    events = as_events(x, y, high >> 7, t_us)
    return check_events(events, width, height, str(path), sorted_times=sorted_times)


def write_events_5byte(path: str | Path, events: Events) -> None:
    """Write events in the 5-byte layout.

    Raises:
        ValueError: a coordinate over 255, or a time that 23 bits do not hold.
    """
    x, y, p, t_us = events
    if events.count and (min(x.min(), y.min()) < 0 or max(x.max(), y.max()) > 255):
        raise ValueError("coordinates must lie in 0..255 to fit into a byte")
    if events.count and (t_us.min() < 0 or t_us.max() >= TIME_LIMIT_US):
        raise ValueError(f"times must lie in 0..{TIME_LIMIT_US - 1} us to fit into 23 bits")
    rows = np.empty((events.count, EVENT_BYTES), np.uint8)
    rows[:, 0], rows[:, 1] = x, y
    rows[:, 2] = (p.astype(np.int64) << 7) | (t_us >> 16)
    rows[:, 3], rows[:, 4] = (t_us >> 8) & 0xFF, t_us & 0xFF
    Path(path).write_bytes(rows.tobytes())
