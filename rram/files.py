"""Read files that others made: bounded, and with one clear error; CSV files of measured arrays."""

import csv
import io
import math
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rram.errors import UserError

LARGEST_BYTES = 1 << 30  # of a file that is read whole
LONGEST_REASON = 160  # characters of another library's message that are shown
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.A | re.I)


def read_file(path: str | Path, limit: int = LARGEST_BYTES, *, first: int | None = None) -> bytes:
    """All bytes of a regular file; devices, pipes and larger files are refused unread.

    Args:
        path: the file.
        limit: bytes at most.
        first: read no more than so many.

    Raises:
        UserError: it cannot be read, is no regular file or is too large.
    """
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path}: no regular file; name one")
        if status.st_size > limit:
            raise UserError(f"{path}: {status.st_size:,} bytes, at most {limit:,} are read")
        with path.open("rb") as file:
            return file.read(status.st_size if first is None else first)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} cannot be read ({reason_of(error)})") from error


def read_text(path: str | Path, *, errors: str = "strict") -> str:
    """A file as UTF-8 text, see `read_file`; a byte order mark is left out.

    Args:
        path: the file.
        errors: "replace" puts a sign in place of bytes that are no text.
    """
    content = read_file(path)
    with parsing(path, "text in UTF-8"):
        return content.decode("utf-8-sig", errors)


@contextmanager
def parsing(path: str | Path, what: str, advice: str = "get the file again") -> Iterator[None]:
    """Turn whatever a parser raises inside the block into one `UserError`.

    Parsers of other libraries raise errors of many kinds on damaged files, undocumented ones too.

    Args:
        path: the file.
        what: it should be, "WAV file" for instance.
        advice: what to do.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path}: damaged, or no {what} ({reason_of(error)}); {advice}") from error


def reason_of(error: BaseException) -> str:
    """What an error says, in one short line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:LONGEST_REASON]


def read_numbers(path: str | Path, *, minimum: float | None = None) -> np.ndarray:
    """Read a rectangular CSV file of finite numbers, with or without one header line.

    Args:
        path: the file.
        minimum: smallest value allowed, if any.

    Returns:
        Array (rows, columns), float64.

    Raises:
        UserError: missing or empty file, text, NaN, ragged rows or a value below `minimum`;
            the message names the line and column.
    """
    path = Path(path)
    text = read_text(path)
    with parsing(path, "CSV file"):
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        lines = [(n, row) for n, row in enumerate(reader, 1) if any(row)]
    if lines and not any(is_number(cell) for cell in lines[0][1]):
        lines = lines[1:]
    if not lines:
        raise UserError(f"{path}: no numbers in it")
    width = len(lines[0][1])
    for number, row in lines:
        if len(row) != width:
            raise UserError(f"{path}, line {number}: {len(row)} columns, the first has {width}")
    return np.array([[_cell(path, n, c, x, minimum) for c, x in enumerate(r, 1)] for n, r in lines])


def is_number(text: str) -> bool:
    """Whether text is a decimal number as data files have it: ASCII, no "1_000", no line break."""
    return NUMBER.fullmatch(text.strip(" \t")) is not None


def _cell(path: Path, line: int, column: int, text: str, minimum: float | None) -> float:
    where = f"{path}, line {line}, column {column}"
    if not is_number(text):
        raise UserError(f"{where}: {text.strip()[:LONGEST_REASON]!r} is not a number")
    value = float(text)
    if not math.isfinite(value):
        raise UserError(f"{where}: {text.strip()[:LONGEST_REASON]} is not a finite number")
    if minimum is not None and value < minimum:
        raise UserError(f"{where}: {value:g} is below {minimum:g}")
    return value
