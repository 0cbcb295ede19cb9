"""Files of the DEPLM data sets that are damaged, or say what cannot be."""

import gzip
import hashlib
import json

import numpy as np
import pytest

from deplm.data import dvs_aedat, dvs_gesture, image_fashion_mnist, seg_shapenet
from deplm.data.dvs_aedat import HEADER_END, MAGIC, PACKET_HEADER, read_aedat
from deplm.data.dvs_windows import WindowSettings, empty_windows
from deplm.tables.dvs import DvsConfig
from harness.errors import UserError
from harness.run.config import with_settings

BENCHMARK = seg_shapenet.CATEGORIES[0]


def aedat(path, overflow, time=5):
    header = np.array([(1, 1, 8, 4, overflow, 2, 2, 2)], PACKET_HEADER)
    words = np.array([[1, time], [1, time + 1]], "<u4")
    path.write_bytes(b"\n".join([MAGIC, HEADER_END, b""]) + header.tobytes() + words.tobytes())
    return path


@pytest.mark.parametrize("overflow", [0, 1, 2, 3, dvs_aedat.MOST_OVERFLOWS - 1])
def test_recordings_of_any_length_keep_their_times(tmp_path, overflow):
    (events,) = read_aedat(aedat(tmp_path / "a.aedat", overflow))
    assert events.t_us.tolist() == [(overflow << 31) + 5, (overflow << 31) + 6]


@pytest.mark.parametrize("overflow", [-1, dvs_aedat.MOST_OVERFLOWS, 2**31 - 1])
def test_impossible_overflow_counts_are_refused(tmp_path, overflow):
    with pytest.raises(UserError, match="overflows of the clock"):
        list(read_aedat(aedat(tmp_path / "a.aedat", overflow)))
    with pytest.raises(UserError, match="over 31 bits"):
        list(read_aedat(aedat(tmp_path / "a.aedat", 0, time=1 << 31)))


@pytest.mark.parametrize(
    "row", ["1,1,1000000000000000", "1,1,1_000", "1,1,²", '1,"1,2', "1,0," + "9" * 400, "1,0,9e5"]
)
def test_label_times_that_cannot_be_are_refused(tmp_path, row):
    path = tmp_path / "user01_led_labels.csv"
    path.write_text(f"class,startTime_usec,endTime_usec\n1,0,1000000\n{row}\n")
    with pytest.raises(UserError, match=r"whole number|damaged"):
        dvs_gesture.read_labels(path)
    path.write_text(f'class,startTime_usec,endTime_usec\n1,"{"2" * 200_000}",3\n')
    with pytest.raises(UserError, match="damaged"):
        dvs_gesture.read_labels(path)
    path.write_text("class,startTime_usec,endTime_usec\n1,0,86400000000\n")
    with pytest.raises(UserError, match="last 600000000 us at most"):
        dvs_gesture.read_labels(path)


@pytest.mark.parametrize("name", ["../user01_led.aedat", "/tmp/user01_led.aedat"])
def test_a_trial_list_names_nothing_outside_its_folder(tmp_path, name):
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "user01_led.aedat").write_text("")
    (tmp_path / "user01_led_labels.csv").write_text("")
    (folder / "trials_to_train.txt").write_text(name + "\n")
    with pytest.raises(UserError, match="is no file inside"):
        dvs_gesture.recordings(folder, "train")


def test_windows_that_memory_does_not_hold_are_refused_with_the_figure():
    with pytest.raises(UserError, match=r"would take 24,576.0 GB of memory"):
        empty_windows(10**9, WindowSettings(kept=4096))
    with pytest.raises(UserError, match="between 1 and 1000"):
        with_settings(DvsConfig(), ["fit_draws=100000000"])


def shape(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


def test_coordinates_that_overflow_are_refused(tmp_path):
    path = tmp_path / BENCHMARK.synset / "a.txt"
    for rows in (["1e200 0 0 0 0 0 0", "0 1e200 0 0 0 0 1"], ["1e7 0 0 0 0 0 0", "0 0 0 0 0 0 1"]):
        with pytest.raises(UserError, match=r"coordinates over 1e\+06"):
            seg_shapenet.read_shape(shape(path, *rows))


def test_deep_json_is_one_line(tmp_path):
    path = tmp_path / "list.json"
    path.write_text("[" * 100_000)
    with pytest.raises(UserError, match="no JSON"):
        seg_shapenet.read_list(path, {BENCHMARK.synset})


def test_shapes_of_the_test_list_are_never_trained_on(tmp_path, capsys):
    folder = tmp_path / "set"
    for name in "abcd":
        rows = (f"{n / 7} {n % 3} {int(name == 'a')} 0 0 0 {n % 4}" for n in range(8))
        shape(folder / BENCHMARK.synset / f"{name}.txt", *rows)
    (folder / seg_shapenet.TABLE).write_text(f"{BENCHMARK.name} {BENCHMARK.synset}\n")
    (folder / "train_test_split").mkdir()
    lists = {"train": "abd", "val": "cd", "test": "d"}
    for split, names in lists.items():
        entries = [f"shape_data/{BENCHMARK.synset}/{name}" for name in names]
        path = folder / "train_test_split" / f"shuffled_{split}_file_list.json"
        path.write_text(json.dumps(entries))
    shapes = seg_shapenet.load_folder(folder, tmp_path)
    assert [shapes.ids[row][-1] for row in shapes.train_all] == ["a", "b", "c"]
    assert [shapes.ids[row][-1] for row in shapes.test] == ["d"]
    assert "1 shapes of the train list are test shapes too" in capsys.readouterr().out


def test_a_download_that_is_cut_or_has_no_room_leaves_nothing(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    image_fashion_mnist.write_stand_in(source)
    sums = {
        name: hashlib.sha256(gzip.decompress((source / name).read_bytes())).hexdigest()
        for name in image_fashion_mnist.FILES
    }
    monkeypatch.setattr(image_fashion_mnist, "CHECKSUMS", sums)

    def full(_, temporary):
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(UserError, match="free some space"):
        patch.setattr(image_fashion_mnist.shutil, "copyfile", full)
        image_fashion_mnist._keep(source, target)
    assert list(target.iterdir()) == []
    image_fashion_mnist._keep(source, target)
    assert sorted(path.name for path in target.iterdir()) == sorted(sums)
    first = source / image_fashion_mnist.FILES[0]
    first.write_bytes(first.read_bytes()[:-20])
    with pytest.raises(UserError, match="damaged"):
        image_fashion_mnist._keep(source, tmp_path / "other")
    assert not (tmp_path / "other").exists()
