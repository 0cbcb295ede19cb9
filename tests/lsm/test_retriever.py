"""`ZeroShotRetriever` finds items of classes that it was never trained on."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from lsm import LSMEncoder, ProjectionConfig, ZeroShotRetriever
from lsm.zero_shot.alignment import RidgeAlignment
from lsm.zero_shot.retrieval import cosine
from lsm.zero_shot.training import Pairs
from rram import UserError


def views(count=240, seed=0):
    """Two views of items of six classes; the last two classes are mixtures of the first four."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(9)
    causes = np.concatenate([np.eye(4), [[0.7, 0.7, 0, 0], [0, 0, 0.7, 0.7]]])
    maps = fixed.normal(size=(2, 4, 20))
    labels = [rng.integers(0, 6, count + n) for n in (0, 10)]
    X = [
        ((causes[y] + rng.normal(0, 0.1, (len(y), 4))) @ m).astype(np.float32)
        for y, m in zip(labels, maps, strict=True)
    ]
    return X, [np.array(list("abcdef"))[y] for y in labels]


def part(X, y, classes):
    kept = [np.isin(of_one, list(classes)) for of_one in y]
    return [x[k] for x, k in zip(X, kept, strict=True)], [
        v[k] for v, k in zip(y, kept, strict=True)
    ]


RECIPE = ProjectionConfig(width=16, epochs=15, batch_size=32, targets="labels")


@pytest.mark.parametrize("options", [{}, {"recipe": RECIPE}, {"similarity": cosine}])
def test_unseen_classes_are_found(options):
    retriever = ZeroShotRetriever(**options).fit(*part(*views(), "abcd"))
    assert list(retriever.classes_) == list("abcd")
    unseen, labels = part(*views(seed=1), "ef")
    assert retriever.score(unseen, labels) > 0.9
    rng = np.random.default_rng(0)
    shuffled = [retriever.score(unseen, [labels[0], rng.permutation(labels[1])]) for _ in range(20)]
    assert np.mean(shuffled) < 0.6
    found = retriever.retrieve(*unseen, k=3)
    assert found.shape == (len(unseen[0]), 3)
    assert np.mean(labels[1][found[:, 0]] == labels[0]) == pytest.approx(
        retriever.score(unseen, labels)
    )
    assert clone(retriever).get_params() == retriever.get_params()


def test_closed_form_is_that_of_the_tables():
    X, y = part(*views(), "abcd")
    numbers = [np.searchsorted(list("abcd"), of_one) for of_one in y]
    order = [np.concatenate([np.flatnonzero(n == c) for c in range(4)]) for n in numbers]
    table = RidgeAlignment(
        tuple(X),
        [Pairs(order[0], np.resize(order[1], len(order[0])), numbers[0][order[0]])],
        (0.01,),
    )
    ((_, embed),) = table.epochs()
    ours = ZeroShotRetriever().fit(X, y).embed(X[0], 0)
    np.testing.assert_allclose(ours, embed(0, np.arange(len(X[0])), slice(1))[0], atol=1e-9)


def test_spikes_through_liquids():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 90)
    X = [
        rng.random((90, 12, width))
        < np.where(np.arange(width) % 3 == classes[:, None], 0.5, 0.1)[:, None]
        for width in (12, 18)
    ]
    encoders = LSMEncoder(50, const=0.2), LSMEncoder(60, const=0.2, chip=1)
    retriever = ZeroShotRetriever(encoders).fit([x[:60] for x in X], [classes[:60]] * 2)
    assert retriever.score([x[60:] for x in X], [classes[60:]] * 2) > 0.8


def test_unfit_input_is_refused():
    X, y = part(*views(30), "abcd")
    cases = [
        ((X[:1], y), "1 modalities and 2 sets of labels: expected two each"),
        ((X, [y[0], np.full(len(y[1]), "a")]), "class b: the second modality has no item of it"),
        ((X, [np.full(len(v), "a") for v in y]), "1 seen class: expected two or more"),
        ((X, [y[0][:-1], y[1]]), "inconsistent numbers of samples"),
    ]
    for arguments, said in cases:
        with pytest.raises(ValueError, match=said):
            ZeroShotRetriever().fit(*arguments)
    with pytest.raises(NotFittedError):
        ZeroShotRetriever().retrieve(*X)
    fitted = ZeroShotRetriever().fit(X, y)
    with pytest.raises(UserError, match="modality 2: expected 0, the first"):
        fitted.embed(X[0], 2)
    with pytest.raises(UserError, match="k is 0: expected 1 to"):
        fitted.retrieve(*X, k=0)
