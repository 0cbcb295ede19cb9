"""N-MNIST: MNIST digits shown to an event camera that makes three saccades (Orchard 2015).

On disk `Train/<digit>/<n>.bin` and `Test/<digit>/<n>.bin`, 5 bytes an event, 34 x 34 pixels,
about 300 ms. The paper takes polarity 0 of the central 16 x 16 pixels in 50 steps.

    from lsm.data import nmnist
    data = nmnist.load(Path("data"))
    data.train.dense()          # (50, samples, 256)
"""

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.data import event_camera
from harness.data import events as event_files
from harness.data.cache import cached_arrays, key_of, stand_in
from harness.data.datasets import DatasetInfo, kind_of
from harness.data.events import Events, read_events_5byte, write_events_5byte
from harness.data.files import read_file
from harness.data.idx import read_idx
from harness.errors import UserError
from harness.scale.parallel import map_in_order
from lsm import spikes
from lsm.data.spike_set import SpikeSet, split_arrays
from lsm.data.stand_ins import nmnist_camera
from lsm.data.stand_ins.nmnist_camera import record
from lsm.spikes import SpikeTrains

MNIST = DatasetInfo(
    name="MNIST",
    folder="mnist",
    files=tuple(
        f"{split}-{part}-ubyte*"
        for split in ("train", "t10k")
        for part in ("images-idx3", "labels-idx1")
    ),
    licence="CC BY-SA 3.0",
    source="Y. LeCun, C. Cortes, C. Burges",
    how_to_get="torchvision.datasets.MNIST(<a folder>, download=True): put its raw IDX files here",
)
INFO = DatasetInfo(
    name="N-MNIST",
    folder="nmnist",
    files=("Train/*/*.bin", "Test/*/*.bin"),
    licence="CC BY-SA 4.0",
    source="G. Orchard et al., Front. Neurosci. 9:437 (2015)",
    how_to_get="https://www.garrickorchard.com/datasets/n-mnist: unpack Train and Test here",
    stand_in="simulated-sensor",
    samples="*/*/*.bin",
    made_from=(MNIST,),
)
PIXELS = 34
CROP = (9, 25)  # first and last + 1 row and column that the paper keeps
STEPS = 50
CHANNELS = (CROP[1] - CROP[0]) ** 2
DIGITS = tuple(map(str, range(10)))
SPLITS = {"train": "Train", "test": "Test"}
NAME = re.compile(r"[0-9]{1,9}\.bin")
FULL_ENOUGH = 1000  # real recordings below which a table needs the simulated ones
MNIST_FILES = {"Train": "train", "Test": "t10k"}
TINY = {"Train": 200, "Test": 100}  # recordings of a smoke run
LIMITS = {"Train": 60_000, "Test": 10_000}


def load(
    root: Path, *, kind: str | None = None, tiny: bool = False, steps: int = STEPS
) -> SpikeSet:
    """The best N-MNIST at hand, binned as in the paper.

    Real recordings where there are 1,000 or more; else MNIST before the simulated camera if
    `root/mnist` holds it; else scikit-learn's digits before the same camera. What has to be made
    is made once, in the real files' form, and read as those are.

    Args:
        root: the data folder.
        kind: insist on this kind.
        tiny: a few synthetic recordings, for smoke runs.
        steps: T.

    Raises:
        UserError: the kind asked for is not to be had, or a file is wrong.
    """
    folder = _folder(root, "synthetic" if tiny else kind, tiny)
    files = {split: recordings(folder / name) for split, name in SPLITS.items()}
    paths = [path for split in files.values() for path, _ in split]
    code = sys.modules[__name__], event_files, spikes
    key = key_of(files=paths, code=code, steps=steps, crop=CROP)
    arrays = cached_arrays(root, "nmnist", key, lambda: _read_splits(files, folder, steps))
    data = kind_of(folder)
    return SpikeSet.from_arrays(_name(data, len(files["train"])), data, DIGITS, arrays)


def recordings(folder: Path) -> list[tuple[Path, int]]:
    """Recordings of one split with their digits, in order of name: that of MNIST.

    Raises:
        UserError: the folder or a digit's folder is missing, or has no recordings.
    """
    missing = [d for d in DIGITS if not (folder / d).is_dir()]
    if len(missing) == len(DIGITS):
        raise UserError(f"{folder}: no digit folders 0 to 9 in it; {INFO.how_to_get}")
    found = [(p, int(d)) for d in DIGITS if d not in missing for p in (folder / d).glob("*.bin")]
    odd = next((path for path, _ in found if not NAME.fullmatch(path.name)), None)
    if odd is not None:
        raise UserError(f"{odd}: not named <number of its image>.bin; take it out of the folder")
    empty = sorted({int(d) for d in DIGITS} - {digit for _, digit in found})
    if empty:
        raise UserError(f"{folder}: no recordings of digit {empty}; each needs some, get it again")
    return sorted(found, key=lambda file: (file[0].name, file[1]))


def bin_events(events: Events, steps: int = STEPS, where: str = "recording") -> np.ndarray:
    """Spikes of one recording, as sorted keys step * 256 + channel.

    Polarity 0, rows and columns 9 to 24, `steps` equal steps from its first to its last event.

    Raises:
        UserError: no event, or none of polarity 0 in the centre.
    """
    if events.count == 0:
        raise UserError(f"{where}: no events in it")
    first, last = int(events.t_us.min()), int(events.t_us.max())
    inside = (events.p == 0) & (np.minimum(events.x, events.y) >= CROP[0])
    kept = events.at(inside & (np.maximum(events.x, events.y) < CROP[1]))
    if kept.count == 0:
        raise UserError(f"{where}: no events of polarity 0 in the centre of the sensor")
    step = (kept.t_us - first) * steps // (last - first + 1)
    side = CROP[1] - CROP[0]
    channel = (kept.y.astype(np.int64) - CROP[0]) * side + kept.x - CROP[0]
    return np.unique(step * CHANNELS + channel)


def read(files: list[tuple[Path, int]], steps: int = STEPS) -> tuple[SpikeTrains, np.ndarray]:
    """Spike trains and digits of some recordings, see `recordings`."""
    trains, labels, _ = _read_split(files, steps)
    return trains, labels


def simulate(images: np.ndarray, labels: np.ndarray, folder: Path) -> None:
    """Write `folder/<digit>/<n>.bin`, n = 1 for the first image, as the simulated camera sees it.

    Args:
        images: (N, 28, 28) uint8.
        labels: (N,) digits.
        folder: of the split.
    """
    for digit in DIGITS:
        (folder / digit).mkdir(parents=True, exist_ok=True)

    def write(n: int) -> None:
        path = folder / str(labels[n]) / f"{n + 1:05d}.bin"
        write_events_5byte(path, record(images[n], n))

    for _ in map_in_order(write, range(len(images))):
        pass


def _name(kind: str, train: int) -> str:
    # A part of the real set is not the paper's data, and must not pass for it.
    whole = LIMITS["Train"]
    return f"{INFO.name}, {train:,} of {whole:,}" if kind == "real" and train < whole else INFO.name


def _folder(root: Path, kind: str | None, tiny: bool) -> Path:
    real = INFO.found(root)
    if real and not tiny and kind_of(real) == (kind or kind_of(real)):
        if kind or len(recordings(real / "Train")) >= FULL_ENOUGH:
            return real
        print(f"{real}: too few real recordings for a table; the camera is simulated")
    if kind == "real":
        raise UserError(f"no real recordings in {root / INFO.folder}; {INFO.how_to_get}")
    have_mnist = all(_mnist(root, name, "images-idx3") for name in MNIST_FILES.values())
    kind = kind or ("simulated-sensor" if have_mnist else "synthetic")
    if kind == "simulated-sensor" and not have_mnist:
        raise UserError(f"no MNIST in {root / 'mnist'}: put its four IDX files there")
    return _stand_in(root, kind, tiny)


def _stand_in(root: Path, kind: str, tiny: bool) -> Path:
    limits = TINY if tiny else LIMITS
    mnist = kind == "simulated-sensor"
    key = key_of(
        files=sorted((root / "mnist").glob("*-ubyte*")) if mnist else (),
        code=(sys.modules[__name__], nmnist_camera, event_camera, event_files),
        limits=limits,
        camera=nmnist_camera.NMNIST_CAMERA,
        saccades=nmnist_camera.SACCADES,
    )

    def write(new: Path) -> None:
        for split, images, labels in _mnist_images(root) if mnist else _small_digits():
            simulate(images[: limits[split]], labels[: limits[split]], new / split)

    return stand_in(
        INFO.stand_in_folder(root), kind, key, write, "simulating an event camera", tiny=tiny
    )


def _mnist(root: Path, name: str, what: str) -> Path | None:
    return next(iter(sorted((root / "mnist").glob(f"{name}-{what}-ubyte*"))), None)


def _mnist_images(root: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for split, name in MNIST_FILES.items():
        labels = _mnist(root, name, "labels-idx1")
        if labels is None:
            raise UserError(f"{root / 'mnist'}: images without {name}-labels-idx1-ubyte.gz")
        found = _mnist(root, name, "images-idx3")
        images, digits = read_idx(found), read_idx(labels)
        if images.shape != (*digits.shape, 28, 28) or digits.max(initial=0) > 9:
            raise UserError(
                f"{found}: images {images.shape} and labels {digits.shape}, expected (n, 28, 28)"
                " and n digits: get both files again"
            )
        yield split, images, digits


def _small_digits() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    # scikit-learn's 8 x 8 digits, enlarged to MNIST's 20 x 20 in 28 x 28; every fifth is for test.
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.zeros((len(digits.images), 28, 28), np.uint8)
    for n, image in enumerate(digits.images):
        images[n, 4:24, 4:24] = (zoom(image / 16, 2.5, order=1) * 255).clip(0, 255)
    test = np.arange(len(images)) % 5 == 4
    for split, rows in (("Train", ~test), ("Test", test)):
        yield split, images[rows], digits.target[rows]


def _read_splits(
    files: dict[str, list[tuple[Path, int]]], folder: Path, steps: int
) -> dict[str, np.ndarray]:
    arrays, digest = {}, hashlib.sha256()
    for split, found in files.items():
        trains, labels, digests = _read_split(found, steps)
        arrays |= split_arrays(split, trains, labels)
        for (path, _), one in zip(found, digests, strict=True):
            digest.update(f"{path.relative_to(folder).as_posix()} {one}\n".encode())
    return arrays | {"sha256": np.array(digest.hexdigest())}


def _read_split(
    files: list[tuple[Path, int]], steps: int
) -> tuple[SpikeTrains, np.ndarray, list[str]]:
    def read_one(file: tuple[Path, int]) -> tuple[np.ndarray, str]:
        events = read_events_5byte(file[0], PIXELS, PIXELS)
        digest = hashlib.sha256(read_file(file[0])).hexdigest()
        return bin_events(events, steps, str(file[0])), digest

    keys, digests = zip(*map_in_order(read_one, files, threads=1), strict=True)
    trains = SpikeTrains.from_keys(list(keys), steps, CHANNELS)
    return trains, np.array([digit for _, digit in files], np.int64), list(digests)
