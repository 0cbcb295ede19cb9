"""Windows of gesture recordings: a recording becomes clouds of points (t, x, y).

DEPLM paper (methods, and the published `dvs_dataset.py` and `data_utils/dvs_gesture_proc.py`):
recordings denoised, windows of 0.5 s every 0.25 s, x and y over 127, t scaled to [0, 1], 1024
events drawn, the first one repeated when there are fewer. Where a window begins and what t is
scaled by differ between the scripts and our defaults; `WindowSettings` has both.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from deplm.data.dvs_aedat import HEIGHT, WIDTH
from deplm.data.dvs_denoise import Denoiser
from harness.data.events import Events, join_events, no_events
from harness.errors import UserError
from harness.scale.memory import check_memory

ARRAYS = ("xy", "t", "kept", "labels", "trials", "subjects")  # of `Windows`
ORIGINS = ("label", "first event")
TIME_RANGES = ("window", "drawn")


@dataclass(frozen=True)
class WindowSettings:
    """How recordings are cut.

    Attributes:
        length_us: length of a window (paper: 0.5 s).
        step_us: from the begin of one window to the next (paper: 0.25 s).
        denoise_us: support window of the background-activity filter, 0 for none; the published
            scripts read denoised files and do not show how they were made.
        kept: events of a window that are kept, drawn evenly without replacement, for all later
            draws; ours. Bounds the cache: all of the real set is 27 k windows x 6 B x kept.
        seed: of that choice.
        origin: where a trial's first window begins. "label": at the begin of its label, windows
            end before that of the label. "first event": at its first event, windows end before
            its last event (published script).
        time_range: what t runs over from 0 to 1. "window": all events of the window. "drawn":
            the events that were drawn of it (published script).

    Raises:
        UserError: another origin or time range.
    """

    length_us: int = 500_000
    step_us: int = 250_000
    denoise_us: int = 10_000
    kept: int = 4096
    seed: int = 0
    origin: str = "label"
    time_range: str = "window"

    def __post_init__(self) -> None:
        choices = ("origin", self.origin, ORIGINS), ("time_range", self.time_range, TIME_RANGES)
        for name, value, known in choices:
            if value not in known:
                raise UserError(f"{name} of windows is {value!r}: {' or '.join(map(repr, known))}")


@dataclass(frozen=True)
class Windows:
    """Events of W windows, K at most in each, and what they show.

    Attributes:
        xy: (W, K, 2) uint8, pixels; rows beyond `kept` are 0.
        t: (W, K) float32, ascending; 0 and 1 are the window's first and last event, kept or not.
        kept: (W,) int32, events kept, 1..K.
        labels: (W,) int64, class 0..9 (the official number less one).
        trials: (W,) int32, counts the trials (one person doing one gesture once), for votes.
        subjects: (W,) int32, number of the person, for splits that hold whole persons out.
        time_range: see `WindowSettings`.
    """

    xy: np.ndarray
    t: np.ndarray
    kept: np.ndarray
    labels: np.ndarray
    trials: np.ndarray
    subjects: np.ndarray
    time_range: str = "window"

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, rows: np.ndarray) -> "Windows":
        """The windows at a mask or positions."""
        return replace(self, **{name: getattr(self, name)[rows] for name in ARRAYS})

    def draw(
        self, points: int = 1024, *, seed: int = 0, rows: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw point clouds: the same for the same seed and row, whatever else is drawn.

        Args:
            points: events a cloud, drawn without replacement, in the order of the draw.
            seed: another seed gives a fresh draw, as training wants it every epoch.
            rows: (B,) positions of windows; all when None.

        Returns:
            (B, points, 3) float32 of (t, x, y), each in [0, 1]. A window with fewer events than
            `points` has all of them, in order, then its first again and again.
        """
        rows = np.arange(len(self)) if rows is None else np.asarray(rows)
        clouds = np.empty((len(rows), points, 3), np.float32)
        for cloud, row in zip(clouds, rows, strict=True):
            kept = int(self.kept[row])
            if kept > points:
                index = np.random.default_rng([seed, int(row)]).permutation(kept)[:points]
            else:
                index = np.zeros(points, np.int64)
                index[:kept] = np.arange(kept)
            cloud[:, 0] = self.t[row][index]
            cloud[:, 1:] = self.xy[row][index]
        clouds[:, :, 1:] /= np.float32(WIDTH - 1)
        if self.time_range == "drawn":
            t = clouds[:, :, 0]
            t -= t.min(axis=1, keepdims=True)
            t /= np.maximum(t.max(axis=1, keepdims=True), np.float32(1e-12))
        return clouds

    def split_by_subject(self, held_out: float = 0.2, seed: int = 0) -> tuple[np.ndarray, ...]:
        """Rows to fit on and rows to choose on: no person is in both.

        Args:
            held_out: share of the persons to choose on; at least one.
            seed: which persons.

        Returns:
            Two arrays of positions, ascending.
        """
        people = np.unique(self.subjects)
        if len(people) < 2:
            raise ValueError(f"a split by subject needs two subjects, got {len(people)}")
        count = min(len(people) - 1, max(1, round(held_out * len(people))))
        chosen = np.random.default_rng(seed).permutation(people)[:count]
        mask = np.isin(self.subjects, chosen)
        return np.flatnonzero(~mask), np.flatnonzero(mask)


def window_begins(start_us: int, end_us: int, settings: WindowSettings) -> np.ndarray:
    """(n,) int64 begins of the windows that lie wholly inside a trial, in us.

    Args:
        start_us: begin of the trial, and of its first window.
        end_us: end of the trial; no window goes beyond it.
        settings: length and step.
    """
    return np.arange(start_us, end_us - settings.length_us + 1, settings.step_us, dtype=np.int64)


def cut(
    pieces: Iterable[Events], begins: np.ndarray, settings: WindowSettings
) -> Iterator[tuple[int, Events]]:
    """Cut a streamed recording into windows, in order of their begin.

    Memory is bounded by one window and one piece.

    Args:
        pieces: the recording, in order of time.
        begins: (n,) us, ascending; windows may overlap.
        settings: length of a window and the filter.

    Yields:
        Position in `begins`, and the denoised events of that window (perhaps none).
    """
    denoise = Denoiser(WIDTH, HEIGHT, settings.denoise_us)
    waiting, position = no_events(), 0
    for piece in pieces:
        now = int(piece.t_us[-1])
        waiting = join_events([waiting, denoise(piece)])
        while position < len(begins) and begins[position] + settings.length_us <= now:
            yield position, _between(waiting, begins[position], settings)
            position += 1
        # What no window still to come can hold is let go.
        oldest = begins[position] if position < len(begins) else now
        waiting = waiting.at(slice(int(np.searchsorted(waiting.t_us, oldest)), None))
    for rest in range(position, len(begins)):
        yield rest, _between(waiting, begins[rest], settings)


def event_span(
    pieces: Iterable[Events], spans: list[tuple[int, int]], settings: WindowSettings
) -> list[tuple[int, int] | None]:
    """Times of the first and the last denoised event in each of some spans of a recording.

    Args:
        pieces: the recording, in order of time.
        spans: (begin, end) in us, the end not included.
        settings: the filter.

    Returns:
        (first, last) in us for each span, None where it has no event.
    """
    denoise = Denoiser(WIDTH, HEIGHT, settings.denoise_us)
    found: list[tuple[int, int] | None] = [None] * len(spans)
    for piece in map(denoise, pieces):
        for i, (begin, end) in enumerate(spans):
            low, high = np.searchsorted(piece.t_us, [begin, end])
            if low < high:
                first, last = int(piece.t_us[low]), int(piece.t_us[high - 1])
                found[i] = (found[i][0] if found[i] else first, last)
    return found


def _between(events: Events, begin: int, settings: WindowSettings) -> Events:
    first, last = np.searchsorted(events.t_us, [begin, begin + settings.length_us])
    return events.at(slice(int(first), int(last)))


def empty_windows(count: int, settings: WindowSettings) -> Windows:
    """`count` windows to be filled row by row.

    Raises:
        UserError: they do not go into memory.
    """
    check_memory(6 * count * settings.kept, f"{count:,} windows of {settings.kept:,} events")
    return Windows(
        xy=np.zeros((count, settings.kept, 2), np.uint8),
        t=np.zeros((count, settings.kept), np.float32),
        kept=np.zeros(count, np.int32),
        labels=np.zeros(count, np.int64),
        trials=np.zeros(count, np.int32),
        subjects=np.zeros(count, np.int32),
    )


def fill_row(
    windows: Windows, row: int, events: Events, settings: WindowSettings, ids: tuple[int, int, int]
) -> int:
    """Put at most `settings.kept` of a window's events into a row.

    Args:
        windows: what is filled.
        row: which row; its number makes the choice of events its own.
        events: of the window, at least one.
        settings: how many events, and the seed.
        ids: label, trial and subject.

    Returns:
        The next row.
    """
    index = np.arange(events.count)
    if events.count > settings.kept:
        rng = np.random.default_rng([settings.seed, row])
        index = np.sort(rng.choice(events.count, settings.kept, replace=False))
    span, n = max(1, int(events.t_us[-1] - events.t_us[0])), len(index)
    windows.xy[row, :n, 0], windows.xy[row, :n, 1] = events.x[index], events.y[index]
    windows.t[row, :n] = (events.t_us[index] - events.t_us[0]) / span
    windows.kept[row] = n
    windows.labels[row], windows.trials[row], windows.subjects[row] = ids
    return row + 1
