"""Mutations of the bytes of a file, the same for the same numbers."""

import re
from collections.abc import Sequence

import numpy as np

NUMBERS = (0, 1, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1)
TOKENS = tuple(
    text.encode()
    for text in (
        "nan", "inf", "-1", "1e200", "1e-320", "-0", "9" * 400, "1_0", "²", "٣", "0x1f", "1e15",
        "3.7", "", " ", '"', "'", ",", "\n", "\r", "\0", "\ufeff", "[" * 2000, "{", "null",
        "true", "../../x", "/etc/passwd", "n" * 300, "9" * 20, "1e9999",
    )
)  # fmt: skip
WORD = re.compile(rb"[-+.\w]+")
EDGE = 600  # bytes at both ends that are changed more often: headers and directories


def mutated(seeds: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """One of the seeds with one to four changes."""
    content = bytearray(seeds[rng.integers(len(seeds))])
    for _ in range(rng.integers(1, 5)):
        change = CHANGES[rng.integers(len(CHANGES))]
        change(content, rng, seeds)
    return bytes(content)


def _place(content: bytearray, rng: np.random.Generator) -> int:
    size = len(content)
    if size > 2 * EDGE and rng.random() < 0.6:
        near = int(rng.integers(EDGE))
        return near if rng.random() < 0.7 else size - 1 - near
    return int(rng.integers(size)) if size else 0


def _span(content: bytearray, rng: np.random.Generator) -> slice:
    start = _place(content, rng)
    return slice(start, start + int(2 ** rng.uniform(0, 9)))


def _flip(content: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> None:
    if content:
        content[_place(content, rng)] ^= 1 << int(rng.integers(8))


def _set(content: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> None:
    if content:
        content[_place(content, rng)] = int(rng.integers(256))


def _number(content: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> None:
    size = int(rng.choice([1, 2, 4, 8]))
    value = int(NUMBERS[rng.integers(len(NUMBERS))]) % 2 ** (8 * size)
    start = _place(content, rng)
    order = "little" if rng.random() < 0.6 else "big"
    content[start : start + size] = value.to_bytes(size, order)


def _word(content: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> None:
    words = list(WORD.finditer(bytes(content[:20_000])))
    where = words[rng.integers(len(words))].span() if words else (0, 0)
    content[slice(*where)] = TOKENS[rng.integers(len(TOKENS))]


def _cut(content: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> None:
    del content[_place(content, rng) :]


def _delete(content: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> None:
    del content[_span(content, rng)]


def _repeat(content: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> None:
    span = _span(content, rng)
    content[span.start : span.start] = content[span]


def _insert(content: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> None:
    start = _place(content, rng)
    content[start:start] = rng.bytes(int(rng.integers(1, 64)))


def _zero(content: bytearray, rng: np.random.Generator, _: Sequence[bytes]) -> None:
    span = _span(content, rng)
    content[span] = bytes(len(content[span]))


def _splice(content: bytearray, rng: np.random.Generator, seeds: Sequence[bytes]) -> None:
    other = seeds[rng.integers(len(seeds))]
    start = int(rng.integers(len(other) + 1))
    content[_place(content, rng) :] = other[start:]


CHANGES = (
    _flip, _flip, _set, _set, _number, _number, _word, _cut, _delete, _repeat, _insert, _zero,
    _splice,
)  # fmt: skip
