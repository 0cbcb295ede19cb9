"""Files of data sets and of measured chips: tiny ones in the real forms, and what is plausible."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deplm.data import dvs_gesture, seg_shapenet
from deplm.data.dvs_aedat import HEIGHT, WIDTH, read_aedat, write_aedat
from harness.data.datasets import KIND_FILE, KINDS, kind_of
from harness.data.events import as_events, join_events, read_events_5byte, write_events_5byte
from harness.data.idx import read_idx, write_idx
from lsm.data import brain_visual_handwriting as handwriting
from lsm.data import nmnist, ntidigits
from lsm.data.stand_ins.ntidigits_cochlea import AudioSpikes
from lsm.data.stand_ins.ntidigits_spoken import RATE_HZ, read_wav
from rram.files import read_numbers
from rram.maps import read_map
from tests.fuzz.parser import Parser

CATEGORY = seg_shapenet.CATEGORIES[0]
SYNSETS = {category.synset for category in seg_shapenet.CATEGORIES}
RNG = np.random.default_rng(7)


def _events(count: int = 60) -> tuple[np.ndarray, ...]:
    x, y = RNG.integers(10, 24, (2, count))
    return x, y, RNG.integers(0, 2, count), np.sort(RNG.integers(0, 300_000, count))


def _on_sensor(width: int, height: int) -> Callable[[Any], bool]:
    def check(events: Any) -> bool:
        inside = (events.x >= 0) & (events.x < width) & (events.y >= 0) & (events.y < height)
        return bool(
            inside.all() and (events.t_us >= 0).all() and set(np.unique(events.p)) <= {0, 1}
        )

    return check


def _bins(path: Path) -> np.ndarray:
    return nmnist.bin_events(read_events_5byte(path, nmnist.PIXELS, nmnist.PIXELS))


def _keys(limit: int) -> Callable[[np.ndarray], bool]:
    return lambda keys: bool(len(keys) and keys.min() >= 0 and keys.max() < limit)


def _idx(path: Path) -> None:
    write_idx(path, RNG.integers(0, 256, (3, 28, 28)).astype(np.uint8))


def _images(array: np.ndarray) -> bool:
    return array.dtype == np.uint8 and 1 <= array.ndim <= 3


def _trials(found: list[dvs_gesture.Trial]) -> bool:
    return all(1 <= t.gesture <= 11 and 0 <= t.start_us < t.end_us < 1e11 for t in found)


def _write_shape(path: Path) -> None:
    rows = [(*RNG.normal(size=6), CATEGORY.first + n % len(CATEGORY.parts)) for n in range(30)]
    path.write_text("".join(" ".join(f"{v:.5f}" for v in row) + "\n" for row in rows))


def _shape(found: tuple[np.ndarray, np.ndarray, int]) -> bool:
    points, labels, _ = found
    radius = np.linalg.norm(points, axis=1).max()
    return bool(abs(radius - 1) < 1e-3 and np.isin(labels, CATEGORY.labels).all())


def _recordings(path: Path) -> list[Path]:
    for name in ("user01_led", "user02_lab"):
        (path.parent / f"{name}.aedat").touch()
        (path.parent / f"{name}_labels.csv").touch()
    (path.parent.parent / "user03_led.aedat").touch()  # where no list may lead
    (path.parent.parent / "user03_led_labels.csv").touch()
    return dvs_gesture.recordings(path.parent, "train")


def _inside(paths: list[Path]) -> bool:
    return all(p.resolve().parent.name == "set" for p in paths)


def _write_ntidigits(path: Path) -> None:
    def some() -> AudioSpikes:
        return AudioSpikes(RNG.integers(0, 64, 20), np.sort(RNG.random(20)))

    names = {"train": ("a-0-1", "b-0-z", "b-1-22"), "test": ("c-0-o",)}
    ntidigits.write(path, {s: [(n, some()) for n in of] for s, of in names.items()})


def _ntidigits(found: tuple) -> bool:
    trains, labels, speakers = found
    return len(trains) == len(labels) == len(speakers) and set(labels.tolist()) <= set(range(11))


def _write_wav(path: Path) -> None:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(RNG.integers(-9999, 9999, 900).astype("<i2").tobytes())


def _sound(sound: np.ndarray) -> bool:
    return bool(400 <= len(sound) < 600_000 and np.abs(sound).max() <= 1)


def _write_mat(version: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        cubes = {}
        for letter in handwriting.ALPHABET:
            cubes[letter] = np.zeros((2, handwriting.BINS, handwriting.CHANNELS), np.uint8)
            cubes[letter][:, 5, RNG.integers(0, 192, 3)] = 1
        handwriting.write(path, cubes, version)

    return write


def _cubes(cubes: dict[str, np.ndarray]) -> bool:
    shapes = {cube.shape for cube in cubes.values()}
    return len(cubes) == 26 and len(shapes) == 1 and all(cube.max() <= 1 for cube in cubes.values())


def _write_map(path: Path) -> None:
    path.write_text(
        "".join(",".join(f"{v:.3f}" for v in row) + "\n" for row in RNG.random((6, 8)) * 40)
    )


def _finite(array: np.ndarray) -> bool:
    return bool(array.ndim == 2 and np.isfinite(array).all() and (array >= 0).all())


def _npy(path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, RNG.random((6, 8)) * 40)
    path.write_bytes(stream.getvalue())


DATA = (
    Parser("IDX", "a-idx3-ubyte", read_idx, _images, _idx),
    Parser("IDX, gzip", "a-idx3-ubyte.gz", read_idx, _images, _idx, "mnist/*labels*.gz"),
    Parser(
        "N-MNIST .bin", "00001.bin", _bins, _keys(nmnist.STEPS * nmnist.CHANNELS),
        lambda path: write_events_5byte(path, as_events(*_events())), "nmnist/*/*/*.bin",
    ),
    Parser(
        "DVS clip .bs2", "1.bs2", lambda p: read_events_5byte(p, WIDTH, HEIGHT, sorted_times=True),
        _on_sensor(WIDTH, HEIGHT), lambda p: write_events_5byte(p, as_events(*_events())),
        "dvs_gesture/*.bs2",
    ),
    Parser(
        "AEDAT 3.1", "user01_led.aedat", lambda path: join_events(list(read_aedat(path))),
        _on_sensor(WIDTH, HEIGHT),
        lambda path: write_aedat(path, [as_events(*_events())], packet_events=16),
    ),
    Parser(
        "gesture labels CSV", "user01_led_labels.csv", dvs_gesture.read_labels, _trials,
        lambda p: p.write_text("class,startTime_usec,endTime_usec\n1,0,900000\n11,1000000,1800000"),
    ),
    Parser(
        "trial list", "set/trials_to_train.txt", _recordings, _inside,
        lambda path: path.write_text("user01_led.aedat\nuser02_lab.aedat\n"),
    ),
    Parser(
        "ShapeNet-part shape", f"{CATEGORY.synset}/a.txt", seg_shapenet.read_shape, _shape,
        _write_shape, f"shapenet_part/{CATEGORY.synset}/*.txt",
    ),
    Parser(
        "ShapeNet-part list JSON", "list.json",
        lambda path: seg_shapenet.read_list(path, SYNSETS),
        lambda names: all(name.partition("/")[0] in SYNSETS for name in names),
        lambda p: p.write_text(json.dumps([f"shape_data/{CATEGORY.synset}/{n}" for n in "abc"])),
        "shapenet_part/train_test_split/*.json",
    ),
    Parser(
        "ShapeNet-part table", seg_shapenet.TABLE, seg_shapenet.read_table,
        SYNSETS.issuperset,
        lambda p: p.write_text("".join(f"{c.name}\t{c.synset}\n" for c in seg_shapenet.CATEGORIES)),
        f"shapenet_part/{seg_shapenet.TABLE}",
    ),
    Parser(
        "N-TIDIGITS HDF5", ntidigits.FILE, lambda path: ntidigits.read(path, "train"), _ntidigits,
        _write_ntidigits,
    ),
    Parser("WAV", "1_a_0.wav", read_wav, _sound, _write_wav, "fsdd/*.wav"),
    Parser("MATLAB 5", handwriting.FILE, handwriting.read, _cubes, _write_mat("5")),
    Parser("MATLAB 7.3", handwriting.FILE, handwriting.read, _cubes, _write_mat("7.3")),
    Parser("conductance map CSV", "map.csv", read_map, _finite, _write_map, "rram/*map*.csv"),
    Parser("conductance map .npy", "map.npy", read_map, _finite, _npy),
    Parser(
        "measured voltages CSV", "voltages.csv", read_numbers,
        lambda array: bool(np.isfinite(array).all()), _write_map, "rram/*voltage*.csv",
    ),
    Parser(
        "KIND", f"set/{KIND_FILE}", lambda path: kind_of(path.parent), KINDS.__contains__,
        lambda path: path.write_text("synthetic\n"),
    ),
)  # fmt: skip
