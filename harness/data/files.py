"""Files that we write: whole or not at all, one writer at a time, nowhere but in their folder."""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from harness.errors import UserError
from rram.files import parsing, read_file, read_text, reason_of

__all__ = [
    "inside", "locked", "parsing", "read_file", "read_text", "reason_of", "replacing", "unwritable",
    "whole_number",
]  # fmt: skip
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
LONGEST_NAME = 255  # bytes of one part of a path on common file systems
WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def unwritable(path: Path, error: Exception, kept: str = "") -> UserError:
    """The error of a file that cannot be written, with what to do about it.

    Args:
        path: the file or folder.
        error: of the system, or of a library that writes through it.
        kept: what is not lost, for the end of the line.
    """
    number = getattr(error, "errno", None)
    remedy = "name another folder"
    if number in FULL:
        remedy = "free some space and run again"
    elif number in FORBIDDEN:
        remedy = "it may not be written here: name another folder"
    end = f"; {kept}" if kept else ""
    return UserError(f"{path} cannot be written ({reason_of(error)}): {remedy}{end}")


@contextmanager
def replacing(path: Path, kept: str = "") -> Iterator[Path]:
    """A path to write to; what is written there takes the place of `path` when all went well.

    Raises:
        UserError: the disk is full, or the folder may not be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):  # one writer at a time, so that a kill leaves one part at most
            try:
                yield temporary
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error, kept) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for the same path.

    The lock is a file `.<name>.lock` beside it that the system unlocks when its process ends,
    however that happens. Where the file system has no locks, nobody waits.
    """
    lock = _lock_of(path)
    file = _acquired(lock)
    try:
        yield
    finally:
        if file is not None:
            lock.unlink(missing_ok=True)
            file.close()


def in_use(path: Path) -> bool:
    """Whether some process is in a `locked` block for that path."""
    try:
        with _lock_of(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock is there
        return False
    return False


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _acquired(lock: Path) -> BinaryIO | None:
    # The locked file; None where no file can be locked, which a writer will be told of soon.
    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = lock.open("ab")
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(lock.stat(), os.fstat(file.fileno())):
                return file
        except FileNotFoundError:
            pass  # the one before removed it while we waited
        except OSError:
            file.close()
            return None
        file.close()


def inside(folder: Path, name: str, source: Path) -> Path:
    """The file `name` in `folder`, which a file names: never one outside it.

    Raises:
        UserError: the name is absolute, leads out of the folder, or can be no file's name.
    """
    parts = Path(name).parts
    odd = not parts or "\0" in name or any(len(part.encode()) > LONGEST_NAME for part in parts)
    if odd or Path(name).is_absolute() or ".." in parts:
        raise UserError(f"{source}: {name[:80]!r} is no file inside {folder}; get the file again")
    return folder / name


def whole_number(text: str, low: int, high: int) -> int:
    """An integer as data files have it: ASCII digits, in a range.

    Raises:
        ValueError: it is none.
    """
    if not WHOLE.fullmatch(text.strip(" \t")) or not low <= int(text) <= high:
        raise ValueError(f"{text[:40]!r} is no whole number from {low} to {high}")
    return int(text)
