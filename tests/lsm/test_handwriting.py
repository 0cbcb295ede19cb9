import h5py
import numpy as np
import pytest
from scipy.io import savemat

from harness.data.datasets import main as list_datasets
from harness.errors import UserError
from lsm.data import brain_visual_handwriting as handwriting
from lsm.data.stand_ins.brain_visual_strokes import ALPHABET


@pytest.fixture(scope="module")
def cubes():
    rng = np.random.default_rng(0)
    return {letter: rng.poisson(0.2, (4, 201, 192)).astype(np.uint8) for letter in ALPHABET}


def put(root, cubes, version="5"):
    (root / "handwriting").mkdir(exist_ok=True)
    handwriting.write(root / "handwriting" / handwriting.FILE, cubes, version)
    return root


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_file_is_read_back_clamped(tmp_path, cubes, version):
    data = handwriting.load(put(tmp_path, cubes, version))
    assert (data.kind, len(data.train), len(data.test)) == ("real", 52, 52)
    spikes = data.test.dense()
    assert spikes.shape == (201, 52, 192)
    assert cubes["c"].max() > 1
    assert np.array_equal(spikes[:, 5], np.minimum(cubes["c"][3], 1))
    assert data.test_labels.tolist() == [n for n in range(26) for _ in range(2)]


def test_matlab_stores_axes_reversed(tmp_path, cubes):
    put(tmp_path, cubes, "7.3")
    path = tmp_path / "handwriting" / handwriting.FILE
    assert path.read_bytes()[:10] == b"MATLAB 7.3"
    with h5py.File(path) as file:
        assert file["neuralActivityCube_a"].shape == (192, 201, 4)


def test_same_counts_give_the_same_file(tmp_path, cubes):
    for name in ("a", "b"):
        handwriting.write(tmp_path / name, {"a": cubes["a"]})
    assert (tmp_path / "a.mat").exists() is False
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_another_number_of_test_trials_splits_anew(tmp_path, cubes, monkeypatch):
    root = put(tmp_path, cubes)
    assert len(handwriting.load(root).test) == 52
    monkeypatch.setattr(handwriting, "TEST_TRIALS", 1)
    assert len(handwriting.load(root).test) == 26


def test_later_trials_are_for_test():
    assert handwriting.split_trials(60) == (slice(0, 30), slice(30, 60))
    assert handwriting.split_trials(27) == (slice(0, 14), slice(14, 27))
    assert handwriting.split_trials(200) == (slice(0, 170), slice(170, 200))
    with pytest.raises(UserError, match="1 trial"):
        handwriting.split_trials(1)


def test_stand_in_on_a_bare_machine(tmp_path, capsys):
    data = handwriting.load(tmp_path, tiny=True)
    assert data.kind == "synthetic"
    assert set(data.test_labels) == set(range(26))
    assert 0.1 < data.train.density < 0.3
    assert "simulating" in capsys.readouterr().out
    assert handwriting.load(tmp_path, tiny=True).sha256 == data.sha256
    assert capsys.readouterr().out == ""
    # Letters differ: the mean counts of half the trials find those of the others.
    train, test = (
        np.stack([t.counts(8)[labels == n].mean(0) for n in range(26)])
        for t, labels in ((data.train, data.train_labels), (data.test, data.test_labels))
    )
    train, test = train - train.mean(0), test - test.mean(0)
    assert np.mean((test @ train.T).argmax(1) == np.arange(26)) > 0.5


@pytest.mark.parametrize(
    ("letter", "change", "message"),
    [
        ("q", lambda c: None, "no neuralActivityCube_q"),
        ("b", lambda c: c[:, :, :191], "neuralActivityCube_b has 191 channels, expected 192"),
        ("z", lambda c: c[:3], "neuralActivityCube_z has 3 trials, letter a has 4"),
        ("k", lambda c: c[:, :200], r"neuralActivityCube_k has shape \(4, 200, 192\)"),
        ("d", lambda c: c[0], r"neuralActivityCube_d has shape \((201, 192|192, 201)\)"),
        ("e", lambda c: -c.astype(float), "neuralActivityCube_e: negative"),
        ("f", lambda c: np.where(np.arange(4)[:, None, None] == 2, np.nan, c), r"NaN .* \[2\]"),
    ],
)
@pytest.mark.parametrize("version", ["5", "7.3"])
def test_bad_arrays_are_said(tmp_path, cubes, version, letter, change, message):
    changed = {**cubes, letter: change(cubes[letter])}
    put(tmp_path, {k: v for k, v in changed.items() if v is not None}, version)
    with pytest.raises(UserError, match=message):
        handwriting.load(tmp_path)


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.999])
def test_truncated_files_are_said(tmp_path, cubes, version, share):
    path = put(tmp_path, cubes, version) / "handwriting" / handwriting.FILE
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"MATLAB file|no neuralActivityCube"):
        handwriting.load(tmp_path)


def test_no_matlab_file_is_said(tmp_path):
    path = tmp_path / "x.mat"
    path.write_text("this is text, and long enough to have a header\n" * 20)
    with pytest.raises(UserError, match="no MATLAB file"):
        handwriting.read(path)
    with pytest.raises(UserError, match="is not there"):
        handwriting.read(tmp_path / "nothing.mat")
    savemat(path, {"neuralActivityCube_a": np.zeros((2, 3))})
    with pytest.raises(UserError, match="25 letter"):
        handwriting.read(path)


def test_a_kind_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UserError, match="no real"):
        handwriting.load(tmp_path, kind="real")
    with pytest.raises(UserError, match="no simulated-sensor"):
        handwriting.load(tmp_path, kind="simulated-sensor")


def test_both_sets_are_listed(tmp_path, capsys):
    assert list_datasets(["--data", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    for what in ("neural handwriting: not found", "E-MNIST letters: not found", "wh70rxwmv"):
        assert what in listed
