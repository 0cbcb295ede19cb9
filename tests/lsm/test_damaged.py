"""Files of the LSM data sets that are damaged, mixed up, or say what cannot be."""

import shutil
import wave
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import scipy.sparse
from scipy.io import savemat

from harness.data.idx import read_idx, write_idx
from harness.errors import UserError
from harness.run.config import with_settings
from lsm.data import brain_visual_emnist as emnist
from lsm.data import brain_visual_handwriting as handwriting
from lsm.data import nmnist, ntidigits
from lsm.data.hdf5 import new_hdf5
from lsm.data.mat5 import check_mat5
from lsm.data.stand_ins import nmnist_sensor_check as sensor_check
from lsm.data.stand_ins.ntidigits_cochlea import AudioSpikes
from lsm.data.stand_ins.ntidigits_spoken import read_wav, recorded
from lsm.tables.brain_visual import BrainVisualConfig, random_choices
from lsm.tables.nmnist import NmnistConfig


def wav(path, seconds=0.5):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        sound = 9999 * np.sin(np.arange(int(8000 * seconds)))
        file.writeframes(sound.astype("<i2").tobytes())
    return path


def test_a_recording_cut_in_half_is_refused(tmp_path):
    content = wav(tmp_path / "a.wav").read_bytes()
    assert len(read_wav(tmp_path / "a.wav")) == 4000
    for length in (len(content) // 2, len(content) - 2, len(content) - 1, 40, 3):
        (tmp_path / "cut.wav").write_bytes(content[:length])
        with pytest.raises(UserError, match=r"it was cut|no WAV file"):
            read_wav(tmp_path / "cut.wav")


@pytest.mark.parametrize("name", ["²_a_0.wav", "1_a_².wav", "1_a_9999999999.wav", "11_a_1.wav"])
def test_names_of_recordings_are_plain(tmp_path, name):
    wav(tmp_path / name)
    with pytest.raises(UserError, match="not named <digit>_<speaker>_<n>"):
        list(recorded(tmp_path))


@pytest.mark.parametrize(
    ("channels", "times", "words"),
    [
        ([1, 2], [0.1, 1e12], "over 60"),
        ([1, np.nan], [0.1, 0.2], "no whole number"),
        ([1, 3.7], [0.1, 0.2], "no whole number"),
        ([[1, 2]], [[0.1, 0.2]], "two rows"),
        ([1, 2j], [0.1, 0.2], "two rows"),
    ],
)
def test_spikes_that_no_cochlea_gives_are_refused(channels, times, words):
    with pytest.raises(UserError, match=words):
        ntidigits.bin_spikes(AudioSpikes(np.array(channels), np.array(times)))


def linked(folder):
    """An N-TIDIGITS file whose addresses lie in another file, by name of the way."""
    with h5py.File(folder / "other.h5", "w") as file:
        file["secret"] = np.arange(3)
    for way in ("external", "soft", "virtual", "group"):
        path = folder / f"{way}.h5"
        with h5py.File(path, "w") as file:
            file["train_labels"] = np.array([b"s-0-1"])
            file["train_timestamps/s-0-1"] = np.arange(3.0)
            group = file.create_group("train_addresses")
            if way == "external":
                group["s-0-1"] = h5py.ExternalLink(str(folder / "other.h5"), "secret")
            elif way == "soft":
                group["s-0-1"] = h5py.SoftLink("/train_timestamps/s-0-1")
            elif way == "virtual":
                layout = h5py.VirtualLayout((3,), np.int64)
                layout[:] = h5py.VirtualSource(folder / "other.h5", "secret", (3,))
                group.create_virtual_dataset("s-0-1", layout)
            else:
                group.create_group("s-0-1")
        yield path


def test_hdf5_reads_no_other_file(tmp_path):
    for path in linked(tmp_path):
        with pytest.raises(UserError, match=r"or a link|no array of this file"):
            ntidigits.read(path, "train")


def test_hdf5_that_claims_what_cannot_be_is_refused_unread(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["train_labels"] = np.array([b"s-0-1"])
        file["train_timestamps/s-0-1"] = np.arange(3.0)
        file.create_group("train_addresses").create_dataset(
            "s-0-1", (10**14,), np.uint8, chunks=True
        )
    with pytest.raises(UserError, match="too large to be right"):
        ntidigits.read(path, "train")
    with h5py.File(path, "w") as file:
        for name in ("train_labels", "train_addresses", "train_timestamps"):
            file[name] = 1
    with pytest.raises(UserError, match="must be groups"):
        ntidigits.read(path, "train")


@pytest.mark.parametrize(
    "value",
    [3.0, scipy.sparse.eye(3), np.ones((2, 201, 192)) * 1j, "abc", {"a": 1}, np.array([{}, 1])],
    ids=["scalar", "sparse", "complex", "text", "struct", "cell"],
)
def test_matlab_values_that_are_no_counts_are_refused(tmp_path, value):
    path = tmp_path / "a.mat"
    savemat(path, {handwriting.CUBE + letter: value for letter in handwriting.ALPHABET})
    with pytest.raises(UserError, match=r"no plain array|has shape|damaged"):
        handwriting.read(path)


def test_a_data_kind_is_refused_before_anything_is_read():
    for kind in ("foo", "../../escape"):
        with pytest.raises(UserError, match="it must be real or simulated-sensor or synthetic"):
            with_settings(NmnistConfig(), [f"data_kind={kind}"])


@pytest.fixture(scope="module")
def few_real(tmp_path_factory):
    """A folder with MNIST images, and "real" recordings of its training and its test images."""
    root = tmp_path_factory.mktemp("data")
    images = np.zeros((40, 28, 28), np.uint8)
    rng = np.random.default_rng(0)
    for image in images:
        x, y = rng.integers(4, 16, 2)
        image[y : y + 8, x : x + 8] = rng.integers(0, 2, (8, 8)) * 200
    labels = np.arange(40) % 10
    (root / "mnist").mkdir()
    for name, part in (("train", slice(0, 20)), ("t10k", slice(20, 40))):
        write_idx(root / "mnist" / f"{name}-images-idx3-ubyte.gz", images[part])
        write_idx(root / "mnist" / f"{name}-labels-idx1-ubyte.gz", labels[part])
    nmnist.simulate(images[:20], labels[:20], root / "nmnist" / "Train")
    nmnist.simulate(images[20:], labels[20:], root / "nmnist" / "Test")
    return root


def test_a_test_recording_is_not_paired_with_a_training_image(few_real):
    with pytest.raises(UserError, match="does not show MNIST training image"):
        sensor_check.pairs(few_real)


def test_a_part_of_the_real_set_says_so(few_real):
    assert nmnist.load(few_real, kind="real").name == "N-MNIST, 20 of 60,000"


@pytest.mark.parametrize("name", ["00001 (copy).bin", "²1.bin", "a.bin"])
def test_recordings_are_named_by_the_number_of_their_image(few_real, tmp_path, name):
    shutil.copytree(few_real / "nmnist" / "Train", tmp_path / "Train")
    source = next((tmp_path / "Train" / "1").glob("*.bin"))
    shutil.copy(source, source.with_name(name))
    with pytest.raises(UserError, match="not named <number of its image>"):
        nmnist.recordings(tmp_path / "Train")


def matlab_5(path, **options):
    cube = np.zeros((2, handwriting.BINS, handwriting.CHANNELS), np.uint8)
    savemat(path, {handwriting.CUBE + c: cube for c in handwriting.ALPHABET}, **options)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("compressed", [True, False])
def test_matlab_files_are_walked_through_before_scipy_reads_them(tmp_path, compressed):
    """SciPy 1.17 ends the interpreter on numbers of type 200."""
    path = tmp_path / "a.mat"
    whole = matlab_5(path, do_compression=compressed)
    assert handwriting.read(path)["z"].shape == (2, 201, 192)
    savemat(path, {"note": "text", "s": {"a": 1}, "cell": np.array([{}, 1], object)})
    check_mat5(path.read_bytes())
    if compressed:
        whole[200] ^= 1  # its checksum tells
    else:
        whole[whole.index(b"Cube_a") + 10] = 200  # type of the numbers that follow the name
    path.write_bytes(whole)
    with pytest.raises(UserError, match=r"of type 200|Error -3"):
        handwriting.read(path)


def test_a_stand_in_follows_the_images_it_is_made_from(few_real, tmp_path):
    """As in: one made from two speakers was used for ever after more were added."""
    shutil.copytree(few_real / "mnist", tmp_path / "mnist")
    first = nmnist.load(tmp_path, kind="simulated-sensor")
    images, labels = (
        read_idx(tmp_path / "mnist" / f"train-{part}-ubyte.gz")
        for part in ("images-idx3", "labels-idx1")
    )
    write_idx(tmp_path / "mnist" / "train-images-idx3-ubyte.gz", np.repeat(images, 2, 0))
    write_idx(tmp_path / "mnist" / "train-labels-idx1-ubyte.gz", np.repeat(labels, 2))
    second = nmnist.load(tmp_path, kind="simulated-sensor")
    assert (len(first.train), len(second.train)) == (20, 40)
    assert first.sha256 != second.sha256
    write_idx(tmp_path / "mnist" / "train-images-idx3-ubyte.gz", np.zeros((40, 30, 30), np.uint8))
    with pytest.raises(UserError, match=r"expected \(n, 28, 28\)"):
        nmnist.load(tmp_path, kind="simulated-sensor")


def test_torchvisions_processed_file_is_never_read(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(26), 2)
    for split in emnist.SPLITS:
        images = rng.integers(0, 256, (len(labels), 28, 28)).astype(np.uint8)
        emnist.write(tmp_path / "EMNIST", split, images, labels)
    first = emnist.load(tmp_path)
    (tmp_path / "EMNIST" / "processed").mkdir()
    for name in ("training_letters.pt", "test_letters.pt"):
        (tmp_path / "EMNIST" / "processed" / name).write_bytes(b"other images")
    second = emnist.load(tmp_path)
    assert first.spikes.kind == second.spikes.kind == "real"
    np.testing.assert_array_equal(first.train_images, second.train_images)
    assert first.spikes.sha256 == second.spikes.sha256


@pytest.mark.parametrize(("unseen", "most"), [("s", 26), ("s,t", 325)])
def test_no_more_choices_of_letters_than_there_are(unseen, most):
    """As in: an endless loop with --set unseen=s choices=27."""

    def chosen(choices):
        config = BrainVisualConfig(unseen=unseen, choices=choices)
        data = SimpleNamespace(classes=handwriting.ALPHABET)
        return random_choices(SimpleNamespace(config=config, data=data))

    assert len(set(chosen(most))) == most
    with pytest.raises(UserError, match=f"there are {most} of"):
        chosen(most + 1)


@pytest.mark.parametrize("user_block", [0, 512])
def test_hdf5_of_a_full_disk_is_one_error_of_the_system(tmp_path, monkeypatch, user_block):
    def fill(file):
        for n in range(40):
            file[f"group/{n}"] = np.arange(n)

    with h5py.File(tmp_path / "a", "w", userblock_size=user_block or None) as file:
        fill(file)
    with new_hdf5(tmp_path / "b", user_block) as file:
        fill(file)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"), new_hdf5(tmp_path / "c", user_block) as file:
        fill(file)
