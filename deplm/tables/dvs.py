"""DVS128 Gesture: table of the event column of the DEPLM paper.

`bash run_dvs.sh --help` lists rows and constants.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from deplm.data import dvs_gesture
from deplm.data.dvs_clouds import EventData, WindowClouds, gesture_scores, split_persons
from deplm.encoder import FrozenEncoder
from deplm.network import DVS_GESTURE, PointNetwork, SetAbstraction
from deplm.plus import DvsPlusEncoder, DvsPlusNetwork
from deplm.tables.common import Training, chip_of, measure_trained, together, with_effects
from deplm.tables.dvs_rows import ClosedForm, measure_closed_form
from deplm.tables.dvs_table_figures import draw_figures
from deplm.training.augment import Augmentation
from deplm.training.recipe import CLASSIFICATION, FrozenClassifier, TrainedClassifier, guesses
from harness.chips import ChipConfig
from harness.cli import main
from harness.config import constant
from harness.errors import UserError
from harness.protocol import DataRecord, Measurement, Metric, Row, Run, Table
from rram.crossbar import ReadConfig

CLASSES = len(dvs_gesture.CLASSES)
PAPER = "DEPLM, Nature Communications 16:960 (2025), on the chip"
PENALTIES = tuple(10.0**e for e in (-3, -2, -1, 0, 1))


def _scores(model: nn.Module, network: PointNetwork, source: WindowClouds) -> dict[str, float]:
    parts = [found.argmax(-1) for _, found in guesses(model, network, source)]
    return gesture_scores(source, np.concatenate(parts), CLASSES)


TASK = CLASSIFICATION._replace(scores=_scores)  # of windows, and of trials
TRAINING = Training(
    DVS_GESTURE, CLASSES, 200, "windows", 20, 0.7, Augmentation(dropout=0.875, shift=0.1), TASK
)


@dataclass(frozen=True)
class DvsConfig(ChipConfig):
    """Constants of the DVS128 Gesture table; edit them here or with --set name=value."""

    input_bits: int = constant(
        6, "bits of the bit-serial input in the row with chip effects (DEPLM, code)", low=1, high=16
    )
    events: int = constant(1024, "drawn of a window (DEPLM, code)", low=3)
    fit_draws: int = constant(
        4, "draws of every window that a closed-form readout is fitted to", low=1, smoke=1
    )
    fit_shift: float = constant(
        0.1, "largest shift of a window in all but the first of them (DEPLM, code)", low=0, high=1
    )
    test_draws: int = constant(
        4, "draws of a test window whose scores DEPLM+ averages", low=1, smoke=1
    )
    calibration_clouds: int = constant(
        512, "training windows whose statistics normalise the frozen layers", low=1, smoke=16
    )
    validation_fraction: float = constant(
        0.2, "part of the training persons on whom choices are made", low=0.001, high=0.9
    )
    epochs: int = constant(200, "of the rows trained by gradient (DEPLM, code)", low=1, smoke=1)
    batch_size: int = constant(512, "of the same rows (DEPLM, code)", low=2, smoke=16)
    learning_rate: float = constant(0.01, "of Adam in the same rows (DEPLM, code)", low=0)
    train_limit: int | None = constant(
        None, "train the gradient rows on so many windows only; none for all", low=20
    )
    plus_first: int = constant(64, "channels of the first level of DEPLM+", low=1, smoke=8)
    plus_second: int = constant(320, "channels of the second level of DEPLM+", low=1, smoke=8)
    clips: str | None = constant(
        None, "folder of real clips to classify beside a stand-in; none: the set's own folder"
    )


def plus_network(config: DvsConfig) -> DvsPlusNetwork:
    """DEPLM+: with its readout below the 67,590 weights of the paper's network."""
    first = SetAbstraction(config.plus_first, centres=256, neighbours=32, radius=0.12)
    second = SetAbstraction(config.plus_second, centres=128, neighbours=32, radius=0.2)
    return DvsPlusNetwork(PointNetwork(0, (first, second)), cells=(4, 3))


def load(run: Run) -> EventData:
    """The data set of the run."""
    config = run.config
    data = dvs_gesture.load(run.data_root, tiny=run.smoke)
    parts = split_persons(data.train, config.validation_fraction, config.events)
    test = WindowClouds("test", data.test, np.arange(len(data.test)), config.events)
    record = DataRecord(data.name, data.kind, len(data.train), len(data.test), data.sha256)
    folder = _clips_folder(run, data.kind)
    if folder is None:
        return EventData(record, *parts, test)
    windows = dvs_gesture.load_clips(folder)
    clips = WindowClouds("clips", windows, np.arange(len(windows)), config.events)
    return EventData(record, *parts, test, clips, folder)


def _clips_folder(run: Run, kind: str) -> Path | None:
    """Folder of single real clips to look at when the set itself is a stand-in."""
    named = run.config.clips
    folder = Path(named) if named else run.data_root / dvs_gesture.INFO.folder
    there = any(folder.glob("*.bs2"))
    if named and not there:
        raise UserError(f"clips {folder}: no clips (*.bs2) there")
    return folder if there and kind != "real" else None


def closed_form_readout(run: Run, seed: int) -> Measurement:
    """The paper's network with a closed-form readout of its frozen features."""
    return _closed_form(run, seed, DVS_GESTURE, ReadConfig(), 1)


def chip_effects(run: Run, seed: int) -> Measurement:
    """The closed-form row, every product read with noise and bit-serial inputs."""
    reading, effects = with_effects(run)
    return _closed_form(run, seed, DVS_GESTURE, reading, 1, effects)


def deplm_plus(run: Run, seed: int) -> Measurement:
    """DEPLM+ with the closed-form readout, scores averaged over several draws."""
    draws = run.config.test_draws
    note = f"scores averaged over {draws} draws of {run.config.events} events a window"
    return _closed_form(run, seed, plus_network(run.config), ReadConfig(), draws, note)


def _closed_form(
    run: Run,
    seed: int,
    network: PointNetwork | DvsPlusNetwork,
    reading: ReadConfig,
    test_draws: int,
    note: str = "",
) -> Measurement:
    seeds = together(run, seed)
    kind = DvsPlusEncoder if isinstance(network, DvsPlusNetwork) else FrozenEncoder

    def make() -> dict[int, Measurement]:
        encoders = [kind(network, chip_of(run, s), reading, run.device) for s in seeds]
        draws = run.config.fit_draws
        task = ClosedForm(
            network, encoders, PENALTIES, draws, run.config.fit_shift, test_draws, run.device
        )
        fitted = f"fitted to {draws} draws of each window"
        clouds = run.config.calibration_clouds
        measured = measure_closed_form(task, run.data, clouds, note=note_of(run, note, fitted))
        return dict(zip(seeds, measured, strict=True))

    return run.cached((network, reading, seeds[0]), make)[seed]


def note_of(run: Run, *parts: str) -> str:
    """What a reader of a row has to know, of it and of the data."""
    stand_in = "the stand-in's difficulty was set once, by looking at accuracy on it"
    return "; ".join(filter(None, (*parts, stand_in if run.data.record.kind != "real" else "")))


def paper_recipe(run: Run, seed: int) -> Measurement:
    """The published training of the readout, random layers frozen."""
    model = FrozenClassifier(DVS_GESTURE, chip_of(run, seed), CLASSES, run.device)
    return _trained(run, seed, model, "paper recipe", frozen=True)


def trained_twin(run: Run, seed: int) -> Measurement:
    """The paper's network with all its weights trained."""
    model = TrainedClassifier(DVS_GESTURE, CLASSES, run.device)
    return _trained(run, seed, model, "trained twin", frozen=False)


def _trained(
    run: Run, seed: int, model: FrozenClassifier | TrainedClassifier, row: str, *, frozen: bool
) -> Measurement:
    data = run.data
    # Evenly over persons and gestures: the windows of a recording stand together.
    count = min(run.config.train_limit or len(data.train), len(data.train))
    rows = data.train.rows[np.linspace(0, len(data.train) - 1, count).astype(int)]
    fit = WindowClouds("train", data.train.windows, rows, run.config.events)
    source, evaluated = fit, {"validation": data.validation, "test": data.test}
    found = measure_trained(run, seed, model, TRAINING, source, evaluated, row=row, frozen=frozen)
    return replace(found, note=note_of(run, found.note))


ON_CHIP = Metric(paper=78.73, paper_source=PAPER)
BEST_ON_TEST = Metric(protocol="published", paper=78.73, paper_source=PAPER)
TRIAL, TRIAL_BEST = Metric("trial accuracy"), Metric("trial accuracy", protocol="published")
ONE_DRAW = Metric("accuracy, one draw"), Metric("trial accuracy, one draw")

TABLE = Table(
    name="dvs",
    title="DVS128 Gesture",
    command="run_dvs.sh",
    paper_data=dvs_gesture.INFO.name,
    config=DvsConfig,
    rows=(
        Row("DEPLM, closed-form readout", closed_form_readout, (ON_CHIP, TRIAL)),
        Row("DEPLM, chip effects", chip_effects, (ON_CHIP, TRIAL), default=False),
        Row(
            "DEPLM, paper recipe",
            paper_recipe,
            (ON_CHIP, TRIAL, BEST_ON_TEST, TRIAL_BEST),
            default=False,
        ),
        Row("DEPLM+, same weight budget", deplm_plus, (Metric(), TRIAL, *ONE_DRAW)),
        Row(
            "fully trained twin",
            trained_twin,
            (Metric(), TRIAL, Metric(protocol="published"), TRIAL_BEST),
            default=False,
        ),
    ),
    load=load,
    figures=draw_figures,
    next_step="bash run_dvs.sh --help, for more rows and the constants to change",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
