"""Alignment in closed form: each modality is projected on the seen classes by ridge regression.

Both modalities are regressed on the same one-hot targets, so their scores lie in one space; an
item of an unseen class lies where its features resemble those of seen classes. Canonical
correlations of items that share nothing but their class span the same space.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from harness.readout import RidgeReadout
from lsm.zero_shot.projections import Features, Pairs
from lsm.zero_shot.selection import Embed, Trainer


def ridge_alignment(features: Features, penalties: Sequence[float]) -> Trainer:
    """A trainer for `lsm.zero_shot.study`: the candidates are the penalties.

    Args:
        features: (items, D) of both modalities.
        penalties: of the ridge, relative as in `RidgeReadout`.
    """

    def train(pairs: list[Pairs], _: list[list[int]], measure: Callable[[Embed], None]) -> None:
        fitted = [[_statistics(features[n], p[n], p.labels) for n in (0, 1)] for p in pairs]
        for penalty in penalties:
            for sides in fitted:
                for ridge in sides:
                    ridge.solve(penalty)
            measure(lambda side, rows, models: _scores(fitted[models], features[side][rows], side))

    return train


def _statistics(x: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> RidgeReadout:
    rows, first = np.unique(rows, return_index=True)
    classes, targets = np.unique(labels[first], return_inverse=True)
    return RidgeReadout(len(classes)).partial_fit(x[rows], targets)


def _scores(fitted: list[list[RidgeReadout]], x: np.ndarray, side: int) -> torch.Tensor:
    # Mean-free scores: what is the same for all classes says nothing.
    found = [torch.from_numpy(sides[side].scores(x)) for sides in fitted]
    widest = max(s.shape[1] for s in found)
    centred = [s - s.mean(1, keepdim=True) for s in found]
    return torch.stack([torch.nn.functional.pad(s, (0, widest - s.shape[1])) for s in centred])
