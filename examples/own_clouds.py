"""Point clouds of your own, read with the noise of a chip; and a label for every point.

    python examples/own_clouds.py my_clouds.npz    # points (n, N, 3) scaled to about 1, labels (n,)

Without a file, noisy points on balls, boxes and tubes, each of another number of points.
"""

import sys

import numpy as np

from deplm import DEPLMClassifier, DEPLMSegmenter, ReadConfig

rng = np.random.default_rng(0)
if len(sys.argv) > 1:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        clouds, labels = list(file["points"]), file["labels"]
else:
    labels, clouds = rng.integers(0, 3, 200), []
    for label in labels:
        points = rng.normal(size=(rng.integers(150, 250), 3))
        ball, box, tube = (
            np.linalg.norm(points, axis=1),
            abs(points).max(1),
            np.hypot(*points.T[:2]),
        )
        points = (points / (ball, box, tube)[label][:, None]).clip(-1, 1)
        clouds.append(points + rng.normal(0, 0.03, points.shape))

test = len(labels) // 4
for noise in (0.0, 0.02):
    model = DEPLMClassifier(chip=0, read=ReadConfig(read_noise=noise, noise_per="batch"))
    correct = model.fit(clouds[test:], labels[test:]).score(clouds[:test], labels[:test])
    print(f"read noise {noise:.0%}: {correct:.1%} of {test} test clouds")

upper = [cloud[:, 2] > np.median(cloud[:, 2]) for cloud in clouds]  # a label for every point
segmenter = DEPLMSegmenter(chip=0).fit(clouds[test:], upper[test:])
print(f"upper or lower: {segmenter.score(clouds[:test], upper[:test]):.1%} of the points")
