"""Streaming clouds through frozen networks: grouped once, encoded by every chip."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from tqdm import tqdm

from deplm.layers import Grouping, Moments, NoiseKey, Norm, RandomLayer, group
from deplm.network import PointNetwork
from harness.parallel import map_in_order
from rram import Chip
from rram.crossbar import ReadConfig
from rram.errors import UserError

BATCH = 8  # clouds at a time: their projections fit the cache; also one noisy "batch" read


class Clouds(NamedTuple):
    """A batch of clouds: points (B, N, 3) and features (B, N, F), float32; F may be 0."""

    points: torch.Tensor
    features: torch.Tensor

    def to(self, device: torch.device | str) -> "Clouds":
        """The same on `device`."""
        return Clouds(self.points.to(device), self.features.to(device))


class CloudSet(Protocol):
    """A set of clouds that are made batch by batch; `batch`, if it has it, says how many."""

    name: str
    """"train", "validation" or "test": names the read-noise streams."""

    def __len__(self) -> int:
        """Number of clouds."""
        ...

    def clouds(self, numbers: np.ndarray) -> Clouds:
        """The clouds of these numbers, ascending."""
        ...


def in_batches(numbers: np.ndarray, source: CloudSet) -> list[np.ndarray]:
    """Clouds `numbers` of `source` in batches of nearly equal size."""
    size = getattr(source, "batch", BATCH)
    return np.array_split(numbers, -(-len(numbers) // size))


class Batch(NamedTuple):
    """Clouds with what depends on their coordinates only."""

    clouds: Clouds
    groupings: list[Grouping | None]
    reads: NoiseKey


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
            features = layer(torch.cat([points, features], -1), grouping, batch.reads)
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
                (torch.cat(state, -1), batch.groupings[depth], batch.reads)
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


def make_batch(
    source: CloudSet,
    network: PointNetwork,
    numbers: np.ndarray,
    device: torch.device | str,
    rng: np.random.Generator | None = None,
) -> Batch:
    """The clouds `numbers` of `source`, sampled and grouped for `network`.

    `rng` is the source of random sampling starts; None starts at point 0, so that it repeats.
    """
    clouds = source.clouds(numbers)
    if not torch.isfinite(clouds.points).all():
        raise UserError(f"{source.name} clouds {numbers[0]} to {numbers[-1]}: NaN among the points")
    clouds = clouds.to(device)
    groupings = group(clouds.points, network, rng)
    return Batch(clouds, groupings, NoiseKey(source.name, tuple(numbers)))


def calibration_batches(
    source: CloudSet,
    network: PointNetwork,
    count: int,
    device: torch.device | str = "cpu",
    make: Callable = make_batch,
) -> list[Batch]:
    """`count` clouds spread evenly over `source`, in batches, for `FrozenEncoder.calibrate`."""
    numbers = np.unique(np.linspace(0, len(source) - 1, min(count, len(source))).astype(int))
    chunks = in_batches(numbers, source)
    return list(map_in_order(lambda chunk: make(source, network, chunk, device), chunks))


def encode(
    source: CloudSet,
    network: PointNetwork,
    encoders: Sequence[Callable[[Batch], torch.Tensor]],
    *,
    threads: int | None = None,
    device: torch.device | str = "cpu",
    label: str | None = None,
    make: Callable = make_batch,
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Encode all clouds of `source` by every encoder; the groupings are made once.

    Args:
        source: the clouds.
        network: what the groupings are made for.
        encoders: calibrated encoders of that network, one a chip.
        threads: default all cores; the result is the same for any number.
        device: of the encoders.
        label: of the progress bar, which shows on a terminal only.
        make: as `make_batch`, for networks that need more of their batches.

    Yields:
        Cloud numbers, in order, and the features (B, ...) of each encoder: memory does not
        grow with the number of clouds.
    """

    def features(numbers: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        batch = make(source, network, numbers, device)
        return numbers, [encoder(batch).cpu().numpy() for encoder in encoders]

    chunks = in_batches(np.arange(len(source)), source)
    threads = threads if torch.device(device).type == "cpu" else 1
    with tqdm(total=len(source), desc=label, unit=" clouds", disable=None) as bar:
        for numbers, outputs in map_in_order(features, chunks, threads):
            yield numbers, outputs
            bar.update(len(numbers))


def encode_all(
    source: CloudSet,
    network: PointNetwork,
    encoders: Sequence[FrozenEncoder],
    **options: Any,  # noqa: ANN401
) -> list[np.ndarray]:
    """`encode`, collected: one array (clouds, features) float32 an encoder."""
    collected = [np.empty((len(source), encoder.width), np.float32) for encoder in encoders]
    for numbers, outputs in encode(source, network, encoders, **options):
        for rows, output in zip(collected, outputs, strict=True):
            rows[numbers[0] : numbers[-1] + 1] = output
    return collected


def starcall(function: Callable, arguments: tuple) -> Any:  # noqa: ANN401
    """function(*arguments)."""
    return function(*arguments)
