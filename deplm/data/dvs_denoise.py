"""Background-activity filter: an event without a neighbour in space and time is noise.

Delbruck 2008, "Frame-free dynamic digital vision": an event passes when one of the eight pixels
around its own had an event at most `window_us` before it. The DEPLM paper (methods) says only that
recordings are "denoised", and its scripts read files that already are, so the window is ours.
"""

import numpy as np
from numba import njit

from harness.data.events import Events

NEVER = -(1 << 62)


class Denoiser:
    """The filter with its memory, so that a recording can be fed piece by piece.

    Args:
        width: pixels a row of the sensor.
        height: rows.
        window_us: longest time since a neighbour's event, in us; 0 lets everything pass.
    """

    def __init__(self, width: int, height: int, window_us: int = 10_000) -> None:
        self.window_us = window_us
        # One pixel of border saves the bounds checks of the inner loop.
        self._last = np.full((height + 2, width + 2), NEVER, np.int64)

    def __call__(self, events: Events) -> Events:
        """The events of the next piece that have support."""
        if self.window_us <= 0 or not events.count:
            return events
        return events.at(_supported(self._last, events.x, events.y, events.t_us, self.window_us))


@njit(cache=True, nogil=True)
def _supported(
    last: np.ndarray, x: np.ndarray, y: np.ndarray, t_us: np.ndarray, window_us: int
) -> np.ndarray:
    keep = np.zeros(t_us.size, np.bool_)
    for i in range(t_us.size):
        column, row, oldest = x[i] + 1, y[i] + 1, t_us[i] - window_us
        found = False
        for r in range(row - 1, row + 2):
            for c in range(column - 1, column + 2):
                if last[r, c] >= oldest and not (r == row and c == column):
                    found = True
        keep[i] = found
        last[row, column] = t_us[i]
    return keep
