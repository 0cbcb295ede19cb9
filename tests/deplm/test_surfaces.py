import numpy as np
import pytest

from deplm.data.stand_ins import seg_surfaces as s

SOLIDS = {
    "box": (s.box(1, 2, 3), 22.0),
    "cylinder": (s.cylinder(0.5, 0.5, 2), np.pi * 2.5),
    "cone": (s.cylinder(1, 0, 2, s.X), np.pi * (1 + np.sqrt(5))),
    "sphere": (s.ellipsoid(1, 1, 1), 4 * np.pi),
    "half sphere": (s.ellipsoid(1, 1, 1, keep=0.0), 2 * np.pi),
    "torus": (s.torus(1, 0.2), 4 * np.pi**2 * 0.2),
    "arc": (s.torus(1, 0.2, 0, 90), np.pi**2 * 0.2),
    "tube": (s.tube(np.array([[0, 0, 0], [0, 1, 0], [2, 1, 0]]), 0.1), 2 * np.pi * 0.1 * 3),
    "wing": (s.wing(1, 0.5, 2, 0.02, -0.3), 0.75 * 2 * (2 + 0.02 + 0.04)),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_area_points_and_normals(name):
    solid, area = SOLIDS[name]
    assert np.isclose(solid.area, area, rtol=0.012)
    points, normals = solid.turned(s.Y, 30).at(1, 2, 3).sample(np.random.default_rng(0), 500)
    assert points.shape == normals.shape == (500, 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-9)


def test_points_lie_on_the_solids():
    rng = np.random.default_rng(0)
    points, normals = s.ellipsoid(1, 2, 3).sample(rng, 300)
    np.testing.assert_allclose(((points / [1, 2, 3]) ** 2).sum(axis=1), 1)
    assert ((points * normals).sum(axis=1) > 0).all()
    points, normals = s.cylinder(0.5, 0.5, 2, s.Z).sample(rng, 300)
    wall = np.isclose(np.hypot(points[:, 0], points[:, 1]), 0.5)
    assert (wall | np.isclose(abs(points[:, 2]), 1)).all() and 100 < wall.sum() < 300
    points, _ = s.box(1, 2, 3).sample(rng, 300)
    assert np.isclose(abs(points) / [0.5, 1, 1.5], 1).any(axis=1).all()
    points, _ = s.torus(1, 0.2).sample(rng, 300)
    ring = np.hypot(points[:, 0], points[:, 1]) - 1
    np.testing.assert_allclose(np.hypot(ring, points[:, 2]), 0.2)


def test_turning_goes_from_x_to_y_about_z():
    np.testing.assert_allclose(s.turn(s.Z, 90) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(s.turn(s.X, 90) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(s.turn(s.Y, 90) @ [0, 0, 1], [1, 0, 0], atol=1e-12)


def test_mirrored_and_corners():
    (a, left), (b, right) = s.mirrored(3, lambda side: s.box(0.1, 0.1, 0.1).at(side))
    assert a == b == 3
    assert left.sample(np.random.default_rng(0), 9)[0][:, 0].max() < 0
    assert right.sample(np.random.default_rng(0), 9)[0][:, 0].min() > 0
    assert sorted(s.corners(2, 4)) == [(-1, -2), (-1, 2), (1, -2), (1, 2)]
