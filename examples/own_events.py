"""Events of your own, as tonic gives them, through a liquid of random weights to a readout.

    python examples/own_events.py my_events.npz

The file has one entry an event in `sample` (which recording, from 0), `x`, `y` (pixels) and `t`
(whole numbers, of any unit), and one entry a recording in `labels`.
Without a file, spots that move left, rest or move right.
"""

import sys

import numpy as np

from lsm import LSMClassifier, ReadConfig, StateFeatures

if len(sys.argv) > 1:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        sample, x, y, t, labels = (file[name] for name in ("sample", "x", "y", "t", "labels"))
else:
    rng = np.random.default_rng(0)
    labels, start = rng.integers(0, 3, 600), rng.uniform(6, 10, 600)
    sample, t = np.repeat(np.arange(600), 200), rng.integers(0, 300_000, 600 * 200)  # us
    place = start[sample] + (labels[sample] - 1) * t / 60_000  # left, still, right
    x, y = rng.normal((place, np.full(len(t), 8.0)), 1).clip(0, 15).astype(int)

events = np.zeros(len(t), [("x", int), ("y", int), ("t", int)])
events["x"], events["y"], events["t"] = x, y, t
order = np.lexsort((t, sample))  # recordings one after the other, each in order of time
recordings = np.split(events[order], np.cumsum(np.bincount(sample))[:-1])

half = len(labels) // 2
for windows in (1, 4):
    options = {"features": StateFeatures(windows=windows), "sensor": (x.max() + 1, y.max() + 1, 1)}
    model = LSMClassifier(chip=0, read=ReadConfig(0.02), **options)
    model.fit(recordings[:half], labels[:half])
    correct = model.score(recordings[half:], labels[half:])
    print(f"rates in {windows} time windows: {correct:.1%} of {len(labels) - half} recordings")
