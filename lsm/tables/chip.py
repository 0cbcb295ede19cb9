"""Imperfections of the chip under the liquid state machine: N-MNIST.

`bash run_chip.sh` runs it; the list of studies is `harness.chip.studies`. Input bits and the
converter of bit planes do not apply: the inputs are spikes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from harness.chip.costs import Line
from harness.chip.runner import Subject, SubjectKind, main
from harness.chip.studies import ChipSource, Point, Shapes
from harness.readouts.ridge import RidgeReadout
from harness.run.config import constant
from harness.run.protocol import Run, Table
from lsm.encode import encode
from lsm.reservoir import Reservoir, ReservoirSpec, from_chip
from lsm.spikes import SpikeTrains
from lsm.tables import audio_visual, brain_visual, nmnist
from lsm.tables.chip_costs import compare
from lsm.tables.supervised import spec_of, training_samples
from rram import LSM_40NM


@dataclass(frozen=True)
class NmnistChipConfig(nmnist.NmnistConfig):
    """Constants of the studies on spikes."""

    study_train: int = constant(6000, "training samples of the studies", low=50, smoke=100)
    study_test: int = constant(2000, "test samples of the studies", low=20, smoke=50)


class Fitted(NamedTuple):
    """A liquid on a chip and its readout."""

    reservoir: Reservoir
    readout: RidgeReadout


class SpikeSubject(Subject):
    """Spike trains in a liquid, spikes a step of every neuron out, plain ridge."""

    spikes = True

    def __init__(self, run: Run, source: ChipSource) -> None:
        super().__init__(run, source)
        samples, c = training_samples(run), run.config
        some = np.linspace(0, len(samples.labels) - 1, min(len(samples.labels), c.study_train))
        rows = np.unique(some.astype(int))
        self.train, self.train_labels = samples.trains.take(rows), samples.labels[rows]
        count = min(len(run.data.test_labels), c.study_test)
        rows = np.linspace(0, len(run.data.test_labels) - 1, count).astype(int)
        self.test, self.test_labels = run.data.test.take(rows), run.data.test_labels[rows]
        train, test = len(self.train_labels), len(self.test_labels)
        self.sizes = f"{train:,} samples to fit, {test:,} to test"

    def spec(self, size: float) -> ReservoirSpec:
        """The liquid with `size` times the neurons."""
        return spec_of(self.run, max(1, round(self.run.config.neurons * size)))

    def shapes(self, size: float = 1.0) -> Shapes:
        """Its input and recurrent rows."""
        spec = self.spec(size)
        return {"input": (spec.inputs, spec.neurons), "recurrent": (spec.neurons, spec.neurons)}

    def reservoir(self, point: Point, seed: int) -> Reservoir:
        """The liquid on a point's chip; chips of other spreads are scaled to the paper's weights.

        The paper's `const` is for its own cells: sparse or unlike cells need another, a worn chip
        (stuck, aged, behind wires) keeps it.
        """
        other = "sparsity" in point.cells or point.spread is not None or bool(self.source.maps)
        other = other or self.source.device != LSM_40NM or bool(self.run.config.sparsity)
        chip = point.chip(self.source, seed, self.shapes(point.size))
        return from_chip(self.spec(point.size), chip, point.read, match_std=other)

    def fit(self, point: Point, seed: int) -> Fitted:
        """Fitted to the training samples on a point's chip."""
        reservoir = self.reservoir(point, seed)
        readout = RidgeReadout(len(self.run.data.classes), self.run.config.penalties)
        return Fitted(
            reservoir, readout.fit(self._rates(reservoir, self.train, 2 * seed), self.train_labels)
        )

    def score(self, fitted: Fitted, point: Point | None, seed: int) -> float:
        """Accuracy on the test samples."""
        reservoir = fitted.reservoir if point is None else self.reservoir(point, seed)
        rates = self._rates(reservoir, self.test, 2 * seed + 1)
        return 100 * float((fitted.readout.predict(rates) == self.test_labels).mean())

    def _rates(self, reservoir: Reservoir, trains: SpikeTrains, seed: int) -> np.ndarray:
        return encode(trains, reservoir, seed=seed)


def costs(table: Table, title: str) -> Callable[[Run], list[Line]]:
    """Its lines beside the published figures."""
    return lambda run: compare(title, run.data.record.kind, table.costs(run))


KINDS = {
    "nmnist": SubjectKind(LSM_40NM, replace(nmnist.TABLE, config=NmnistChipConfig), SpikeSubject),
    "audio_visual": SubjectKind(
        LSM_40NM, audio_visual.TABLE, compare=costs(audio_visual.TABLE, "Audio-visual")
    ),
    "brain_visual": SubjectKind(
        LSM_40NM, brain_visual.TABLE, compare=costs(brain_visual.TABLE, "Brain-visual")
    ),
}

if __name__ == "__main__":
    raise SystemExit(main("lsm", KINDS))
