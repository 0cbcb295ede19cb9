import numpy as np
import pytest

from deplm.data.dvs_aedat import PACKET_HEADER, read_aedat, write_aedat
from harness.data.events import as_events, join_events, no_events
from harness.errors import UserError

HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"


def some_events(count=1000, seed=0, last_us=5_000_000):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 128, (2, count))
    return as_events(x, y, rng.integers(0, 2, count), np.sort(rng.integers(0, last_us, count)))


def packet(words, *, kind=1, size=8, overflow=0, number=None):
    number = len(words) if number is None else number
    header = np.array([(kind, 1, size, 4, overflow, number, number, number)], PACKET_HEADER)
    return header.tobytes() + np.array(words, "<u4").tobytes()


def word(x, y, p=1, valid=1):
    return (x << 17) | (y << 2) | (p << 1) | valid


def equal(a, b):
    return all(np.array_equal(u, v) for u, v in zip(a, b, strict=True))


@pytest.mark.parametrize("chunk", [1, 300, 1 << 16])
def test_write_then_read(tmp_path, chunk):
    events = some_events()
    parts = [events.at(slice(0, 400)), no_events(), events.at(slice(400, None))]
    assert write_aedat(tmp_path / "a.aedat", parts, packet_events=128, comment="made up") == 1000
    pieces = list(read_aedat(tmp_path / "a.aedat", chunk_events=chunk))
    assert equal(join_events(pieces), events)
    assert max(p.count for p in pieces) < chunk + 128  # memory: a chunk and a packet


def test_bits_by_hand(tmp_path):
    assert PACKET_HEADER.itemsize == 28
    body = packet([[1, 2, 3]], kind=0, size=12)  # a special event, skipped
    body += packet([[word(100, 7, 1), 50], [word(3, 4, 0, valid=0), 10], [word(127, 0, 0), 60]])
    body += packet([[word(0, 127), 5]], overflow=1)
    (tmp_path / "b.aedat").write_bytes(HEADER + body)
    (events,) = read_aedat(tmp_path / "b.aedat")
    assert events.x.tolist() == [100, 127, 0]
    assert events.y.tolist() == [7, 0, 127]
    assert events.p.tolist() == [1, 0, 1]
    assert events.t_us.tolist() == [50, 60, (1 << 31) + 5]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"#!AER-DAT2.0\r\n", "only AEDAT 3.1 is read"),
        (b"", "only AEDAT 3.1 is read"),
        (HEADER[:14] + b"binary", "no '#!END-HEADER' line"),
        (HEADER + packet([[word(1, 1), 5]])[:-3], "is truncated \\(8 bytes expected, 5 left"),
        (HEADER + packet([[word(1, 1), 5]])[:20], "is truncated \\(28 bytes expected, 20 left"),
        (HEADER + packet([[word(1, 1), 5]], number=10**9), "is truncated"),
        (HEADER + packet([[word(1, 1), 5]], number=-1), "claims -1 events"),
        (HEADER + packet([[word(1, 1), 5]], size=16), "events of 16 bytes"),
        (HEADER + packet([[word(128, 1), 5]]), "x=128, y=1 lies outside the 128 x 128"),
        (HEADER + packet([[word(1, 200), 5]]), "x=1, y=200 lies outside"),
        (HEADER + packet([[word(1, 1), 5], [word(1, 1), 4]]), "backwards at event 1"),
        (HEADER + packet([[word(1, 1), 5]]) + packet([[word(1, 1), 4]]), "between packets"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path, content, said):
    (tmp_path / "bad.aedat").write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        list(read_aedat(tmp_path / "bad.aedat"))
    assert "bad.aedat" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        list(read_aedat(tmp_path / "none.aedat"))


def test_writer_refuses_what_the_format_does_not_hold(tmp_path):
    with pytest.raises(ValueError, match="below 2"):
        write_aedat(tmp_path / "c.aedat", [as_events([0], [0], [0], [1 << 31])])
    with pytest.raises(ValueError, match="one line"):
        write_aedat(tmp_path / "c.aedat", [], comment="two\nlines")
