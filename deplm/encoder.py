"""Streaming clouds through frozen networks: grouped once, encoded by every chip."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from tqdm import tqdm

from deplm.layers import Moments, Norm, RandomLayer
from deplm.network import Batch, CloudNetwork, PointNetwork
from deplm.points import Clouds, CloudSet
from harness.parallel import map_in_order
from rram import Chip
from rram.crossbar import ReadConfig


class Encoder(Protocol):
    """A network on one chip: calibrated, a pure function from batches to features."""

    network: CloudNetwork
    width: int

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Features (B, ...) of a batch that `network.batch` made."""
        ...


class FrozenEncoder:
    """The paper's cascade of random set abstractions on one chip.

    A pure function of a batch, once `calibrate` has set the batch-norm statistics.

    Args:
        network: sizes.
        chip: weights, blocks "sa1", "sa2", ...
        reading: non-idealities of every read.
        device: where to compute.
    """

    def __init__(
        self,
        network: PointNetwork,
        chip: Chip,
        reading: ReadConfig = ReadConfig(),
        device: torch.device | str = "cpu",
    ) -> None:
        self.network = network
        self.layers = [
            RandomLayer(name, shape, chip, reading, network.input_scale, device)
            for name, shape in network.shapes.items()
        ]

    @property
    def width(self) -> int:
        """Features of one cloud."""
        return self.network.width

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Features (B, C) of the last abstraction, which groups all points."""
        return self.levels(batch)[-1][:, 0]

    def levels(self, batch: Batch) -> list[torch.Tensor]:
        """Features (B, S, C) of every abstraction, first to last."""
        points, features = batch.clouds
        levels = []
        for layer, grouping in zip(self.layers, batch.groupings, strict=True):
            features = layer(torch.cat([points, features], -1), grouping, batch.noise_key)
            levels.append(features)
            points = points if grouping is None else grouping.centres
        return levels

    def calibrate(
        self, batches: Sequence[Batch], threads: int | None = None
    ) -> tuple[torch.Tensor, list[Moments]]:
        """Gather the batch-norm statistics of the frozen network, layer after layer.

        One pass over `batches`: each layer's mean and variance are those of its projections
        over all neighbours of all centres of all clouds, the layers below already normalised.

        Returns:
            Features (clouds, C) of the batches, so normalised, and the moments of each layer.
        """
        states = [batch.clouds for batch in batches]
        all_moments = []
        for depth, layer in enumerate(self.layers):
            tasks = [
                (torch.cat(state, -1), batch.groupings[depth], batch.noise_key)
                for state, batch in zip(states, batches, strict=True)
            ]
            measure: Callable = partial(starcall, layer.measured)
            maxima, moments = zip(*map_in_order(measure, tasks, threads), strict=True)
            all_moments.append(total := Moments.added(moments))
            layer.norm = Norm.of(total.mean, total.variance, layer.crossbar.weights.device)
            features = map_in_order(layer.norm.rectified, maxima, threads)
            states = [
                Clouds(state.points if grouping is None else grouping.centres, feature)
                for state, (_, grouping, _), feature in zip(states, tasks, features, strict=True)
            ]
        return torch.cat([state.features[:, 0] for state in states]), all_moments


def calibration_batches(
    source: CloudSet, network: CloudNetwork, count: int, device: torch.device | str = "cpu"
) -> list[Batch]:
    """`count` clouds spread evenly over `source`, in batches, for `FrozenEncoder.calibrate`."""
    indices = np.unique(np.linspace(0, len(source) - 1, min(count, len(source))).astype(int))
    batches = source.in_batches(indices)
    return list(map_in_order(lambda part: network.batch(source, part, device), batches))


def encode(
    source: CloudSet,
    encoders: Sequence[Encoder],
    *,
    threads: int | None = None,
    device: torch.device | str = "cpu",
    label: str | None = None,
    start_seed: int | None = None,
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Encode all clouds of `source` by every encoder; they are sampled and grouped once.

    Args:
        source: the clouds.
        encoders: calibrated encoders of one network, one a chip.
        threads: default all cores; the result is the same for any number.
        device: of the encoders.
        label: of the progress bar, which shows on a terminal only.
        start_seed: of the samplings' first points; None starts at point 0.

    Yields:
        Indices (B,) of clouds, in order, and the features (B, ...) of each encoder: memory does
        not grow with the number of clouds.
    """
    network = encoders[0].network

    def features(indices: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        rng = None
        if start_seed is not None:
            rng = np.random.default_rng((start_seed, int(indices[0])))
        batch = network.batch(source, indices, device, rng)
        return indices, [encoder(batch).cpu().numpy() for encoder in encoders]

    threads = threads if torch.device(device).type == "cpu" else 1
    with tqdm(total=len(source), desc=label, unit=" clouds", disable=None) as bar:
        for indices, outputs in map_in_order(features, source.in_batches(), threads):
            yield indices, outputs
            bar.update(len(indices))


def encode_all(
    source: CloudSet,
    encoders: Sequence[Encoder],
    **options: Any,  # noqa: ANN401
) -> list[np.ndarray]:
    """`encode`, collected: one array (clouds, features) float32 an encoder."""
    collected = [np.empty((len(source), encoder.width), np.float32) for encoder in encoders]
    for indices, outputs in encode(source, encoders, **options):
        for rows, output in zip(collected, outputs, strict=True):
            rows[indices[0] : indices[-1] + 1] = output
    return collected


def starcall(function: Callable, arguments: tuple) -> Any:  # noqa: ANN401
    """function(*arguments)."""
    return function(*arguments)
