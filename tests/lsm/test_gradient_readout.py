import numpy as np
import pytest
import torch

from harness.selection import History
from lsm.tables.supervised import accuracies
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


def test_it_learns_and_repeats():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    x = (np.eye(3)[labels] + 0.1 * rng.normal(size=(300, 3))).astype(np.float32)
    parts = [(x[n : n + 100], labels[n : n + 100]) for n in (0, 100, 200)]
    recipe = Recipe(learning_rate=0.05, batch_size=10, epochs=5)
    first, again = (train_readout(*parts, 3, recipe, seed=1) for _ in range(2))
    assert first == again
    assert accuracies(first)["accuracy"] == 100


def test_epoch_of_each_protocol():
    history = History()
    for validation, test in ((1.0, 10.0), (3.0, 20.0), (2.0, 30.0)):
        history.add(validation={"accuracy": validation}, test={"accuracy": test})
    assert accuracies(history) == {"accuracy": 20.0, "accuracy (published)": 30.0}
