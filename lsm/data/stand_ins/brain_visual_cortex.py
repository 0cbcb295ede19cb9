"""Spike counts of a simulated motor cortex while it writes a letter. Synthetic.

Each of 192 electrodes fires as a Poisson process whose rate follows the pen's velocity (cosine
tuning), its speed and, weakly, its position, after a reaction time; writing is faster or slower
from trial to trial and within one. Timing and bins are those of the recordings of Willett et
al., Nature 593:249 (2021): 201 bins of 10 ms, the go cue half a second after the first.
Rates were chosen as threshold crossings of such arrays have them; the tuning's strength so that a
linear discriminant on counts in 8 windows names about nine letters in ten from 20 trials each
(91 % in three folds of the training trials; the test trials were not looked at). The recordings'
authors report 94 % of 31 characters from 27 trials brought to the same pace.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lsm.data.stand_ins.brain_visual_strokes import ONE_WRITER, SAMPLES, PenPath, write_letter

CHANNELS = 192
BINS = 201
BIN_S = 0.01
GO_S = 0.5
USUAL_SPEED = 4.0  # x-heights a second


@dataclass(frozen=True)
class MotorCortex:
    """One participant's electrodes.

    Attributes:
        seed: of the tunings.
        baseline_hz: median rate at rest.
        gain_hz: median change of rate at the usual pen speed along the preferred direction.
        untuned: fraction of electrodes that do not follow the pen.
        reaction_s: mean delay from the go cue to the first movement.
        jitter_s: its standard deviation.
        tempo: logarithm of a trial's duration, standard deviation.
        warp: of the slow changes of pace within a trial, likewise.
        excitability: logarithm of an electrode's rate from trial to trial, standard deviation.
    """

    seed: int = 0
    baseline_hz: float = 14.0
    gain_hz: float = 22.0
    untuned: float = 0.3
    reaction_s: float = 0.28
    jitter_s: float = 0.05
    tempo: float = 0.1
    warp: float = 0.1
    excitability: float = 0.2

    @cached_property
    def tuning(self) -> dict[str, np.ndarray]:
        """What each electrode prefers: arrays whose first axis is the electrode.

        The columns of "pen" are for velocity x and y, speed, and position x and y.
        """
        rng = np.random.default_rng([self.seed, CHANNELS])
        angle = rng.uniform(0, 2 * np.pi, CHANNELS)
        tuned = rng.random(CHANNELS) >= self.untuned
        gain = tuned * rng.lognormal(np.log(self.gain_hz), 0.6, CHANNELS)
        speed, place = rng.normal(0.3, 0.4, CHANNELS), rng.normal(0, 0.25, (2, CHANNELS))
        return {
            "baseline": rng.lognormal(np.log(self.baseline_hz), 0.7, CHANNELS),
            "pen": gain[:, None] * np.stack([np.cos(angle), np.sin(angle), speed, *place], 1),
            "go": rng.normal(0.3, 0.5, CHANNELS) * self.baseline_hz,
            "lag": rng.normal(0, 0.02, CHANNELS),
        }

    def rates(self, path: PenPath, rng: np.random.Generator) -> np.ndarray:
        """Firing rates of one trial, (201, 192) in Hz.

        Args:
            path: of the pen; the longer its way, the longer the trial takes.
            rng: of reaction time, tempo, warping and excitability.
        """
        tuning = self.tuning
        start, when, duration = self._timing(path, rng)
        usual = path.velocity / duration / USUAL_SPEED
        speed = np.linalg.norm(usual, axis=1, keepdims=True)
        pen = np.concatenate([usual, speed, path.position - path.position.mean(0)], 1)
        bins = (np.arange(BINS) + 0.5) * BIN_S - GO_S - start
        asked = bins[:, None] + tuning["lag"]
        moved = np.zeros((BINS, CHANNELS))
        for signal, weight in zip(pen.T, tuning["pen"].T, strict=True):
            moved += weight * np.interp(asked, when, signal, left=0, right=0)
        # What every movement has in common: a transient before its start.
        common = np.exp(-0.5 * ((bins + 0.05) / 0.08) ** 2)[:, None] * tuning["go"]
        level = np.exp(rng.normal(0, self.excitability, CHANNELS))
        return np.maximum((tuning["baseline"] + common + moved) * level, 0)

    def record(self, letter: str, rng: np.random.Generator) -> np.ndarray:
        """Spike counts of one trial, (201, 192) uint8."""
        path = write_letter(letter, ONE_WRITER, rng)
        return rng.poisson(self.rates(path, rng) * BIN_S).clip(0, 255).astype(np.uint8)

    def _timing(self, path: PenPath, rng: np.random.Generator) -> tuple[float, np.ndarray, float]:
        # Start after the cue, time of every path sample after the start, whole duration; in s.
        start = max(0.1, rng.normal(self.reaction_s, self.jitter_s))
        duration = min(1.15, (0.3 + 0.14 * path.length) * np.exp(rng.normal(0, self.tempo)))
        pace = np.interp(
            np.linspace(0, 1, SAMPLES - 1), np.linspace(0, 1, 5), rng.normal(0, self.warp, 5)
        )
        when = np.r_[0, np.cumsum(np.exp(pace))]
        return start, duration * when / when[-1], duration
