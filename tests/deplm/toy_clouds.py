"""Toy clouds whose class is plain to see: for tests of training."""

from dataclasses import dataclass

import numpy as np
import torch

from deplm.network import PointNetwork, SetAbstraction
from deplm.points import Clouds, CloudSet
from harness.run.protocol import DataRecord

CLASSES = 4
RECORD = DataRecord("toy", "synthetic", 64, 32, "0" * 64)
NETWORK = PointNetwork(
    features=0,
    abstractions=(
        SetAbstraction(16, centres=16, neighbours=6, radius=0.3),
        SetAbstraction(24, centres=8, neighbours=4, radius=0.5),
        SetAbstraction(60),
    ),
)


class ToyClouds(CloudSet):
    """Clouds of four widths, each twice that of the one before."""

    def __init__(self, name="train", count=64, points=24, seed=0):
        rng = np.random.default_rng(seed)
        self.name = name
        self.labels = np.arange(count) % CLASSES
        widths = 0.03 * 2.0**self.labels
        clouds = widths[:, None, None] * rng.normal(0, 1, (count, points, 3))
        self.points = torch.tensor(clouds, dtype=torch.float32)

    def __len__(self):
        return len(self.labels)

    def clouds(self, indices):
        points = self.points[indices]
        return Clouds(points, points[..., :0])


@dataclass
class ToyData:
    """What a run carries."""

    train: ToyClouds
    test: ToyClouds
    record: DataRecord = RECORD
