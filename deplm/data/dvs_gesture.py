"""DVS128 Gesture: people's gestures before an event camera (Amir et al. 2017).

On disk: one AEDAT 3.1 file a person and lighting (`user01_led.aedat`), beside it
`user01_led_labels.csv` (class, startTime_usec, endTime_usec; classes 1 to 11), and the lists
`trials_to_train.txt` and `trials_to_test.txt` with one recording a line. Class 11 ("other") is
dropped, as in the DEPLM paper. Without the real set, `deplm.data.stand_ins.dvs_gesture` writes
one in the same files.
"""

import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deplm.data import dvs_aedat, dvs_denoise, dvs_windows
from deplm.data.dvs_aedat import HEIGHT, WIDTH, read_aedat
from deplm.data.dvs_windows import (
    ARRAYS,
    Windows,
    WindowSettings,
    cut,
    empty_windows,
    event_span,
    fill_row,
    window_begins,
)
from deplm.data.stand_ins.dvs_gesture import ensure_stand_in
from harness.data import events as event_files
from harness.data.cache import cached_arrays, checksum_of, key_of
from harness.data.datasets import DatasetInfo, kind_of
from harness.data.events import Events, join_events, read_events_5byte
from harness.data.files import inside, parsing, read_text, whole_number
from harness.errors import UserError

INFO = DatasetInfo(
    name="DVS128 Gesture",
    folder="dvs_gesture",
    files=("trials_to_train.txt", "trials_to_test.txt", "*.aedat"),
    licence="CC BY 4.0",
    source="IBM Research: A. Amir et al., CVPR 2017, research.ibm.com/interactive/dvsgesture",
    how_to_get="get DvsGesture.tar.gz from IBM (by hand, 3 GB), put its files into that folder",
    stand_in="synthetic",
    samples="*.bs2",
)
CLASSES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter-clockwise",
    "left arm clockwise",
    "left arm counter-clockwise",
    "arm roll",
    "air drums",
    "air guitar",
)
DROPPED_CLASS = 11
LISTS = {"train": "trials_to_train.txt", "test": "trials_to_test.txt"}
LATEST_US = 86_400_000_000  # a day
LONGEST_TRIAL_US = 600_000_000  # ten minutes; the real ones take about 6 s
SLACK_US = 1_000_000  # a still person makes no events, so a trial may begin or end unseen


@dataclass(frozen=True)
class DvsGesture:
    """The whole set, cut into windows.

    Attributes:
        name: of the data set.
        kind: "real" or "synthetic".
        sha256: of names, sizes and both ends of every source file (`checksum_of`).
        train: windows of the recordings of `trials_to_train.txt`.
        test: those of `trials_to_test.txt`.
        settings: how they were cut.
    """

    name: str
    kind: str
    sha256: str
    train: Windows
    test: Windows
    settings: WindowSettings


@dataclass(frozen=True)
class Trial:
    """One person doing one gesture: class 1..11, begin and end in us of the recording's clock."""

    gesture: int
    start_us: int
    end_us: int


def load(
    root: str | Path, *, settings: WindowSettings | None = None, tiny: bool = False
) -> DvsGesture:
    """The real set below `root`, else its stand-in, cut into windows.

    Args:
        root: the data folder.
        settings: how to cut; ours by default.
        tiny: a stand-in of seconds, even where the real set is there; for `--smoke`.

    Raises:
        UserError: a file of the set is missing or damaged; the message says which and how.
    """
    root = Path(root)
    return load_folder(find_or_make(root, tiny=tiny), root, settings or WindowSettings())


def find_or_make(root: Path, *, tiny: bool = False) -> Path:
    """The folder of the real set below `root`, else that of its stand-in, made if need be.

    Args:
        root: the data folder.
        tiny: the tiny stand-in, even where the real set is there.
    """
    real = None if tiny else INFO.found(root)
    return real or ensure_stand_in(INFO.stand_in_folder(root), tiny=tiny)


def load_folder(folder: Path, root: Path, settings: WindowSettings) -> DvsGesture:
    """The set whose official files lie in `folder`; windows are kept in the cache of `root`."""
    lists = {split: recordings(folder, split) for split in LISTS}
    both = set(lists["train"]) & set(lists["test"])
    if both:
        name = sorted(both)[0].name
        raise UserError(f"{folder}: {name} is in both trial lists; test data must be kept apart")
    sources = [p for paths in lists.values() for a in paths for p in (a, labels_path(a))]
    sources += [folder / name for name in LISTS.values()]
    code = sys.modules[__name__], dvs_aedat, dvs_denoise, dvs_windows, event_files
    key = key_of(files=sources, code=code, settings=settings, slack_us=SLACK_US)
    splits = {}
    for split, paths in lists.items():
        arrays = cached_arrays(
            root,
            f"dvs-gesture-{split}",
            key,
            lambda p=paths: _cut_all(p, settings),
            memory_map=True,
        )
        # Events stay on disk until they are drawn; the rest is small.
        arrays = {n: a if a.ndim > 1 else np.array(a) for n, a in arrays.items()}
        splits[split] = Windows(**arrays, time_range=settings.time_range)
    digest = checksum_of(folder, sources)
    return DvsGesture(INFO.name, kind_of(folder), digest, settings=settings, **splits)


def recordings(folder: Path, split: str) -> list[Path]:
    """The recordings that a trial list names, each with its label file, in the list's order.

    Raises:
        UserError: no list, an empty one, or one that names missing files.
    """
    path = folder / LISTS[split]
    names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not names:
        raise UserError(f"{path}: names no recording; get the file again")
    paths = [inside(folder, name, path) for name in dict.fromkeys(names)]
    missing = [p.name for a in paths for p in (a, labels_path(a)) if not p.is_file()]
    if missing:
        raise UserError(
            f"{path}: {len(missing)} files it needs are not in {folder}, first"
            f" {', '.join(missing[:3])}; unpack the whole archive there"
        )
    return paths


def labels_path(recording: Path) -> Path:
    """The label file that belongs to a recording."""
    return recording.with_name(f"{recording.stem}_labels.csv")


def read_labels(path: Path) -> list[Trial]:
    """Trials of a `*_labels.csv`, in the order of the file.

    Raises:
        UserError: other columns, not a number, an unknown class, an end before its begin.
    """
    text = read_text(path)
    with parsing(path, "table 'class,startTime_usec,endTime_usec' in whole numbers"):
        rows = csv.DictReader(text.splitlines(), strict=True)
        trials = [
            Trial(
                whole_number(row["class"], 1, DROPPED_CLASS),
                whole_number(row["startTime_usec"], 0, LATEST_US),
                whole_number(row["endTime_usec"], 0, LATEST_US),
            )
            for row in rows
        ]
    for trial in trials:
        if not 0 < trial.end_us - trial.start_us <= LONGEST_TRIAL_US:
            raise UserError(
                f"{path}: class {trial.gesture} from {trial.start_us} to {trial.end_us} us: it must"
                f" end after it begins, and last {LONGEST_TRIAL_US} us at most"
            )
    if not trials:
        raise UserError(f"{path}: names no trial; get the file again")
    return trials


def subject_of(recording: Path) -> int:
    """Number of the person, from the official file name."""
    match = re.match(r"user([0-9]{1,6})(?![0-9])", recording.name)
    if not match:
        raise UserError(f"{recording}: no person's number in its name; expected user01_led.aedat")
    return int(match[1])


def read_trials(recording: Path) -> tuple[list[Trial], Iterator[Events]]:
    """Labels of a recording, and its events streamed; at their end the labels are checked.

    Raises:
        UserError: damaged files, or a trial more than `SLACK_US` outside the recording.
    """
    path = labels_path(recording)
    trials = read_labels(path)

    def checked() -> Iterator[Events]:
        first = last = None
        for piece in read_aedat(recording):
            first = piece.t_us[0] if first is None else first
            last = piece.t_us[-1]
            yield piece
        if first is None:
            raise UserError(f"{recording}: holds no event; get it again")
        for trial in trials:
            if trial.start_us < first - SLACK_US or trial.end_us > last + SLACK_US:
                raise UserError(
                    f"{path}: class {trial.gesture} from {trial.start_us} to {trial.end_us} us lies"
                    f" outside the recording ({first} to {last} us); is it another one's?"
                )

    return trials, checked()


def read_trial(recording: Path, gesture: int) -> Events:
    """All events of a recording's first trial of class `gesture` (1..11), not denoised."""
    trials, pieces = read_trials(recording)
    trial = next((trial for trial in trials if trial.gesture == gesture), None)
    if trial is None:
        raise UserError(f"{labels_path(recording)}: names no trial of class {gesture}")
    inside = [p.at((p.t_us >= trial.start_us) & (p.t_us < trial.end_us)) for p in pieces]
    return join_events(inside)


@dataclass(frozen=True)
class _Wanted:
    """Windows to cut from one recording, in order of their begin, all (n,)."""

    begins: np.ndarray
    labels: np.ndarray
    trials: np.ndarray


def _trials_of_events(recording: Path, settings: WindowSettings) -> list[Trial]:
    # Each trial from its first event to its last one, which itself is left out.
    trials, pieces = read_trials(recording)
    spans = event_span(pieces, [(t.start_us, t.end_us) for t in trials], settings)
    return [
        replace(trial, start_us=span[0], end_us=span[1] - 1)
        if span
        else replace(trial, end_us=trial.start_us)
        for trial, span in zip(trials, spans, strict=True)
    ]


def _windows_of(trials: list[Trial], first_trial: int, settings: WindowSettings) -> _Wanted:
    rows = [
        (begin, trial.gesture - 1, first_trial + i)
        for i, trial in enumerate(trials)
        if trial.gesture != DROPPED_CLASS
        for begin in window_begins(trial.start_us, trial.end_us, settings)
    ]
    return _Wanted(*np.array(sorted(rows), np.int64).reshape(-1, 3).T)


def _cut_all(paths: list[Path], settings: WindowSettings) -> dict[str, np.ndarray]:
    read = [read_trials(path) for path in paths]  # labels now, events one recording at a time
    trials = [trials for trials, _ in read]
    if settings.origin == "first event":
        trials = [_trials_of_events(path, settings) for path in paths]
    firsts = np.cumsum([0] + [len(some) for some in trials])
    wanted = [_windows_of(*one, settings) for one in zip(trials, firsts, strict=False)]
    windows = empty_windows(sum(len(w.begins) for w in wanted), settings)
    row = 0
    progress = tqdm(paths, desc="reading gesture recordings", disable=None)
    for path, (_, pieces), want in zip(progress, read, wanted, strict=True):
        subject = subject_of(path)
        for i, events in cut(pieces, want.begins, settings):
            if events.count:
                ids = (want.labels[i], want.trials[i], subject)
                row = fill_row(windows, row, events, settings, ids)
    if not row:
        raise UserError(f"{paths[0].parent}: no window of {settings.length_us} us in any trial")
    return {name: getattr(windows, name)[:row] for name in ARRAYS}


def load_clips(folder: str | Path, settings: WindowSettings | None = None) -> Windows:
    """Windows of single clips in the 5-byte layout, clip `i.bs2` showing class i.

    Args:
        folder: holds `1.bs2` and so on; each clip is a trial and a subject of its own.
        settings: how to cut.

    Raises:
        UserError: no clip there, a name that is no class, or a damaged clip.
    """
    settings = settings or WindowSettings()
    paths = sorted(Path(folder).glob("*.bs2"))
    clips = [(_class_of(p), read_events_5byte(p, WIDTH, HEIGHT, sorted_times=True)) for p in paths]
    begins = [window_begins(int(c.t_us[0]), int(c.t_us[-1]), settings) for _, c in clips]
    windows, row = empty_windows(sum(map(len, begins)), settings), 0
    for number, (label, clip) in enumerate(clips):
        for _, events in cut([clip], begins[number], settings):
            if events.count:
                row = fill_row(windows, row, events, settings, (label, number, number))
    if not row:
        raise UserError(f"{folder}: no clip (*.bs2) of at least {settings.length_us} us there")
    return replace(windows.at(np.arange(row)), time_range=settings.time_range)


def _class_of(clip: Path) -> int:
    if clip.stem not in map(str, range(1, len(CLASSES) + 1)):
        raise UserError(f"{clip}: a clip is named by its class, 1.bs2 to {len(CLASSES)}.bs2")
    return int(clip.stem) - 1
