from pathlib import Path

from lsm.data.storage import writable_root


def test_a_read_only_data_root_is_left_alone(tmp_path, monkeypatch):
    # Also when the tests run as the administrator, whom the system would let write.
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert writable_root(root) == root
    root.chmod(0o555)
    assert writable_root(root) == Path("data")
    assert not list(root.iterdir())
    root.chmod(0o755)
