import os
import wave
from pathlib import Path

import h5py
import numpy as np
import pytest

from harness.errors import UserError
from lsm.data import ntidigits
from lsm.data.stand_ins import ntidigits_spoken as spoken
from lsm.data.stand_ins.ntidigits_cochlea import AudioSpikes, Cochlea, hear

SPIKES = AudioSpikes(np.array([0, 63, 5]), np.array([0.0, 0.0005, 0.1285]))


def write_wav(path, sound, rate=8000, channels=1, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(
            (np.asarray(sound) * 32767).astype("<i2").tobytes() if width == 2 else sound
        )


def tone(hertz=500.0, seconds=0.3):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(8000 * seconds)) / 8000)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "ntidigits").mkdir()
    train = [(f"a-b-{d}", SPIKES) for d in spoken.DIGITS] + [("a-c-12z", SPIKES)]
    ntidigits.write(tmp_path / "ntidigits" / ntidigits.FILE, {"train": train, "test": train[:3]})
    return tmp_path


def test_binning_by_hand():
    # The last spike at 128.5 ms: floor(128.5) + 1 = 129 bins of 1 ms fit as they are.
    keys = ntidigits.bin_spikes(SPIKES)
    assert keys.tolist() == [0, 63, 128 * 64 + 5]
    # 130 bins are joined two by two.
    late = AudioSpikes(SPIKES.channels, np.array([0.0, 0.0015, 0.1295]))
    assert ntidigits.bin_spikes(late).tolist() == [0, 63, 64 * 64 + 5]
    assert ntidigits.bin_spikes(AudioSpikes(np.array([1]), np.array([0.003]))).tolist() == [193]


def test_published_binning_by_hand():
    def keys(steps, bin_ms):
        return ntidigits.bin_spikes(SPIKES, ntidigits.Binning(steps, bin_ms, True)).tolist()

    # ceil(128.5) + 1 = 130 bins are joined two by two, and bin 128 is in the 65th pair.
    assert keys(129, 1.0) == [0, 63, 64 * 64 + 5]
    # In bins of 10 ms: ceil(12.85) + 1 = 14, not joined to come down to 90.
    assert keys(90, 10.0) == [0, 63, 12 * 64 + 5]
    # 14 bins in 5 steps: ceil(14 / 5) = 3 are joined, so bin 12 is in step 4.
    assert keys(5, 10.0) == [0, 63, 4 * 64 + 5]


def test_file_is_read_back(root):
    data = ntidigits.load(root)
    assert (data.kind, len(data.train), len(data.test)) == ("real", 11, 3)
    assert data.train_labels.tolist() == list(range(11))  # z is 0, o is 10
    assert data.train.dense().shape == (129, 11, 64)
    assert data.train.dense()[128, 4, 5] == 1


def test_cochlea_is_tonotopic_and_does_not_care_for_loudness():
    cochlea = Cochlea()
    for hertz in (300.0, 1000.0, 2500.0):
        spikes = hear(tone(hertz))
        busiest = np.bincount(spikes.channels, minlength=64).argmax()
        assert cochlea.centres_hz()[busiest] == pytest.approx(hertz, rel=0.15)
        assert np.array_equal(spikes.times_s, hear(0.1 * tone(hertz)).times_s)
        assert np.all(np.diff(spikes.times_s) >= 0)


def test_recordings_are_split_by_speaker(tmp_path):
    (tmp_path / "fsdd").mkdir()
    for speaker in ("ann", "bob", "cy"):
        for digit in range(10):
            write_wav(tmp_path / "fsdd" / f"{digit}_{speaker}_0.wav", tone(300 + 200 * digit))
    data = ntidigits.load(tmp_path)
    assert (data.kind, len(data.train), len(data.test)) == ("simulated-sensor", 20, 10)
    for digit in range(10):
        write_wav(tmp_path / "fsdd" / f"{digit}_dan_0.wav", tone(300 + 200 * digit))
    assert len(ntidigits.load(tmp_path).train) == 30  # a speaker more is heard
    assert sorted(data.test_labels) == list(range(10))


def test_stand_in_on_a_bare_machine(tmp_path):
    data = ntidigits.load(tmp_path, tiny=True)
    assert data.kind == "synthetic"
    assert set(data.test_labels) == set(range(11))
    assert ntidigits.load(tmp_path, tiny=True).sha256 == data.sha256


def test_synthesised_digits_repeat_and_differ():
    first, again = (list(spoken.synthesised(1, 2, seed=3)) for _ in range(2))
    assert all(np.array_equal(a.sound, b.sound) for a, b in zip(first, again, strict=True))
    assert len(first[0].sound) != len(first[1].sound)
    assert all(np.isfinite(u.sound).all() and np.ptp(u.sound) > 0 for u in first)


def change_file(path, change):
    with h5py.File(path, "r+") as file:
        if change == "group":
            del file["test_timestamps"]
        elif change == "lengths":
            del file["train_addresses/a-b-3"]
            file["train_addresses/a-b-3"] = np.array([1, 2])
        elif change == "channel":
            file["train_addresses/a-b-3"][0] = 64
        elif change == "time":
            file["train_timestamps/a-b-3"][0] = -0.1
        elif change == "label":
            names = file["train_labels"][()]
            names[2] = b"a-b-x"
            file["train_labels"][...] = names
        elif change == "lost":
            del file["train_addresses/a-b-3"]
        elif change == "nothing":
            for part in ("addresses", "timestamps"):
                del file[f"train_{part}/a-b-3"]
                file[f"train_{part}/a-b-3"] = np.zeros(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("group", "no test_timestamps"),
        ("lengths", "2 addresses, but 3 times"),
        ("channel", "expected 0 to 63"),
        ("time", "negative"),
        ("label", "'a-b-x'"),
        ("lost", "no a-b-3 in it"),
        ("nothing", "no spikes"),
    ],
)
def test_bad_files_are_said(root, change, message):
    change_file(root / "ntidigits" / ntidigits.FILE, change)
    with pytest.raises(UserError, match=message):
        ntidigits.load(root)


def test_no_hdf5_is_said(root):
    (root / "ntidigits" / ntidigits.FILE).write_bytes(b"not a file")
    with pytest.raises(UserError, match="HDF5"):
        ntidigits.load(root)


@pytest.mark.parametrize(
    ("sound", "format_", "message"),
    [
        (tone(), {"rate": 16000}, "16000 Hz"),
        (tone(), {"channels": 2}, "2 channel"),
        (b"\1\2\3" * 3000, {"width": 3}, "24 bits"),
        (np.zeros(4000), {}, "silence"),
        (tone(seconds=0.01), {}, "10 ms"),
    ],
)
def test_bad_sounds_are_said(tmp_path, sound, format_, message):
    write_wav(tmp_path / "1_ann_0.wav", sound, **format_)
    with pytest.raises(UserError, match=message):
        list(spoken.recorded(tmp_path))


def test_bad_names_and_one_speaker_are_said(tmp_path):
    (tmp_path / "fsdd").mkdir()
    write_wav(tmp_path / "fsdd" / "1_ann_0.wav", tone())
    with pytest.raises(UserError, match="one speaker"):
        ntidigits.load(tmp_path)
    write_wav(tmp_path / "fsdd" / "one.wav", tone())
    with pytest.raises(UserError, match="not named"):
        ntidigits.load(tmp_path)


@pytest.mark.skipif("DATA_ROOT" not in os.environ, reason="needs real recordings")
def test_real_sounds():
    folder = Path(os.environ["DATA_ROOT"]) / "fsdd"
    if not folder.is_dir():
        pytest.skip("no FSDD there")
    utterance = next(spoken.recorded(folder))
    spikes = hear(utterance.sound)
    assert 100 < len(spikes.channels) < 3000
    assert len(ntidigits.bin_spikes(spikes)) > 100


@pytest.mark.skipif("DATA_ROOT" not in os.environ, reason="needs real recordings")
def test_real_utterance_of_the_sensor():
    path = Path(os.environ["DATA_ROOT"]) / "ntidigits" / "NTIDIGITS_1.bs1"
    if not path.is_file():
        pytest.skip("no utterance there")
    raw = np.fromfile(path, np.uint8).reshape(-1, 5).astype(np.int64)
    times = ((raw[:, 2] & 127) << 16 | raw[:, 3] << 8 | raw[:, 4]) / 1e6
    keys = ntidigits.bin_spikes(AudioSpikes(raw[:, 0] << 8 | raw[:, 1], times))
    assert len(np.unique(keys % 64)) == 44
    assert 0.02 < len(keys) / (129 * 64) < 0.1
