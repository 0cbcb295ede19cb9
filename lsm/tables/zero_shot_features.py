"""Frozen features of two modalities: reservoirs, or counts of the events themselves."""

import time
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from harness.protocol import Run
from lsm.encode import StateFeatures, encode
from lsm.reservoir import ReservoirSpec
from lsm.tables.common import make_reservoir
from lsm.zero_shot.modalities import TEST, PairedModalities, Split
from lsm.zero_shot.principal import principal
from lsm.zero_shot.projections import Features

Specs = tuple[ReservoirSpec, ReservoirSpec]
EVENTS = "event counts"  # the rival of both kinds of reservoir: no random layer
RATES = StateFeatures(), StateFeatures()


class Encoded(NamedTuple):
    """Features of all items of both modalities, and what they cost."""

    features: Features
    seconds: float
    fixed_weights: int


@dataclass(frozen=True)
class FrozenFeatures:
    """What projections are trained on: nothing in it is trained but principal axes.

    Attributes:
        source: SOFTWARE or CHIP reservoirs, or EVENTS: counts of the input itself.
        specs: of both reservoirs.
        reads: of both; of EVENTS the windows alone.
        standardised: mean 0 and deviation 1 over the training items.
        components: so many principal components a modality, see `principal`; None: all features.
    """

    source: str
    specs: Specs
    reads: tuple[StateFeatures, StateFeatures] = RATES
    standardised: bool = False
    components: int | None = None

    def encode(self, run: Run, seed: int, split: Split) -> Encoded:
        """Features of chip `seed`; reservoirs run once, shared by all rows of the chip.

        Args:
            run: its data, device and constants.
            seed: of the chip.
            split: principal axes are those of its seen classes.
        """
        both = []
        for n in (0, 1):
            key = (self.source, self.specs[n], self.reads[n], n)
            both.append(run.shared(key, seed, partial(self._of_chip, run, seed, n)))
        features, seconds = zip(*both, strict=True)
        weights = 0 if self.source == EVENTS else sum(spec.weights for spec in self.specs)
        if self.standardised:
            features = standardised(features, run.data)
        if self.components is not None:
            features = principal(features, run.data, split, self.components)
        return Encoded(features, sum(seconds), weights)

    def _of_chip(
        self, run: Run, seed: int, n: int, _: list[int]
    ) -> dict[int, tuple[np.ndarray, float]]:
        # A chip at a time: encoding several at once saves nothing.
        started, modality = time.perf_counter(), run.data.modalities[n]
        trains, windows = modality.trains, self.reads[n].windows
        if self.source == EVENTS:
            x = trains.counts(windows) * np.float32(windows / trains.steps)
        else:
            spec = self.specs[n]
            reservoir = make_reservoir(run.config, seed, self.source, spec, f"{modality.name} ")
            options = {"seed": 2 * seed + n, "device": run.device}
            x = encode(trains, reservoir, self.reads[n], **options)
        if run.config.spike_counts:
            x = x * np.float32(trains.steps / windows)
        return {seed: (x, time.perf_counter() - started)}

    def width(self, run: Run) -> int:
        """Features of both modalities before principal components are taken."""
        if self.source == EVENTS:
            inputs = [modality.trains.inputs for modality in run.data.modalities]
            return sum(n * r.windows for n, r in zip(inputs, self.reads, strict=True))
        return sum(r.width(s.neurons) for r, s in zip(self.reads, self.specs, strict=True))

    @property
    def note(self) -> str:
        """What a reader has to know."""
        first = self.reads[0]
        parts = [self.source] if self.source == EVENTS else []
        parts += [f"{first.windows} windows" if first.windows > 1 else "rates"]
        parts += [f"{first.membranes} membranes"] if first.membranes else []
        parts += ["standardised"] if self.standardised else []
        parts += [f"{self.components} principal components"] if self.components else []
        return ", ".join(parts)


def standardised(features: Features, data: PairedModalities) -> Features:
    """Mean 0 and deviation 1 of each feature over the training items."""
    scaled = []
    for x, modality in zip(features, data.modalities, strict=True):
        train = x[modality.subset != TEST]
        deviation = train.std(0)
        scaled.append((x - train.mean(0)) / np.where(deviation > 0, deviation, 1))
    return tuple(scaled)
