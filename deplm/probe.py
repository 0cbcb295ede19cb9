"""How long the encoder takes for a cloud, here and now: what `--device auto` decides by."""

import time

import numpy as np

from deplm.encoder import FrozenEncoder, calibration_batches, encode_all
from deplm.network import FASHION_MNIST
from deplm.points import ArrayClouds, image_points
from rram import Chip

CLOUDS = {"cpu": 64, "cuda": 1024}  # as many as each is fast with


def seconds_a_cloud(device: str) -> float:
    """Seconds for a random image in the paper's network, without what the first call makes.

    Args:
        device: "cpu" or "cuda".
    """
    images = np.random.default_rng(0).integers(0, 256, (CLOUDS[device], 28, 28))
    points = image_points(images)
    clouds = ArrayClouds("probe", points, points)
    encoder = FrozenEncoder(FASHION_MNIST, Chip(seed=0), device=device)
    encoder.calibrate(calibration_batches(clouds, FASHION_MNIST, 8, device))
    encode_all(clouds, [encoder], device=device)
    started = time.perf_counter()
    encode_all(clouds, [encoder], device=device)
    return (time.perf_counter() - started) / len(clouds)
