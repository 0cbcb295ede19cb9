"""Fashion-MNIST: the real form written and read back, where it is looked for, bad files."""

import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from deplm.data import image_fashion_mnist as fashion_mnist
from harness.data.idx import read_idx, write_idx
from harness.errors import UserError


def write_set(folder, images=None, labels=None):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 30), ("t10k", 20)):
        x = rng.integers(0, 256, (count, 28, 28)) if images is None else images
        y = np.arange(count) % 10 if labels is None else labels
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", np.asarray(x))
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", np.asarray(y))
    return folder


def test_images_of_ones_own(tmp_path):
    write_set(tmp_path / "mine")
    data = fashion_mnist.load(tmp_path, "mine")
    assert (data.record.name, data.record.kind) == ("mine", "real")
    assert (data.record.train, data.record.test) == (30, 20)
    assert data.train.labels.tolist() == [n % 10 for n in range(30)]


def test_points_of_an_image():
    """Intensity in [-1, 1]; x runs along columns, y along rows, index / 28 - 0.5."""
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 2, 5] = 255
    clouds = fashion_mnist.ImageClouds("test", image, np.zeros(1)).clouds(np.array([0]))
    assert clouds.points.shape == (1, 784, 3)
    point = clouds.points[0, 2 * 28 + 5].tolist()
    assert point == pytest.approx([1.0, 5 / 28 - 0.5, 2 / 28 - 0.5])
    assert clouds.points[0, 0].tolist() == pytest.approx([-1.0, -0.5, -0.5])
    assert clouds.features is clouds.points


def test_stand_in_is_marked_and_read_by_the_real_loader(tmp_path):
    data = fashion_mnist.load(tmp_path, tiny=True)
    assert data.record.kind == "synthetic"
    assert set(data.train.labels) == set(range(10))
    folder = fashion_mnist.INFO.stand_in_folder(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*")}
    again = fashion_mnist.load(tmp_path, tiny=True)
    assert again.record == data.record
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("*/*")} != {}


@pytest.mark.parametrize("name", ["images.gz", "images"])
def test_idx_round_trip(tmp_path, name):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_idx(tmp_path / name, array)
    assert np.array_equal(read_idx(tmp_path / name), array)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no IDX file"),
        (b"\x00\x00\x09\x01\x00\x00\x00\x01a", "no IDX file"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abc", "less data"),
        (b"\x00\x00\x08\x03\x00\x00", "its header says 3 axes"),
    ],
)
def test_unfit_idx_is_refused(tmp_path, content, words):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_idx(path)


def test_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "x.gz"
    write_idx(path, np.zeros((50, 50), np.uint8))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="no gzip file"):
        read_idx(path)


def test_a_corrupted_official_file_is_named_and_kept(tmp_path):
    folder = write_set(tmp_path / fashion_mnist.INFO.folder)
    before = (folder / fashion_mnist.FILES[0]).read_bytes()
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz: wrong checksum"):
        fashion_mnist.load(tmp_path)
    assert (folder / fashion_mnist.FILES[0]).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": np.zeros((30, 32, 32))}, r"\(30, 32, 32\), expected"),
        ({"labels": np.full(30, 10)}, "label 10"),
        ({"images": np.zeros((7, 28, 28))}, "7 images"),
        ({"images": np.zeros((0, 28, 28)), "labels": np.zeros(0)}, "0 images"),
    ],
)
def test_unfit_images_are_refused(tmp_path, change, words):
    write_set(tmp_path / "mine", **change)
    with pytest.raises(UserError, match=words):
        fashion_mnist.load(tmp_path, "mine")


def test_what_was_tried_is_told_in_order(tmp_path, monkeypatch):
    def offline(_):
        raise OSError("no network")

    monkeypatch.setattr(fashion_mnist, "_download", offline)
    monkeypatch.setattr(fashion_mnist, "PACKAGE_FOLDER", tmp_path / "none")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError) as caught:
        fashion_mnist.load(tmp_path)
    text = str(caught.value)
    places = [text.index(w) for w in ("data folder", "installed", "torchvision", "Debian package")]
    assert places == sorted(places)
    assert "--smoke" in text
    assert "\n" not in text


def test_a_fetched_bad_copy_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "_download", lambda scratch: write_set(scratch / "raw"))
    monkeypatch.setattr(fashion_mnist, "PACKAGE_FOLDER", tmp_path / "none")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="wrong checksum"):
        fashion_mnist.load(tmp_path)
    assert not (tmp_path / fashion_mnist.INFO.folder).exists()


def test_an_installed_debian_package_is_used(tmp_path, monkeypatch):
    package = write_set(tmp_path / "package")
    monkeypatch.setattr(fashion_mnist, "PACKAGE_FOLDER", package)
    monkeypatch.setattr(fashion_mnist, "CHECKSUMS", dict.fromkeys(fashion_mnist.FILES))
    data = fashion_mnist.load(tmp_path)
    assert (data.record.kind, data.record.train) == ("real", 30)


def test_the_debian_package_is_fetched_and_unpacked(tmp_path, monkeypatch):
    """apt-get and dpkg-deb as programs, played by two lines of shell."""
    source = write_set(tmp_path / "source")
    tools = tmp_path / "tools"
    tools.mkdir()
    inside = fashion_mnist.PACKAGE_FOLDER.relative_to("/")
    scripts = {
        "apt-get": "touch dataset-fashion-mnist_0_all.deb",
        "dpkg-deb": f'mkdir -p "$3/{inside}" && cp "{source}"/* "$3/{inside}"',
    }
    for name, line in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = fashion_mnist._fetch_package(scratch)
    assert sorted(p.name for p in found.iterdir()) == sorted(fashion_mnist.FILES)


@pytest.mark.skipif(
    not (Path(os.environ.get("DATA_ROOT", "/nowhere")) / "mnist").is_dir(), reason="needs DATA_ROOT"
)
def test_real_bytes_of_the_same_format():
    """MNIST has Fashion-MNIST's format to the byte."""
    folder = Path(os.environ["DATA_ROOT"]) / "mnist"
    data = fashion_mnist.load(folder.parent, "mnist")
    assert (data.record.train, data.record.test) == (60_000, 10_000)
    assert data.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    raw = gzip.decompress((folder / fashion_mnist.FILES[0]).read_bytes())
    assert data.train.images[0].tobytes() == raw[16 : 16 + 784]
