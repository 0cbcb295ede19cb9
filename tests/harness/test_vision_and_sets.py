"""torchvision beside a CPU-only torch, and the list of data sets."""

import subprocess
import sys

from harness import datasets
from harness.vision import torchvision_datasets


def test_torchvision_datasets_imports():
    assert hasattr(torchvision_datasets(), "FashionMNIST")


def test_the_packages_do_not_import_torchvision():
    code = "import sys, rram, harness.cli, deplm.tables.image; print('torchvision' in sys.modules)"
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
