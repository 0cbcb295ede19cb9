"""How well shapes are segmented: intersection over union, as the published script counts it."""

from typing import NamedTuple

import numpy as np

from deplm.data.seg_categories import CATEGORIES

METRICS = ("instance mIoU", "class mIoU", "point accuracy")


class ShapeScores(NamedTuple):
    """Scores of shapes, each (B,): mean intersection over union, share of points correct."""

    iou: np.ndarray
    correct: np.ndarray


def score_shapes(true: np.ndarray, predicted: np.ndarray, categories: np.ndarray) -> ShapeScores:
    """Score shapes one by one.

    A shape's figure is the mean over the parts of its category; a part that is neither there nor
    predicted counts 1 (Yi et al. 2016; train_segmentation.py).

    Args:
        true: (B, N) parts, of the shape's category.
        predicted: (B, N) parts, likewise.
        categories: (B,) 0..15.
    """
    iou, correct = np.empty(len(true)), np.empty(len(true))
    for cloud, category in enumerate(categories):
        counts = part_confusion(true[cloud], predicted[cloud], CATEGORIES[category].labels)
        shared = np.diag(counts)
        union = counts.sum(0) + counts.sum(1) - shared
        iou[cloud] = np.where(union > 0, shared / np.maximum(union, 1), 1).mean()
        correct[cloud] = shared.sum() / len(true[cloud])
    return ShapeScores(iou, correct)


def part_confusion(true: np.ndarray, predicted: np.ndarray, parts: range) -> np.ndarray:
    """(k, k) counts of points, true parts down and predicted ones across.

    Args:
        true: (n,) labels, all among `parts`.
        predicted: (n,) labels, likewise.
        parts: k labels in a row.
    """
    k = len(parts)
    cells = (true.astype(np.int64) - parts[0]) * k + (predicted.astype(np.int64) - parts[0])
    return np.bincount(cells, minlength=k * k).reshape(k, k)


def mean_scores(scores: ShapeScores, categories: np.ndarray) -> dict[str, float]:
    """The table's metrics in percent, instance mIoU first.

    Args:
        scores: of S shapes.
        categories: (S,) of them.
    """
    by_category = [scores.iou[categories == number].mean() for number in np.unique(categories)]
    values = scores.iou.mean(), np.mean(by_category), scores.correct.mean()
    return {name: 100 * float(value) for name, value in zip(METRICS, values, strict=True)}


def best_parts(scores: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Parts (B, N) uint8 of the highest score among those of each shape's category.

    Args:
        scores: (B, N, 50).
        categories: (B,) of the shapes.
    """
    predicted = np.empty(scores.shape[:2], np.uint8)
    for cloud, category in enumerate(categories):
        parts = CATEGORIES[category].labels
        predicted[cloud] = parts[0] + scores[cloud][:, parts].argmax(-1)
    return predicted
