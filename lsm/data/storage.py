"""Labelled spike trains of a training and a test set, and where what is made of data is kept."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from harness.protocol import DataRecord
from lsm.spikes import SpikeTrains


@dataclass(frozen=True)
class SpikeSet:
    """A data set ready for the reservoir.

    Attributes:
        name: as the paper calls it.
        kind: "real", "simulated-sensor" or "synthetic".
        sha256: checksum of the files it was read from.
        classes: names of the labels.
        train: spike trains.
        train_labels: (samples,) int64, index into `classes`.
        test: spike trains.
        test_labels: (samples,) int64.
        train_groups: (samples,) int64, who made each training sample; a validation part holds
            out whole groups. None: any sample may be held out.
    """

    name: str
    kind: str
    sha256: str
    classes: tuple[str, ...]
    train: SpikeTrains
    train_labels: np.ndarray
    test: SpikeTrains
    test_labels: np.ndarray
    train_groups: np.ndarray | None = None

    @property
    def record(self) -> DataRecord:
        """What a results file says of its data."""
        return DataRecord(self.name, self.kind, len(self.train), len(self.test), self.sha256)


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """A scratch folder that becomes `folder` when the block ends well, and vanishes if not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield scratch
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def fingerprint(files: list[Path], *parameters: object) -> str:
    """Key of a cache of `files`: changes with their names, sizes and times, and parameters."""
    digest = hashlib.sha256(repr(parameters).encode())
    for file in files:
        status = os.stat(file)  # noqa: PTH116  half the time of Path.stat
        digest.update(f"{file}|{status.st_size}|{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:24]


def cached(path: Path, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays kept in an .npz file: read if it is there and whole, else made and written."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, KeyError, BadZipFile):
        arrays = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(suffix=".npz", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)
    return arrays


def pack_split(name: str, trains: SpikeTrains, labels: np.ndarray) -> dict[str, np.ndarray]:
    """One split as arrays for `cached`."""
    shape = np.array([trains.steps, trains.inputs])
    parts = {"rows": trains.rows, "channels": trains.channels, "shape": shape, "labels": labels}
    return {f"{name}_{key}": array for key, array in parts.items()}


def unpack_split(name: str, arrays: dict[str, np.ndarray]) -> tuple[SpikeTrains, np.ndarray]:
    """Back from `pack_split`."""
    rows, channels, shape, labels = (
        arrays[f"{name}_{key}"] for key in ("rows", "channels", "shape", "labels")
    )
    return SpikeTrains(rows, channels, int(shape[0]), int(shape[1])), labels
