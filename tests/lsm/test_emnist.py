import numpy as np
import pytest

from harness.data.idx import read_idx, write_idx
from harness.errors import UserError
from lsm.data import brain_visual_emnist as emnist


@pytest.fixture
def root(tmp_path):
    images, labels = emnist.drawn(2, seed=5)
    for split in emnist.SPLITS:
        emnist.write(tmp_path / "EMNIST", split, images, labels)
    return tmp_path


def test_files_are_read_back_upright(root):
    images, labels = emnist.drawn(2, seed=5)
    data = emnist.load(root)
    assert (data.spikes.kind, len(data.spikes.train), len(data.spikes.test)) == ("real", 52, 52)
    order = np.argsort(labels, kind="stable")
    assert np.array_equal(data.train_images, images[order])
    assert data.spikes.train_labels.tolist() == [n for n in range(26) for _ in range(2)]
    raw = read_idx(root / "EMNIST" / "raw" / emnist.NAMES[0])
    assert np.array_equal(raw[3], images[3].T)  # stored transposed, as the real set
    stored = read_idx(root / "EMNIST" / "raw" / emnist.NAMES[1])
    assert (stored.min(), stored.max()) == (1, 26)


def test_first_images_of_each_letter_are_kept(root, monkeypatch):
    monkeypatch.setattr(emnist, "TRAIN_IMAGES", 1)
    data = emnist.load(root)
    assert (len(data.spikes.train), len(data.spikes.test)) == (26, 52)
    assert np.array_equal(data.train_images, emnist.drawn(1, seed=5)[0])


def test_another_rate_is_coded_anew(root, monkeypatch):
    before = emnist.load(root)
    monkeypatch.setattr(emnist, "RATE", 40)
    after = emnist.load(root)
    assert after.spikes.train.density > 1.5 * before.spikes.train.density


def test_rate_code_has_the_papers_probability():
    image = np.zeros((28, 28), np.uint8)
    image[0, :4] = 255, 128 + 64, 127, 100  # p = 0.4, 0.2, 0, 0
    spikes = emnist.rate_code(np.stack([image] * 400), seed=0)
    assert spikes.dense().shape == (49, 400, 784)
    rates = spikes.counts().mean(0) / 49
    assert rates[:2] == pytest.approx([0.4, 0.4 * (192 / 127.5 - 1)], rel=0.03)
    assert rates[2:].max() == 0


def test_rate_code_of_an_image_does_not_depend_on_the_batch():
    images, _ = emnist.drawn(1, seed=0)
    whole, part = emnist.rate_code(images, seed=3), emnist.rate_code(images[:5], seed=3)
    assert np.array_equal(whole.take(slice(5)).channels, part.channels)
    other = emnist.rate_code(images[:5], seed=4)
    assert not np.array_equal(other.channels, part.channels)
    twice = emnist.rate_code(images[[0, 0]], seed=3).dense()
    assert not np.array_equal(twice[:, 0], twice[:, 1])


def test_rate_code_wants_images():
    with pytest.raises(UserError, match=r"\(3, 784\)"):
        emnist.rate_code(np.zeros((3, 784), np.uint8), seed=0)


def test_stand_in_on_a_bare_machine(tmp_path, capsys):
    data = emnist.load(tmp_path, tiny=True)
    assert data.spikes.kind == "synthetic"
    assert np.bincount(data.spikes.train_labels).tolist() == [emnist.TINY_TRAIN] * 26
    assert 0.02 < data.spikes.train.density < 0.1
    assert "drawing" in capsys.readouterr().out
    assert emnist.load(tmp_path, tiny=True).spikes.sha256 == data.spikes.sha256
    # Letters differ, and instances of a letter differ less.
    train = data.train_images.reshape(26, -1, 784).astype(float)
    test = data.test_images.reshape(26, -1, 784).astype(float).mean(1)
    distance = ((test[:, None] - train.mean(1)) ** 2).sum(-1)
    assert np.mean(distance.argmin(1) == np.arange(26)) > 0.9
    assert len(np.unique(train.reshape(-1, 784), axis=0)) == len(train) * emnist.TINY_TRAIN


def damage(root, what):
    path = root / "EMNIST" / "raw" / emnist.NAMES[what in ("label", "lost letter")]
    if what == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif what == "header":
        path.write_bytes(b"no idx file" + path.read_bytes())
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "size":
        write_idx(path, np.zeros((52, 27, 28), np.uint8))
    elif what == "count":
        write_idx(path, read_idx(path)[:50])
    else:
        labels = read_idx(path).copy()
        labels[labels == 7] = 27 if what == "label" else 8
        write_idx(path, labels)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("cut", "emnist-letters-train-images-idx3-ubyte: .* truncated"),
        ("header", "no IDX file"),
        ("empty", "no IDX file"),
        ("size", r"\(52, 27, 28\)"),
        ("count", "train images"),
        ("label", "see 7"),
        ("lost letter", "see 7"),
    ],
)
def test_bad_files_are_said(root, what, message):
    damage(root, what)
    with pytest.raises(UserError, match=message):
        emnist.load(root)


def test_a_missing_file_is_said(root):
    (root / "EMNIST" / "raw" / emnist.NAMES[3]).unlink()
    with pytest.raises(UserError, match="emnist-letters-test-labels-idx1-ubyte cannot be read"):
        emnist.read(root / "EMNIST", "test")
    with pytest.raises(UserError, match="no real"):
        emnist.load(root, kind="real")
