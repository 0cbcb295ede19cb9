import os
from pathlib import Path

import numpy as np
import pytest

from harness.data.events import (
    TIME_LIMIT_US,
    as_events,
    check_events,
    join_events,
    no_events,
    read_events_5byte,
    write_events_5byte,
)
from harness.errors import UserError


def some_events(count=500, size=34, seed=0):
    rng = np.random.default_rng(seed)
    return as_events(
        rng.integers(0, size, count),
        rng.integers(0, size, count),
        rng.integers(0, 2, count),
        np.sort(rng.integers(0, TIME_LIMIT_US, count)),
    )


def test_one_event_by_hand(tmp_path):
    (tmp_path / "one.bin").write_bytes(bytes([3, 33, 0x80 | 0x01, 0x02, 0x03]))
    events = read_events_5byte(tmp_path / "one.bin", 34, 34)
    assert [int(column[0]) for column in events] == [3, 33, 1, 0x010203]


def test_write_then_read(tmp_path):
    events = some_events()
    write_events_5byte(tmp_path / "a.bin", events)
    back = read_events_5byte(tmp_path / "a.bin", 34, 34, sorted_times=True)
    assert back.count == 500
    for ours, theirs in zip(back, events, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (bytes(7), "7 bytes is not a whole number"),
        (bytes([34, 0, 0, 0, 0]), "x=34, y=0 lies outside the 34 x 34 sensor"),
        (bytes([0, 0, 0, 0, 9, 0, 0, 0, 0, 8]), "backwards at event 1"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path, content, said):
    path = tmp_path / "bad.bin"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        read_events_5byte(path, 34, 34, sorted_times=True)
    assert "bad.bin" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file_and_unsorted_times(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_events_5byte(tmp_path / "none.bin", 34, 34)
    (tmp_path / "b.bin").write_bytes(bytes([0, 0, 0, 0, 9, 0, 0, 0, 0, 8]))
    assert read_events_5byte(tmp_path / "b.bin", 34, 34).count == 2


def test_writer_refuses_what_does_not_fit(tmp_path):
    with pytest.raises(ValueError, match="23 bits"):
        write_events_5byte(tmp_path / "c.bin", as_events([0], [0], [0], [TIME_LIMIT_US]))
    with pytest.raises(ValueError, match="byte"):
        write_events_5byte(tmp_path / "c.bin", as_events([256], [0], [0], [0]))


def test_joining_and_nothing():
    events = some_events(20)
    joined = join_events([events.at(slice(0, 5)), no_events(), events.at(slice(5, None))])
    np.testing.assert_array_equal(joined.t_us, events.t_us)
    assert join_events([]).count == 0
    assert check_events(no_events(), 1, 1, "nothing").count == 0


@pytest.mark.skipif("DATA_ROOT" not in os.environ, reason="DATA_ROOT not set")
def test_real_gesture_clips():
    clips = sorted(Path(os.environ["DATA_ROOT"], "dvs_gesture").glob("*.bs2"))
    if not clips:
        pytest.skip("no real clips there")
    for clip in clips:
        events = read_events_5byte(clip, 128, 128, sorted_times=True)
        assert 1.4e6 < events.t_us[-1] - events.t_us[0] < 1.5e6
        assert 0.4 < events.p.mean() < 0.6
