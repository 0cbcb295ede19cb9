"""Events of your own, through a liquid of random weights to a trained readout.

    python examples/own_events.py my_spikes.npz    # spikes (T, n, channels) of 0 and 1, labels (n,)

Without a file, spots that move up, move down or rest.
"""

import sys

import numpy as np
from sklearn.linear_model import LogisticRegression

from lsm.encode import encode
from lsm.features import StateFeatures
from lsm.reservoir import from_chip
from lsm.specs import ReservoirSpec
from lsm.spikes import SpikeTrains
from rram import LSM_40NM, Chip, ReadConfig

if len(sys.argv) > 1:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        spikes, labels = file["spikes"], file["labels"]
else:
    rng = np.random.default_rng(0)
    labels, start = rng.integers(0, 3, 600), rng.uniform(12, 20, 600)
    time, channel = np.arange(40)[:, None, None], np.arange(32)
    place = (start + (labels - 1) * time[..., 0] * 0.3)[..., None]  # down, still, up
    near = np.exp(-((channel - place) ** 2) / 4)
    spikes = rng.random(near.shape) < 0.02 + 0.4 * near

trains = SpikeTrains.from_dense(spikes.astype(np.uint8))
spec = ReservoirSpec(trains.inputs, 200, decay=0.9, threshold=5.0, const=0.07, steps=trains.steps)
liquid = from_chip(spec, Chip(LSM_40NM, seed=0, sparsity=0.0), ReadConfig(read_noise=0.02))
half = len(labels) // 2
for windows in (1, 4):
    features = encode(trains, liquid, StateFeatures(windows=windows))
    model = LogisticRegression(max_iter=1000).fit(features[:half], labels[:half])
    correct = model.score(features[half:], labels[half:])
    print(f"rates in {windows} time windows: {correct:.1%} of {len(labels) - half} test samples")
