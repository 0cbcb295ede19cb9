"""Zero-shot retrieval between two modalities of your own, in scikit-learn's conventions."""

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

from lsm.zero_shot.alignment import RidgeAlignment
from lsm.zero_shot.projections import ProjectionConfig, ProjectionTraining
from lsm.zero_shot.retrieval import Similarity, centred_cosine, cosine, topk_accuracy
from lsm.zero_shot.training import Pairs, Training
from rram import UserError


class ZeroShotRetriever(BaseEstimator):
    """Items of one modality find those of another, of classes that were never trained on.

    Frozen features of both modalities are projected into one space, so that items of a class meet
    there: by ridge regressions on the same one-hot targets of the seen classes, in closed form
    (`lsm.zero_shot.alignment`), or by two linear layers trained by contrast (LSM paper, methods).
    An item of an unseen class lies where its features resemble those of seen classes, in both
    modalities: query -> projection -> most similar item of the other modality.

    Args:
        encoders: transformers of the first and of the second modality, `LSMEncoder` for
            instance; None: the items are rows of features already.
        recipe: of the trained projections; None: closed form.
        penalty: of the closed form, as of `RidgeReadout`.
        similarity: of embeddings; None: as in the tables, cosine, about the mean of each pool
            for the closed form.
        seed: of the trained projections' first weights and order of pairs.

    Attributes:
        classes_: seen classes.
        encoders_: the fitted encoders.
        training_: the fitted projections.

    Example:
        >>> import numpy as np
        >>> from lsm import ZeroShotRetriever
        >>> rng = np.random.default_rng(0)
        >>> seen, views = rng.normal(size=(300, 4)), rng.normal(size=(2, 4, 30))
        >>> y = seen.argmax(1)  # both modalities are views of the same four causes
        >>> retriever = ZeroShotRetriever().fit([seen @ views[0], seen @ views[1]], (y, y))
        >>> new = np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])  # of no class that was trained on
        >>> retriever.retrieve(new @ views[0], new @ views[1])[:, 0]
        array([0, 1])
    """

    def __init__(
        self,
        encoders: tuple[TransformerMixin | None, TransformerMixin | None] = (None, None),
        *,
        recipe: ProjectionConfig | None = None,
        penalty: float = 1e-2,
        similarity: Similarity | None = None,
        seed: int = 0,
    ) -> None:
        self.encoders = encoders
        self.recipe = recipe
        self.penalty = penalty
        self.similarity = similarity
        self.seed = seed

    def fit(self, X: Sequence[Any], y: Sequence[np.ndarray]) -> Self:
        """Fit the encoders, and the projections on pairs of items of the same class.

        Args:
            X: items of both modalities, a pair; of seen classes only.
            y: their labels, a pair of (n,) and (m,).

        Raises:
            ValueError: items or labels that do not fit, or a class that one modality lacks.
        """
        if len(X) != 2 or len(y) != 2:
            raise UserError(f"{len(X)} modalities and {len(y)} sets of labels: expected two each")
        labels = [np.asarray(of_one) for of_one in y]
        for items, of_one in zip(X, labels, strict=True):
            check_consistent_length(items, of_one)
        self.classes_ = np.unique(np.concatenate(labels))
        if len(self.classes_) < 2:
            raise UserError(f"{len(self.classes_)} seen class: expected two or more")
        pairs = _pairs(labels, self.classes_)
        self.encoders_ = tuple(encoder and clone(encoder) for encoder in self.encoders)
        features = tuple(
            _rows(items) if encoder is None else encoder.fit_transform(items)
            for encoder, items in zip(self.encoders_, X, strict=True)
        )
        self.training_ = self._training(features, pairs)
        for _ in self.training_.epochs():
            pass
        return self

    def embed(self, items: Any, modality: int) -> torch.Tensor:  # noqa: ANN401
        """Embeddings (n, d) of items of modality 0 or 1, as of `fit`."""
        check_is_fitted(self)
        if modality not in (0, 1):
            raise UserError(f"modality {modality!r}: expected 0, the first, or 1, the second")
        encoder = self.encoders_[modality]
        x = _rows(items) if encoder is None else encoder.transform(items)
        training = copy.copy(self.training_)
        training.features = (x, x)
        return training.embed(modality, np.arange(len(x)), slice(1))[0]

    def retrieve(self, queries: Any, items: Any, k: int = 1) -> np.ndarray:  # noqa: ANN401
        """The `k` most similar items of the second modality for each query of the first.

        Args:
            queries: items of the first modality, as of `fit`.
            items: of the second, that are searched.
            k: how many.

        Returns:
            (queries, k) numbers of items, the most similar first.
        """
        alike = self._alike(queries, items)
        if not 1 <= k <= alike.shape[1]:
            raise UserError(f"k is {k}: expected 1 to {alike.shape[1]}, the number of items")
        return alike.topk(k, -1).indices.cpu().numpy()

    def score(self, X: Sequence[Any], y: Sequence[np.ndarray]) -> float:
        """Share of queries whose most similar item is of their class; arguments as of `fit`."""
        here, there = (torch.from_numpy(_numbers(of_one, y)) for of_one in y)
        return topk_accuracy(self._alike(*X), here, there).item() / 100

    def _alike(self, queries: Any, items: Any) -> torch.Tensor:  # noqa: ANN401
        usual = centred_cosine if self.recipe is None else cosine
        similarity = usual if self.similarity is None else self.similarity
        return similarity(self.embed(queries, 0), self.embed(items, 1))

    def _training(self, features: tuple[np.ndarray, np.ndarray], pairs: Pairs) -> Training:
        if self.recipe is None:
            return RidgeAlignment(features, [pairs], (self.penalty,))
        return ProjectionTraining(features, [pairs], [self.seed], self.recipe)


def _pairs(labels: list[np.ndarray], classes: np.ndarray) -> Pairs:
    """All items of both modalities, class by class; the shorter side starts again."""
    found = []
    for number, name in enumerate(classes):
        first, second = (np.flatnonzero(of_one == name) for of_one in labels)
        if not (len(first) and len(second)):
            lacking = "second" if len(first) else "first"
            raise UserError(f"class {name}: the {lacking} modality has no item of it, expected 1")
        count = max(len(first), len(second))
        found.append((np.resize(first, count), np.resize(second, count), np.full(count, number)))
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _rows(items: np.ndarray) -> np.ndarray:
    return check_array(items, dtype=np.float32)


def _numbers(labels: np.ndarray, both: Sequence[np.ndarray]) -> np.ndarray:
    return np.searchsorted(np.unique(np.concatenate([np.asarray(y) for y in both])), labels)
