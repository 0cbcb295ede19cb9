from harness.data.datasets import project_root, writable_root


def test_a_read_only_data_root_is_left_alone(tmp_path):
    # Also when the tests run as the administrator, whom the system would let write.
    root = tmp_path / "root"
    root.mkdir()
    assert writable_root(root) == root
    root.chmod(0o555)
    assert writable_root(root) == project_root() / "data"
    assert not list(root.iterdir())
    root.chmod(0o755)
