"""Read measured arrays from CSV files."""

import csv
import math
from pathlib import Path

import numpy as np

from rram.errors import UserError


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
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(n, row) for n, row in enumerate(csv.reader(file), 1) if any(row)]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error})") from error
    if lines and not any(_is_number(cell) for cell in lines[0][1]):
        lines = lines[1:]
    if not lines:
        raise UserError(f"{path}: no numbers in it")
    width = len(lines[0][1])
    for number, row in lines:
        if len(row) != width:
            raise UserError(f"{path}, line {number}: {len(row)} columns, the first has {width}")
    return np.array([[_cell(path, n, c, x, minimum) for c, x in enumerate(r, 1)] for n, r in lines])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _cell(path: Path, line: int, column: int, text: str, minimum: float | None) -> float:
    where = f"{path}, line {line}, column {column}"
    if not _is_number(text):
        raise UserError(f"{where}: {text.strip()!r} is not a number")
    value = float(text)
    if not math.isfinite(value):
        raise UserError(f"{where}: {text.strip()} is not a finite number")
    if minimum is not None and value < minimum:
        raise UserError(f"{where}: {value:g} is below {minimum:g}")
    return value
