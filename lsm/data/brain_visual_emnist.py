"""E-MNIST letters (Cohen et al. 2017), and a rate code of them.

On disk four IDX files, as torchvision unpacks them, images stored transposed. 26 classes; upper and
lower case of a letter are one class in the real set. The stand-in writes lower case only, in
many hands, with the model of handwriting that also drives the simulated motor cortex.

    from lsm.data import brain_visual_emnist as emnist
    data = emnist.load(Path("data"))
    data.spikes.train.dense()          # (49, samples, 784)
"""

import hashlib
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.data import idx
from harness.data.cache import cached_arrays, key_of, stand_in
from harness.data.datasets import DatasetInfo, kind_of
from harness.data.files import read_file
from harness.data.idx import read_idx, write_idx
from harness.errors import UserError
from lsm import spikes as spike_trains
from lsm.data.spike_set import SpikeSet, split_arrays
from lsm.data.stand_ins import brain_visual_strokes
from lsm.data.stand_ins.brain_visual_strokes import ALPHABET, MANY_WRITERS, SIDE, draw, write_letter
from lsm.spikes import SpikeTrains

SPLITS = ("train", "test")
NAMES = tuple(
    f"emnist-letters-{split}-{part}-ubyte"
    for split in SPLITS
    for part in ("images-idx3", "labels-idx1")
)
INFO = DatasetInfo(
    name="E-MNIST letters",
    folder="EMNIST",
    files=tuple(f"raw/{name}" for name in NAMES),
    licence="public domain (NIST Special Database 19)",
    source="G. Cohen et al., arXiv 1702.05373 (2017)",
    how_to_get="torchvision.datasets.EMNIST(<data folder>, split='letters', download=True), 560 MB",
    stand_in="synthetic",
)
PIXELS = SIDE * SIDE
# The published scripts give `max_spikes` 20 and a window of 50 steps, of which the reservoir runs
# 49. How these make a rate, and how many images of a letter are used, is not visible in them.
RATE, CODED_STEPS = 20, 50  # a full pixel fires with probability RATE / CODED_STEPS a step; ours
STEPS = 49
PEN = (1.8, 3.2)  # thinnest and thickest line of the stand-in, pixels
TRAIN_IMAGES, TEST_IMAGES = 150, 60  # a letter, of the stand-in and at most of the real set; ours
TINY_TRAIN, TINY_TEST = 16, 10


class Letters(NamedTuple):
    """Letters as spikes, and the images (samples, 28, 28) uint8 that they were made of."""

    spikes: SpikeSet
    train_images: np.ndarray
    test_images: np.ndarray


def load(root: Path, *, kind: str | None = None, tiny: bool = False) -> Letters:
    """E-MNIST letters where they are there, else drawn ones; the first of each letter.

    Args:
        root: the data folder.
        kind: insist on this kind, "real" or "synthetic".
        tiny: a few drawn letters, for smoke runs.

    Returns:
        At most 150 training and 60 test images of a letter, rate-coded in 49 steps; a to z are
        the classes 0 to 25, ascending.

    Raises:
        UserError: the kind asked for is not to be had, or a file is wrong.
    """
    folder = _folder(root, "synthetic" if tiny else kind, tiny)
    key = key_of(
        files=[folder / name for name in INFO.files],
        code=(sys.modules[__name__], spike_trains),
        images=(TRAIN_IMAGES, TEST_IMAGES),
        rate=(RATE, CODED_STEPS, STEPS),
    )
    arrays = cached_arrays(root, "emnist", key, lambda: _splits(folder))
    spikes = SpikeSet.from_arrays(INFO.name, kind_of(folder), ALPHABET, arrays)
    return Letters(spikes, arrays["train_images"], arrays["test_images"])


def read(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Upright images (n, 28, 28) uint8 and classes (n,), 0 for a, of one split.

    Args:
        folder: `EMNIST`, with `raw` in it.
        split: "train" or "test".

    Raises:
        UserError: a file is missing, truncated or of another form.
    """
    paths = [folder / "raw" / name for name in NAMES if f"-{split}-" in name]
    images, labels = (read_idx(path) for path in paths)
    if images.shape != (*labels.shape, SIDE, SIDE):
        raise UserError(
            f"{paths[0]}: {split} images {images.shape}, labels {labels.shape}; expected"
            f" (n, {SIDE}, {SIDE}) and (n,): get both files again"
        )
    wrong = sorted(set(range(1, len(ALPHABET) + 1)) ^ set(labels.tolist()))
    if wrong:
        raise UserError(
            f"{paths[1]}: {split} labels must be 1 to 26, each; see {wrong[0]}: get it again"
        )
    return np.ascontiguousarray(images.transpose(0, 2, 1)), labels.astype(np.int64) - 1


def rate_code(images: np.ndarray, seed: int, steps: int = STEPS) -> SpikeTrains:
    """Spikes of images, a Bernoulli process a pixel.

    Intensity x in -1 to 1 fires with probability max(0, RATE x / CODED_STEPS) in every step: our
    reading of the published `max_spikes` and `emnist_window`, whose formula is not visible. Each
    image draws from its own stream, whatever batch it is in.

    Args:
        images: (n, 28, 28) uint8; image number k draws from stream (seed, k).
        seed: of all streams.
        steps: T.

    Returns:
        Trains of T steps and 784 channels, channel = 28 * row + column.

    Raises:
        UserError: other shapes.
    """
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise UserError(f"images {images.shape}, expected (n, {SIDE}, {SIDE})")
    keys = []
    for number, image in enumerate(images):
        x = (image.reshape(-1) / np.float32(255) - 0.5) / 0.5
        bright = np.flatnonzero(x > 0)
        generator = np.random.default_rng([seed, number])
        fires = generator.random((steps, len(bright))) < RATE * x[bright] / CODED_STEPS
        step, pixel = np.nonzero(fires)
        keys.append(step * PIXELS + bright[pixel])
    return SpikeTrains.from_keys(keys, steps, PIXELS)


def write(folder: Path, split: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Write one split in the real form: transposed images, labels 1 to 26.

    Args:
        folder: `EMNIST`; `raw` is made in it.
        split: "train" or "test".
        images: (n, 28, 28) uint8, upright.
        labels: (n,) classes, 0 for a.
    """
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    contents = images.transpose(0, 2, 1), labels + 1
    for name, content in zip([n for n in NAMES if f"-{split}-" in n], contents, strict=True):
        write_idx(folder / "raw" / name, content)


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """So many images of every letter, each in its own hand: (n, 28, 28) uint8, classes (n,)."""
    labels = np.tile(np.arange(len(ALPHABET)), count)
    images = []
    for number, label in enumerate(labels):
        rng = np.random.default_rng([seed, number])
        path = write_letter(ALPHABET[label], MANY_WRITERS, rng)
        images.append(draw(path, rng.uniform(*PEN)))
    return np.stack(images), labels


def _folder(root: Path, kind: str | None, tiny: bool) -> Path:
    real = INFO.found(root)
    if real and not tiny and kind in (None, kind_of(real)):
        return real
    if kind not in (None, "synthetic"):
        raise UserError(f"no {kind} {INFO.name} in {root / INFO.folder}; {INFO.how_to_get}")
    counts = (TINY_TRAIN, TINY_TEST) if tiny else (TRAIN_IMAGES, TEST_IMAGES)
    code = sys.modules[__name__], brain_visual_strokes, idx
    key = key_of(code=code, counts=counts, pen=PEN, hand=MANY_WRITERS)

    def write_all(new: Path) -> None:
        for seed, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
            write(new, split, *drawn(count, seed))

    return stand_in(
        INFO.stand_in_folder(root), "synthetic", key, write_all, "drawing letters", tiny=tiny
    )


def _splits(folder: Path) -> dict[str, np.ndarray]:
    digest, arrays = hashlib.sha256(), {}
    for file in INFO.files:
        digest.update(read_file(folder / file))
    limits = (TRAIN_IMAGES, TEST_IMAGES)
    for seed, (split, limit) in enumerate(zip(SPLITS, limits, strict=True)):
        images, labels = read(folder, split)
        rows = np.concatenate([np.flatnonzero(labels == n)[:limit] for n in range(len(ALPHABET))])
        arrays |= split_arrays(split, rate_code(images[rows], seed), labels[rows])
        arrays[f"{split}_images"] = images[rows]
    return arrays | {"sha256": np.array(digest.hexdigest())}
