"""Which cells of which macro hold which weight: blocks laid out in a stated order, and exported."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rram.errors import UserError

MACRO = (512, 512)  # rows and columns of one 256 Kb macro (ESGNN, methods)
SIDES = ("plus", "minus")


class Tile(NamedTuple):
    """A rectangle of cells: part of one side (plus, minus) of a block, and where it lies.

    `first_input` and `first_output` say which part of the block; `macro`, `row` and `column` where
    its first cell is; `rows` and `columns` how large it is.
    """

    block: str
    side: str
    first_input: int
    first_output: int
    macro: int
    row: int
    column: int
    rows: int
    columns: int


def allot(
    shapes: Mapping[str, tuple[int, int]],
    macro: tuple[int, int] = MACRO,
    macros: int | None = None,
    *,
    sides: Sequence[str] = SIDES,
    reuse: bool = False,
) -> list[Tile]:
    """Lay blocks out: in their order, G+ before G-, shelf by shelf from the left, macro by macro.

    A block larger than a macro is cut into pieces of at most its size. A piece opens a new shelf,
    under the highest piece of the shelf before, where the present one is full.

    Args:
        shapes: (inputs, outputs) of each block, by name.
        macro: rows and columns of a macro.
        macros: how many there are; None: as many as it takes.
        sides: which are laid out: "plus" alone where G- has arrays of its own, at the same places.
        reuse: begin again with the first macro when all are full, so that cells serve twice.

    Raises:
        UserError: too few cells, with the count of those wanted and those there.
    """
    if min(macro) < 1 or (macros is not None and macros < 1):
        raise UserError(f"macros of {macro} cells, {macros} of them: sizes and numbers from 1")
    tiles, place = [], _Place(macro)
    for name, (inputs, outputs) in shapes.items():
        for side in sides:
            for first_input in range(0, inputs, macro[0]):
                for first_output in range(0, outputs, macro[1]):
                    rows = min(macro[0], inputs - first_input)
                    columns = min(macro[1], outputs - first_output)
                    number, row, column = place.take(rows, columns)
                    if macros is not None and number >= macros:
                        if not reuse:
                            raise UserError(_too_few(shapes, macro, macros, tiles, len(sides)))
                        place = _Place(macro)
                        number, row, column = place.take(rows, columns)
                    tiles.append(
                        Tile(
                            name, side, first_input, first_output,
                            number, row, column, rows, columns,
                        )
                    )  # fmt: skip
    return tiles


def write_allotment(tiles: list[Tile], path: str | Path) -> Path:
    """Write tiles as CSV, one a line under a header; cells counted from 0."""
    path = Path(path)
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(Tile._fields)
            writer.writerows(tiles)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror})") from error
    return path


class _Place:
    """The next free place: macro, shelf, and column on it."""

    def __init__(self, macro: tuple[int, int]) -> None:
        self.macro = macro
        self.number = self.row = self.column = self.height = 0

    def take(self, rows: int, columns: int) -> tuple[int, int, int]:
        """Macro, row and column of a rectangle that fits a macro."""
        if self.column + columns > self.macro[1]:
            self.row, self.column, self.height = self.row + self.height, 0, 0
        if self.row + rows > self.macro[0]:
            self.number, self.row, self.column, self.height = self.number + 1, 0, 0, 0
        taken = self.number, self.row, self.column
        self.column += columns
        self.height = max(self.height, rows)
        return taken


def _too_few(
    shapes: Mapping[str, tuple[int, int]],
    macro: tuple[int, int],
    macros: int,
    tiles: list[Tile],
    sides: int,
) -> str:
    wanted = sum(sides * rows * columns for rows, columns in shapes.values())
    laid = sum(tile.rows * tile.columns for tile in tiles)
    return (
        f"too few cells: {len(shapes)} blocks need {wanted:,} cells, {macros} macros of "
        f"{macro[0]} x {macro[1]} have {macros * macro[0] * macro[1]:,}, and {laid:,} were placed "
        "before the next piece did not fit; give more cells, or allow reuse"
    )
