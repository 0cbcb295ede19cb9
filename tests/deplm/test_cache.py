import numpy as np
import pytest

from deplm.data.cache import cached_arrays, key_of, manifest_sha256, new_folder
from harness.errors import UserError


def test_arrays_are_made_once_and_made_again_when_damaged(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return {"a": np.arange(5), "b": np.ones((2, 3), np.float32)}

    for _ in range(2):
        arrays = cached_arrays(tmp_path / "kept", make)
        np.testing.assert_array_equal(arrays["a"], np.arange(5))
        assert arrays["b"].dtype == np.float32
    assert len(calls) == 1
    (tmp_path / "kept" / "a.npy").write_bytes(b"\x93NUMPY cut")
    cached_arrays(tmp_path / "kept", make)
    assert len(calls) == 2
    assert isinstance(cached_arrays(tmp_path / "kept", make, memory_map=True)["a"], np.memmap)


def test_nothing_is_unpickled(tmp_path):
    folder = tmp_path / "kept"
    cached_arrays(folder, lambda: {"a": np.arange(3)})
    np.save(folder / "a.npy", np.array([{"code": 1}], dtype=object), allow_pickle=True)
    np.testing.assert_array_equal(
        cached_arrays(folder, lambda: {"a": np.arange(3)})["a"], np.arange(3)
    )


def test_an_unwritable_place_is_said_and_survived(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    arrays = cached_arrays(tmp_path / "file" / "kept", lambda: {"a": np.arange(2)})
    assert arrays["a"].tolist() == [0, 1]
    assert "not kept" in capsys.readouterr().err
    with pytest.raises(UserError, match="cannot be written"), new_folder(tmp_path / "file" / "x"):
        pass


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "x") as temporary:
        (temporary / "half").write_text("")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_checksums_follow_names_sizes_and_ends(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"0" * 1000)
    first = manifest_sha256(tmp_path, [path], sample_bytes=10)
    path.write_bytes(b"0" * 999 + b"1")
    assert manifest_sha256(tmp_path, [path], sample_bytes=10) != first
    assert key_of(first, {"b": 1, "a": 2}) == key_of(first, {"a": 2, "b": 1})
    assert key_of(first, {"a": 1}) != key_of(first, {"a": 2})
