"""Files of others are read bounded; ours are written whole, by one writer, inside their folder."""

import errno
import fcntl
import multiprocessing
import os
import time

import numpy as np
import pytest

from harness.data.cache import SUMS, cached_arrays, in_use, is_whole, new_folder, stand_in
from harness.data.files import inside, locked, replacing, unwritable, whole_number
from harness.errors import UserError
from rram.files import is_number, parsing, read_file, read_numbers, read_text


def test_devices_pipes_and_folders_are_refused_unread(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe", tmp_path):
        with pytest.raises(UserError, match="no regular file"):
            read_file(path)
    (tmp_path / "a").write_bytes(b"12345")
    with pytest.raises(UserError, match="at most 4 are read"):
        read_file(tmp_path / "a", limit=4)
    for name in ("none", "n" * 300, "a\0b"):
        with pytest.raises(UserError, match="cannot be read"):
            read_file(tmp_path / name)


def test_whatever_a_parser_raises_is_one_line(tmp_path):
    for error in (KeyError("x"), RecursionError("deep\ndeeper"), MemoryError(), OSError(5, "I/O")):
        with (
            pytest.raises(UserError, match="damaged, or no thing") as caught,
            parsing("f", "thing"),
        ):
            raise error
        assert "\n" not in str(caught.value)
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="no text in UTF-8"):
        read_text(tmp_path / "a")


@pytest.mark.parametrize("text", ["1_000", "٣", "1e", "0x10", "1\n", "", "--1", "1 2"])
def test_numbers_are_plain_decimals(text):
    assert not is_number(text)
    assert is_number("-1.5e-3") and is_number("nan")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1_000,2\n", "'1_000' is not a number"),
        ('1,"' + "2" * 200_000 + '"\n', "no CSV file"),
        ('1,"2\n', "no CSV file"),
        ("9" * 400 + ",2\n", "not a finite number"),
        ('"1\n",2\n', "is not a number"),
    ],
)
def test_csv_that_python_would_take_is_refused(tmp_path, text, words):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        read_numbers(tmp_path / "a.csv")


@pytest.mark.parametrize("text", ["1_0", "²", "9" * 400, "-1", "11", "1.0", ""])
def test_whole_numbers_lie_in_their_range(text):
    assert whole_number(" 7", 1, 10) == 7
    with pytest.raises(ValueError, match="no whole number from 1 to 10"):
        whole_number(text, 1, 10)


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "a/../../b", "n" * 300, "a\0b", "", "é" * 200]
)
def test_names_in_files_stay_in_the_folder(tmp_path, name):
    assert inside(tmp_path, "a/b.txt", tmp_path / "list") == tmp_path / "a" / "b.txt"
    with pytest.raises(UserError, match="is no file inside"):
        inside(tmp_path, name, tmp_path / "list")


def test_the_remedy_fits_the_fault(tmp_path):
    remedies = {
        errno.ENOSPC: "free some space",
        errno.EROFS: "may not be written here",
        errno.EACCES: "may not be written here",
        errno.ENAMETOOLONG: "name another folder",
    }
    for number, remedy in remedies.items():
        assert remedy in str(unwritable(tmp_path, OSError(number, os.strerror(number))))
    assert "space" not in str(unwritable(tmp_path, OSError(errno.EROFS, "Read-only")))


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    (tmp_path / ".a.part").write_text("left by a kill")
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(UserError, match="No space left"), replacing(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def count_up(path, times):
    for _ in range(times):
        with locked(path):
            value = int(path.read_text())
            time.sleep(0.001)
            path.write_text(str(value + 1))


def test_one_writer_at_a_time(tmp_path):
    path = tmp_path / "number"
    path.write_text("0")
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=count_up, args=(path, 20)) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert path.read_text() == "60"
    assert list(tmp_path.iterdir()) == [path]


def made_slowly(root, calls):
    def make():
        calls.put(1)
        time.sleep(0.3)
        return {"a": np.arange(4)}

    assert cached_arrays(root, "kept", "1", make)["a"].tolist() == [0, 1, 2, 3]


def test_two_first_loads_at_once_make_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    calls = context.Queue()
    both = [context.Process(target=made_slowly, args=(tmp_path, calls)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [one.exitcode for one in both] == [0, 0]
    calls.get(timeout=1)
    assert calls.empty()


def test_every_altered_byte_of_a_cache_is_noticed(tmp_path):
    def load():
        return cached_arrays(tmp_path, "kept", "1", lambda: {"a": np.arange(50)}, memory_map=True)

    load()
    folder = tmp_path / "cache" / "kept-1"
    for name in ("a.npy", "arrays.json", SUMS):
        whole = (folder / name).read_bytes()
        for place in range(0, len(whole), 7):
            altered = bytearray(whole)
            altered[place] ^= 1
            (folder / name).write_bytes(altered)
            os.utime(folder / name, ns=(place + 1, place + 1))
            assert not is_whole(folder) or name == SUMS  # a time of change may differ
        np.testing.assert_array_equal(load()["a"], np.arange(50))
        assert is_whole(folder)
    os.utime(folder / "a.npy", ns=(5, 5))  # a copy: read again, found whole
    assert is_whole(folder)
    (folder / "further.npy").write_text("")
    assert not is_whole(folder)


def test_an_altered_stand_in_is_made_anew(tmp_path):
    def write(new):
        (new / "part").mkdir()
        (new / "part" / "a.txt").write_text("right")

    folder = stand_in(tmp_path, "synthetic", "1", write, "drawing")
    (folder / "part" / "a.txt").write_text("wrong")
    os.utime(folder / "part" / "a.txt", ns=(1, 1))
    assert stand_in(tmp_path, "synthetic", "1", write, "drawing") == folder
    assert (folder / "part" / "a.txt").read_text() == "right"
    (folder / "part" / "a.txt").unlink()
    stand_in(tmp_path, "synthetic", "1", write, "drawing")
    assert (folder / "part" / "a.txt").read_text() == "right"


def test_what_a_kill_left_half_done_goes_and_what_is_at_work_stays(tmp_path):
    left, at_work = tmp_path / ".old-abcdefgh", tmp_path / ".other-abcdefgh"
    left.mkdir()
    at_work.mkdir()
    with (tmp_path / ".other.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert in_use(tmp_path / "other") and not in_use(tmp_path / "old")
        with new_folder(tmp_path / "new"):
            pass
    assert not left.exists() and at_work.exists()
