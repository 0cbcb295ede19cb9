"""Alignment in closed form: each modality is projected on the seen classes by ridge regression.

Both modalities are regressed on the same one-hot targets, so their scores lie in one space; an
item of an unseen class lies where its features resemble those of seen classes. Canonical
correlations of items that share nothing but their class span the same space.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from harness.readouts.ridge import RidgeReadout
from lsm.zero_shot.projections import Features
from lsm.zero_shot.retrieval import Embed
from lsm.zero_shot.training import Pairs, Training


class RidgeAlignment(Training):
    """M models in closed form; the candidates are the penalties.

    Args:
        features: (items, D) of both modalities.
        pairs: M sets of training pairs; an item in two of them counts once.
        penalties: of the ridge, relative as in `RidgeReadout`.
    """

    def __init__(
        self, features: Features, pairs: Sequence[Pairs], penalties: Sequence[float]
    ) -> None:
        self.features, self.penalties = features, penalties
        self.models = [[_statistics(features[n], p[n], p.labels) for n in (0, 1)] for p in pairs]

    def epochs(self, after: int = 0) -> Iterator[tuple[int, Embed]]:
        """One penalty at a time."""
        for number, penalty in enumerate(self.penalties[after:], after + 1):
            for model in self.models:
                for ridge in model:
                    ridge.solve(penalty)
            yield number, self.embed

    def embed(self, modality: int, rows: np.ndarray, models: slice = slice(None)) -> torch.Tensor:
        """Scores (models, rows, classes) of items of modality 0 or 1, of mean 0 an item.

        What is the same for all classes says nothing.
        """
        x = self.features[modality][rows]
        scores = [torch.from_numpy(m[modality].scores(x)) for m in self.models[models]]
        widest = max(s.shape[1] for s in scores)
        centred = [s - s.mean(1, keepdim=True) for s in scores]
        return torch.stack([torch.nn.functional.pad(s, (0, widest - s.shape[1])) for s in centred])


def _statistics(x: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> RidgeReadout:
    rows, first = np.unique(rows, return_index=True)
    classes, targets = np.unique(labels[first], return_inverse=True)
    return RidgeReadout(len(classes)).partial_fit(x[rows], targets)
