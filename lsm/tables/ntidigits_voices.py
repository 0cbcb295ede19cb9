"""N-TIDIGITS, one voice left out after the other: digits of a voice that was never heard.

The N-TIDIGITS table tests on one set of voices. Here every voice is the test once, the others
train, and one of these is held out to choose on: what a figure owes to the choice of the voice.

`bash lsm/run_ntidigits_voices.sh --help` lists rows and constants.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from harness.readouts.features import PLAIN_RIDGE
from harness.report.figures import save, where
from harness.run.cli import main
from harness.run.config import constant
from harness.run.protocol import Measurement, Metric, Row, Run, Table
from lsm.data import ntidigits
from lsm.data.ntidigits import Binning
from lsm.data.spike_set import SpikeSet
from lsm.probe import seconds_a_recording
from lsm.spikes import SpikeTrains
from lsm.tables.ntidigits import NtidigitsConfig, binned
from lsm.tables.supervised import chip_plus, chip_ridge, counts_ridge, windowed_counts_ridge

DEVIATION, LOWEST = "standard deviation over voices", "lowest voice"


@dataclass(frozen=True)
class VoicesConfig(NtidigitsConfig):
    """Constants of this table; edit them here or with --set name=value."""

    folds: int = constant(
        10, "groups of voices left out in turn, at most; fewer voices are left out singly", low=2
    )


def load(run: Run) -> SpikeSet:
    """The data set of the run, binned as the N-TIDIGITS table does."""
    c = run.config
    return binned(run, Binning(c.steps, c.bin_ms, c.published_length))


def over_voices(
    measure: Callable[[Run, int], Measurement], run: Run, seed: int, *, aligned: bool = False
) -> Measurement:
    """A row of the N-TIDIGITS table, measured once for every voice left out.

    Args:
        measure: the row.
        run: of this table.
        seed: of the chip.
        aligned: whether the steps follow each utterance (`Binning.aligned`).
    """
    measured = [measure(one, seed) for one in runs_by_voice(run, aligned)]
    accuracies = [m.values["accuracy"] for m in measured]
    values = {
        "accuracy": float(np.mean(accuracies)),
        DEVIATION: float(np.std(accuracies, ddof=1)),
        LOWEST: min(accuracies),
        PLAIN_RIDGE: float(np.mean([m.values[PLAIN_RIDGE] for m in measured])),
    }
    seconds = {n: sum(getattr(m, n) for m in measured) for n in ("train_seconds", "encode_seconds")}
    details = {f"voices {seed}": accuracies}
    note = f"accuracy: mean over {len(accuracies)} folds of voices"
    return replace(measured[0], values=values, details=details, note=note, **seconds)


def runs_by_voice(run: Run, aligned: bool) -> list[Run]:
    """A run of the N-TIDIGITS table for every fold, with its data."""

    def make() -> list[Run]:
        c = run.config
        data = binned(run, Binning(c.steps, aligned=True)) if aligned else run.data
        return [_run_on(run, fold) for fold in voices_left_out(data, c.folds)]

    return run.cached(("by voice", aligned), make)


def voices_left_out(data: SpikeSet, folds: int) -> Iterator[SpikeSet]:
    """Splits of all samples by voice: those of one fold to test, the others to train.

    Args:
        data: with the speakers of both splits, none in both.
        folds: at most; voice number n is in fold n modulo their number.
    """
    trains = SpikeTrains.concatenate([data.train, data.test])
    labels = np.concatenate([data.train_labels, data.test_labels])
    voices = np.concatenate([data.train_groups, data.test_groups + data.train_groups.max() + 1])
    folds = min(folds, int(voices.max()) + 1)
    for fold in range(folds):
        left_out = voices % folds == fold
        test, train = np.flatnonzero(left_out), np.flatnonzero(~left_out)
        yield replace(
            data, train=trains.take(train), train_labels=labels[train], train_groups=voices[train],
            test=trains.take(test), test_labels=labels[test], test_groups=voices[test],
        )  # fmt: skip


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """Accuracy on every fold of voices, a group of bars a row; the line is the mean."""
    drawn = [row for row in rows if row["metric"] == "accuracy" and row["details"]]
    if not drawn:
        return []
    figure = Figure(figsize=(9, 1 + 0.6 * len(drawn)), layout="constrained")
    axes = figure.subplots()
    for n, row in enumerate(reversed(drawn)):
        folds = np.mean(list(row["details"].values()), 0)
        places = n + 0.8 * (np.arange(len(folds))[::-1] - (len(folds) - 1) / 2) / len(folds)
        colours = [f"C{fold}" for fold in range(len(folds))]
        axes.barh(places, folds, 0.8 / len(folds), color=colours)
        axes.plot([row["mean"]] * 2, [n - 0.4, n + 0.4], color="black")
    axes.set_yticks(range(len(drawn)), [row["row"] for row in reversed(drawn)])
    axes.set_xlabel("accuracy, %; a bar for each fold of voices left out, a line at their mean")
    axes.set_title(f"Voices never heard, {where(run)}")
    return [save(figure, run.results / "ntidigits_voices.png")]


def _run_on(run: Run, data: SpikeSet) -> Run:
    one = Run(run.config, run.seeds, run.device, run.data_root, run.results, smoke=run.smoke)
    one.data = data
    return one


METRICS = (Metric(), Metric(DEVIATION, unit="points"), Metric(LOWEST), Metric(PLAIN_RIDGE))
WINDOWED = "event counts in time windows"
CLOSED_FORM = {"event counts": counts_ridge, WINDOWED: windowed_counts_ridge}
CHIP = {"LSM, chip": chip_ridge, "LSM+": chip_plus}

TABLE = Table(
    name="ntidigits_voices",
    title="N-TIDIGITS, voices never heard",
    command="lsm/run_ntidigits_voices.sh",
    paper_data=ntidigits.INFO.name,
    config=VoicesConfig,
    rows=tuple(
        Row(
            f"{name}{', aligned' * aligned}, discriminative ridge",
            partial(over_voices, measure, aligned=aligned),
            METRICS,
            chips=1 if name in CLOSED_FORM else None,
        )
        for aligned in (False, True)
        for name, measure in (CLOSED_FORM | CHIP).items()
    ),
    headlines=(
        "LSM, chip, discriminative ridge",
        "event counts in time windows, aligned, discriminative ridge",
        "LSM+, aligned, discriminative ridge",
    ),
    load=load,
    figures=draw_figures,
    probe=seconds_a_recording,
    next_step="bash lsm/run_ntidigits.sh",
)

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
