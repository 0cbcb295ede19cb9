"""How like real N-MNIST recordings the simulated camera's are, digit for digit."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from harness.data.datasets import kind_of
from harness.data.events import Events, read_events_5byte
from harness.data.idx import read_idx
from harness.errors import UserError
from lsm.data import nmnist
from lsm.data.stand_ins.nmnist_camera import record
from lsm.spikes import SpikeTrains

SMOOTH_PX = 1.0  # of event images before they are correlated
SAME_IMAGE = 0.9  # correlation of event images; the lowest of real recordings has 0.97
SLICE_US = 5000  # of the rhythm
LONGEST_US = 330_000


class Pairs(NamedTuple):
    """Real and simulated recordings of the same MNIST training images, and their digits."""

    real: list[Events]
    simulated: list[Events]
    labels: np.ndarray
    images: np.ndarray


def pairs(root: Path) -> Pairs:
    """Every real recording in `root/nmnist` and what the simulated camera sees of its image.

    File n shows MNIST training image n - 1; only recordings of the training images count, which
    are those in `Train`, and those in `Test` if the folder is a part of the training set (the
    labels must then agree with MNIST's).

    Raises:
        UserError: no real recordings, or no MNIST.
    """
    folder = nmnist.INFO.found(root)
    if folder is None or kind_of(folder) != "real":
        raise UserError(f"no real recordings in {root / 'nmnist'}; {nmnist.INFO.how_to_get}")
    images, labels = (
        read_idx(root / "mnist" / f"train-{part}-ubyte.gz")
        for part in ("images-idx3", "labels-idx1")
    )
    files = nmnist.recordings(folder / "Train")
    if len(files) < nmnist.FULL_ENOUGH:
        files = sorted(files + nmnist.recordings(folder / "Test"))
    numbers = np.array([int(path.stem) - 1 for path, _ in files])
    digits = np.array([digit for _, digit in files])
    known = (numbers < len(labels)) & (labels[numbers.clip(max=len(labels) - 1)] == digits)
    if not known.all():
        wrong = files[int((~known).argmax())][0]
        raise UserError(f"{wrong}: not the digit of MNIST training image {wrong.stem}")
    real = [read_events_5byte(path, nmnist.PIXELS, nmnist.PIXELS) for path, _ in files]
    found = Pairs(real, [record(images[n], int(n)) for n in numbers], digits, numbers)
    for (path, _), mine, simulated in zip(files, found.real, found.simulated, strict=True):
        if _correlation(mine, simulated) < SAME_IMAGE:
            raise UserError(
                f"{path}: does not show MNIST training image {path.stem}; is it one of the test"
                " images? Take these out of the folder"
            )
    return found


def compare(real: list[Events], simulated: list[Events]) -> dict[str, float]:
    """Figures of likeness between recordings of the same pictures.

    Returns:
        events_real, events_simulated: mean events a recording; events_ratio of the two;
        duration_real_ms, duration_simulated_ms: mean time of the last event;
        rhythm_correlation: of the events in slices of 5 ms, summed over recordings;
        pause_1_real_ms and so on: the quietest moment between two saccades;
        image_correlation, image_correlation_lowest: of event images smoothed by 1 pixel, mean
        over recordings and the worst of them; falling_real, falling_simulated: share of
        polarity 0.
    """
    both = {"real": real, "simulated": simulated}
    count = {name: np.mean([e.count for e in group]) for name, group in both.items()}
    rhythms = {name: rhythm(group) for name, group in both.items()}
    images = [_correlation(a, b) for a, b in zip(real, simulated, strict=True)]
    figures = {f"events_{name}": float(value) for name, value in count.items()}
    figures["events_ratio"] = figures["events_simulated"] / figures["events_real"]
    for name, group in both.items():
        figures[f"duration_{name}_ms"] = float(np.mean([e.t_us.max() for e in group]) / 1000)
        figures[f"falling_{name}"] = float(np.mean([(e.p == 0).mean() for e in group]))
        for n, pause in enumerate(_pauses_ms(rhythms[name]), 1):
            figures[f"pause_{n}_{name}_ms"] = pause
    figures["rhythm_correlation"] = float(np.corrcoef(*rhythms.values())[0, 1])
    figures["image_correlation"] = float(np.mean(images))
    figures["image_correlation_lowest"] = float(np.min(images))
    return figures


def event_image(events: Events, smooth_px: float = SMOOTH_PX) -> np.ndarray:
    """Events of every pixel, smoothed, (34, 34): rows are y."""
    pixel = events.y.astype(np.int64) * nmnist.PIXELS + events.x
    image = np.bincount(pixel, minlength=nmnist.PIXELS**2).reshape(nmnist.PIXELS, -1)
    return gaussian_filter(image.astype(float), smooth_px)


def as_trains(recordings: list[Events]) -> SpikeTrains:
    """Recordings binned as the paper does."""
    keys = [nmnist.bin_events(events) for events in recordings]
    return SpikeTrains.from_keys(keys, nmnist.STEPS, nmnist.CHANNELS)


def transfer(
    found: Pairs,
    simulated: tuple[SpikeTrains, np.ndarray],
    features: Callable[[SpikeTrains], np.ndarray],
    fit: Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]],
) -> dict[str, float]:
    """Accuracy in % on real and on simulated recordings of the same pictures.

    Args:
        found: of `pairs`.
        simulated: the simulated training set; the pictures in `found` are taken out of it.
        features: spike trains -> features.
        fit: (features, labels) -> predictor of labels.

    Returns:
        on_simulated, on_real (trained on simulated recordings), and points_lost between them.
    """
    others = np.setdiff1d(np.arange(len(simulated[1])), found.images)
    predict = fit(features(simulated[0].take(others)), simulated[1][others])
    score = {
        name: 100 * float((predict(features(as_trains(group))) == found.labels).mean())
        for name, group in (("on_simulated", found.simulated), ("on_real", found.real))
    }
    return score | {"points_lost": score["on_simulated"] - score["on_real"]}


def rhythm(group: list[Events]) -> np.ndarray:
    """Events of all recordings in slices of 5 ms, (66,)."""
    times = np.concatenate([events.t_us for events in group])
    return np.bincount(times // SLICE_US, minlength=LONGEST_US // SLICE_US)[
        : LONGEST_US // SLICE_US
    ]


def _correlation(one: Events, other: Events) -> float:
    return float(np.corrcoef(event_image(one).ravel(), event_image(other).ravel())[0, 1])


def _pauses_ms(rhythm: np.ndarray) -> list[float]:
    # The quietest slices around a third and two thirds of the 310 ms.
    smooth = gaussian_filter1d(rhythm.astype(float), 1.0)
    spans = ((70_000, 140_000), (180_000, 250_000))
    starts = [(a // SLICE_US, b // SLICE_US) for a, b in spans]
    return [float((a + smooth[a:b].argmin() + 0.5) * SLICE_US / 1000) for a, b in starts]
