import warnings

import numpy as np
import pytest
import torch

from harness.errors import UserError
from harness.readouts.features import FrozenFeatures
from harness.run.selection import History
from lsm.tables.supervised_trained import Histories, readout_histories
from lsm.training.readout import Adam, Recipe, cross_entropy_gradient, train_readout


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_it_is_torchs_adam(name):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(20, 5)).astype(np.float32), rng.integers(0, 3, 20)
    weights = rng.normal(size=(5, 3)).astype(np.float32)
    theirs = torch.nn.Parameter(torch.from_numpy(weights.copy()))
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    torchs, ours = kind([theirs], 0.01), Adam(weights, Recipe(name, 0.01))
    for _ in range(50):
        loss = torch.nn.functional.cross_entropy(torch.from_numpy(x) @ theirs, torch.tensor(labels))
        torchs.zero_grad()
        loss.backward()
        torchs.step()
        ours.step(cross_entropy_gradient(x, labels, weights))
    assert np.allclose(weights, theirs.detach(), atol=1e-5)


def test_gradient_by_hand():
    # Scores 0 and log 3: probabilities 1/4 and 3/4, error -3/4 and 3/4 for label 0.
    weights = np.array([[0.0, np.log(3) / 2]])  # times x = 2
    found = cross_entropy_gradient(np.array([[2.0]]), np.array([0]), weights)
    assert found == pytest.approx(np.array([[-1.5, 1.5]]))


def test_batches_are_the_same_in_every_epoch():
    # Plain arithmetic, no shared code: one order for both epochs, two batches each.
    rng = np.random.default_rng(3)
    x, labels = rng.normal(size=(5, 2)).astype(np.float32), np.array([0, 1, 1, 0, 1])
    recipe = Recipe(learning_rate=0.1, batch_size=3, epochs=2)
    for coefficients, intercept in train_readout((x, labels), 2, recipe, seed=7):
        found = np.concatenate([coefficients, intercept[None]])
    draws = np.random.default_rng([7, 2])
    start = draws.uniform(-(2**-0.5), 2**-0.5, (3, 2)).astype(np.float32)
    weights = torch.nn.Parameter(torch.from_numpy(start))
    order, optimiser = draws.permutation(5), torch.optim.Adam([weights], 0.1)
    ones = torch.from_numpy(np.c_[x, np.ones(5, np.float32)])
    for rows in (order[:3], order[3:]) * 2:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(
            ones[rows] @ weights, torch.from_numpy(labels[rows])
        ).backward()
        optimiser.step()
    np.testing.assert_allclose(found, weights.detach().numpy(), atol=1e-5)


def test_it_learns_and_repeats():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    x = (np.eye(3)[labels] + 0.1 * rng.normal(size=(300, 3))).astype(np.float32)
    features = FrozenFeatures((x[:200], labels[:200]), 100, (x[200:], labels[200:]), 3)
    recipe = Recipe(learning_rate=0.05, batch_size=10, epochs=5)
    first, again = (readout_histories(features, 1, recipe, seed=1) for _ in range(2))
    assert first == again
    assert first.values() == {"accuracy": 100, "accuracy (published)": 100}


def test_epoch_of_each_protocol():
    split, everything = History(), History()
    for validation, test in ((1.0, 10.0), (3.0, 20.0), (2.0, 30.0)):
        split.add(validation={"accuracy": validation}, test={"accuracy": test})
        everything.add(test={"accuracy": test + 5})
    values = Histories(split, everything).values()
    assert values == {"accuracy": 20.0, "accuracy (published)": 35.0}


def test_a_training_that_diverges_is_said():
    rows = np.eye(6, dtype=np.float32), np.arange(6) % 2
    with (
        np.errstate(all="ignore"),
        pytest.raises(UserError, match="diverged in epoch 1"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        list(train_readout(rows, 2, Recipe(learning_rate=1e300, epochs=3), 0))
