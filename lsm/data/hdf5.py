"""HDF5 files: those of others are read array by array without trust, ours are written in one go."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from harness.data.files import parsing, read_file
from harness.errors import UserError

LARGEST_BYTES = 1 << 31  # of one array
SIGNATURE = 8  # bytes


@contextmanager
def open_hdf5(path: Path, what: str = "HDF5 file") -> Iterator[h5py.File]:
    """The file, open for reading; whatever is wrong with it is one `UserError`."""
    read_file(path, limit=1 << 40, first=SIGNATURE)  # a regular file that may be read
    with parsing(path, what), h5py.File(path, "r") as file:
        yield file


@contextmanager
def new_hdf5(path: Path, user_block: int = 0) -> Iterator[h5py.File]:
    """A file to fill in memory, written when the block ends.

    HDF5 itself, on a disk that is full, goes on writing at the end of the program, and prints a
    page about every time.

    Args:
        path: of the file.
        user_block: bytes before its HDF5 part, zeros.
    """
    memory = {"driver": "core", "backing_store": False, "userblock_size": user_block or None}
    with h5py.File(path.name, "w", track_order=False, **memory) as file:
        yield file
        file.flush()
        content = file.id.get_file_image()
    path.write_bytes(bytes(user_block) + content)


def array_of(group: h5py.Group, name: str, where: str, *, axes: int, kinds: str) -> np.ndarray:
    """One array that lies in the file itself: links to other files are not followed.

    Args:
        group: of the file.
        name: of the array in it, without "/".
        where: for errors.
        axes: how many it must have.
        kinds: numpy's letters of the types allowed, "S" for text.

    Raises:
        UserError: no such array, another kind of thing, or a larger one than is read.
    """
    data = member_of(group, name, where)
    if not isinstance(data, h5py.Dataset) or data.is_virtual or data.external:
        raise UserError(f"{where}: {name} is no array of this file; get the file again")
    text = h5py.check_string_dtype(data.dtype)
    kind = "S" if text else data.dtype.kind
    if data.shape is None or data.ndim != axes or kind not in kinds or data.dtype.subdtype:
        raise UserError(
            f"{where}: {name} has shape {data.shape} and type {data.dtype}, expected {axes} axes"
            f" of {'text' if kinds == 'S' else 'numbers'}"
        )
    if data.size * data.dtype.itemsize > LARGEST_BYTES:
        raise UserError(f"{where}: {name} has shape {data.shape}, too large to be right")
    return data[()]


def member_of(group: h5py.Group, name: str, where: str) -> h5py.Dataset | h5py.Group:
    """What stands under a name in this file itself.

    Raises:
        UserError: nothing, or a link to elsewhere.
    """
    if "/" in name or not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise UserError(f"{where}: no {name[:80]} in it, or a link; get the file again")
    return group[name]
