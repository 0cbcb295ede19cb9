"""Is a MATLAB file of version 5 well formed? SciPy ends the interpreter on numbers of unknown type.

After 128 bytes of header come elements, each a tag (type and size, 4 bytes each) and its data; an
element of type 15 is a compressed one. A matrix is an element of type 14 that holds others.
"""

import struct
import zlib
from collections.abc import Iterator

HEADER, TAG, WORD = 128, 8, 4  # bytes
MATRIX, COMPRESSED = 14, 15  # types
NUMBERS = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13)  # types that hold numbers
NUMERIC_CLASSES = range(6, 16)  # of a matrix: double to uint64
LARGEST = 1 << 31  # bytes of one matrix


def check_mat5(content: bytes) -> None:
    """Walk through all elements.

    Raises:
        ValueError: one is cut short, fails its checksum, or holds numbers of an unknown type.
        zlib.error: compressed data is damaged.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[HEADER - 2 : HEADER])
    if order is None:
        raise ValueError("no mark of the order of bytes in its header")
    for kind, data in _elements(content[HEADER:], order, padded=False):
        if kind == COMPRESSED:
            unpack = zlib.decompressobj()
            data = unpack.decompress(data, LARGEST)
            if not unpack.eof:  # where its checksum is
                raise ValueError("compressed data is cut short or too large")
            ((kind, data),) = _elements(data, order)
        if kind != MATRIX:
            raise ValueError(f"an element of type {kind}, expected a matrix")
        _check_matrix(data, order)


def _check_matrix(data: bytes, order: str) -> None:
    parts = _elements(data, order)
    _, flags = next(parts)
    if flags[0 if order == "<" else 3] in NUMERIC_CLASSES:
        for kind, _ in parts:
            if kind not in NUMBERS:
                raise ValueError(f"numbers of type {kind}, which there is not")


def _elements(content: bytes, order: str, *, padded: bool = True) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        start = at + TAG
        if kind >> 16:  # a short element: its data lies in the tag
            kind, size, start = kind & 0xFFFF, kind >> 16, at + WORD
            at += TAG
        else:
            at = start + size + (-size % TAG if padded else 0)
        if start + size > len(content) or (start == at - WORD and size > WORD):
            raise ValueError("an element is cut short")
        yield kind, content[start : start + size]
