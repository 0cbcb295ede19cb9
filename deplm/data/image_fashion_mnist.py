"""Fashion-MNIST: 28 x 28 images of clothing, 60,000 to train and 10,000 to test.

Source: H. Xiao, K. Rasul, R. Vollgraf, Zalando Research, 2017. Licence: MIT. On disk: four IDX
files. Looked for in the data folder, then where Debian's package `dataset-fashion-mnist` keeps
it, then downloaded by torchvision, then fetched as that package.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from deplm.points import Clouds, CloudSet, image_points
from harness.data import idx
from harness.data.cache import key_of, stand_in
from harness.data.datasets import DatasetInfo, kind_of, writable_root
from harness.data.files import replacing
from harness.data.idx import read_idx, write_idx
from harness.data.vision import torchvision_datasets
from harness.errors import UserError
from harness.run.protocol import DataRecord

SIDE = 28
CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
# SHA-256 of the IDX content, so that a file packed anew has the same.
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
    ),
    "train-labels-idx1-ubyte.gz": (
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
}
FILES = tuple(CHECKSUMS)
STAND_IN_COUNTS = {"train": 400, "t10k": 200}  # images of the smoke run
PACKAGE = "dataset-fashion-mnist"
PACKAGE_FOLDER = Path("/usr/share/datasets/fashion-mnist")

INFO = DatasetInfo(
    name="Fashion-MNIST",
    folder="fashion_mnist",
    files=FILES,
    licence="MIT",
    source="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv 1708.07747",
    how_to_get=f"fetched by run_image.sh; by hand: apt install {PACKAGE}, or four IDX files here",
)


class ImageClouds(CloudSet):
    """Images as point sets: 784 points (intensity, x, y), and the same three as features.

    Intensity lies in [-1, 1], x and y are index / 28 - 0.5 (DEPLM, code).
    """

    def __init__(self, name: str, images: np.ndarray, labels: np.ndarray) -> None:
        self.name = name
        self.images = images  # (n, 28, 28) uint8
        self.labels = labels  # (n,) int64

    def __len__(self) -> int:
        return len(self.images)

    def clouds(self, indices: np.ndarray) -> Clouds:
        """Points and features (B, 784, 3) of the images `indices`."""
        points = torch.from_numpy(image_points(self.images[indices]))
        return Clouds(points, points)

    def part(self, name: str, numbers: np.ndarray) -> "ImageClouds":
        """The images `numbers` as a set of their own."""
        return ImageClouds(name, self.images[numbers], self.labels[numbers])


class FashionMnist(NamedTuple):
    """Both parts of the set, and what results say of it."""

    train: ImageClouds
    test: ImageClouds
    record: DataRecord


def load(root: Path, folder: str = INFO.folder, *, tiny: bool = False) -> FashionMnist:
    """Fashion-MNIST, fetched if need be; or images of one's own in the same files.

    Args:
        root: data folder.
        folder: sub-folder of it. Any other than the default is taken as it is: no fetching,
            no checksum, the folder's name as the name of the set.
        tiny: a small synthetic stand-in instead, for smoke runs.

    Raises:
        UserError: the set cannot be had, or a file of it is unfit.
    """
    if tiny:
        where = ensure_stand_in(INFO.stand_in_folder(root))
    elif folder != INFO.folder:
        where = root / folder
    else:
        where = find_or_fetch(root)
    official = not tiny and folder == INFO.folder
    checksums = CHECKSUMS if official and kind_of(where) == "real" else {}
    arrays = [read_idx(where / name, checksums.get(name)) for name in FILES]
    digest = hashlib.sha256(b"".join(hashlib.sha256(a).digest() for a in arrays)).hexdigest()
    for images, labels, name in ((*arrays[:2], FILES[0]), (*arrays[2:], FILES[2])):
        _check(where / name, images, labels)
    train, test = (
        ImageClouds(name, images, labels.astype(np.int64))
        for name, images, labels in (("train", *arrays[:2]), ("test", *arrays[2:]))
    )
    name = INFO.name if official or tiny else where.name
    record = DataRecord(name, kind_of(where), len(train), len(test), digest)
    return FashionMnist(train, test, record)


def _missing(folder: Path) -> list[str]:
    return [name for name in FILES if not (folder / name).exists()]


def find_or_fetch(root: Path) -> Path:
    """The folder that holds the four files, fetched into the data folder if need be.

    Raises:
        UserError: nothing worked; the message lists what was tried, in order.
    """
    target = writable_root(root) / INFO.folder
    for folder in (root / INFO.folder, target, PACKAGE_FOLDER):
        if not _missing(folder):
            return folder
    missing = f"{len(_missing(target))} of 4 files missing in {target}"
    tried = [f"the data folder ({missing})", f"Debian's installed package ({PACKAGE_FOLDER})"]
    print(f"Fashion-MNIST is not in {target}: fetching it (31 MB)", flush=True)
    ways: tuple[tuple[str, Callable[[Path], Path]], ...] = (
        ("torchvision's download", _download),
        (f"the Debian package {PACKAGE}", _fetch_package),
    )
    for way, fetch in ways:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                _keep(fetch(Path(scratch)), target)
            except (OSError, RuntimeError, subprocess.SubprocessError, UserError) as error:
                reason = str(error).strip().splitlines()[0] if str(error).strip() else error
                tried.append(f"{way} ({reason})")
            else:
                return target
    raise UserError(
        f"Fashion-MNIST cannot be had. Tried, in order: {'; '.join(tried)}. Put its four IDX "
        f"files ({', '.join(FILES)}) into {target}, or try without: bash run_image.sh --smoke"
    )


def ensure_stand_in(parent: Path) -> Path:
    """The folder of a small synthetic set below `parent`, written when it is not there."""
    key = key_of(code=(sys.modules[__name__], idx), counts=STAND_IN_COUNTS)
    return stand_in(parent, "synthetic", key, write_stand_in, "drawing clothes", tiny=True)


def write_stand_in(folder: Path, seed: int = 0) -> None:
    """Write ten kinds of bright boxes and frames in the real form into an existing folder."""
    rng = np.random.default_rng(seed)
    for prefix, count in STAND_IN_COUNTS.items():
        labels = np.arange(count, dtype=np.uint8) % len(CLASSES)
        images = np.stack([_stand_in_image(int(label), rng) for label in labels])
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)


def _stand_in_image(label: int, rng: np.random.Generator) -> np.ndarray:
    width, height = ((8, 20), (20, 8), (12, 12), (18, 18), (6, 12))[label % 5]
    image = np.zeros((SIDE, SIDE))
    x, y = (SIDE - np.array([width, height])) // 2 + rng.integers(-2, 3, 2)
    image[y : y + height, x : x + width] = rng.uniform(120, 255)
    if label >= 5:  # a frame
        image[y + 2 : y + height - 2, x + 2 : x + width - 2] = 0
    return (image + rng.normal(0, 10, image.shape) * (image > 0)).clip(0, 255).astype(np.uint8)


def _check(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise UserError(f"{path}: images {images.shape}, expected (n, {SIDE}, {SIDE})")
    if len(images) == 0 or labels.shape != (len(images),):
        raise UserError(f"{path}: {len(images)} images and labels {labels.shape}: one each, > 0")
    if labels.max() >= len(CLASSES):
        raise UserError(f"{path}: a label {labels.max()}, the classes are 0 to {len(CLASSES) - 1}")


def _download(scratch: Path) -> Path:
    torchvision_datasets().FashionMNIST(scratch, download=True)
    return scratch / "FashionMNIST" / "raw"


def _fetch_package(scratch: Path) -> Path:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise UserError("no apt-get and dpkg-deb here")
    command = ["apt-get", "-qq", "download", PACKAGE]
    if _quiet(command, scratch).returncode:
        # No list of packages yet: make one of our own, which needs no administrator.
        own = [f"-oDir::State::Lists={scratch}/lists", f"-oDir::Cache={scratch}/cache"]
        for part in ("lists/partial", "cache/archives/partial"):
            (scratch / part).mkdir(parents=True)
        _quiet(["apt-get", "-qq", *own, "update"], scratch)
        run = _quiet(["apt-get", "-qq", *own, "download", PACKAGE], scratch)
        if run.returncode:
            lines = run.stderr.strip().splitlines()
            raise UserError(lines[-1] if lines else "apt-get download failed")
    package = next(scratch.glob("*.deb"), None)
    if package is None:
        raise UserError("apt-get download gave no package")
    subprocess.run(["dpkg-deb", "-x", str(package), str(scratch / "x")], check=True)
    return scratch / "x" / PACKAGE_FOLDER.relative_to("/")


def _quiet(command: list[str], folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


def _keep(source: Path, target: Path) -> None:
    """Check the fetched files and copy those that are missing: a file in place stays."""
    for name, checksum in CHECKSUMS.items():
        read_idx(source / name, checksum)
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if not (target / name).exists():
            with replacing(target / name) as partial:
                shutil.copyfile(source / name, partial)
