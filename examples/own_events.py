"""Events (x, y, t) of your own, through a liquid of random weights to a trained readout.

    python examples/own_events.py my_events.npz

The file has one entry an event in `sample` (which recording, from 0), `x`, `y` (pixels) and `t`
(any unit, from the recording's start), and one entry a recording in `labels`.
Without a file, spots that move left, rest or move right.
"""

import sys

import numpy as np

from lsm import LiquidClassifier, ReadConfig, SpikeTrains, StateFeatures

STEPS = 40  # of equal length, that the time of a recording is cut into

if len(sys.argv) > 1:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        sample, x, y, t, labels = (file[name] for name in ("sample", "x", "y", "t", "labels"))
else:
    rng = np.random.default_rng(0)
    labels, start = rng.integers(0, 3, 600), rng.uniform(6, 10, 600)
    sample = np.repeat(np.arange(600), 200)
    t = rng.uniform(0, 300, len(sample))  # ms
    place = start[sample] + (labels[sample] - 1) * t / 60  # left, still, right
    x, y = rng.normal((place, np.full(len(t), 8.0)), 1).clip(0, 15).astype(int)

step = np.minimum(t * STEPS / t.max(), STEPS - 1).astype(int)  # binning
channel = y * (x.max() + 1) + x  # one a pixel
trains = SpikeTrains.from_events(sample, step, channel, (len(labels), STEPS, channel.max() + 1))

half = len(labels) // 2
for windows in (1, 4):
    features = StateFeatures(windows=windows)
    model = LiquidClassifier(features=features, read_config=ReadConfig(read_noise=0.02))
    model.fit(trains.take(slice(half)), labels[:half])
    correct = model.score(trains.take(slice(half, None)), labels[half:])
    print(f"rates in {windows} time windows: {correct:.1%} of {len(labels) - half} test samples")
