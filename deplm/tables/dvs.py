"""DVS128 Gesture: the event column of the DEPLM paper, train_classification_dvs.py.

`bash run_dvs.sh --help` lists rows and constants.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from deplm.data import dvs_gesture
from deplm.data.dvs_clouds import EventData, WindowClouds, gesture_scores, split_persons
from deplm.data.dvs_windows import WindowSettings
from deplm.encoder import FrozenEncoder
from deplm.network import PointNetwork, SetAbstraction
from deplm.plus import DvsPlusEncoder, DvsPlusNetwork
from deplm.probe import seconds_a_cloud
from deplm.tables.common import (
    PAPER,
    DeplmConfig,
    abstractions,
    epochs_note,
    note_of,
    products_of,
    real_samples,
    recipe,
    with_effects,
)
from deplm.tables.dvs_figures import draw_figures
from deplm.tables.dvs_ridge import GestureRow, measure_ridge
from deplm.tables.gradient import (
    PAPER_RECIPE,
    PUBLISHED_RECIPE,
    PUBLISHED_TWIN,
    TRAINED_TWIN,
    GradientRow,
    measure_trained,
)
from deplm.tables.rivals import CountEncoder, EventCounts
from deplm.training.classifiers import GradientClassifier
from deplm.training.readout import make_readout
from deplm.training.recipe import CloudModel, predictions
from harness.run.cli import main
from harness.run.config import constant
from harness.run.protocol import DataRecord, Measurement, Metric, Row, Run, Table

CLASSES = len(dvs_gesture.CLASSES)
PUBLISHED_EPOCHS = 200


@dataclass(frozen=True)
class DvsConfig(DeplmConfig):
    """Constants of the DVS128 Gesture table; edit them here or with --set name=value."""

    calibration_clouds: int = constant(
        512, "training windows whose statistics normalise the frozen layers", low=1, smoke=16
    )
    num_feat: int = constant(1219, "channels of SA3 before pruning (published script)", low=1)
    c_prune_rate: float = constant(
        2.38, "all channels are divided by it, rounded down (published script)", low=0.1
    )
    centres1: int = constant(256, "points that SA1 samples (published script)", low=1)
    r0: float = constant(0.18, "radius of SA1, in coordinate units (published script)", low=0)
    r1: float = constant(
        0.081, "radius of SA2: 0.45 times that of SA1 (published script, radius_mul)", low=0
    )
    epochs: int = constant(
        200, "of the rows trained by gradient (published script)", low=1, smoke=1
    )
    batch_size: int = constant(512, "windows a step (published script)", low=2, smoke=16)
    learning_rate: float = constant(
        0.01, "of Adam, at the start (published script)", low=0, high=100
    )
    train_limit: int | None = constant(
        None, "train the gradient rows on so many windows only; none for all", low=20
    )
    events: int = constant(1024, "drawn of a window (published script)", low=3)
    fit_draws: int = constant(
        4, "draws of every window that a ridge readout is fitted to", low=1, high=1000, smoke=1
    )
    fit_shift: float = constant(
        0.1, "largest shift of a window in all but the first of them, as in training by gradient",
        low=0, high=1,
    )  # fmt: skip
    test_draws: int = constant(
        4, "draws of a test window whose scores DEPLM+ averages", low=1, high=1000, smoke=1
    )
    validation_fraction: float = constant(
        0.2, "part of the training persons on whom choices are made", low=0.001, high=0.9
    )
    plus_first: int = constant(64, "channels of the first level of DEPLM+", low=1, smoke=8)
    plus_second: int = constant(320, "channels of the second level of DEPLM+", low=1, smoke=8)
    count_windows: int = constant(4, "time windows in which the rival counts events", low=1)
    count_cells: int = constant(16, "cells along x and y in which it counts them", low=1)
    window_origin: str = constant(
        "label", "a trial's windows begin where its label does; first event: at its first event "
        "(published script)",
    )  # fmt: skip
    time_range: str = constant(
        "window", "t runs from 0 to 1 over all events of a window; drawn: over those drawn of it "
        "(published script)",
    )  # fmt: skip
    clips: str | None = constant(
        None,
        "folder of real clips to classify beside a stand-in, in the data folder or a path; none: "
        "the set's own folder",
    )


def network(config: DvsConfig) -> PointNetwork:
    """The paper's network: events (t, x, y) without further features."""
    return PointNetwork(0, abstractions(config), config.input_scale)


def plus_network(config: DvsConfig) -> DvsPlusNetwork:
    """DEPLM+: with its readout below the 67,590 weights of the paper's network."""
    first = SetAbstraction(config.plus_first, centres=256, neighbours=32, radius=0.12)
    second = SetAbstraction(config.plus_second, centres=128, neighbours=32, radius=0.2)
    return DvsPlusNetwork(0, (first, second), cells=(4, 3))


def load(run: Run) -> EventData:
    """The data set of the run."""
    config = run.config
    settings = WindowSettings(origin=config.window_origin, time_range=config.time_range)
    data = dvs_gesture.load(run.data_root, settings=settings, tiny=run.smoke)
    parts = split_persons(data.train, config.validation_fraction, config.events)
    test = WindowClouds("test", data.test, np.arange(len(data.test)), config.events)
    record = DataRecord(data.name, data.kind, len(data.train), len(data.test), data.sha256)
    files = real_samples(run, config.clips, dvs_gesture.INFO, data.kind)
    if not files:
        return EventData(record, *parts, test)
    folder = files[0].parent
    windows = dvs_gesture.load_clips(folder, settings)
    clips = WindowClouds("clips", windows, np.arange(len(windows)), config.events)
    return EventData(record, *parts, test, clips, folder)


def ridge(run: Run, seed: int) -> Measurement:
    """The paper's network; plain ridge on its frozen features."""
    return measure_ridge(run, seed, GestureRow(FrozenEncoder, network(run.config)))


def chip_effects(run: Run, seed: int) -> Measurement:
    """The row above, every product read with noise and bit-serial inputs."""
    read_config, note = with_effects(run)
    row = GestureRow(FrozenEncoder, network(run.config), read_config, note=note)
    return measure_ridge(run, seed, row)


def event_counts(run: Run, seed: int) -> Measurement:
    """Ridge on counts of events in windows of time and cells of the image: no random layers."""
    counts = EventCounts(run.config.count_windows, run.config.count_cells)
    return measure_ridge(run, seed, GestureRow(CountEncoder, counts))


def deplm_plus(run: Run, seed: int) -> Measurement:
    """DEPLM+; plain ridge, scores averaged over several draws."""
    draws = run.config.test_draws
    note = f"scores averaged over {draws} draws of {run.config.events} events a window"
    row = GestureRow(DvsPlusEncoder, plus_network(run.config), test_draws=draws, note=note)
    return measure_ridge(run, seed, row)


def trained(kind: GradientRow, run: Run, seed: int) -> Measurement:
    """A row trained by gradient; the published ones train on all training persons."""
    data, paper = run.data, network(run.config)
    readout = make_readout(paper.width, CLASSES)  # its depth is not handed over in the script
    model = GradientClassifier(
        paper, kind.chip(run, seed), readout, trained=kind.all_learn, device=run.device
    )
    fit, evaluated = kind.sets(run, np.sort(np.r_[data.train.rows, data.validation.rows]))
    return measure_trained(
        run, seed, model, recipe(run.config), fit, evaluated, scores, row=kind.name,
        frozen=not kind.all_learn, redraw=kind.published, note=_note(run, len(fit)),
    )  # fmt: skip


def scores(model: CloudModel, source: WindowClouds) -> dict[str, float]:
    """Accuracy in % of windows, and of trials by the votes of their windows."""
    predicted = [scores.argmax(-1) for _, scores in predictions(model, source)]
    return gesture_scores(source, np.concatenate(predicted), CLASSES)


def _note(run: Run, windows: int) -> str:
    return note_of(run, epochs_note(run, PUBLISHED_EPOCHS, windows, "windows"))


ON_CHIP = Metric(paper=78.73, paper_source=PAPER)
BEST_ON_TEST = Metric(protocol="published", paper=78.73, paper_source=PAPER)
TRIAL, TRIAL_BEST = Metric("trial accuracy"), Metric("trial accuracy", protocol="published")
ONE_DRAW = Metric("accuracy, one draw"), Metric("trial accuracy, one draw")
TRAINED = (ON_CHIP, TRIAL, BEST_ON_TEST, TRIAL_BEST)
TWIN = (Metric(), TRIAL, Metric(protocol="published"), TRIAL_BEST)

TABLE = Table(
    name="dvs",
    title="DVS128 Gesture",
    command="run_dvs.sh",
    paper_data=dvs_gesture.INFO.name,
    config=DvsConfig,
    rows=(
        Row("DEPLM, ridge", ridge, (ON_CHIP, TRIAL)),
        Row("event counts, ridge", event_counts, (Metric(), TRIAL), chips=1),
        Row("DEPLM, ridge, chip effects", chip_effects, (ON_CHIP, TRIAL), default=False),
        Row("DEPLM, paper recipe", partial(trained, PAPER_RECIPE), TRAINED, default=False),
        Row("DEPLM, published recipe", partial(trained, PUBLISHED_RECIPE), TRAINED, default=False),
        Row("DEPLM+ (same weight budget), ridge", deplm_plus, (Metric(), TRIAL, *ONE_DRAW)),
        Row("fully trained twin", partial(trained, TRAINED_TWIN), TWIN, default=False),
        Row(
            "fully trained twin, as published",
            partial(trained, PUBLISHED_TWIN),
            TWIN,
            default=False,
        ),
    ),
    load=load,
    figures=draw_figures,
    probe=seconds_a_cloud,
    costs=lambda run: products_of(run, network(run.config), CLASSES),
    headlines=(
        "DEPLM, ridge",
        "DEPLM, published recipe",
        "event counts, ridge",
        "DEPLM+ (same weight budget), ridge",
    ),
    next_step="bash run_dvs.sh --help, for more rows and the constants to change",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
