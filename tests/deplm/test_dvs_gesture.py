import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deplm.data.dvs_aedat import read_aedat, write_aedat
from deplm.data.dvs_gesture import (
    INFO,
    labels_path,
    load,
    load_clips,
    load_folder,
    read_labels,
    read_trial,
)
from deplm.data.dvs_windows import WindowSettings, cut, window_begins
from deplm.data.stand_ins import dvs_gesture as writer
from deplm.data.stand_ins.dvs_camera import GestureCamera
from deplm.data.stand_ins.dvs_gesture import ensure_stand_in, write_stand_in
from harness.data.events import as_events, join_events, read_events_5byte, write_events_5byte
from harness.errors import UserError

SETTINGS = WindowSettings(kept=1500)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    return ensure_stand_in(tmp_path_factory.mktemp("data"), tiny=True)


@pytest.fixture
def official(stand_in, tmp_path):
    """The official layout as the real set has it: no mark of a stand-in."""
    folder = tmp_path / INFO.folder
    shutil.copytree(stand_in, folder)
    (folder / "KIND").unlink()
    return folder


def test_real_layout_is_written_and_read_back(official, tmp_path):
    assert INFO.found(tmp_path) == official
    data = load(tmp_path, settings=SETTINGS)
    assert data.kind == "real" and len(data.sha256) == 64
    assert len(data.train) == 20 and len(data.test) == 10  # one window in 0.7 s
    np.testing.assert_array_equal(np.bincount(data.train.labels), np.full(10, 2))
    assert set(data.train.subjects) == {1, 2} and set(data.test.subjects) == {24}
    assert len(set(data.train.trials)) == 20
    again = load(tmp_path, settings=SETTINGS)  # from the cache
    np.testing.assert_array_equal(again.train.t, data.train.t)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_windows_hold_the_recording_s_own_events(official, tmp_path):
    settings = WindowSettings(denoise_us=0, kept=1 << 15)
    data = load(tmp_path, settings=settings)
    path = official / "user01_fluorescent.aedat"
    events = join_events(list(read_aedat(path)))
    trial = read_labels(labels_path(path))[3]
    inside = (events.t_us >= trial.start_us) & (events.t_us < trial.start_us + 500_000)
    row = int(np.flatnonzero((data.train.labels == 3) & (data.train.subjects == 1))[0])
    held = int(data.train.kept[row])
    assert held == inside.sum()
    np.testing.assert_array_equal(data.train.xy[row, :held, 0], events.x[inside])
    t = events.t_us[inside]
    np.testing.assert_allclose(data.train.t[row, :held], (t - t[0]) / (t[-1] - t[0]), atol=1e-6)


def test_no_data_gives_the_marked_stand_in_once(tmp_path):
    first = load(tmp_path, settings=SETTINGS, tiny=True)
    assert first.kind == "synthetic"
    (folder,) = (tmp_path / "dvs_gesture-stand-in").iterdir()
    times = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    load(tmp_path, settings=SETTINGS, tiny=True)
    assert times == {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    assert not [p for p in folder.parent.iterdir() if p.name.startswith(".")]


def test_the_stand_in_is_made_again_when_its_lights_change(tmp_path, monkeypatch):
    first = ensure_stand_in(tmp_path, tiny=True)
    monkeypatch.setitem(writer.LIGHTS, "fluorescent", (GestureCamera(threshold=0.2), 1.0, 0.3, 0.1))
    other = ensure_stand_in(tmp_path, tiny=True)
    recordings = [(made / "user01_fluorescent.aedat").read_bytes() for made in (first, other)]
    assert len(recordings[1]) < len(recordings[0])


def test_stand_in_repeats(stand_in, tmp_path):
    write_stand_in(tmp_path, 2, 1, 700_000)
    for path in sorted(stand_in.glob("user*")) + sorted(stand_in.glob("*.txt")):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_clouds_are_in_range_and_repeat(stand_in, tmp_path):
    windows = load_folder(stand_in, tmp_path, SETTINGS).train
    clouds = windows.draw(1024)
    assert clouds.shape == (20, 1024, 3) and clouds.dtype == np.float32
    assert clouds.min() >= 0 and clouds.max() <= 1
    np.testing.assert_array_equal(windows.draw(1024, rows=np.array([7, 3])), clouds[[7, 3]])
    assert not np.array_equal(windows.draw(1024, seed=1), clouds)
    few = windows.draw(4000)[0]
    held = int(windows.kept[0])
    np.testing.assert_array_equal(few[held:], np.broadcast_to(few[0], (4000 - held, 3)))
    assert np.all(np.diff(few[:held, 0]) >= 0)


def test_windows_from_the_first_event_with_time_over_the_drawn_ones(stand_in, tmp_path):
    settings = WindowSettings(denoise_us=0, kept=1 << 15, origin="first event", time_range="drawn")
    windows = load_folder(stand_in, tmp_path, settings).train
    path = stand_in / "user01_fluorescent.aedat"
    events = join_events(list(read_aedat(path)))
    trial = read_labels(labels_path(path))[3]
    first = events.t_us[events.t_us >= trial.start_us][0]
    inside = (events.t_us >= first) & (events.t_us < first + 500_000)
    row = int(np.flatnonzero((windows.labels == 3) & (windows.subjects == 1))[0])
    assert first > trial.start_us and windows.kept[row] == inside.sum()
    t = windows.draw(100, rows=np.array([row]))[0, :, 0]
    assert t.min() == 0 and t.max() == 1
    whole = replace(windows, time_range="window").draw(100, rows=np.array([row]))[0, :, 0]
    np.testing.assert_allclose(t, (whole - whole.min()) / np.ptp(whole), atol=1e-6)


@pytest.mark.parametrize("bad", [{"origin": "begin"}, {"time_range": "all"}])
def test_unknown_ways_to_cut_are_refused(bad):
    with pytest.raises(UserError, match="of windows is"):
        WindowSettings(**bad)


def test_split_by_subject_keeps_people_apart(stand_in, tmp_path):
    windows = load_folder(stand_in, tmp_path, SETTINGS).train
    fit, choose = windows.split_by_subject(0.3)
    assert not set(windows.subjects[fit]) & set(windows.subjects[choose])
    assert sorted([*fit, *choose]) == list(range(20))
    with pytest.raises(ValueError, match="two subjects"):
        windows.at(fit).split_by_subject()


def test_streamed_windows_equal_those_of_the_whole():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 128, (2, 30_000))
    events = as_events(x, y, x % 2, np.sort(rng.integers(0, 4_000_000, 30_000)))
    settings = WindowSettings(denoise_us=0)
    begins = window_begins(200_000, 3_900_000, settings)
    assert begins[0] == 200_000 and np.all(np.diff(begins) == 250_000)
    assert begins[-1] + 500_000 <= 3_900_000 < begins[-1] + 750_000
    pieces = (events.at(slice(i, i + 777)) for i in range(0, 30_000, 777))
    for position, window in cut(pieces, begins, settings):
        inside = (events.t_us >= begins[position]) & (events.t_us < begins[position] + 500_000)
        np.testing.assert_array_equal(window.t_us, events.t_us[inside])
    assert position == len(begins) - 1


def rewrite(path, old, new):
    path.write_text(path.read_text().replace(old, new, 1))


def shift_labels(folder):
    path = folder / "user01_fluorescent_labels.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    rows[-1][2] = str(int(rows[-1][2]) + 60_000_000)
    path.write_text("\n".join(",".join(row) for row in rows))


def cut_recording(folder):
    path = folder / "user01_fluorescent.aedat"
    path.write_bytes(path.read_bytes()[:-5])


BAD = {
    "lies outside the recording": shift_labels,
    "1 files it needs are not in .* first user02_led.aedat": lambda f: (
        f / "user02_led.aedat"
    ).unlink(),
    "user02_led_labels.csv; unpack": lambda f: (f / "user02_led_labels.csv").unlink(),
    "no text in UTF-8": lambda f: (f / "user02_led_labels.csv").write_bytes(b"\xff\xfe"),
    "names no recording": lambda f: (f / "trials_to_test.txt").write_text("\n"),
    "is in both trial lists": lambda f: (f / "trials_to_test.txt").write_text("user02_led.aedat\n"),
    "truncated": cut_recording,
    "in whole numbers": lambda f: rewrite(f / "user02_led_labels.csv", "class", "klass"),
    "from 1 to 11": lambda f: rewrite(f / "user02_led_labels.csv", "\n1,", "\n12,"),
    "names no trial": lambda f: (f / "user02_led_labels.csv").write_text(
        "class,startTime_usec,endTime_usec\n"
    ),
    "holds no event": lambda f: write_aedat(f / "user02_led.aedat", []),
}


@pytest.mark.parametrize("said", BAD)
def test_bad_sets_say_what_is_wrong(official, tmp_path, said):
    BAD[said](official)
    with pytest.raises(UserError, match=said) as caught:
        load(tmp_path, settings=SETTINGS)
    assert "\n" not in str(caught.value) and str(official) in str(caught.value)


def test_name_without_a_person(official, tmp_path):
    for suffix in (".aedat", "_labels.csv"):
        (official / f"user02_led{suffix}").rename(official / f"who{suffix}")
    rewrite(official / "trials_to_train.txt", "user02_led", "who")
    with pytest.raises(UserError, match="no person's number"):
        load(tmp_path, settings=SETTINGS)


def test_clips_of_five_bytes(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(40, 60, (2, 3000))
    clip = as_events(x, y, x % 2, np.sort(rng.integers(0, 1_400_000, 3000)))
    write_events_5byte(tmp_path / "3.bs2", clip)
    windows = load_clips(tmp_path, SETTINGS)
    assert windows.labels.tolist() == [2] * 4
    assert windows.draw(256).shape == (4, 256, 3)
    (tmp_path / "3.bs2").rename(tmp_path / "wave.bs2")
    with pytest.raises(UserError, match="named by its class"):
        load_clips(tmp_path)
    (tmp_path / "wave.bs2").unlink()
    with pytest.raises(UserError, match="no clip"):
        load_clips(tmp_path)


def real_clips():
    clips = sorted(Path(os.environ.get("DATA_ROOT", "nowhere"), INFO.folder).glob("*.bs2"))
    return clips or pytest.skip("DATA_ROOT holds no real clips")


def test_real_clips_load():
    windows = load_clips(real_clips()[0].parent)
    assert set(windows.labels) == {0, 1, 2, 3} and len(windows) == 16
    assert windows.draw().max() <= 1


def test_stand_in_moves_like_the_real_clips():
    from deplm.data.stand_ins.dvs_bodies import random_person
    from deplm.data.stand_ins.dvs_gesture import LIGHTS, record

    clips, measured = real_clips(), []
    for user, light in enumerate(sorted(LIGHTS)):
        rng = np.random.default_rng([1, user])
        pieces, _ = record(random_person(rng), light, 1_500_000, rng)
        measured.append([(e.count / 1.5, e.x.std(), e.y.std()) for e in pieces[1:8:2]])
    ours = np.mean(measured, axis=0)
    for clip, (rate, wide, high) in zip(clips, ours, strict=True):
        real = read_events_5byte(clip, 128, 128)
        seconds = (real.t_us[-1] - real.t_us[0]) / 1e6
        assert 0.5 < rate / (real.count / seconds) < 2
        assert 0.5 < wide / real.x.std() < 2 and 0.5 < high / real.y.std() < 2


def test_one_trial_as_events(stand_in):
    path = stand_in / "user01_fluorescent.aedat"
    trial = read_labels(labels_path(path))[4]
    events = read_trial(path, 5)
    assert events.count and trial.start_us <= events.t_us[0] <= events.t_us[-1] < trial.end_us
