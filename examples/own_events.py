"""Events of your own, through a liquid of random weights to a trained readout.

    python examples/own_events.py my_spikes.npz    # spikes (n, T, channels) of 0 and 1, labels (n,)

Without a file, spots that move up, move down or rest.
"""

import sys

import numpy as np

from lsm import LiquidClassifier, ReadConfig, StateFeatures

if len(sys.argv) > 1:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        spikes, labels = file["spikes"], file["labels"]
else:
    rng = np.random.default_rng(0)
    labels, start = rng.integers(0, 3, 600), rng.uniform(12, 20, 600)
    time, channel = np.arange(40), np.arange(32)
    place = start[:, None] + (labels[:, None] - 1) * time * 0.3  # down, still, up
    near = np.exp(-((channel - place[..., None]) ** 2) / 4)
    spikes = rng.random(near.shape) < 0.02 + 0.4 * near

half = len(labels) // 2
for windows in (1, 4):
    model = LiquidClassifier(
        features=StateFeatures(windows=windows), read_config=ReadConfig(read_noise=0.02)
    )
    correct = model.fit(spikes[:half], labels[:half]).score(spikes[half:], labels[half:])
    print(f"rates in {windows} time windows: {correct:.1%} of {len(labels) - half} test samples")
