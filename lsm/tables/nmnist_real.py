"""N-MNIST's real recordings at hand: classified, and beside those of the simulated camera.

`bash lsm/run_nmnist_real.sh --help` lists rows and constants.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.cli import main
from harness.errors import UserError
from harness.figures import draw_confusion
from harness.protocol import Measurement, Metric, Row, Run, Table, split
from harness.readout import DiscriminativeRidge
from lsm.data import nmnist
from lsm.data.stand_ins import nmnist_sensor_check as sensor_check
from lsm.data.storage import SpikeSet
from lsm.encode import StateFeatures, encode
from lsm.spikes import SpikeTrains
from lsm.tables import figures
from lsm.tables.common import CHIP
from lsm.tables.nmnist import NmnistConfig
from lsm.tables.supervised import PENALTIES, closed_form, counts, reservoir_of
from lsm.tables.supervised_rows import PLAIN, closed_row, plus_reads, plus_row

TUNED = "the camera's path, contrast and thresholds were fitted to these very recordings"
SHOWN = 10  # pictures side by side
LIKENESS = {
    "events_ratio": "", "duration_real_ms": "ms", "duration_simulated_ms": "ms",
    "pause_1_real_ms": "ms", "pause_1_simulated_ms": "ms", "pause_2_real_ms": "ms",
    "pause_2_simulated_ms": "ms", "rhythm_correlation": "", "image_correlation": "",
    "image_correlation_lowest": "",
}  # fmt: skip
TRANSFER = {"points_lost": "points", "on_simulated": "%", "on_real": "%"}
Encode = Callable[[SpikeTrains], np.ndarray]


def load(run: Run) -> SpikeSet:
    """The real recordings, however few.

    Raises:
        UserError: there are none, or a smoke run was asked for.
    """
    if run.smoke:
        raise UserError("--smoke: real recordings have no stand-in; run without it")
    return nmnist.load(run.data_root, kind="real", steps=run.config.steps)


def likeness(run: Run, _: int) -> Measurement:
    """How like the real recordings the simulated ones of the same pictures are."""
    found = _pairs(run)
    figures_ = sensor_check.compare(found.real, found.simulated)
    values = {_said(key): figures_[key] for key in LIKENESS}
    return Measurement(values=values, note=f"{len(found.real)} pairs; {TUNED}")


def transfer(reads: StateFeatures | None) -> Callable[[Run, int], Measurement]:
    """Trained on simulated recordings of other pictures; tested on both kinds of these.

    Args:
        reads: of the chip's reservoir; None: event counts, no reservoir.
    """

    def measure(run: Run, seed: int) -> Measurement:
        started = time.perf_counter()
        simulated = run.cached("simulated", lambda: _simulated(run))
        found = sensor_check.transfer(_pairs(run), simulated, _features(run, seed, reads), _fit)
        return Measurement(
            values={_said(key): found[key] for key in TRANSFER},
            train_seconds=time.perf_counter() - started,
            note=f"trained on {len(simulated[1]):,} simulated recordings less the pictures tested",
        )

    return measure


def transfer_plus(run: Run, seed: int) -> Measurement:
    """The same with the reads of LSM+."""
    return transfer(plus_reads(run.config))(run, seed)


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """Real and simulated recordings side by side, and who is taken for whom."""
    found = _pairs(run)
    first = [int(np.flatnonzero(found.labels == digit)[0]) for digit in range(SHOWN)]
    images = (
        [sensor_check.event_image(group[n]) for n in first]
        for group in (found.real, found.simulated)
    )
    rhythms = {
        name: sensor_check.rhythm(group) / len(group)
        for name, group in (("real", found.real), ("simulated", found.simulated))
    }
    drawn = [
        figures.recordings_side_by_side(run.results / "nmnist_real_pairs.png", *images, rhythms)
    ]
    scored = [row for row in rows if "confusion" in row.get("details", {})]
    if scored:
        best = max(scored, key=lambda row: row["mean"])
        title = f"{best['row']}: {best['mean']:.2f} %, {len(run.data.test)} real recordings"
        path = run.results / "nmnist_real_confusion.png"
        counted = np.array(best["details"]["confusion"])
        drawn.append(draw_confusion(counted, run.data.classes, title, path))
    return drawn


def _events(run: Run, _: int) -> Measurement:
    return closed_form(run, counts(run, 1))


def _pairs(run: Run) -> sensor_check.Pairs:
    return run.cached("pairs", lambda: sensor_check.pairs(run.data_root))


def _simulated(run: Run) -> tuple[SpikeTrains, np.ndarray]:
    data = nmnist.load(run.data_root, kind="simulated-sensor", steps=run.config.steps)
    return data.train, data.train_labels


def _features(run: Run, seed: int, reads: StateFeatures | None) -> Encode:
    if reads is None:
        return lambda trains: trains.counts()
    reservoir = reservoir_of(run, seed, CHIP)
    return lambda trains: encode(trains, reservoir, reads, seed=len(trains), device=run.device)


def _fit(features: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    fit, held = split(len(labels), 1 / 6)
    readout = DiscriminativeRidge(len(nmnist.DIGITS), PENALTIES, 32, np.float32)
    return readout.fit((features[fit], labels[fit]), (features[held], labels[held])).predict


def _said(key: str) -> str:
    return key.removesuffix("_ms").replace("_", " ")


def _metrics(units: dict[str, str]) -> tuple[Metric, ...]:
    return tuple(Metric(_said(key), unit) for key, unit in units.items())


TABLE = Table(
    name="nmnist_real",
    title="N-MNIST, the real recordings at hand",
    command="lsm/run_nmnist_real.sh",
    paper_data=nmnist.INFO.name,
    config=NmnistConfig,
    rows=(
        Row("linear on event counts", _events, (Metric(), PLAIN), chips=1),
        closed_row(CHIP, Metric()),
        plus_row(),
        Row("simulated camera against the real one", likeness, _metrics(LIKENESS), chips=1),
        Row("simulated to real, event counts", transfer(None), _metrics(TRANSFER), chips=1),
        Row("simulated to real, LSM", transfer(StateFeatures()), _metrics(TRANSFER)),
        Row("simulated to real, LSM+", transfer_plus, _metrics(TRANSFER), chips=1),
    ),
    load=load,
    figures=draw_figures,
    next_step="bash lsm/run_nmnist.sh, for the full set",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
