"""Parsed data as plain `.npy` files in a folder named by a checksum; nothing is pickled."""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import UserError


def manifest_sha256(folder: Path, paths: Iterable[Path], *, sample_bytes: int = 1 << 16) -> str:
    """SHA-256 over the names, sizes and both ends of files; cheap on gigabytes.

    A change in the middle of a file that keeps its size goes unseen: this tells data sets apart,
    it does not prove a file whole (the readers check that).

    Args:
        folder: names are taken relative to it.
        paths: files below it, in any order.
        sample_bytes: bytes read at each end of a file; 0 for names and sizes only.
    """
    whole = hashlib.sha256()
    for path in sorted(paths):
        size = path.stat().st_size
        whole.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        if sample_bytes:
            with path.open("rb") as stream:
                whole.update(stream.read(sample_bytes))
                stream.seek(max(0, size - sample_bytes))
                whole.update(stream.read(sample_bytes))
    return whole.hexdigest()


def key_of(sources: str, settings: dict[str, Any]) -> str:
    """A short name for "these sources, read with these settings"."""
    text = json.dumps([sources, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Fill a temporary sibling of `folder`, which takes its place only when all went well.

    Raises:
        UserError: the folder cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror}); name a writable data folder"
        ) from error
    try:
        temporary.chmod(0o755)  # mkdtemp makes it private
        yield temporary
        if folder.exists():  # left over, or made by another process meanwhile
            shutil.rmtree(folder)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def cached_arrays(
    folder: Path, make: Callable[[], dict[str, np.ndarray]], *, memory_map: bool = False
) -> dict[str, np.ndarray]:
    """The arrays kept in `folder`, made and kept first when they are not there or do not load.

    Where the folder cannot be written the arrays are used without being kept, and stderr says so.
    """
    mode = "r" if memory_map else None
    try:
        names = json.loads((folder / "arrays.json").read_text())
        return {n: np.load(folder / f"{n}.npy", mode, allow_pickle=False) for n in names}
    except (OSError, ValueError, EOFError):
        arrays = make()
    try:
        with new_folder(folder) as temporary:
            for name, array in arrays.items():
                np.save(temporary / f"{name}.npy", array, allow_pickle=False)
            (temporary / "arrays.json").write_text(json.dumps(list(arrays)))
    except (UserError, OSError) as error:
        print(f"not kept for the next run: {error}", file=sys.stderr)
    return arrays
