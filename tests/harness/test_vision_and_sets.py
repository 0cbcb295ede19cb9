"""torchvision beside a CPU-only torch, and the list of data sets."""

import gzip
import resource
import subprocess
import sys

import pytest

from harness.data import datasets
from harness.data.datasets import KIND_FILE, data_root, kind_of
from harness.data.idx import read_idx
from harness.data.vision import torchvision_datasets
from harness.errors import UserError


def test_torchvision_datasets_imports():
    assert hasattr(torchvision_datasets(), "FashionMNIST")


def test_the_packages_do_not_import_torchvision():
    code = (
        "import sys, rram, harness.run.cli, deplm.tables.image; print('torchvision' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_every_set_says_where_and_how(tmp_path, capsys):
    assert datasets.main(["--data", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for info in datasets.all_datasets():
        assert f"{info.name}: not found" in text
        assert str(tmp_path / info.folder) in text
        assert info.how_to_get in text
    for name in ("Fashion-MNIST", "MNIST", "Free Spoken Digit Dataset"):
        assert f"{name}: not found" in text


def test_single_real_recordings_are_listed(tmp_path, capsys):
    clips = tmp_path / "dvs_gesture"
    clips.mkdir()
    for name in ("1.bs2", "2.bs2"):
        (clips / name).write_bytes(b"")
    assert datasets.main(["--data", str(tmp_path)]) == 0
    assert "real here  2 files *.bs2" in capsys.readouterr().out


def test_a_named_data_folder_must_be_there(tmp_path, capsys):
    assert datasets.main(["--data", str(tmp_path / "no")]) == 2
    assert "is not there" in capsys.readouterr().err


def test_idx_of_many_axes_or_more_than_it_says_is_refused(tmp_path):
    path = tmp_path / "a-idx3-ubyte"
    path.write_bytes(bytes([0, 0, 8, 255]) + b"\0\0\0\1" * 255 + b"x")
    with pytest.raises(UserError, match="255 axes"):
        read_idx(path)
    path.write_bytes(bytes([0, 0, 8, 3]) + b"\0\1\0\0" * 3)
    with pytest.raises(UserError, match="at most are read"):
        read_idx(path)
    bomb = tmp_path / "a-idx3-ubyte.gz"
    bomb.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 5]) + bytes(200_000_000), 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="more data than"):
        read_idx(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_kind_that_is_no_text_is_one_line(tmp_path):
    (tmp_path / KIND_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="no text in UTF-8"):
        kind_of(tmp_path)


@pytest.mark.parametrize("name", ["n" * 300, "a\0b", "/none"])
def test_a_data_folder_that_cannot_be_is_one_line(name):
    with pytest.raises(UserError, match="is not there"):
        data_root(name)
