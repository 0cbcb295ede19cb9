"""The paper's network on a chip, and clouds streamed through it: grouped once, for every chip."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from tqdm import tqdm

from deplm.layers import AbstractionLayer, Moments, RandomLayer
from deplm.network import Batch, CloudNetwork, PointNetwork
from deplm.points import CloudSet
from harness.scale import distributed
from harness.scale.devices import batch_that_fits
from harness.scale.parallel import map_in_order
from rram import Chip
from rram.crossbar import ReadConfig
from rram.errors import UserError


class Encoder(Protocol):
    """A network on one chip: calibrated, a pure function from batches to features."""

    network: CloudNetwork
    width: int
    layers: list[RandomLayer]
    read_config: ReadConfig

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Features (B, ...) of a batch that `network.batch` made."""
        ...


class FrozenEncoder:
    """The paper's cascade of three random set abstractions on one chip (DEPLM, fig. 1).

    Each computes h_s = ReLU(BN(max over k of W [p_k - c_s, f_k])) from the coordinates p_k and
    the features f_k of the K neighbours of a centre c_s; W is random and fixed. A pure function
    of a batch, once `calibrate` has set the batch-norm statistics.

    Args:
        network: sizes: two local abstractions, then one of all points.
        chip: weights, blocks "sa1", "sa2", "sa3".
        read_config: how the chip is read.
        device: where to compute.

    Raises:
        UserError: another kind of network.

    Example:
        >>> import numpy as np
        >>> from deplm import DVS_GESTURE, ArrayClouds, Chip, FrozenEncoder
        >>> from deplm.encoder import calibration_batches, encode_all
        >>> clouds = ArrayClouds("train", np.random.default_rng(0).random((20, 1024, 3)))
        >>> encoder = FrozenEncoder(DVS_GESTURE, Chip(seed=0))
        >>> _ = encoder.calibrate(calibration_batches(clouds, DVS_GESTURE, 20))
        >>> encode_all(clouds, [encoder])[0].shape
        (20, 512)
    """

    def __init__(
        self,
        network: PointNetwork,
        chip: Chip,
        read_config: ReadConfig = ReadConfig(),
        device: torch.device | str = "cpu",
    ) -> None:
        if [layer.centres is None for layer in network.abstractions] != [False, False, True]:
            raise UserError(f"{network}: expected two local abstractions and one of all points")
        self.network = network
        self.width = network.width
        self.read_config = read_config
        self.layers = [
            AbstractionLayer(name, shape, chip, read_config, network.input_scale, device)
            for name, shape in network.shapes.items()
        ]
        self.sa1, self.sa2, self.sa3 = self.layers

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Features (B, C) of the clouds; sizes in the comments are those of Fashion-MNIST."""
        points, features = batch.clouds  # (B, 784, 3), (B, 784, 3)
        groups1, groups2, _ = batch.groupings  # 512 centres of 784 points, 128 centres of 512
        key = batch.noise_key

        x1 = self.sa1(points, features, groups1, key)  # (B, 784, 3 + 3)   -> (B, 512, 51)
        x2 = self.sa2(groups1.centres, x1, groups2, key)  # (B, 512, 3 + 51)  -> (B, 128, 102)
        x3 = self.sa3(groups2.centres, x2, None, key)  # (B, 128, 3 + 102) -> (B, 1, 819)
        return x3[:, 0]  # (B, 819)

    def calibrate(
        self, batches: Sequence[Batch], threads: int | None = None
    ) -> tuple[list[list[torch.Tensor]], list[Moments]]:
        """Take the batch-norm statistics of the frozen network, layer after layer.

        Each layer's mean and variance are those of its projections over all neighbours of all
        centres of all clouds of `batches`, the layers below already normalised.

        Args:
            batches: of `network.batch`.
            threads: default all cores.

        Returns:
            For each layer the features (B, S, C) of every batch, so normalised, and the moments.
        """
        points = [batch.clouds.points for batch in batches]
        features = [batch.clouds.features for batch in batches]
        keys = [batch.noise_key for batch in batches]
        levels, all_moments = [], []
        for depth, layer in enumerate(self.layers):
            groupings = [batch.groupings[depth] for batch in batches]
            calls = list(zip(points, features, groupings, keys, strict=True))
            features, moments = layer.calibrate(calls, threads)
            levels.append(features)
            all_moments.append(moments)
            points = [grouping and grouping.centres for grouping in groupings]
        return levels, all_moments


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
        not grow with the number of clouds. Where several processes share the work
        (`harness.scale.distributed`), those of this process alone.
    """
    network = encoders[0].network

    def features(indices: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        rng = None
        if start_seed is not None:
            rng = np.random.default_rng((start_seed, int(indices[0])))
        batch = network.batch(source, indices, device, rng)
        outputs = []
        for encoder in encoders:
            outputs.append(encoder(batch).cpu().numpy())
        return indices, outputs

    threads = threads if torch.device(device).type == "cpu" else 1
    batches = source.in_batches(size=batch_size(source, network, device, encoders[0].read_config))
    batches = batches[distributed.share(len(batches))]
    clouds = sum(map(len, batches))
    with tqdm(total=clouds, desc=label, unit=" clouds", disable=None) as bar:
        for indices, outputs in map_in_order(features, batches, threads):
            yield indices, outputs
            bar.update(len(indices))


def batch_size(
    source: CloudSet,
    network: CloudNetwork,
    device: torch.device | str,
    read_config: ReadConfig = ReadConfig(),
) -> int:
    """Clouds of a batch: on a GPU, whose sampling takes one step a centre, as many as fit.

    Where read noise lasts a batch its size is the set's own on any device.

    Args:
        source: of the clouds.
        network: that encodes them.
        device: where it computes.
        read_config: how the chip is read.
    """
    per_batch = read_config.read_noise and read_config.noise_per == "batch"
    if torch.device(device).type == "cpu" or per_batch:
        return source.batch_size
    points = source.clouds(np.arange(1)).points.shape[1]
    return batch_that_fits(network.bytes_a_cloud(points), device)


def encode_all(
    source: CloudSet,
    encoders: Sequence[Encoder],
    **options: Any,  # noqa: ANN401
) -> list[np.ndarray]:
    """`encode`, collected from all processes: one array (clouds, features) float32 an encoder."""
    collected = [np.zeros((len(source), encoder.width), np.float32) for encoder in encoders]
    for indices, outputs in encode(source, encoders, **options):
        for rows, output in zip(collected, outputs, strict=True):
            rows[indices[0] : indices[-1] + 1] = output
    return [distributed.gathered(rows) for rows in collected]
