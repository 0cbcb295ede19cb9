"""The closed-form rows of the segmentation table: three streamed passes, nothing kept.

Statistics over all points of the training shapes; the choice, and the statistics of its points,
on the validation list; the test list, once, when all is chosen.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from deplm.data.seg_categories import CATEGORIES, PARTS
from deplm.data.seg_clouds import PartClouds, PartData, stream
from deplm.encoder import calibration_batches
from deplm.segmentation import PartEncoder, PartNetwork
from deplm.tables.seg_readout import (
    Choice,
    PartReadout,
    PartStatistics,
    ShapeScores,
    confusion,
    mean_scores,
    score_shapes,
    solve,
)
from deplm.tables.seg_table_figures import encoded_parts, first_of_each
from harness.protocol import Measurement

METRICS = ("instance mIoU", "class mIoU", "point accuracy")


@dataclass(frozen=True)
class ClosedForm:
    """What is measured.

    Attributes:
        network: sizes.
        encoders: of that network, one a chip, not yet calibrated.
        choices: penalties and the like to choose among.
        fit_points: at most so many points of a shape enter the statistics; None for all.
    """

    network: PartNetwork
    encoders: Sequence[PartEncoder]
    choices: Sequence[Choice]
    fit_points: int | None = None

    def statistics(self, features: torch.Tensor, labels: np.ndarray) -> PartStatistics:
        """Of features (B, N, D) and labels (B, N)."""
        x, y = features[:, : self.fit_points], torch.from_numpy(labels[:, : self.fit_points])
        return PartStatistics.of(x.flatten(0, 1), y.flatten().to(x.device))


def measure_closed_form(
    task: ClosedForm,
    data: PartData,
    calibration_clouds: int,
    *,
    device: str,
    examples: bool,
    note: str = "",
) -> list[Measurement]:
    """Measure one row on some chips together; a measurement each, in their order.

    With `examples`, the first one's details hold parts that it predicted, for the figures.
    """
    started = time.perf_counter()
    calibrate(task, data.train, calibration_clouds, device)
    statistics = gather(task, data.train, device)
    chosen, train_seconds = choose(task, statistics, data.validation, device)
    readouts = [solve(s, pair) for s, pair in zip(statistics, chosen, strict=True)]
    guesses = predict(task, readouts, data.test, device)
    seconds = (time.perf_counter() - started - train_seconds) / len(task.encoders)
    measured = [
        Measurement(
            values=values_of(data.test, *both),
            fixed_weights=task.network.fixed_weights,
            trained_weights=encoder.width * PARTS,
            train_seconds=train_seconds / len(task.encoders),
            encode_seconds=seconds,
            details=details_of(data.test, both[0]),
            note=note,
        )
        for encoder, both in zip(task.encoders, guesses, strict=True)
    ]
    if examples:
        measured[0].details.update(examples_of(task, readouts[0], data, guesses[0][0], device))
    return measured


def calibrate(task: ClosedForm, source: PartClouds, count: int, device: str) -> None:
    """Set the batch-norm statistics of all encoders, from `count` clouds spread over `source`."""
    batches = calibration_batches(source, task.network, count, device)
    for encoder in task.encoders:
        encoder.calibrate(batches)


def gather(task: ClosedForm, source: PartClouds, device: str) -> list[PartStatistics]:
    """Statistics of each encoder over all clouds of `source`."""
    totals = [PartStatistics() for _ in task.encoders]

    def work(_: int, features: torch.Tensor, __: np.ndarray, labels: np.ndarray) -> PartStatistics:
        return task.statistics(features, labels)

    for found in stream(source, task.network, task.encoders, work, device=device, label="fit"):
        for total, part in zip(totals, found, strict=True):
            total.add(part)
    return totals


def choose(
    task: ClosedForm, statistics: list[PartStatistics], source: PartClouds, device: str
) -> tuple[list[tuple[Choice, Choice]], float]:
    """Choose by instance mIoU on `source`, then add its points to the statistics.

    Returns:
        The best choice of regressions a category and the best plain one, for each encoder; and
        the seconds it took, solves and scores.
    """
    started = time.perf_counter()
    readouts = [solve(s, task.choices) for s in statistics]
    categories = source.categories

    def work(
        chip: int, features: torch.Tensor, numbers: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, PartStatistics]:
        x, kinds = features.cpu().numpy(), categories[numbers]
        total = [
            score_shapes(labels, readout.predict(x, kinds), kinds).iou.sum()
            for readout in readouts[chip]
        ]
        return np.array(total), task.statistics(features, labels)

    totals = np.zeros((len(statistics), len(task.choices)))
    for found in stream(source, task.network, task.encoders, work, device=device, label="choose"):
        for chip, (score, part) in enumerate(found):
            totals[chip] += score
            statistics[chip].add(part)
    return [_best(task.choices, total) for total in totals], time.perf_counter() - started


def _best(choices: Sequence[Choice], scores: np.ndarray) -> tuple[Choice, Choice]:
    plain = np.array([choice.plain for choice in choices])
    return tuple(
        choices[int(np.where(plain == wanted, scores, -1).argmax())] for wanted in (False, True)
    )


def predict(
    task: ClosedForm, readouts: list[list[PartReadout]], source: PartClouds, device: str
) -> list[np.ndarray]:
    """Predicted parts, (readouts, clouds, points) uint8 for each encoder."""
    categories = source.categories

    def work(
        chip: int, features: torch.Tensor, numbers: np.ndarray, _: np.ndarray
    ) -> list[np.ndarray]:
        x = features.cpu().numpy()
        return [readout.predict(x, categories[numbers]) for readout in readouts[chip]]

    batches = stream(source, task.network, task.encoders, work, device=device, label="test")
    by_chip = zip(*batches, strict=True)
    return [np.concatenate(list(map(np.stack, parts)), 1) for parts in by_chip]


def scores_of(source: PartClouds, guesses: np.ndarray) -> ShapeScores:
    """Scores of predicted parts (clouds, points), cloud by cloud."""
    parts = [
        score_shapes(source.labels(number), guesses[number], source.categories[number])
        for number in np.arange(len(source))[:, None]
    ]
    return ShapeScores(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def values_of(source: PartClouds, guesses: np.ndarray, plain: np.ndarray | None = None) -> dict:
    """The row's metrics, of predicted parts (clouds, points) and of those by plain ridge."""
    values = mean_scores(scores_of(source, guesses), source.categories)
    if plain is not None:
        ridge = mean_scores(scores_of(source, plain), source.categories)
        values |= {f"{name}, plain ridge": ridge[name] for name in METRICS}
    return values


def details_of(source: PartClouds, guesses: np.ndarray) -> dict:
    """For the figures: sums over shapes of a category's mIoU, and counts of confused points."""
    scores, kinds = scores_of(source, guesses), source.categories
    counts = np.zeros((PARTS, PARTS), np.int64)
    for number in range(len(source)):
        parts = CATEGORIES[kinds[number]].labels
        true = source.labels(np.array([number]))[0]
        counts[parts[0] : parts[-1] + 1, parts[0] : parts[-1] + 1] += confusion(
            true, guesses[number], parts
        )
    iou = np.bincount(kinds, scores.iou, minlength=len(CATEGORIES))
    shapes = np.bincount(kinds, minlength=len(CATEGORIES))
    return {"iou": iou.tolist(), "shapes": shapes.tolist(), "confusion": counts.tolist()}


def examples_of(
    task: ClosedForm, readouts: list[PartReadout], data: PartData, guesses: np.ndarray, device: str
) -> dict:
    """Parts predicted by the first encoder: of one test shape a category, and of the samples."""
    numbers = first_of_each(data.test)
    found = {"examples": encoded_parts(guesses[numbers], data.test.categories[numbers])}
    if data.samples:
        alone = replace(task, encoders=task.encoders[:1])
        parts = predict(alone, [readouts], data.samples, device)[0][0]
        found["samples"] = encoded_parts(parts, data.samples.categories)
        right = 100 * scores_of(data.samples, parts).right
        for name, share in zip(data.samples.shapes.ids, right, strict=True):
            kind = CATEGORIES[data.samples.shapes.categories[data.samples.shapes.ids.index(name)]]
            print(f"real     {kind.name} {name}: {share:.1f} % of the points right", flush=True)
    return found
