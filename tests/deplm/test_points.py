"""Sampling and grouping: compiled, plain torch and the oracle give the same indices."""

import numpy as np
import pytest
import torch

from deplm.points import ArrayClouds, ball_query, farthest_point_sample, gather, three_nearest
from rram import UserError
from tests.oracles import point_network as oracle


def random_clouds(number, *, grid=False):
    generator = torch.Generator().manual_seed(number)
    points = torch.rand(4, number, 3, generator=generator) - 0.5
    if grid:  # many equal distances, as between the dark pixels of an image
        points = (points * 6).round() / 6
    return points


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize(("number", "count"), [(1, 1), (7, 7), (100, 33), (784, 512)])
def test_sampling_agrees(number, count, grid):
    points = random_clouds(number, grid=grid)
    fast = farthest_point_sample(points, count)
    assert torch.equal(fast, farthest_point_sample(points, count, plain=True))
    assert torch.equal(fast.long(), oracle.farthest_point_sample(points, count))


def test_sampling_starts_where_it_is_told():
    points = random_clouds(50)
    start = torch.tensor([3, 0, 49, 7])
    chosen = farthest_point_sample(points, 10, start)
    assert torch.equal(chosen[:, 0].long(), start)
    assert torch.equal(chosen, farthest_point_sample(points, 10, start, plain=True))


def test_sampling_by_hand():
    line = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [10, 0, 0]]])
    assert farthest_point_sample(line, 4)[0].tolist() == [0, 3, 2, 1]


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("number", [101, 300])
@pytest.mark.parametrize(("radius", "count"), [(0.05, 4), (0.15, 32), (0.5, 8), (2.0, 150)])
def test_grouping_agrees(radius, count, number, grid):
    points = random_clouds(number, grid=grid)
    centres = gather(points, farthest_point_sample(points, 40))
    fast = ball_query(points, centres, radius, count)
    assert torch.equal(fast, ball_query(points, centres, radius, count, plain=True))
    assert torch.equal(fast.long(), oracle.query_ball_point(radius, count, points, centres))


def test_grouping_takes_the_first_in_index_order_and_pads():
    line = torch.tensor([[[0.3, 0, 0], [0.0, 0, 0], [0.1, 0, 0], [5.0, 0, 0]]])
    near = ball_query(line, line[:, 1:2], 0.31, 2)
    assert near[0, 0].tolist() == [0, 1]  # not the two nearest
    assert ball_query(line, line[:, 3:], 0.5, 3)[0, 0].tolist() == [3, 3, 3]


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("known", [3, 30, 64, 150])
def test_three_nearest_agrees(known, grid):
    points = random_clouds(190, grid=grid)
    known = points[:, 10 : 10 + known].contiguous()
    fast, plain = three_nearest(points, known), three_nearest(points, known, plain=True)
    assert torch.equal(fast[0], plain[0])
    assert torch.equal(fast[1], plain[1])


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (torch.zeros(2, 5, 2), "(2, 5, 2)"),
        (torch.zeros(2, 5, 3, dtype=torch.float64), "float64"),
        (torch.zeros(2, 0, 3), "without points"),
    ],
)
def test_unfit_clouds_are_refused(points, words):
    with pytest.raises(UserError, match=words.replace("(", r"\(").replace(")", r"\)")):
        farthest_point_sample(points, 2)


def test_three_nearest_needs_three():
    with pytest.raises(UserError, match="2 points"):
        three_nearest(torch.zeros(1, 4, 3), torch.zeros(1, 2, 3))


@pytest.mark.parametrize("plain", [False, True])
def test_an_empty_ball_is_refused(plain):
    """The second centre is far from all points: nothing may be taken for its neighbours."""
    points = random_clouds(30)
    centres = points[:, :2].clone()
    centres[3, 1] += 50
    with pytest.raises(UserError, match=r"within 0.1 of centre 1 of cloud 3"):
        ball_query(points, centres, 0.1, 4, plain=plain)


def test_arrays_become_clouds():
    values = np.random.default_rng(0).random((5, 7, 4))
    clouds = ArrayClouds("test", values[..., :3], values[..., 3:], labels=np.arange(5))
    points, features = clouds.clouds(np.array([4, 1]))
    np.testing.assert_array_equal(points, values[[4, 1], :, :3].astype(np.float32))
    np.testing.assert_array_equal(features, values[[4, 1], :, 3:].astype(np.float32))
    assert len(clouds) == 5 and ArrayClouds("a", values[..., :3]).clouds([0]).features.numel() == 0
    assert [len(part) for part in clouds.in_batches()] == [5]
    with pytest.raises(UserError, match="not drawn"):
        clouds.redrawn(1)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ((np.zeros((2, 5)),), r"\(2, 5\)"),
        ((np.zeros((2, 5, 2)),), r"expected \(clouds, points, 3\)"),
        ((np.full((2, 5, 3), "a"),), "expected numbers"),
        ((np.zeros((2, 5, 3)), np.zeros((2, 4, 1))), "do not fit points"),
        ((np.zeros((2, 5, 3)), None, np.zeros(3)), "3 labels of 2 clouds"),
    ],
)
def test_unfit_arrays_are_refused(arrays, said):
    with pytest.raises(UserError, match=said):
        ArrayClouds("train", *arrays)
