"""Frozen features of all Fashion-MNIST images, encoded once for the rows that share them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deplm.data import image_fashion_mnist as fashion_mnist
from deplm.encoder import FrozenEncoder, calibration_batches, encode_all
from deplm.network import FASHION_MNIST
from deplm.plus import ImagePlusEncoder, ImagePlusNetwork
from deplm.tables.common import chip_of
from harness.protocol import Run, split
from rram.crossbar import ReadConfig


@dataclass(frozen=True)
class Features:
    """Frozen features of all images on one chip, and what they cost.

    `train` holds the rows to fit, then the rows to choose on, as `ordered` has the images.
    """

    train: np.ndarray
    test: np.ndarray
    encode_seconds: float
    fixed_weights: int


def paper_features(run: Run, seed: int) -> Features:
    """Features of the paper's network: sampled and grouped once, encoded by all chips."""
    return run.cached("paper features", lambda: encode_paper(run, run.seeds, ReadConfig()))[seed]


def other_starts(run: Run, seed: int, count: int) -> list[np.ndarray]:
    """Test features of the paper's network once more, sampled from `count` random first points."""

    def encode() -> list[list[np.ndarray]]:
        encoders = _paper_encoders(run, run.seeds, ReadConfig())
        return [_encoded(run, run.data.test, encoders, start) for start in range(1, count + 1)]

    chip = run.seeds.index(seed)
    return [features[chip] for features in run.cached(("other starts", count), encode)]


def encode_paper(run: Run, seeds: list[int], reading: ReadConfig) -> dict[int, Features]:
    """Features of the paper's network on the chips `seeds`, each read in the same way."""
    started = time.perf_counter()
    encoders = _paper_encoders(run, seeds, reading)
    train, test = (_encoded(run, part, encoders) for part in (ordered(run), run.data.test))
    seconds = (time.perf_counter() - started) / len(seeds)
    return {
        seed: Features(x, t, seconds, FASHION_MNIST.fixed_weights)
        for seed, x, t in zip(seeds, train, test, strict=True)
    }


def _paper_encoders(run: Run, seeds: list[int], reading: ReadConfig) -> list[FrozenEncoder]:
    clouds, device = run.config.calibration_clouds, run.device
    batches = calibration_batches(run.data.train, FASHION_MNIST, clouds, device)
    encoders = [FrozenEncoder(FASHION_MNIST, chip_of(run, s), reading, device) for s in seeds]
    for encoder in encoders:
        encoder.calibrate(batches)
    return encoders


def _encoded(
    run: Run,
    images: fashion_mnist.ImageClouds,
    encoders: Sequence[FrozenEncoder],
    start_seed: int | None = None,
) -> list[np.ndarray]:
    """One array an encoder; sampling starts at the first point, or at random ones."""
    label = f"encode {images.name}"
    return encode_all(images, encoders, device=run.device, label=label, start_seed=start_seed)


def grid_features(run: Run, network: ImagePlusNetwork, seed: int) -> Features:
    """Features of a DEPLM+ network on one chip."""
    started = time.perf_counter()
    encoder = ImagePlusEncoder(network, chip_of(run, seed), device=run.device)
    clouds = run.config.calibration_clouds
    encoder.calibrate(calibration_batches(run.data.train, network, clouds, run.device))
    x, t = (
        encode_all(part, [encoder], device=run.device, label=f"encode {part.name}")[0]
        for part in (ordered(run), run.data.test)
    )
    return Features(x, t, time.perf_counter() - started, network.fixed_weights)


def parts(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the training images to fit and of those to choose on."""
    return split(len(run.data.train), run.config.validation_fraction)


def ordered(run: Run) -> fashion_mnist.ImageClouds:
    """Training images, those to fit first and those to choose on last: parts without copies."""
    return run.data.train.part("train", np.concatenate(parts(run)))
