"""Point clouds of your own, in a network of your own sizes, read with the noise of a chip.

    python examples/own_clouds.py my_clouds.npz    # points (n, N, 3), labels (n,)

Without a file, noisy points on balls, boxes and tubes of random sizes.
"""

import sys

import numpy as np

from deplm import DeplmClassifier, PointNetwork, ReadConfig, SetAbstraction

rng = np.random.default_rng(0)
if len(sys.argv) > 1:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        points, labels = file["points"], file["labels"]
else:
    labels = rng.integers(0, 3, 400)
    points = rng.normal(size=(400, 256, 3))
    norms = [np.linalg.norm(points, axis=-1), abs(points).max(-1), np.hypot(*points.T[:2]).T]
    points /= np.choose(labels[:, None], norms)[..., None]  # a ball, a box, a tube
    points = points.clip(-1, 1) * rng.uniform(0.5, 1, (400, 1, 3))
    points += rng.normal(0, 0.03, points.shape)

network = PointNetwork(
    features=0,  # values of a point beside its three coordinates
    abstractions=(
        SetAbstraction(32, centres=64, neighbours=16, radius=0.4),
        SetAbstraction(64, centres=16, neighbours=16, radius=0.8),
        SetAbstraction(256),  # all points, one group
    ),
)
order = rng.permutation(len(labels))
train, test = order[len(order) // 4 :], order[: len(order) // 4]
for noise in (0.0, 0.1):
    model = DeplmClassifier(network, read_config=ReadConfig(read_noise=noise))
    correct = model.fit(points[train], labels[train]).score(points[test], labels[test])
    print(f"read noise {noise:.0%}: {correct:.1%} of {len(test)} test clouds")
