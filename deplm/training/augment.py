"""Augmentation of training clouds, as in the published scripts."""

from dataclasses import dataclass

import numpy as np
import torch

from deplm.points import Clouds, CloudSet


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training cloud; the default changes nothing.

    Attributes:
        dropout: largest ratio of points dropped, 0 to 1; the ratio is drawn for each cloud,
            dropped points become copies of the first (DEPLM, published scripts: 0.875).
        shift: largest shift of a cloud along each axis, in coordinate units (published: 0.1).
        scale: smallest and largest factor on a cloud (train_segmentation.py: 0.8, 1.25).
        move_features: whether features that are the coordinates follow them (published:
            ShapeNet-part yes, Fashion-MNIST no).
    """

    dropout: float = 0.0
    shift: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    move_features: bool = False

    def __call__(self, clouds: Clouds, rng: np.random.Generator) -> Clouds:
        """A changed copy; features of dropped points drop in any case."""
        points = clouds.points.clone()
        count, number, _ = points.shape
        factor = rng.uniform(*self.scale, (count, 1, 1))
        offset = rng.uniform(-self.shift, self.shift, (count, 1, 3))
        points = points * torch.tensor(factor).float() + torch.tensor(offset).float()
        ratio = rng.random((count, 1)) * self.dropout
        dropped = torch.from_numpy(rng.random((count, number)) < ratio)[..., None]
        points = torch.where(dropped, points[:, :1], points)
        if self.move_features:
            return Clouds(points, points)
        features = torch.where(dropped, clouds.features[:, :1], clouds.features)
        return Clouds(points, features)


class AugmentedSet(CloudSet):
    """A set of clouds that are augmented afresh whenever they are asked for."""

    def __init__(self, source: CloudSet, change: Augmentation, rng: np.random.Generator) -> None:
        self.name = source.name
        self.categories = source.categories
        self.source = source
        self.change = change
        self.rng = rng

    def __len__(self) -> int:
        return len(self.source)

    def clouds(self, indices: np.ndarray) -> Clouds:
        """The clouds `indices`, changed."""
        return self.change(self.source.clouds(indices), self.rng)
