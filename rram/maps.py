"""Measured conductance maps: read from a file, and refused where they are none."""

import io
from pathlib import Path

import numpy as np

from rram.errors import UserError
from rram.files import parsing, read_file, read_numbers

LARGEST_US = 1e9  # a conductance of 1 kS: no cell has that, and float32 holds it


def read_map(path: str | Path) -> np.ndarray:
    """Read a conductance map in uS, a CSV file or a NumPy array (.npy): (rows, columns) float64.

    Raises:
        UserError: as `read_numbers`; or an array of another kind, or with unfit values.
    """
    path = Path(path)
    if path.suffix != ".npy":
        return checked_map(read_numbers(path, minimum=0.0), path.name)
    content = read_file(path)
    with parsing(path, "NumPy array"):
        cells = np.load(io.BytesIO(content), allow_pickle=False)
    if cells.dtype.kind not in "fiu":
        raise UserError(f"{path}: an array of {cells.dtype}, expected numbers in uS")
    return checked_map(cells, path.name)


def checked_map(cells: np.ndarray, name: str) -> np.ndarray:
    """A map as float64, when it is one.

    Args:
        cells: conductances (rows, columns) in uS, 0 where a cell did not break.
        name: of the map, for the error.

    Raises:
        UserError: not a matrix; NaN, infinite, negative or impossibly large values; fewer than two
            different broken cells.
    """
    cells = np.asarray(cells, np.float64)
    if cells.ndim != 2 or cells.size < 2:
        raise UserError(f"conductance map {name}: shape {cells.shape}, expected a matrix")
    if not np.isfinite(cells).all() or cells.min() < 0:
        raise UserError(f"conductance map {name}: NaN, infinite or negative conductances")
    if cells.max() > LARGEST_US:
        raise UserError(
            f"conductance map {name}: {cells.max():.3g} uS is no cell's conductance; the unit is uS"
        )
    if (cells > 0).sum() < 2 or np.ptp(cells) == 0:
        raise UserError(f"conductance map {name}: fewer than two different broken cells")
    return cells
