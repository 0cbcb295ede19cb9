"""Networks of impossible sizes, and clouds that do not fit a network, are refused in one line."""

import numpy as np
import pytest
import torch

from deplm import (
    PART_NETWORK,
    ArrayClouds,
    Chip,
    FrozenEncoder,
    PartNetwork,
    PointNetwork,
    SetAbstraction,
)
from deplm.network import SHAPENET_PART
from deplm.plus import DvsPlusNetwork, ImagePlusNetwork, Window
from rram import UserError

LOCAL = SetAbstraction(5, centres=20, neighbours=8, radius=0.3)
NETWORK = PointNetwork(2, (LOCAL, SetAbstraction(9, 6, 4, 0.5), SetAbstraction(17)))
IMAGES = ImagePlusNetwork(((Window(3, 1),),), cells=(4,))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: SetAbstraction(0), "above 0"),
        (lambda: SetAbstraction(5, 20, 8), "go together"),
        (lambda: SetAbstraction(5, 20, 8, float("nan")), "above 0"),
        (lambda: PointNetwork(-1, (LOCAL,)), "features from 0"),
        (lambda: PointNetwork(0, ()), "an abstraction"),
        (lambda: PointNetwork(0, (LOCAL,), input_scale=0.0), "input scale above 0"),
        (lambda: PointNetwork(0, (SetAbstraction(3), LOCAL)), "only the last"),
        (lambda: PointNetwork(0, (LOCAL, SetAbstraction(3, 21, 8, 0.3))), "more centres"),
        (lambda: FrozenEncoder(PointNetwork(0, (LOCAL,)), Chip()), "two local abstractions"),
        (lambda: PartNetwork(SHAPENET_PART, (3, 4)), "one propagation for each"),
        (lambda: PartNetwork(SHAPENET_PART, (3, 4, 0)), "channels from 1"),
        (lambda: PartNetwork(NETWORK, (3, 4, 5), slope=-1.0), "a slope above 0"),
        (
            lambda: DvsPlusNetwork(NETWORK.features, NETWORK.abstractions, cells=(2, 2, 2)),
            "must be local",
        ),
        (lambda: DvsPlusNetwork(0, (LOCAL,), cells=(1,)), "2 cells or more"),
        (lambda: DvsPlusNetwork(0, (LOCAL,), cells=(2,), slope=0.0), "slope"),
        (lambda: ImagePlusNetwork(((Window(3, 1),),), cells=(4, 2)), "one cells a level"),
        (lambda: ImagePlusNetwork(((),), cells=(4,)), "one cells a level"),
        (lambda: ImagePlusNetwork(((Window(3, 1),),), cells=(29,)), "28 pixels"),
        (lambda: Window(0, 1), "channels from 1"),
    ],
)
def test_impossible_networks_are_refused(make, said):
    with pytest.raises(UserError, match=said) as error:
        make()
    assert "\n" not in str(error.value)


def batch(change=lambda points, features: (points, features), network=NETWORK, **options):
    rng = np.random.default_rng(0)
    points, features = rng.random((4, 40, 3)), rng.random((4, 40, 2))
    clouds = ArrayClouds("test", *change(points, features), **options)
    return network.batch(clouds, np.arange(len(clouds)))


def test_fitting_clouds_are_taken():
    made = batch()
    assert [g and tuple(g.centres.shape) for g in made.groupings] == [(4, 20, 3), (4, 6, 3), None]
    assert made.noise_key == ("test", (0, 1, 2, 3))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p, f: (p, f[..., :1]), r"features \(4, 40, 1\).*2 values a point"),
        (lambda p, f: (p, None), r"features \(4, 40, 0\)"),
        (lambda p, f: (np.where(p > 0.99, np.nan, p), f), "NaN"),
        (lambda p, f: (p, np.where(f > 0.99, np.inf, f)), "infinite"),
        (lambda p, f: (p[:, :19], f[:, :19]), "19 points a cloud, this network needs 20"),
        (lambda p, f: (p * 1e6, f), "scale the clouds to about 1"),
    ],
)
def test_clouds_that_do_not_fit_are_refused(change, said):
    with pytest.raises(UserError, match=said) as error:
        batch(change)
    assert str(error.value).startswith("test clouds 0 to 3: ") and "\n" not in str(error.value)


def test_clouds_of_double_precision_are_refused():
    clouds = ArrayClouds("test", np.zeros((2, 40, 3)), np.zeros((2, 40, 2)))
    clouds._points = clouds._points.double()
    with pytest.raises(UserError, match=r"torch.float64, expected \(B, N, 3\) float32"):
        NETWORK.batch(clouds, np.arange(2))


def test_images_of_another_size_are_refused():
    with pytest.raises(UserError, match="28 x 28 pixels has 784"):
        batch(lambda p, _: (p, p), IMAGES)


@pytest.mark.parametrize("categories", [None, [0, 1, 2, 16], [-1, 0, 0, 0]])
def test_categories_that_the_network_does_not_know_are_refused(categories):
    points = np.random.default_rng(0).random((4, 600, 3))
    kinds = None if categories is None else np.array(categories)
    clouds = ArrayClouds("test", points, points, categories=kinds)
    with pytest.raises(UserError, match="categories must be 0 to 15"):
        PART_NETWORK.batch(clouds, np.arange(4))


def test_a_network_that_sees_no_category_needs_none():
    network = PartNetwork(SHAPENET_PART, (3, 4, 5), categories=0)
    points = np.random.default_rng(0).random((4, 600, 3))
    made = network.batch(ArrayClouds("test", points, points), np.arange(4))
    assert torch.equal(made.categories, torch.zeros(4, dtype=torch.int64))
