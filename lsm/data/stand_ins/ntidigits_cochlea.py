"""A simulated silicon cochlea: sound -> 64 band-pass filters -> spikes.

Gammatone filters (Patterson 1992) spaced evenly on the scale of equivalent rectangular
bandwidths (Glasberg and Moore 1990), half-wave rectification and integrate-and-fire, as in the
sensor that recorded N-TIDIGITS (Chan, Liu and van Schaik 2007).
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.signal import gammatone, lfilter


class AudioSpikes(NamedTuple):
    """Channel (E,) int64 and time (E,) in seconds of every spike, in order of time."""

    channels: np.ndarray
    times_s: np.ndarray


@dataclass(frozen=True)
class Cochlea:
    """The filters and what makes them fire.

    Attributes:
        rate_hz: sampling rate of the sound.
        channels: filters; channel 0 is the highest frequency.
        lowest_hz: centre of the last filter.
        highest_hz: centre of the first, below half the sampling rate.
        floor: output of a filter that fires nothing, relative to the sound's loudest 20 ms.
        gain_hz: mean firing rate while a filter's output stays at 1 above the floor.
    """

    rate_hz: int = 8000
    channels: int = 64
    lowest_hz: float = 100.0
    highest_hz: float = 3600.0
    floor: float = 0.02
    gain_hz: float = 600.0

    def centres_hz(self) -> np.ndarray:
        """Centre frequencies, highest first, (channels,)."""
        ends = _erb_number(np.array([self.highest_hz, self.lowest_hz]))
        return (10 ** (np.linspace(*ends, self.channels) / 21.4) - 1) / 0.00437


FSDD_COCHLEA = Cochlea()


def hear(sound: np.ndarray, cochlea: Cochlea = FSDD_COCHLEA) -> AudioSpikes:
    """Spikes of a sound; louder recordings of the same give the same.

    Args:
        sound: (samples,) in any unit, not silent.
        cochlea: the sensor.
    """
    bands = np.stack([lfilter(b, a, sound) for b, a in _filters(cochlea)])
    frame = cochlea.rate_hz // 50
    power = np.convolve(np.square(sound), np.full(frame, 1 / frame), "same")
    drive = np.maximum(bands / np.sqrt(power.max()) - cochlea.floor, 0)
    # The square root compresses loudness, as an ear does; the rest is integrate-and-fire.
    charge = np.cumsum(np.sqrt(drive), axis=1) * (cochlea.gain_hz / cochlea.rate_hz)
    fired = np.diff(np.floor(charge), axis=1, prepend=0) > 0
    sample, channel = np.nonzero(fired.T)
    return AudioSpikes(channel, sample / cochlea.rate_hz)


def _erb_number(hertz: np.ndarray) -> np.ndarray:
    return 21.4 * np.log10(1 + 0.00437 * hertz)


@cache
def _filters(cochlea: Cochlea) -> list[tuple[np.ndarray, np.ndarray]]:
    return [gammatone(f, "iir", fs=cochlea.rate_hz) for f in cochlea.centres_hz()]
