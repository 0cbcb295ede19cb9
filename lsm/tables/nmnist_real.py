"""N-MNIST's real recordings at hand: classified, and beside those of the simulated camera.

`bash lsm/run_nmnist_real.sh --help` lists rows and constants.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.errors import NoRealData
from harness.readouts.discriminative import DiscriminativeRidge
from harness.report.figures import draw_best_confusion
from harness.run.cli import main
from harness.run.config import constant
from harness.run.protocol import Measurement, Metric, Row, Run, Table, split
from lsm.data import nmnist
from lsm.data.spike_set import SpikeSet
from lsm.data.stand_ins import nmnist_sensor_check as sensor_check
from lsm.encode import StateFeatures, encode
from lsm.probe import seconds_a_recording
from lsm.spikes import SpikeTrains
from lsm.tables import figures
from lsm.tables.common import CHIP
from lsm.tables.nmnist import NmnistConfig
from lsm.tables.supervised import (
    COUNTS,
    PAPER_FEATURES,
    PLAIN,
    PLUS,
    WINDOWED_COUNTS,
    chip_ridge,
    costs,
    plus_features,
    reservoir_of,
)

FITTED = "the camera's path, contrast and thresholds were fitted to these very recordings"
SHOWN = 10  # pictures side by side
LIKENESS = {
    "events_ratio": "", "duration_real_ms": "ms", "duration_simulated_ms": "ms",
    "pause_1_real_ms": "ms", "pause_1_simulated_ms": "ms", "pause_2_real_ms": "ms",
    "pause_2_simulated_ms": "ms", "rhythm_correlation": "", "image_correlation": "",
    "image_correlation_lowest": "",
}  # fmt: skip
TRANSFER = {"on_real": "%", "on_simulated": "%", "points_lost": "points"}
Encode = Callable[[SpikeTrains], np.ndarray]  # spike trains -> features (samples, D)


@dataclass(frozen=True)
class NmnistRealConfig(NmnistConfig):
    """Constants of this table; edit them here or with --set name=value."""

    transfer_steps: int = constant(
        32, "new targets at most, of discriminative ridge trained on simulated recordings",
        low=1, high=64,
    )  # fmt: skip


def load(run: Run) -> SpikeSet:
    """The real recordings, however few.

    Raises:
        NoRealData: there are none, or a smoke run was asked for.
    """
    if run.smoke:
        raise NoRealData("--smoke: real recordings have no stand-in; run without it")
    if nmnist.INFO.found(run.data_root) is None:
        raise NoRealData(f"no real recordings in {run.data_root}; {nmnist.INFO.how_to_get}")
    return nmnist.load(run.data_root, kind="real", steps=run.config.steps)


def likeness(run: Run, _: int) -> Measurement:
    """How like the real recordings the simulated ones of the same pictures are."""
    pairs = _pairs(run)
    compared = sensor_check.compare(pairs.real, pairs.simulated)
    values = {_in_words(key): compared[key] for key in LIKENESS}
    return Measurement(values=values, note=f"{len(pairs.real)} pairs; {FITTED}")


def transfer_counts(run: Run, _: int) -> Measurement:
    """Event counts, no reservoir: trained on simulated recordings, tested on real ones."""
    return _transfer(run, lambda trains: trains.counts())


def transfer_rates(run: Run, seed: int) -> Measurement:
    """The chip's rates: trained on simulated recordings, tested on real ones."""
    return _transfer(run, _encoder(run, seed, PAPER_FEATURES))


def transfer_plus(run: Run, seed: int) -> Measurement:
    """What LSM+ reads: trained on simulated recordings, tested on real ones."""
    return _transfer(run, _encoder(run, seed, plus_features(run.config)))


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """Real and simulated recordings side by side, and the best row's confusions."""
    pairs = _pairs(run)
    first = [int(np.flatnonzero(pairs.labels == digit)[0]) for digit in range(SHOWN)]
    images = (
        [sensor_check.event_image(group[n]) for n in first]
        for group in (pairs.real, pairs.simulated)
    )
    rhythms = {
        name: sensor_check.rhythm(group) / len(group)
        for name, group in (("real", pairs.real), ("simulated", pairs.simulated))
    }
    where = f"{len(run.data.test)} real recordings"
    return [
        figures.recordings_side_by_side(run.results / "nmnist_real_pairs.png", *images, rhythms),
        *draw_best_confusion(
            rows, run.data.classes, where, run.results / "nmnist_real_confusion.png"
        ),
    ]


def _pairs(run: Run) -> sensor_check.Pairs:
    return run.cached("pairs", lambda: sensor_check.pairs(run.data_root))


def _simulated(run: Run) -> tuple[SpikeTrains, np.ndarray]:
    data = nmnist.load(run.data_root, kind="simulated-sensor", steps=run.config.steps)
    return data.train, data.train_labels


def _encoder(run: Run, seed: int, state: StateFeatures) -> Encode:
    reservoir = reservoir_of(run, seed, CHIP)
    return lambda trains: encode(trains, reservoir, state, seed=len(trains), device=run.device)


def _transfer(run: Run, features: Encode) -> Measurement:
    """Train on simulated recordings of other pictures; test on both kinds of these."""
    started = time.perf_counter()

    def fit(x: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        fitted, validation = split(len(labels), 1 / 6)
        c = run.config
        readout = DiscriminativeRidge(len(nmnist.DIGITS), c.penalties, c.transfer_steps, np.float32)
        rows = ((x[part], labels[part]) for part in (fitted, validation))
        return readout.fit_with_validation(*rows).predict

    simulated = run.cached("simulated", lambda: _simulated(run))
    scores = sensor_check.transfer(_pairs(run), simulated, features, fit)
    return Measurement(
        values={_in_words(key): scores[key] for key in TRANSFER},
        train_seconds=time.perf_counter() - started,
        note=f"trained on {len(simulated[1]):,} simulated recordings less the pictures tested; "
        "discriminative ridge",
    )


def _in_words(key: str) -> str:
    return key.removesuffix("_ms").replace("_", " ")


def _metrics(units: dict[str, str]) -> tuple[Metric, ...]:
    return tuple(Metric(_in_words(key), unit) for key, unit in units.items())


TABLE = Table(
    name="nmnist_real",
    title="N-MNIST, the real recordings at hand",
    command="lsm/run_nmnist_real.sh",
    paper_data=nmnist.INFO.name,
    config=NmnistRealConfig,
    rows=(
        Row("LSM, chip, discriminative ridge", chip_ridge, (Metric(), PLAIN)),
        COUNTS,
        WINDOWED_COUNTS,
        PLUS,
        Row("simulated camera against the real one", likeness, _metrics(LIKENESS), chips=1),
        Row("simulated to real, event counts", transfer_counts, _metrics(TRANSFER), chips=1),
        Row("simulated to real, LSM", transfer_rates, _metrics(TRANSFER)),
        Row("simulated to real, LSM+", transfer_plus, _metrics(TRANSFER), chips=1),
    ),
    headlines=(
        "LSM, chip, discriminative ridge",
        "event counts in time windows, discriminative ridge",
        "LSM+, discriminative ridge",
    ),
    load=load,
    costs=costs,
    test_samples=lambda run: (run.data.test, run.data.test_labels),
    figures=draw_figures,
    probe=seconds_a_recording,
    next_step="bash lsm/run_nmnist.sh, for the full set",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
