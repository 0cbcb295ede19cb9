"""Every parser of the package, tiny files in the real forms for it, and what is plausible.

Where `DATA_ROOT` is set, real files of it are seeds too.
"""

import io
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from deplm.data import dvs_gesture, seg_shapenet
from deplm.data.dvs_aedat import HEIGHT, WIDTH, read_aedat, write_aedat
from harness.cache import cached_arrays
from harness.checkpoint import Checkpoint, Progress
from harness.chips import ChipConfig
from harness.datasets import KIND_FILE, KINDS, kind_of
from harness.events import as_events, join_events, read_events_5byte, write_events_5byte
from harness.idx import read_idx, write_idx
from harness.journal import Journal
from harness.protocol import DataRecord, Measurement, Run
from harness.records import read_results
from lsm.data import brain_visual_handwriting as handwriting
from lsm.data import nmnist, ntidigits
from lsm.data.stand_ins.ntidigits_cochlea import AudioSpikes
from lsm.data.stand_ins.ntidigits_spoken import RATE_HZ, read_wav
from rram.files import read_numbers
from rram.maps import read_map

CATEGORY = seg_shapenet.CATEGORIES[0]
SYNSETS = {category.synset for category in seg_shapenet.CATEGORIES}
RNG = np.random.default_rng(7)
LARGEST_REAL = 300_000  # bytes of a real file that serves as a seed


@dataclass(frozen=True)
class Parser:
    """One parser.

    Attributes:
        name: of the format.
        file: name that its file has to have, below the folder of one try.
        read: path of the file -> what was read.
        plausible: whether that can be.
        make: path -> writes a tiny file in the real form.
        real: pattern below `DATA_ROOT` of real files.
    """

    name: str
    file: str
    read: Callable[[Path], Any]
    plausible: Callable[[Any], bool]
    make: Callable[[Path], object]
    real: str = ""

    def seeds(self) -> list[bytes]:
        """Bytes of files that are as they should be."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.file
            path.parent.mkdir(parents=True, exist_ok=True)
            self.make(path)
            found = [path.read_bytes()]
        root = os.environ.get("DATA_ROOT")
        paths = sorted(Path(root).glob(self.real)) if root and self.real else []
        real = [p for p in paths[:: max(1, len(paths) // 4)] if p.stat().st_size < LARGEST_REAL]
        return found + [p.read_bytes() for p in real[:4]]

    def place(self, folder: Path, content: bytes) -> Path:
        """Write the content where the parser looks for it."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path


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


def _arrays() -> dict[str, np.ndarray]:
    return {"xy": np.arange(60, dtype=np.uint8), "t": np.linspace(0, 1, 50)}


@cache
def _cached(name: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as root:
        cached_arrays(Path(root), "kept", name, _arrays)
        folder = Path(root) / "cache" / f"kept-{name}"
        return {p.name: p.read_bytes() for p in folder.iterdir()}


def _read_cache(name: str) -> Callable[[Path], dict[str, np.ndarray]]:
    def read(path: Path) -> dict[str, np.ndarray]:
        folder, altered = path.parent, path.read_bytes()
        for file, content in _cached(name).items():
            (folder / file).write_bytes(content)
        path.write_bytes(altered)
        os.utime(path, ns=(time.time_ns(), time.time_ns()))
        return cached_arrays(folder.parent.parent, "kept", name, _arrays)

    return read


def _same_arrays(found: dict[str, np.ndarray]) -> bool:
    wanted = _arrays()
    return found.keys() == wanted.keys() and all((found[n] == wanted[n]).all() for n in wanted)


def _network(seed: int) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 2)
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    return model, optimiser


def _write_checkpoint(path: Path) -> None:
    Checkpoint(path, {"rate": 0.1}).save(Progress(3, 1.5), *_network(0))


def _read_checkpoint(path: Path) -> tuple[Progress, np.ndarray]:
    model, optimiser = _network(1)
    return Checkpoint(path, {"rate": 0.1}).load(model, optimiser), model.weight.detach().numpy()


def _same_weights(found: tuple[Progress, np.ndarray]) -> bool:
    return found[0].epoch == 3 and bool((found[1] == _network(0)[0].weight.detach().numpy()).all())


MEASURED = Measurement({"accuracy": 12.5}, 10, 5, details={"a": [1, 2]})


def _journal(path: Path) -> Journal:
    run = Run(ChipConfig(), [0], "cpu", path.parent, path.parent, table="toy")
    run.data = SimpleNamespace(record=DataRecord("Toy", "real", 4, 2, "abc"))
    return Journal(path, run)


def _write_journal(path: Path) -> None:
    with _journal(path) as journal:
        for seed in range(3):
            journal.add("row", seed, MEASURED)


def _read_journal(path: Path) -> list[Measurement | None]:
    with _journal(path) as journal:
        return [journal.get("row", seed) for seed in range(3)]


def _write_results(path: Path) -> None:
    row = {
        "row": "LSM", "metric": "accuracy", "unit": "%", "paper": 90.0, "paper_source": "x",
        "paper_data": "Toy", "values": [1.0, 2.0], "mean": 1.5, "std": 0.7,
        "protocol": "validation", "config": {}, "machine": {}, "created": "2025-01-01T00:00:00Z",
        "command": "bash run_toy.sh",
        "data": DataRecord("Toy", "real", 4, 2, "abc")._asdict(),
    }  # fmt: skip
    path.write_text(json.dumps({"table": "toy", "title": "Toy", "rows": [row, row]}, indent=1))


def _results(found: dict) -> bool:
    return all(np.isfinite([*row["values"], row["mean"]]).all() for row in found["rows"])


def _npy(path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, RNG.random((6, 8)) * 40)
    path.write_bytes(stream.getvalue())


PARSERS = (
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
    *(
        Parser(
            f"array cache, {file}", f"cache/kept-{n}/{file}", _read_cache(str(n)), _same_arrays,
            lambda path, n=n: path.write_bytes(_cached(str(n))[path.name]),
        )
        for n, file in enumerate(("xy.npy", "arrays.json", "SHA256SUMS"))
    ),
    Parser("checkpoint .npz", "a.npz", _read_checkpoint, _same_weights, _write_checkpoint),
    Parser(
        "journal of a run", "toy.partial.jsonl", _read_journal,
        lambda found: all(one in (None, MEASURED) for one in found), _write_journal,
    ),
    Parser("results JSON", "toy.json", read_results, _results, _write_results),
    Parser(
        "KIND", f"set/{KIND_FILE}", lambda path: kind_of(path.parent), KINDS.__contains__,
        lambda path: path.write_text("synthetic\n"),
    ),
)  # fmt: skip
