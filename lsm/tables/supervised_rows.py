"""The rows of the N-MNIST and N-TIDIGITS tables."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from harness.protocol import Measurement, Metric, Row, Run
from harness.selection import History
from lsm.data.storage import SpikeSet
from lsm.encode import StateFeatures
from lsm.spikes import SpikeTrains
from lsm.tables.common import CHIP, SOFTWARE
from lsm.tables.supervised import (
    SupervisedConfig,
    accuracies,
    closed_form,
    counts,
    features,
    linear_probing,
    ordered,
    paper_features,
    paper_readout,
    size_curve,
    spec_of,
)
from lsm.training.recurrent import RecurrentNetwork, TrainedSpec, predict, train

PLAIN = Metric("accuracy, plain ridge")
Measure = Callable[[Run, int], Measurement]
Load = Callable[[Run, int], SpikeSet]  # (run, steps)


def lsm_rows(software: Metric, chip: Metric, optimizer: str) -> tuple[Row, ...]:
    """Every row without a trained recurrent network.

    Args:
        software: the paper's figure of its Gaussian reservoir.
        chip: the same of the chip.
        optimizer: of the paper's readout.
    """
    reservoirs = []
    for kind, metric in ((SOFTWARE, software), (CHIP, chip)):
        both = (metric, metric._replace(protocol="published"))
        reservoirs.append(Row(f"LSM, {kind}, paper's readout", _paper(kind, optimizer), both))
        reservoirs.append(closed_row(kind, metric, curve=kind == CHIP))
    return (
        Row("linear on event counts", _events, (Metric(), PLAIN), chips=1),
        Row("linear on event counts in time windows", _windows, (Metric(), PLAIN), chips=1),
        *reservoirs,
        Row("linear probing", linear_probing),
        plus_row(),
        Row("LSM+, at most 4,000 neurons", _large, (Metric(), PLAIN)),
    )


def closed_row(kind: str, metric: Metric, *, curve: bool = False) -> Row:
    """The paper's features, read out in closed form.

    Args:
        kind: of reservoir.
        metric: with the paper's figure.
        curve: whether to measure other sizes of the reservoir too, for the figure.
    """

    def measure(run: Run, seed: int) -> Measurement:
        measurement = closed_form(run, paper_features(run, seed, kind))
        if curve:
            points = size_curve(run, seed, run.config.large_windows)
            measurement.details[f"sizes {seed}"] = points
        return measurement

    return Row(f"LSM, {kind}, closed-form readout", measure, (metric, PLAIN))


def plus_reads(config: SupervisedConfig) -> StateFeatures:
    """What LSM+ reads from the same neurons."""
    return StateFeatures(config.plus_windows, (), config.plus_membranes)


def plus_row() -> Row:
    """The same reservoir, read better."""
    return Row("LSM+", _plus, (Metric(), PLAIN))


def trained_rows(
    baselines: tuple[tuple[str, TrainedSpec, Metric], ...], load: Load
) -> tuple[Row, ...]:
    """The paper's trained networks, on request."""
    return tuple(
        Row(
            name,
            _trained(spec, load),
            (metric, metric._replace(protocol="published")),
            default=False,
        )
        for name, spec, metric in baselines
    )


def _events(run: Run, _: int) -> Measurement:
    return closed_form(run, counts(run, 1))


def _windows(run: Run, _: int) -> Measurement:
    # As many windows as give the features of LSM+, or a few more: what the reservoir adds.
    width = plus_reads(run.config).width(run.config.neurons)
    windows = min(run.data.train.steps, -(-width // run.data.train.inputs))
    note = f"{windows} windows: as many features as LSM+, without a reservoir"
    return replace(closed_form(run, counts(run, windows)), note=note)


def _paper(kind: str, optimizer: str) -> Measure:
    return lambda run, seed: paper_readout(run, seed, kind, optimizer)


def _plus(run: Run, seed: int) -> Measurement:
    reads = plus_reads(run.config)
    note = f"the same {run.config.neurons} neurons: spikes in {reads.windows} time windows"
    if reads.membranes:
        note += f" and membranes at {reads.membranes} times"
    return replace(closed_form(run, features(run, seed, CHIP, reads)), note=note)


def _large(run: Run, seed: int) -> Measurement:
    c = run.config
    spec = spec_of(run, c.large_neurons, c.large_gain)
    found = features(run, seed, CHIP, StateFeatures(c.large_windows), spec)
    note = f"{c.large_neurons:,} neurons: spikes in {c.large_windows} time windows"
    return replace(closed_form(run, found), note=note)


def _trained(published: TrainedSpec, load: Load) -> Measure:
    def measure(run: Run, seed: int) -> Measurement:
        started = time.perf_counter()
        c = run.config
        spec = replace(published, epochs=c.trained_epochs or published.epochs)
        data = run.cached(("binned", spec.steps), lambda: load(run, spec.steps))
        cut = ordered(data, c.validation_fraction)
        fit = np.arange(cut.count)[: c.trained_samples]
        history = History()

        def after_epoch(epoch: int, network: RecurrentNetwork) -> None:
            held = slice(cut.count, None)
            history.add(
                validation={
                    "accuracy": _accuracy(network, cut.trains.take(held), cut.labels[held])
                },
                test={"accuracy": _accuracy(network, data.test, data.test_labels)},
            )
            now = history.curve("validation")[-1]
            print(f"epoch {epoch} of {spec.epochs}: validation {now:.2f} %")

        network = train(
            spec, cut.trains.take(fit), cut.labels[fit],
            seed=seed, device=run.device, after_epoch=after_epoch,
        )  # fmt: skip
        return Measurement(
            values=accuracies(history),
            trained_weights=network.trained_weights,
            train_seconds=time.perf_counter() - started,
            details={f"history {seed}": history.curves()},
            note=f"{spec.epochs} of the paper's {published.epochs} epochs on {len(fit):,} samples; "
            f"{spec.steps} steps, {spec.optimizer} {spec.learning_rate:g}, "
            f"batch {spec.batch_size}, {spec.loss}",
        )

    return measure


def _accuracy(network: RecurrentNetwork, trains: SpikeTrains, labels: np.ndarray) -> float:
    return 100 * float((predict(network, trains) == labels).mean())
