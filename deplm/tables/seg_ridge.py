"""Ridge rows of the segmentation table: three streamed passes over points, nothing kept.

Statistics over all points of the training shapes; the choice, and the statistics of its points,
on the validation list; the test list, once, when all is chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from deplm.data.seg_categories import CATEGORIES, PARTS
from deplm.data.seg_clouds import PartClouds
from deplm.encoder import Encoder, encode
from deplm.tables.common import RidgeRow, Stopwatch
from deplm.tables.seg_figures import encoded_parts, first_of_each
from deplm.tables.seg_readout import Choice, PartReadout, PartStatistics, choices, solve
from deplm.training.seg_scores import (
    METRICS,
    ShapeScores,
    mean_scores,
    part_confusion,
    score_shapes,
)
from harness.run.protocol import Measurement, Run
from harness.scale import distributed

PENALTIES = tuple(10.0**e for e in (-9, -8, -7, -6, -5, -4, -3, -2))


@dataclass(frozen=True, kw_only=True)
class PartRow(RidgeRow):
    """A ridge row of parts.

    Attributes:
        fit_points: at most so many points of a shape enter the statistics; None for all.
    """

    fit_points: int | None = None

    def statistics(self, features: np.ndarray, labels: np.ndarray) -> PartStatistics:
        """Of features (B, N, D) and labels (B, N)."""
        x, y = features[:, : self.fit_points], labels[:, : self.fit_points]
        return PartStatistics.of(*(torch.from_numpy(a).flatten(0, 1) for a in (x, y)))


def measure_ridge(run: Run, seed: int, row: PartRow) -> Measurement:
    """Measure a row on chip `seed`; chips are measured together, to sample and group once."""
    key = row.kind, row.network, row.read_config
    return run.shared(key, seed, lambda seeds: measure_chips(run, seeds, row))


def measure_chips(run: Run, seeds: list[int], row: PartRow) -> dict[int, Measurement]:
    """Measure a row on some chips, in three passes: fit, choose, test."""
    watch, data = Stopwatch(), run.data
    encoders = row.encoders(run, seeds)
    watch.waited += watch.rest
    statistics = [PartStatistics() for _ in encoders]
    for indices, features in watch.waiting(encode(data.train, encoders, **_shown(run, "fit"))):
        labels = data.train.labels(indices)
        for total, x in zip(statistics, features, strict=True):
            total.add(row.statistics(x, labels))
    readouts = choose(run, row, encoders, statistics, watch)
    train_seconds = watch.rest / len(seeds)
    predicted = predict(run, encoders, readouts, data.test)
    encode_seconds = (watch.rest + watch.waited) / len(seeds) - train_seconds
    measured = {
        seed: Measurement(
            values=values_of(data.test, *parts),
            fixed_weights=row.network.fixed_weights,
            trained_weights=encoder.width * PARTS,
            train_seconds=train_seconds,
            encode_seconds=encode_seconds,
            details=details_of(data.test, parts[0]),
            note=row.note,
        )
        for seed, encoder, parts in zip(seeds, encoders, predicted, strict=True)
    }
    if 0 in measured:
        chip = seeds.index(0)
        found = examples_of(run, encoders[chip], readouts[chip], predicted[chip][0])
        measured[0].details.update(found)
    return measured


def choose(
    run: Run,
    row: PartRow,
    encoders: Sequence[Encoder],
    statistics: Sequence[PartStatistics],
    watch: Stopwatch,
) -> list[list[PartReadout]]:
    """Choose by instance mIoU on validation shapes, then fit to their points too.

    Args:
        run: with the validation shapes.
        row: what is measured.
        encoders: calibrated, one a chip.
        statistics: of the training points, one a chip; those of the validation points are added.
        watch: of the time spent waiting for features.

    Returns:
        For each chip the readouts of the best regressions a category and of the best plain one.
    """
    source, wanted = run.data.validation, choices(PENALTIES)
    readouts = [solve(s.of_all_processes(), wanted) for s in statistics]
    totals = np.zeros((len(encoders), len(wanted)))
    for indices, features in watch.waiting(encode(source, encoders, **_shown(run, "choose"))):
        labels, categories = source.labels(indices), source.categories[indices]
        for chip, x in enumerate(features):
            predicted = (readout.predict(x, categories) for readout in readouts[chip])
            totals[chip] += [score_shapes(labels, p, categories).iou.sum() for p in predicted]
            statistics[chip].add(row.statistics(x, labels))
    totals = distributed.total(totals)
    return [
        solve(s.of_all_processes(), best_of_each(wanted, total))
        for s, total in zip(statistics, totals, strict=True)
    ]


def best_of_each(wanted: Sequence[Choice], scores: np.ndarray) -> list[Choice]:
    """The best of the regressions a category, and the best of the plain ones."""
    plain = np.array([choice.plain for choice in wanted])
    return [wanted[int(np.where(plain == kind, scores, -1).argmax())] for kind in (False, True)]


def predict(
    run: Run,
    encoders: Sequence[Encoder],
    readouts: Sequence[Sequence[PartReadout]],
    source: PartClouds,
) -> list[np.ndarray]:
    """Predicted parts, (readouts, clouds, points) uint8 for each encoder.

    Args:
        run: names the device.
        encoders: calibrated, one a chip.
        readouts: some for each chip.
        source: shapes.
    """
    shape = (len(readouts[0]), len(source), source.points)
    parts = [np.zeros(shape, np.uint8) for _ in encoders]
    for indices, features in encode(source, encoders, **_shown(run, source.name)):
        categories = source.categories[indices]
        for of_chip, readouts_of_chip, x in zip(parts, readouts, features, strict=True):
            for n, readout in enumerate(readouts_of_chip):
                of_chip[n, indices] = readout.predict(x, categories)
    return [distributed.gathered(of_chip) for of_chip in parts]


def _shown(run: Run, label: str) -> dict[str, str]:
    return {"device": run.device, "label": label}


def scores_of(source: PartClouds, predicted: np.ndarray) -> ShapeScores:
    """Scores of predicted parts (clouds, points), cloud by cloud."""
    scores = [
        score_shapes(source.labels(index), predicted[index], source.categories[index])
        for index in np.arange(len(source))[:, None]
    ]
    return ShapeScores(*(np.concatenate(column) for column in zip(*scores, strict=True)))


def values_of(source: PartClouds, predicted: np.ndarray, plain: np.ndarray) -> dict[str, float]:
    """The row's metrics, of predicted parts (clouds, points) and of those by plain ridge."""
    values = mean_scores(scores_of(source, predicted), source.categories)
    ridge = mean_scores(scores_of(source, plain), source.categories)
    return values | {f"{name}, plain ridge": ridge[name] for name in METRICS}


def details_of(source: PartClouds, predicted: np.ndarray) -> dict:
    """For the figures: sums over shapes of a category's mIoU, and counts of confused points."""
    scores, kinds = scores_of(source, predicted), source.categories
    counts = np.zeros((PARTS, PARTS), np.int64)
    for index in range(len(source)):
        parts = CATEGORIES[kinds[index]].labels
        true = source.labels(np.array([index]))[0]
        counts[parts[0] : parts[-1] + 1, parts[0] : parts[-1] + 1] += part_confusion(
            true, predicted[index], parts
        )
    iou = np.bincount(kinds, scores.iou, minlength=len(CATEGORIES))
    shapes = np.bincount(kinds, minlength=len(CATEGORIES))
    return {"iou": iou.tolist(), "shapes": shapes.tolist(), "confusion": counts.tolist()}


def examples_of(
    run: Run, encoder: Encoder, readouts: Sequence[PartReadout], predicted: np.ndarray
) -> dict:
    """Parts predicted on chip 0: of one test shape a category, and of the real samples.

    Args:
        run: with test shapes and perhaps samples.
        encoder: of the chip.
        readouts: of the chip; the first is shown.
        predicted: (clouds, points) parts of the test shapes.
    """
    data = run.data
    indices = first_of_each(data.test)
    examples = {"examples": encoded_parts(predicted[indices], data.test.categories[indices])}
    if data.samples:
        parts = predict(run, [encoder], [readouts[:1]], data.samples)[0][0]
        examples["samples"] = encoded_parts(parts, data.samples.categories)
        correct = 100 * scores_of(data.samples, parts).correct
        for index, share in enumerate(correct):
            kind = CATEGORIES[data.samples.categories[index]].name
            shape = data.samples.shapes.ids[data.samples.rows[index]]
            print(f"real     {kind} {shape}: {share:.1f} % of the points correct", flush=True)
    return examples
