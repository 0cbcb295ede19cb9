import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.data.cache import cached_arrays, checksum_of, key_of, new_folder, stand_in
from harness.data.datasets import kind_of
from harness.errors import UserError


def two_arrays(calls):
    calls.append(1)
    return {"a": np.arange(5), "b": np.ones((2, 3), np.float32)}


def test_arrays_are_made_once_and_made_again_when_damaged(tmp_path):
    calls = []
    for _ in range(2):
        arrays = cached_arrays(tmp_path, "kept", "1", lambda: two_arrays(calls))
        np.testing.assert_array_equal(arrays["a"], np.arange(5))
        assert arrays["b"].dtype == np.float32
    assert len(calls) == 1
    (tmp_path / "cache" / "kept-1" / "a.npy").write_bytes(b"\x93NUMPY cut")
    cached_arrays(tmp_path, "kept", "1", lambda: two_arrays(calls))
    assert len(calls) == 2
    again = cached_arrays(tmp_path, "kept", "1", lambda: two_arrays(calls), memory_map=True)
    assert len(calls) == 2 and isinstance(again["a"], np.memmap)
    cached_arrays(tmp_path, "kept", "2", lambda: two_arrays(calls))
    assert len(calls) == 3


def test_nothing_is_unpickled(tmp_path):
    cached_arrays(tmp_path, "kept", "1", lambda: {"a": np.arange(3)})
    path = tmp_path / "cache" / "kept-1" / "a.npy"
    np.save(path, np.array([{"code": 1}], dtype=object), allow_pickle=True)
    arrays = cached_arrays(tmp_path, "kept", "1", lambda: {"a": np.arange(3)})
    np.testing.assert_array_equal(arrays["a"], np.arange(3))


def test_an_unwritable_place_is_said_and_survived(tmp_path, capsys):
    (tmp_path / "cache").write_text("in the way")
    arrays = cached_arrays(tmp_path, "kept", "1", lambda: {"a": np.arange(2)})
    assert arrays["a"].tolist() == [0, 1]
    assert capsys.readouterr().err.count("not kept") == 1
    with pytest.raises(UserError, match="cannot be written"), new_folder(tmp_path / "cache" / "x"):
        pass


def test_a_full_disk_is_said_and_survived(tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    arrays = cached_arrays(tmp_path, "kept", "1", lambda: {"a": np.arange(2)})
    assert arrays["a"].tolist() == [0, 1]
    text = capsys.readouterr().err
    assert "No space left" in text and text.count("\n") == 1
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "x") as temporary:
        (temporary / "half").write_text("")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_checksums_follow_names_sizes_and_ends(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"0" * 1000)
    first = checksum_of(tmp_path, [path], sample_bytes=10)
    path.write_bytes(b"0" * 999 + b"1")
    assert checksum_of(tmp_path, [path], sample_bytes=10) != first


@dataclass(frozen=True)
class Settings:
    rate: float = 1.0


def test_a_key_follows_every_setting():
    key = key_of(a=1, b=Settings(), c=np.arange(2000))
    assert key == key_of(c=np.arange(2000), b=Settings(), a=1)
    middle = np.arange(2000)
    middle[1000] = 0
    others = [
        key_of(a=2, b=Settings(), c=np.arange(2000)),
        key_of(a=1, b=Settings(2.0), c=np.arange(2000)),
        key_of(a=1, b=Settings(), c=middle),
    ]
    assert len({key, *others}) == 4
    with pytest.raises(TypeError, match="part of a key"):
        key_of(a=object())


def test_a_key_follows_the_files(tmp_path):
    path = tmp_path / "a"
    path.write_text("1")
    os.utime(path, ns=(0, 0))
    keys = {key_of(files=[path])}
    os.utime(path, ns=(0, 1))
    keys.add(key_of(files=[path]))
    path.write_text("12")
    os.utime(path, ns=(0, 0))
    keys.add(key_of(files=[path]))
    path.rename(tmp_path / "b")
    keys.add(key_of(files=[tmp_path / "b"]))
    assert len(keys) == 4


def module(path: Path, text: str):
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("maker", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_a_key_follows_the_code_but_not_its_words(tmp_path):
    path = tmp_path / "maker.py"
    code = 'def double(x):\n    """Twice."""\n    return 2 * x\n'
    first = key_of(code=[module(path, code)])
    assert first == key_of(code=[module(path, '"""Head."""\n\n# why\n' + code)])
    assert first == key_of(code=[module(path, code.replace("Twice", "Two times"))])
    assert first != key_of(code=[module(path, code.replace("2", "3"))])
    assert first != key_of(code=[module(path, code + "RATE = 20\n")])


def test_a_stand_in_is_made_when_missing_or_changed_only(tmp_path, capsys):
    calls = []

    def write(new):
        calls.append(1)
        (new / f"{len(calls)}.txt").write_text("")

    first, again, other = (
        stand_in(tmp_path, "synthetic", key, write, "drawing") for key in ("1", "1", "2")
    )
    assert first == again != other and len(calls) == 2
    assert kind_of(other) == "synthetic" and (other / "2.txt").exists()
    assert (first / "1.txt").exists()  # it may be in use still
    assert capsys.readouterr().out.count("drawing (synthetic)") == 2
    assert stand_in(tmp_path, "synthetic", "1", write, "drawing", tiny=True) != first


def test_a_stand_in_that_fails_leaves_nothing(tmp_path):
    def fail(new):
        (new / "b").write_text("")
        raise UserError("no sound in it")

    with pytest.raises(UserError, match="no sound"):
        stand_in(tmp_path / "x", "synthetic", "2", fail, "drawing")
    assert list((tmp_path / "x").iterdir()) == []
