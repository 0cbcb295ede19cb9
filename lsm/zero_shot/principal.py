"""The main directions of a modality's features: many windows of many neurons, made few."""

import numpy as np

from lsm.zero_shot.modalities import TEST, PairedModalities, Split
from lsm.zero_shot.projections import Features

RELATIVE_FLOOR = 0.1  # of the mean deviation: features that hardly vary are not blown up


def principal(features: Features, data: PairedModalities, split: Split, count: int) -> Features:
    """Scores on the first principal components of each modality, of deviation at most 1.

    Features are standardised first. Means, deviations and components are those of the training
    items of seen classes: nothing of an unseen class is looked at, labelled or not.

    Args:
        features: (items, D) of both modalities.
        data: whose items they are.
        split: its seen classes.
        count: components of each modality; fewer, where there are fewer items.

    Returns:
        (items, count) float32 of both modalities.
    """
    scores_of_both = []
    for x, modality in zip(features, data.modalities, strict=True):
        fit = (modality.subset != TEST) & np.isin(modality.labels, split.seen)
        mean, deviation = x[fit].mean(0), x[fit].std(0)
        z = (x - mean) / (deviation + RELATIVE_FLOOR * deviation.mean())
        scores = z @ _axes(z[fit], min(count, fit.sum() - 1))
        scores_of_both.append((scores / scores[fit].std(0).max()).astype(np.float32))
    return tuple(scores_of_both)


def _axes(z: np.ndarray, count: int) -> np.ndarray:
    # Directions (D, count) of largest variance, from the smaller of the two products.
    if len(z) >= z.shape[1]:
        return np.linalg.eigh(z.T @ z)[1][:, ::-1][:, :count]
    values, vectors = np.linalg.eigh(z @ z.T)
    largest = slice(None, -count - 1, -1)
    return z.T @ (vectors[:, largest] / np.sqrt(values[largest]))
