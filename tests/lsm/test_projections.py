import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import UserError
from lsm.zero_shot.projections import (
    ACTIVATIONS,
    LARGEST_SCALE,
    ProjectionConfig,
    Projections,
    ProjectionTraining,
)
from lsm.zero_shot.retrieval import topk_accuracy
from lsm.zero_shot.training import Pairs, contrastive_loss

# Two pairs in the plane: logits are [[2, 0], [1, 3]].
FIRST = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
SECOND = torch.tensor([[[2.0, 1.0], [0.0, 3.0]]], dtype=torch.float64)
APART = torch.tensor([[0, 1]])
SMALL = ProjectionConfig(width=3, targets="soft", batch_size=4, epochs=3)


def cross(wanted, logits):
    """-sum of wanted * log softmax(logits), by hand."""
    total = math.log(sum(math.exp(value) for value in logits))
    return sum(w * (total - value) for w, value in zip(wanted, logits, strict=True))


def test_identity_targets():
    rows = cross([1, 0], [2, 0]) + cross([0, 1], [1, 3])
    columns = cross([1, 0], [2, 1]) + cross([0, 1], [0, 3])
    loss = contrastive_loss(FIRST, SECOND, APART)
    assert loss.tolist() == pytest.approx([(rows + columns) / 4])
    # log(1 + e^-2) twice, log(1 + e^-1) and log(1 + e^-3): the same number, once more by hand.
    assert loss.item() == pytest.approx((2 * 0.126928 + 0.313262 + 0.048587) / 4, abs=1e-6)


def test_temperature_divides_the_logits():
    rows = cross([1, 0], [4, 0]) + cross([0, 1], [2, 6])
    columns = cross([1, 0], [4, 2]) + cross([0, 1], [0, 6])
    loss = contrastive_loss(FIRST, SECOND, APART, scale=1 / 0.5)
    assert loss.item() == pytest.approx((rows + columns) / 4)


def test_soft_targets_of_simple_clip():
    # (first first^T + second second^T) / 2 is [[3, 1.5], [1.5, 5]]; temperature 1.
    a, b = 1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(-3.5))
    rows = cross([a, 1 - a], [2, 0]) + cross([1 - b, b], [1, 3])
    columns = cross([a, 1 - b], [2, 1]) + cross([1 - a, b], [0, 3])
    loss = contrastive_loss(FIRST, SECOND, APART, targets="soft")
    assert loss.item() == pytest.approx((rows + columns) / 4)
    # Temperature 2 doubles the inside of the softmax and halves the logits.
    a, b = 1 / (1 + math.exp(-3)), 1 / (1 + math.exp(-7))
    rows = cross([a, 1 - a], [1, 0]) + cross([1 - b, b], [0.5, 1.5])
    columns = cross([a, 1 - b], [1, 0.5]) + cross([1 - a, b], [0, 1.5])
    loss = contrastive_loss(FIRST, SECOND, APART, targets="soft", scale=0.5)
    assert loss.item() == pytest.approx((rows + columns) / 4)


def test_label_targets():
    rows = cross([0.5, 0.5], [2, 0]) + cross([0.5, 0.5], [1, 3])
    columns = cross([0.5, 0.5], [2, 1]) + cross([0.5, 0.5], [0, 3])
    same = contrastive_loss(FIRST, SECOND, torch.tensor([[4, 4]]), targets="labels")
    assert same.item() == pytest.approx((rows + columns) / 4)
    apart = contrastive_loss(FIRST, SECOND, APART, targets="labels")
    assert apart.item() == pytest.approx(contrastive_loss(FIRST, SECOND, APART).item())


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_projection_by_hand(layers, activation):
    recipe = replace(SMALL, layers=layers, activation=activation)
    projections = Projections((5, 2), recipe, [7])
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    by_hand = torch.from_numpy(x)
    parameters = [p.detach()[0] for p in projections.modalities[0]]
    assert len(parameters) == 2 * layers
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        by_hand = ACTIVATIONS[activation](by_hand @ weight + bias)
    torch.testing.assert_close(projections.embed(0, x)[0], by_hand)
    assert projections.trained_weights == 5 * 3 + 2 * 3 + 2 * 9 * (layers - 1)


def test_normalised_embeddings_have_length_one():
    projections = Projections((5, 2), replace(SMALL, normalise=True), [7])
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    assert projections.embed(0, x).norm(dim=-1).numpy() == pytest.approx(1)


def train_projections(features, pairs, config, *, seeds):
    """The projections after the last epoch."""
    training = ProjectionTraining(features, pairs, seeds, config)
    assert [epoch for epoch, _ in training.epochs()] == list(range(1, config.epochs + 1))
    return training.model


def example(models=3, each=8):
    """Features of three classes and as many sets of pairs, of two classes each."""
    generator = np.random.default_rng(3)
    centres = generator.normal(size=(2, 3, 6))
    labels = np.repeat(np.arange(3), each)
    noise = 0.3 * generator.normal(size=(2, len(labels), 6))
    features = tuple((centres[:, labels] + noise).astype(np.float32))
    rows = [np.flatnonzero(labels != left_out) for left_out in range(models)]
    return features, [Pairs(row, row, labels[row]) for row in rows]


@pytest.mark.parametrize(
    "recipe",
    [
        SMALL,
        replace(SMALL, targets="identity", normalise=True, learned_scale=True, temperature=0.1),
        replace(SMALL, targets="labels", layers=2, batch_size=5),
    ],
)
def test_a_stack_is_as_many_single_trainings(recipe):
    features, pairs = example()
    stack = train_projections(features, pairs, recipe, seeds=[5, 6, 7])
    for number, seed in enumerate([5, 6, 7]):
        alone = train_projections(features, pairs[number : number + 1], recipe, seeds=[seed])
        for side in (0, 1):
            torch.testing.assert_close(
                stack.embed(side, features[side])[number], alone.embed(side, features[side])[0],
                rtol=1e-3, atol=1e-5,
            )  # fmt: skip
        torch.testing.assert_close(stack.scale[number], alone.scale[0])
        part = stack.embed(0, features[0], slice(number, number + 1))
        torch.testing.assert_close(part[0], stack.embed(0, features[0])[number])


def test_training_lets_partners_find_each_other_and_repeats():
    features, pairs = example()
    recipe = replace(SMALL, targets="labels", width=8, epochs=30, learning_rate=1e-2)
    labels = torch.from_numpy(pairs[0].labels)

    def accuracy(projections):
        # `first` of the pairs is in order: so are the labels of both modalities.
        first, second = (projections.embed(n, features[n][pairs[0].first]) for n in (0, 1))
        return topk_accuracy(first @ second.mT, labels, labels).item()

    after = train_projections(features, pairs[:1], recipe, seeds=[1])
    again = train_projections(features, pairs[:1], recipe, seeds=[1])
    assert accuracy(after) > 90
    wrong = Pairs(pairs[0].first, np.roll(pairs[0].second, 8), pairs[0].labels)
    assert accuracy(train_projections(features, [wrong], recipe, seeds=[1])) < 30
    assert torch.equal(after.embed(0, features[0]), again.embed(0, features[0]))


def test_learned_scale_is_clamped():
    features, pairs = example()
    recipe = replace(SMALL, learned_scale=True, normalise=True, targets="identity")
    recipe = replace(recipe, temperature=0.0101, learning_rate=0.05, epochs=20)
    found = train_projections(features, pairs[:1], recipe, seeds=[1])
    assert found.scale.item() <= LARGEST_SCALE * (1 + 1e-5)
    fixed = train_projections(features, pairs[:1], SMALL, seeds=[1])
    assert fixed.scale.item() == 1
    hot = replace(recipe, temperature=0.001, epochs=1, learning_rate=1e-6)
    kept = train_projections(features, pairs[:1], hot, seeds=[1]).scale.item()
    assert kept == pytest.approx(1000, rel=1e-3)


def test_training_goes_on_to_the_same_digits():
    features, pairs = example()
    whole, begun, resumed = (
        ProjectionTraining(features, pairs, [5, 6, 7], SMALL) for _ in range(3)
    )
    *_, (_, embed) = whole.epochs()
    epochs = begun.epochs()
    next(epochs)
    resumed.model.load_state_dict(begun.model.state_dict())
    resumed.optimiser.load_state_dict(begun.optimiser.state_dict())
    assert [epoch for epoch, _ in resumed.epochs(after=1)] == [2, 3]
    every = slice(None)
    rows = np.arange(9)
    assert torch.equal(resumed.embed(0, rows, every), embed(0, rows, every))


@pytest.mark.parametrize(
    "wrong",
    [
        {"activation": "swish"},
        {"targets": "hard"},
        {"layers": 4},
        {"width": 0},
        {"batch_size": 1},
        {"temperature": 0.0},
    ],
)
def test_bad_recipes(wrong):
    with pytest.raises(UserError):
        ProjectionConfig(**wrong)


def test_bad_pairs():
    features, pairs = example()
    with pytest.raises(UserError, match="one each"):
        train_projections(features, pairs, SMALL, seeds=[1])
    lonely = Pairs(*(column[:1] for column in pairs[0]))
    with pytest.raises(UserError, match="2 or more"):
        train_projections(features, [lonely], SMALL, seeds=[1])
    with pytest.raises(UserError, match="6"):
        Projections((6, 6), SMALL, [1]).embed(0, features[0][:, :4])


def test_models_of_unequal_pairs_take_as_many_steps():
    features, pairs = example()
    few = Pairs(*(column[:6] for column in pairs[1]))
    stack = train_projections(features, [pairs[0], few], SMALL, seeds=[5, 6])
    # The larger model does not notice the smaller one.
    alone = train_projections(features, pairs[:1], SMALL, seeds=[5])
    torch.testing.assert_close(
        stack.embed(0, features[0])[0], alone.embed(0, features[0])[0], rtol=1e-3, atol=1e-5
    )
