"""IDX files, the format of the MNIST family."""

import gzip
import hashlib
import io
import math
from pathlib import Path
from typing import BinaryIO

import numpy as np

from harness.data.files import parsing, read_file
from harness.errors import UserError

ADVICE = "remove it and run again to fetch or write it anew"
UNSIGNED_BYTE = 8  # the only type code of the MNIST family
MOST_AXES = 3  # images, rows, columns
LARGEST = 1 << 30  # bytes of an array; E-MNIST's largest set has 0.55 GB


def read_idx(path: Path, sha256: str | None = None) -> np.ndarray:
    """Read an IDX file of bytes, gzipped or not; never more of it than its header says.

    Args:
        path: the file.
        sha256: checksum of the content before gzip, if it is known.

    Returns:
        uint8 array of the shape in the header.

    Raises:
        UserError: missing, truncated, corrupted, too large or another format.
    """
    content = read_file(path)
    packed = path.suffix == ".gz"
    with parsing(path, "gzip file" if packed else "IDX file", ADVICE):
        raw = io.BytesIO(content)
        with gzip.GzipFile(fileobj=raw) if packed else raw as stream:
            header, shape = _header(path, stream)
            data = stream.read(math.prod(shape) + 1)  # one more shows whether there is more
    if len(data) != math.prod(shape):
        more = "more" if len(data) > math.prod(shape) else "less"
        raise UserError(
            f"{path}: {more} data than {shape}, which its header says: "
            f"the file is truncated or corrupted; {ADVICE}"
        )
    if sha256 is not None and hashlib.sha256(header + data).hexdigest() != sha256:
        raise UserError(f"{path}: wrong checksum, the file is truncated or corrupted; {ADVICE}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as IDX, gzipped when the name ends in .gz."""
    header = bytes([0, 0, UNSIGNED_BYTE, array.ndim])
    header += b"".join(size.to_bytes(4, "big") for size in array.shape)
    content = header + np.ascontiguousarray(array, np.uint8).tobytes()
    path.write_bytes(gzip.compress(content, 1, mtime=0) if path.suffix == ".gz" else content)


def _header(path: Path, stream: BinaryIO) -> tuple[bytes, tuple[int, ...]]:
    start = stream.read(4)
    if len(start) < 4 or start[:3] != bytes([0, 0, UNSIGNED_BYTE]):
        raise UserError(f"{path}: no IDX file of bytes (it begins with {start.hex()})")
    axes = start[3]
    sizes = stream.read(4 * axes)
    shape = tuple(int.from_bytes(sizes[n : n + 4], "big") for n in range(0, len(sizes), 4))
    if not 1 <= axes <= MOST_AXES or len(sizes) < 4 * axes or math.prod(shape) > LARGEST:
        raise UserError(
            f"{path}: its header says {axes} axes {shape[:MOST_AXES]}, 1 to {MOST_AXES} axes of"
            f" {LARGEST:,} bytes at most are read; {ADVICE}"
        )
    return start + sizes, shape
