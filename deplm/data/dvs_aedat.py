"""AEDAT 3.1, the container of the DVS128 Gesture recordings: a streaming reader and a writer.

Lines of text that begin with `#`, the first `#!AER-DAT3.1`, the last `#!END-HEADER`; then
packets. A packet is 28 bytes of header (little-endian: eventType i16, eventSource i16, eventSize,
eventTSOffset, eventTSOverflow, eventCapacity, eventNumber, eventValid, each i32) and
`eventNumber` events. A polarity event (type 1) is two 32-bit words: bit 0 valid, bit 1 polarity,
bits 2..16 y, bits 17..31 x; then the time in us. Packets of other types are skipped.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from harness.data.events import Events, as_events, check_events, join_events
from harness.data.files import read_file
from harness.errors import UserError

WIDTH = HEIGHT = 128  # pixels of the DVS128
MAGIC = b"#!AER-DAT3.1"
HEADER_END = b"#!END-HEADER"
POLARITY, EVENT_SIZE, LONGEST_LINE = 1, 8, 4096
CLOCK_BITS = 31  # of a time in us; it overflows every 35.8 minutes
MOST_OVERFLOWS = 40  # a day
PACKET_HEADER = np.dtype(
    [("type", "<i2"), ("source", "<i2")]
    + [(name, "<i4") for name in ("size", "ts_offset", "overflow", "capacity", "number", "valid")]
)


def read_aedat(path: str | Path, *, chunk_events: int = 1 << 16) -> Iterator[Events]:
    """Stream the valid polarity events of a DVS128 recording, in order of time.

    Memory is bounded by `chunk_events` plus one packet, whatever the length of the recording.

    Args:
        path: the `.aedat` file.
        chunk_events: packets are joined until they hold at least this many events.

    Yields:
        Pieces of the recording; times in us, wrap-arounds of the 31-bit clock undone.

    Raises:
        UserError: no such file, wrong magic, a truncated packet, an event outside the sensor,
            times that run backwards.
    """
    path = Path(path)
    waiting: list[Events] = []
    count, last = 0, -(1 << 62)
    read_file(path, limit=1 << 40, first=1)  # a regular file that may be read
    with path.open("rb") as stream:
        _skip_header(stream, path)
        for packet in _packets(stream, path):
            where = f"{path}, packet before byte {stream.tell()}"
            check_events(packet, WIDTH, HEIGHT, where)
            if packet.count and packet.t_us[0] < last:
                raise UserError(
                    f"{where}: time runs backwards between packets ({last} us, then"
                    f" {packet.t_us[0]} us); the file is damaged, get it again"
                )
            last = int(packet.t_us[-1]) if packet.count else last
            waiting.append(packet)
            count += packet.count
            if count >= chunk_events:
                yield join_events(waiting)
                waiting, count = [], 0
    if count:
        yield join_events(waiting)


def _skip_header(stream: BinaryIO, path: Path) -> None:
    line = stream.readline(LONGEST_LINE)
    if line.strip() != MAGIC:
        raise UserError(
            f"{path}: begins with {line[:16]!r}, not {MAGIC.decode()!r}; only AEDAT 3.1 is read"
        )
    while line.strip() != HEADER_END:
        line = stream.readline(LONGEST_LINE)
        if not line.startswith(b"#"):
            raise UserError(f"{path}: no {HEADER_END.decode()!r} line; damaged, get it again")


def _packets(stream: BinaryIO, path: Path) -> Iterator[Events]:
    size = os.fstat(stream.fileno()).st_size
    while raw := stream.read(PACKET_HEADER.itemsize):
        begin = stream.tell() - len(raw)
        if len(raw) < PACKET_HEADER.itemsize:
            raise _truncated(path, begin, PACKET_HEADER.itemsize, len(raw))
        header = np.frombuffer(raw, PACKET_HEADER)[0]
        number, event_size = int(header["number"]), int(header["size"])
        polarity = header["type"] == POLARITY
        overflow = int(header["overflow"])
        sizes = number >= 0 and event_size > 0 and (not polarity or event_size == EVENT_SIZE)
        if not sizes or not 0 <= overflow < MOST_OVERFLOWS:
            raise UserError(
                f"{path}: packet at byte {begin} claims {number} events of {event_size} bytes and"
                f" {overflow} overflows of the clock; the file is damaged, get it again"
            )
        wanted, left = number * event_size, size - stream.tell()
        if wanted > left:  # known before it is read, so a damaged count cannot eat memory
            raise _truncated(path, begin, wanted, left)
        payload = stream.read(wanted)
        if polarity:
            yield _decode(payload, overflow, f"{path}, packet at byte {begin}")


def _truncated(path: Path, begin: int, wanted: int, left: int) -> UserError:
    return UserError(
        f"{path}: the packet at byte {begin} is truncated ({wanted} bytes expected, {left} left);"
        " the download was cut short, get it again"
    )


def _decode(payload: bytes, overflow: int, where: str) -> Events:
    words = np.frombuffer(payload, "<u4").reshape(-1, 2)
    data, time = words[:, 0], words[:, 1].astype(np.int64)
    if time.size and time.max() >= 1 << CLOCK_BITS:
        raise UserError(f"{where}: a time of over {CLOCK_BITS} bits; damaged, get the file again")
    events = as_events(
        data >> 17, (data >> 2) & 0x7FFF, (data >> 1) & 1, time + (overflow << CLOCK_BITS)
    )
    valid = (data & 1).astype(bool)
    return events if valid.all() else events.at(valid)


def write_aedat(
    path: str | Path, pieces: Iterable[Events], *, packet_events: int = 8192, comment: str = ""
) -> int:
    """Write polarity events as AEDAT 3.1, with the header lines that the official files have.

    Args:
        path: the file.
        pieces: one or more `Events`, in order of time, times below 2**31 us.
        packet_events: events a packet at most.
        comment: one line for the text header.

    Returns:
        Number of events written.

    Raises:
        ValueError: a time or coordinate that the format does not hold, or a line break in
            `comment`.
    """
    if "\n" in comment or "\r" in comment:
        raise ValueError(f"the comment must be one line, got {comment!r}")
    lines = [
        MAGIC,
        b"#Format: RAW",
        b"#Source 1: DVS128",
        *([b"# " + comment.encode()] * bool(comment)),
    ]
    total = 0
    with Path(path).open("wb") as stream:
        stream.write(b"\r\n".join([*lines, HEADER_END, b""]))
        for events in pieces:
            total += events.count
            for begin in range(0, events.count, packet_events):
                stream.write(_encode(events.at(slice(begin, begin + packet_events))))
    return total


def _encode(events: Events) -> bytes:
    x, y, p, t_us = events
    if min(x.min(), y.min(), t_us.min()) < 0 or t_us.max() >= 1 << 31:
        raise ValueError("coordinates and times must be at least 0, times below 2**31 us")
    words = np.empty((events.count, 2), "<u4")
    words[:, 0] = (
        (x.astype(np.uint32) << 17) | (y.astype(np.uint32) << 2) | (p.astype(np.uint32) << 1) | 1
    )
    words[:, 1] = t_us
    n = events.count
    header = np.array([(POLARITY, 1, EVENT_SIZE, 4, 0, n, n, n)], PACKET_HEADER)
    return header.tobytes() + words.tobytes()
