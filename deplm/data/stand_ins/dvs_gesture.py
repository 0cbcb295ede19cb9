"""Writes the stand-in of DVS128 Gesture: simulated people before a simulated event camera.

The files are the official ones (AEDAT 3.1, label CSV, trial lists). Persons of the test list are
in no training recording, and stand in other lights. Data kind: synthetic.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deplm.data import dvs_aedat
from deplm.data.dvs_aedat import HEIGHT, WIDTH, write_aedat
from deplm.data.stand_ins import dvs_bodies, dvs_camera
from deplm.data.stand_ins.dvs_bodies import Person, perform, random_person
from deplm.data.stand_ins.dvs_camera import GestureCamera
from harness.data import event_camera
from harness.data import events as event_files
from harness.data.cache import key_of, stand_in
from harness.data.events import Events

# Light: (camera, contrast, slope of brightness over the picture, depth of the background).
LIGHTS = {
    "fluorescent": (GestureCamera(threshold=0.067, noise_hz=0.15), 1.0, 0.3, 0.1),
    "led": (GestureCamera(threshold=0.067, noise_hz=0.1), 1.15, 0.0, 0.1),
    "lab": (GestureCamera(threshold=0.075, noise_hz=0.3, hot_pixels=8), 0.85, 0.5, 0.2),
    "fluorescent_led": (GestureCamera(threshold=0.067, noise_hz=0.2), 1.05, 0.2, 0.15),
    "natural": (GestureCamera(threshold=0.071, noise_hz=0.4, hot_pixels=6), 0.9, 0.7, 0.25),
}
TRAIN_LIGHTS, TEST_LIGHTS = ("fluorescent", "led", "lab"), ("fluorescent_led", "natural")
FIRST_TEST_USER = 24  # as in the official lists
TRIAL_US, OTHER_US, PAUSE_US = 3_000_000, 1_000_000, 300_000
SEED = 128
SIZE, TINY_SIZE = (23, 8, TRIAL_US), (2, 1, 700_000)  # recordings to train, to test; trial in us


def ensure_stand_in(parent: Path, *, tiny: bool = False) -> Path:
    """The stand-in's folder, written when it is not there or its writer has changed.

    Args:
        parent: of all stand-ins of the set.
        tiny: two training recordings and one test recording of short trials.

    Raises:
        UserError: the folder cannot be written.
    """
    size = TINY_SIZE if tiny else SIZE
    code = sys.modules[__name__], dvs_bodies, dvs_camera, event_camera, dvs_aedat, event_files
    pauses = OTHER_US, PAUSE_US
    key = key_of(code=code, size=size, seed=SEED, lights=LIGHTS, pauses=pauses)
    return stand_in(
        parent,
        "synthetic",
        key,
        lambda new: write_stand_in(new, *size),
        "simulating gestures",
        tiny=tiny,
    )


def write_stand_in(
    folder: Path, train: int, test: int, trial_us: int = TRIAL_US, seed: int = SEED
) -> None:
    """Write recordings, labels and lists into an existing folder.

    Args:
        folder: where to.
        train: recordings of the training list, a person each.
        test: recordings of the test list, a person each.
        trial_us: length of each of the ten gestures.
        seed: of everything.
    """
    plans = [
        ("train", user + 1, TRAIN_LIGHTS[user % len(TRAIN_LIGHTS)]) for user in range(train)
    ] + [
        ("test", max(FIRST_TEST_USER, train + 1) + user, TEST_LIGHTS[user % len(TEST_LIGHTS)])
        for user in range(test)
    ]
    names: dict[str, list[str]] = {"train": [], "test": []}
    for split, user, light in tqdm(plans, desc="simulating gestures", disable=None):
        name = f"user{user:02d}_{light}"
        names[split].append(f"{name}.aedat")
        rng = np.random.default_rng([seed, user])
        pieces, rows = record(random_person(rng), light, trial_us, rng)
        write_aedat(folder / f"{name}.aedat", pieces, comment="simulated stand-in, not real")
        _write_labels(folder / f"{name}_labels.csv", rows)
    for split, lines in names.items():
        (folder / f"trials_to_{split}.txt").write_text("\n".join(lines) + "\n")


def record(
    person: Person, light: str, trial_us: int, rng: np.random.Generator
) -> tuple[list[Events], list[tuple[int, int, int]]]:
    """One recording: the ten gestures and "other", one after the other, with pauses.

    Returns:
        The events in pieces, in order of time, and rows (class, begin, end) in us.
    """
    camera, contrast, slope, depth = LIGHTS[light]
    background = _background(slope, depth, rng)
    now = int(rng.integers(100_000, 2_000_000))
    pieces, rows = [], []
    for gesture in range(1, 12):
        duration = min(OTHER_US, trial_us) if gesture == 11 else trial_us
        pieces.append(camera.idle(now, PAUSE_US, rng))
        now += PAUSE_US
        scene = perform(person, gesture, duration // camera.frame_us, camera.frame_us, rng)
        scene[:, :, 6:] *= contrast
        pieces.append(camera.film(scene, background, now, rng))
        rows.append((gesture, now, now + duration))
        now += duration
    pieces.append(camera.idle(now, PAUSE_US, rng))
    return pieces, rows


def _background(slope: float, depth: float, rng: np.random.Generator) -> np.ndarray:
    """(128, 128) float32 log brightness: a slope of light, and a few things on the wall."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / WIDTH - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    wall = slope * (np.cos(angle) * x + np.sin(angle) * y)
    for _ in range(6):
        cx, cy, wide, high = *rng.uniform(-0.5, 0.5, 2), *rng.uniform(0.05, 0.3, 2)
        wall += depth * rng.standard_normal() * ((abs(x - cx) < wide) & (abs(y - cy) < high))
    return wall.astype(np.float32)


def _write_labels(path: Path, rows: list[tuple[int, int, int]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["class", "startTime_usec", "endTime_usec"])
        writer.writerows(rows)
