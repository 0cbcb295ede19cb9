"""What `torchrun` starts for tests/test_distributed.py: each process works on its share.

    torchrun --nproc-per-node 2 -m tests.share_work FILE.npz

Writes what process 0 has in the end; run without `torchrun` it gives what one process has.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from deplm import ArrayClouds, FrozenEncoder, PointNetwork, SetAbstraction
from deplm.encoder import calibration_batches, encode, encode_all
from deplm.tables.seg_readout import PartStatistics
from harness.readouts.shared import SharedRidgeReadout
from harness.scale import distributed
from lsm import ReservoirSpec, SpikeTrains, StateFeatures, from_chip
from lsm import encode as encode_spikes
from rram import LSM_40NM, Chip, ReadConfig

CLASSES, CLOUDS = 3, 50
NETWORK = PointNetwork(
    features=0,
    abstractions=(
        SetAbstraction(4, centres=12, neighbours=4, radius=0.3),
        SetAbstraction(5, centres=6, neighbours=4, radius=0.5),
        SetAbstraction(7),
    ),
)


def clouds(name: str, seed: int) -> ArrayClouds:
    rng = np.random.default_rng(seed)
    labels = np.arange(CLOUDS) % CLASSES
    points = rng.random((CLOUDS, 30, 3)) * (1 + labels[:, None, None] / 4)
    return ArrayClouds(name, points, labels=labels)


def point_features() -> dict[str, np.ndarray]:
    """Features that are gathered, and readouts of features that are not."""
    train, validation = clouds("train", 0), clouds("validation", 1)
    encoder = FrozenEncoder(NETWORK, Chip(seed=0), ReadConfig(read_noise=0.02))
    encoder.calibrate(calibration_batches(train, NETWORK, 16))
    readout = SharedRidgeReadout(CLASSES, (1e-6, 1e-2, 1.0))
    parts = PartStatistics()
    for indices, (x,) in encode(train, [encoder]):
        readout.partial_fit(x, train.labels[indices])
        parts.add(PartStatistics.of(torch.from_numpy(x), torch.from_numpy(train.labels[indices])))
    readout.choose_penalty(
        (x, validation.labels[indices]) for indices, (x,) in encode(validation, [encoder])
    )
    regression = parts.of_all_processes().regression(range(CLASSES), 0.25).solve(1e-3)
    return {
        "features": encode_all(train, [encoder])[0],
        "penalty": np.array(readout.penalty_),
        "ridge": np.vstack([readout.coef_, readout.intercept_]),
        "parts": np.vstack([regression.coef_, regression.intercept_]),
    }


def spike_features() -> dict[str, np.ndarray]:
    """Rates and membranes of a noisy chip, with noise a product and a batch."""
    rng = np.random.default_rng(0)
    trains = SpikeTrains.from_dense(rng.random((12, 41, 20)) < 0.1)
    spec = ReservoirSpec(inputs=20, neurons=30, decay=0.9, threshold=5.0, const=0.1, steps=12)
    features = {}
    for per in ("product", "batch"):
        noise = ReadConfig(read_noise=0.05, noise_per=per)
        reservoir = from_chip(spec, Chip(LSM_40NM, seed=0, sparsity=0.0), noise)
        x = encode_spikes(trains, reservoir, StateFeatures(2, (), 2), batch=16)
        features[f"spikes, noise a {per}"] = x
    return features


def trained() -> np.ndarray:
    return np.array([distributed.number(), distributed.count()])


def main(path: str) -> None:
    with distributed.joined("cpu"):
        print("printed by one")
        results = point_features() | spike_features()
        results["by first"] = distributed.by_first(trained)()
        results["processes"] = np.array(distributed.count())
        if distributed.is_first():
            np.savez(Path(path), **results)


if __name__ == "__main__":
    main(sys.argv[1])
