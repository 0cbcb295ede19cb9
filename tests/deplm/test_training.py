"""Training by gradient: augmentation, recipe, resuming, selection of epochs."""

import numpy as np
import pytest
import torch

from deplm.points import Clouds
from deplm.tables.common import DeplmConfig, recipe
from deplm.tables.gradient import chosen_values, measure_trained
from deplm.training.augment import Augmentation
from deplm.training.classifiers import FrozenClassifier, GradientClassifier
from deplm.training.readout import SeededDropout, make_readout
from deplm.training.recipe import Recipe, accuracy, train
from harness.run.protocol import Run
from harness.run.selection import History
from rram import Chip, UserError
from tests.deplm.toy_clouds import CLASSES, NETWORK, ToyClouds, ToyData


def some_clouds(count=500, points=200):
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(count, points, 3, generator=generator)
    return Clouds(values, values.clone())


def test_a_shift_moves_coordinates_and_not_features():
    clouds = some_clouds()
    moved = Augmentation(shift=0.1)(clouds, np.random.default_rng(0))
    offset = moved.points - clouds.points
    torch.testing.assert_close(offset, offset[:, :1].expand_as(offset), atol=1e-6, rtol=0)
    assert 0.099 < offset.abs().max() <= 0.1001 and abs(offset.mean()) < 0.005
    assert torch.equal(moved.features, clouds.features)
    followed = Augmentation(shift=0.1, move_features=True)(clouds, np.random.default_rng(0))
    assert torch.equal(followed.features, followed.points)


def test_dropped_points_become_the_first_in_all_columns():
    clouds = some_clouds()
    dropped = Augmentation(dropout=0.875)(clouds, np.random.default_rng(0))
    gone = (dropped.points != clouds.points).any(-1)
    assert torch.equal(gone[:, 1:], (dropped.features != clouds.features).any(-1)[:, 1:])
    first = dropped.points[:, :1].expand_as(dropped.points)
    assert torch.equal(dropped.points[gone], first[gone])
    # The ratio of each cloud is uniform in 0 to 0.875: its mean is half of that.
    ratios = gone.float().mean(1)
    assert abs(ratios.mean() - 0.4375) < 0.03 and ratios.max() < 0.93 and ratios.min() < 0.02


def test_a_scale_multiplies_about_the_origin():
    clouds = some_clouds()
    scaled = Augmentation(scale=(0.8, 1.25))(clouds, np.random.default_rng(0))
    factor = scaled.points / clouds.points
    torch.testing.assert_close(factor, factor[:, :1, :1].expand_as(factor), rtol=1e-4, atol=0)
    assert 0.8 <= factor.min() < 0.81 and 1.24 < factor.max() <= 1.2501


def test_rates_and_momenta_of_the_published_scripts():
    image = recipe(DeplmConfig())
    assert [image.rate_at(e) for e in (0, 18, 19, 38, 39)] == pytest.approx(
        [0.005, 0.005, 0.0035, 0.0035, 0.00245]
    )
    assert image.norm_momentum_at(299) == 0.1
    parts = recipe(
        DeplmConfig(
            learning_rate=0.02, step_epochs=28, step_factor=0.5, steps_early=0,
            lowest_rate=1e-5, norm_factor=0.5,
        )
    )  # fmt: skip
    assert [parts.rate_at(e) for e in (0, 27, 28, 100)] == [0.02, 0.02, 0.01, 0.0025]
    assert parts.rate_at(1000) == 1e-5
    assert [parts.norm_momentum_at(e) for e in (27, 28, 84, 112, 500)] == [
        0.1, 0.05, 0.0125, 0.01, 0.01,
    ]  # fmt: skip


def test_the_readout_may_be_deep():
    deep = make_readout(60, CLASSES, depth=3, prune_rate=2.5)
    assert [layer.out_features for layer in deep if hasattr(layer, "out_features")] == [204, 102, 4]
    assert isinstance(make_readout(60, CLASSES), torch.nn.Linear)
    drop = SeededDropout(0.4)
    drop.generator.manual_seed(0)
    out = drop(torch.ones(200, 50))
    assert abs((out == 0).float().mean() - 0.4) < 0.02 and abs(out.mean() - 1) < 0.03
    assert torch.equal(drop.eval()(torch.ones(3, 4)), torch.ones(3, 4))


def toy_recipe(epochs, **changes):
    config = DeplmConfig(
        epochs=epochs, batch_size=16, learning_rate=0.02, dropout=0.1, shift=0.02, **changes
    )
    return config, recipe(config)


def models():
    chip = Chip(seed=0)
    deep = make_readout(NETWORK.width, CLASSES, depth=2, prune_rate=16)
    return {
        "frozen": FrozenClassifier(NETWORK, chip, make_readout(NETWORK.width, CLASSES), "cpu"),
        "scalars": GradientClassifier(NETWORK, chip, make_readout(NETWORK.width, CLASSES)),
        "deep readout": GradientClassifier(NETWORK, chip, deep),
        "twin": GradientClassifier(NETWORK, None, make_readout(NETWORK.width, CLASSES)),
        "published twin": GradientClassifier(
            NETWORK, chip, make_readout(NETWORK.width, CLASSES), trained=True
        ),
    }


@pytest.mark.parametrize("name", list(models()))
def test_separable_clouds_are_learned(name):
    """And not learned when the labels are shuffled."""
    for shuffled in (False, True):
        model, source = models()[name], ToyClouds()
        if shuffled:
            source.labels = np.random.default_rng(0).permutation(source.labels)
        model.initialise(0)
        _, plan = toy_recipe(30)
        for _ in train(model, plan, source, plan.optimiser(model), 0):
            pass
        score = accuracy(model, ToyClouds("test", seed=1))["accuracy"]
        assert score < 60 if shuffled else score > 70, (name, shuffled, score)


def test_what_learns_and_what_stays():
    before, after = {}, {}
    for name, model in models().items():
        model.initialise(0)
        before[name] = {n: v.clone() for n, v in model.state_dict().items()}
        _, plan = toy_recipe(1)
        list(train(model, plan, ToyClouds(), plan.optimiser(model), 0))
        after[name] = model.state_dict()

    def moved(name):
        return {n for n, v in before[name].items() if not torch.equal(v, after[name][n])}

    assert {n for n in moved("frozen") if "running" not in n} == {"readout.weight", "readout.bias"}
    learned = {n for n in moved("scalars") if "running" not in n and "tracked" not in n}
    assert learned == {
        "readout.weight", "readout.bias", *(f"layers.{n}.input_scale" for n in range(3)),
    }  # fmt: skip
    assert {"layers.0.weights", "layers.0.input_scale"} <= moved("published twin")
    assert {"layers.0.weights", "layers.0.norm.weight"} <= moved("twin")
    start = before["published twin"]["layers.0.weights"]
    assert torch.equal(start, Chip(seed=0).weights("sa1", (3, 16)))


def run_of(folder, config, restart=False):
    run = Run(config, [0], "cpu", folder, folder, table="toy", restart=restart)
    run.data = ToyData(ToyClouds(), ToyClouds("test", 32, seed=1))
    return run


def measured(folder, epochs, name="scalars", restart=False, **changes):
    config, plan = toy_recipe(epochs, **changes)
    run = run_of(folder, config, restart)
    return measure_trained(
        run, 0, models()[name], plan, run.data.train, {"test": run.data.test}, accuracy,
        row="a row", frozen=name != "twin",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["frozen", "scalars", "deep readout"])
def test_a_training_goes_on_to_the_same_digits(tmp_path, name):
    straight = measured(tmp_path / "straight", 4, name)
    measured(tmp_path / "cut", 2, name)
    resumed = measured(tmp_path / "cut", 4, name)
    assert resumed.values == straight.values and resumed.details == straight.details
    files = [next((tmp_path / f / "checkpoints").iterdir()) for f in ("straight", "cut")]
    with np.load(files[0]) as one, np.load(files[1]) as other:
        assert all(np.array_equal(one[n], other[n]) for n in one if n != "about")
    # A longer training is not asked again for a shorter one.
    assert (
        measured(tmp_path / "cut", 2, name).details["history 0"][0]
        == (straight.details["history 0"][0][:2])
    )


def test_other_checkpoints_are_refused_in_one_line(tmp_path):
    measured(tmp_path, 2)
    with pytest.raises(
        UserError, match=r"another configuration \(augmentation.shift is .* there, .* here\)"
    ):
        config, _ = toy_recipe(2)
        run = run_of(tmp_path, config)
        plan = Recipe(2, 16, 0.02, 20, 0.7, Augmentation(0.1, 0.5), True, 0.0)
        measure_trained(
            run, 0, models()["scalars"], plan, run.data.train, {"test": run.data.test}, accuracy,
            row="a row", frozen=True,
        )  # fmt: skip
    (file,) = (tmp_path / "checkpoints").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"damaged.*--restart"):
        measured(tmp_path, 2)
    assert measured(tmp_path, 2, restart=True).values["accuracy"] > 25


def test_each_protocol_has_its_own_epoch():
    """Validation is best in epoch 0, the test scores in 1 and 2: swapped protocols would fail."""
    history = History()
    history.add(validation={"mIoU": 70, "class": 10}, test={"mIoU": 50, "class": 40})
    history.add(validation={"mIoU": 60, "class": 20}, test={"mIoU": 80, "class": 41})
    history.add(validation={"mIoU": 50, "class": 30}, test={"mIoU": 60, "class": 43})
    assert chosen_values(history) == {
        "mIoU": 50, "class": 40, "mIoU (published)": 80, "class (published)": 43,
    }  # fmt: skip
    history.validation.clear()  # nothing to choose on: the last epoch
    assert chosen_values(history)["mIoU"] == 60


def test_redrawn_sets_are_scored_anew(tmp_path):
    """With `redraw` every epoch scores other points; without, always the same."""
    seen = []

    class Drawn(ToyClouds):
        redrawable = True

        def redrawn(self, seed):
            seen.append((self.name, seed))
            return self

    config, plan = toy_recipe(3)
    for redraw in (False, True):
        run = run_of(tmp_path / str(redraw), config)
        evaluated = {"test": Drawn("test", 32)}
        measure_trained(
            run, 0, models()["frozen"], plan, run.data.train, evaluated, accuracy,
            row="a row", frozen=True, redraw=redraw,
        )  # fmt: skip
    assert seen == [("test", 0), ("test", 1), ("test", 2)]
