"""IDX files, the format of the MNIST family."""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np

from harness.errors import UserError

ADVICE = "remove it and run again to fetch or write it anew"
UNSIGNED_BYTE = 8  # the only type code of the MNIST family


def read_idx(path: Path, sha256: str | None = None) -> np.ndarray:
    """Read an IDX file of bytes, gzipped or not.

    Args:
        path: the file.
        sha256: checksum of the content before gzip, if it is known.

    Returns:
        uint8 array of the shape in the header.

    Raises:
        UserError: missing, truncated, corrupted or another format.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path}: truncated or corrupted gzip ({error}); {ADVICE}") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(f"{path}: wrong checksum, the file is truncated or corrupted; {ADVICE}")
    return _array(path, content)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as IDX, gzipped when the name ends in .gz."""
    header = bytes([0, 0, UNSIGNED_BYTE, array.ndim])
    header += b"".join(size.to_bytes(4, "big") for size in array.shape)
    content = header + np.ascontiguousarray(array, np.uint8).tobytes()
    path.write_bytes(gzip.compress(content, 1, mtime=0) if path.suffix == ".gz" else content)


def _array(path: Path, content: bytes) -> np.ndarray:
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTE]):
        raise UserError(f"{path}: no IDX file of bytes (it begins with {content[:4].hex()})")
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[n : n + 4], "big") for n in range(4, start, 4))
    if len(content) != start + math.prod(shape):
        raise UserError(
            f"{path}: {len(content) - start} bytes of data, its header says {shape}: "
            f"the file is truncated or corrupted; {ADVICE}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
