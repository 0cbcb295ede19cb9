"""Shapes of ShapeNet-part as clouds for the networks."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from deplm.data.seg_shapenet import PartShapes
from deplm.points import Clouds, CloudSet
from harness.run.protocol import DataRecord


@dataclass(frozen=True)
class PartClouds(CloudSet):
    """Some shapes of a set, each as a cloud of points drawn with replacement.

    Attributes:
        name: "train", "validation" or "test"; names the read-noise streams.
        shapes: the set.
        rows: (n,) its shapes. Ascending, the shapes of a category stand together.
        points: drawn of each.
        seed: of the draw.
    """

    redrawable: ClassVar[bool] = True
    batch_size: ClassVar[int] = (
        4  # of 2,048 points: memory of larger arrays is taken anew each time
    )

    name: str
    shapes: PartShapes
    rows: np.ndarray
    points: int = 2048
    seed: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def categories(self) -> np.ndarray:
        """(n,) int64, 0..15."""
        return self.shapes.categories[self.rows]

    def clouds(self, indices: np.ndarray) -> Clouds:
        """The clouds `indices`; their features are the coordinates themselves."""
        drawn, _ = self.shapes.draw(self.rows[indices], self.points, seed=self.seed)
        points = torch.from_numpy(drawn)
        return Clouds(points, points)

    def labels(self, indices: np.ndarray) -> np.ndarray:
        """Parts (B, points) int64 of the points of the clouds `indices`."""
        return self.shapes.draw(self.rows[indices], self.points, seed=self.seed)[1].astype(np.int64)

    def redrawn(self, seed: int) -> "PartClouds":
        """These shapes with their points drawn anew."""
        return PartClouds(self.name, self.shapes, self.rows, self.points, seed)


@dataclass(frozen=True)
class PartData:
    """What the segmentation table works on; `validation` is the official list.

    `samples` are single real shapes, segmented beside a stand-in; None where there are none.
    """

    record: DataRecord
    shapes: PartShapes
    train: PartClouds
    validation: PartClouds
    test: PartClouds
    samples: PartClouds | None = None

    @classmethod
    def of(cls, shapes: PartShapes, points: int, samples: PartShapes | None = None) -> "PartData":
        """The three lists of a set, and perhaps samples, `points` points a cloud."""
        lists = {"train": shapes.train, "validation": shapes.validation, "test": shapes.test}
        parts = {
            name: PartClouds(name, shapes, np.sort(rows), points) for name, rows in lists.items()
        }
        count = len(shapes.train_all)
        record = DataRecord(shapes.name, shapes.kind, count, len(shapes.test), shapes.sha256)
        if samples is not None:
            parts["samples"] = PartClouds("samples", samples, samples.test, points)
        return cls(record, shapes, **parts)
