"""How long the liquid takes for a recording, here and now: what `--device auto` decides by."""

import time

import numpy as np

from lsm.encode import encode
from lsm.reservoir import NMNIST, from_chip
from lsm.spikes import SpikeTrains
from rram import LSM_40NM, Chip, ReadConfig

RECORDINGS, DENSITY = 2000, 0.086  # as of N-MNIST


def seconds_a_recording(device: str) -> float:
    """Seconds for random spikes in the paper's liquid, without what the first call makes.

    Args:
        device: "cpu" or "cuda".
    """
    shape = NMNIST.steps, RECORDINGS, NMNIST.inputs
    spikes = np.random.default_rng(0).random(shape, np.float32) < DENSITY
    trains = SpikeTrains.from_dense(spikes)
    reservoir = from_chip(NMNIST, Chip(LSM_40NM, 0, sparsity=0.0), ReadConfig(read_noise=0.02))
    encode(trains, reservoir, device=device)
    started = time.perf_counter()
    encode(trains, reservoir, device=device)
    return (time.perf_counter() - started) / RECORDINGS
