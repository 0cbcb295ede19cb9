"""Times the frozen encoder with chip effects beside the ideal chip and beside plain draws.

`python -m benchmarks.encode_chip` prints and records ms per Fashion-MNIST-like image of three ways
to read a chip, each beside the ideal read (how many times slower effects are) and beside the plain
way, which multiplies every neighbour and draws a number for every output.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.encode_points import RandomClouds
from benchmarks.timing import paired_medians, print_cases, write_benchmark
from deplm.encoder import FrozenEncoder, calibration_batches
from deplm.layers import AbstractionLayer, everything
from deplm.network import FASHION_MNIST, Batch
from deplm.points import NoiseKey, gather
from harness.scale.parallel import torch_threads
from rram import Chip, ReadConfig

CASE, CLOUDS = "Fashion-MNIST", 32
CONFIGS = {
    "2 % noise, 6-bit inputs": ReadConfig(0.02, input_bits=6),
    "2 % noise, analogue inputs": ReadConfig(0.02),
    "6-bit inputs": ReadConfig(input_bits=6),
}


def encoder_of(network_source: RandomClouds, config: ReadConfig) -> FrozenEncoder:
    """A calibrated encoder of chip 0."""
    encoder = FrozenEncoder(FASHION_MNIST, Chip(seed=0), config)
    encoder.calibrate(calibration_batches(network_source, FASHION_MNIST, CLOUDS))
    return encoder


def plain_layer(
    layer: AbstractionLayer, points: torch.Tensor, x: torch.Tensor, grouping: tuple | None
) -> torch.Tensor:
    """One layer, every neighbour of every centre multiplied plane by plane."""
    inputs = torch.cat([points, x], -1)
    centres, neighbours = grouping or everything(inputs)
    vectors = gather(inputs, neighbours)
    vectors[..., :3] -= centres[:, :, None]
    rows = vectors.flatten(0, 2)
    maxima = layer.crossbar.product(rows, 1, plain=True).view(*vectors.shape[:-1], -1).amax(2)
    return layer.norm.rectified(maxima)


def plain_encoding(encoder: FrozenEncoder, batch: Batch) -> torch.Tensor:
    """Features of a batch, the plain way."""
    points, x = batch.clouds
    for layer, grouping in zip(encoder.layers, batch.groupings, strict=True):
        x = plain_layer(layer, points, x, grouping)
        points = grouping and grouping.centres
    return x[:, 0]


def agrees(encoder: FrozenEncoder, batch: Batch) -> bool:
    """Equal without noise; with it, equal in mean and spread of the features over 30 reads."""
    config = encoder.layers[0].crossbar.read_config
    if not config.read_noise:
        return torch.allclose(encoder(batch), plain_encoding(encoder, batch), atol=1e-2)
    torch.manual_seed(0)
    reads = []
    for n in range(30):
        keyed = batch._replace(noise_key=NoiseKey(f"read {n}", batch.noise_key.indices))
        reads.append(encoder(keyed))
    ours = torch.stack(reads)
    spread = ours.std(0).mean()
    first = plain_encoding(encoder, batch)
    return bool((first - ours.mean(0)).abs().mean() < 3 * spread)


def measure(repeats: int, clouds: int = CLOUDS) -> list[dict]:
    """A record for each way to read and each peer."""
    source, cases = RandomClouds(CASE, clouds), []
    batch = FASHION_MNIST.batch(source, np.arange(clouds))
    few = FASHION_MNIST.batch(source, np.arange(4))
    ideal = encoder_of(source, ReadConfig())
    for name, config in CONFIGS.items():
        encoder = encoder_of(source, config)
        same = agrees(encoder, few)
        peers = {
            "the ideal chip": (partial(whole, ideal, source), partial(whole, encoder, source)),
            "the same, grouping not counted": (partial(ideal, batch), partial(encoder, batch)),
            "every neighbour, plane by plane": (
                partial(plain_encoding, encoder, few), partial(encoder, few),
            ),
        }  # fmt: skip
        for peer, (theirs, ours) in peers.items():
            count = 4 if peer.startswith("every") else clouds
            seconds = paired_medians(ours, theirs, repeats)
            cases.append(
                {
                    "case": f"{CASE}, {name}", "peer": peer, "threads": 1,
                    "ms_ours": 1e3 * seconds[0] / count, "ms_peer": 1e3 * seconds[1] / count,
                    "ratio": seconds[2], "agrees": same,
                }
            )  # fmt: skip
    return cases


def whole(encoder: FrozenEncoder, source: RandomClouds) -> torch.Tensor:
    """Sampling, grouping and encoding of all clouds."""
    return encoder(FASHION_MNIST.batch(source, np.arange(len(source))))


def main(argv: list[str] | None = None) -> int:
    """Measure, print, record."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.encode_chip", description=__doc__)
    options.add_argument("--results", type=Path, default=None, help="folder (default results/)")
    options.add_argument("--repeats", type=int, default=7, help="pairs of runs (default 7)")
    options.add_argument("--smoke", action="store_true", help="a few clouds, one repeat")
    chosen = options.parse_args(argv)
    with torch_threads(1):
        cases = measure(1 if chosen.smoke else chosen.repeats, 4 if chosen.smoke else CLOUDS)
    print_cases(cases)
    print(f"results  {write_benchmark('encode_chip', cases, chosen.results)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
