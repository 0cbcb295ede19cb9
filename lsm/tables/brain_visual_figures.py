"""Figure of the brain-visual data: letters, and one trial with the pen's path behind it."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.report.figures import save, where
from harness.run.protocol import Run
from lsm.data import brain_visual_emnist as emnist
from lsm.data import brain_visual_handwriting as handwriting
from lsm.data.stand_ins.brain_visual_cortex import BIN_S, GO_S
from lsm.data.stand_ins.brain_visual_strokes import PenPath
from lsm.tables.figures import ACCENT, INK
from lsm.zero_shot.modalities import TEST

SHOWN_LETTER = "k"
INSTANCES = 4  # of every letter


def draw_data(run: Run, path: Path) -> Path:
    """Training letters, and a training trial; with the pen's path where it is known."""
    neural = run.data.modalities[0]
    number = run.data.classes.index(SHOWN_LETTER)
    (first, *_) = np.flatnonzero((neural.labels == number) & (neural.subset != TEST))
    spikes = neural.trains.take(slice(first, first + 1)).dense(np.uint8)[:, 0]
    synthetic = run.data.record.kind == "synthetic"
    pen = handwriting.pen_path(SHOWN_LETTER, 0) if synthetic else None
    letters = emnist.load(run.data_root, kind=run.config.data_kind, tiny=run.smoke)
    figure = Figure(figsize=(9, 6), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=[1, 1.7])
    _draw_letters(figure.add_subplot(grid[0, :]), letters)
    _draw_trial(figure.add_subplot(grid[1, : 2 if pen else 3]), spikes)
    if pen:
        _draw_pen(figure.add_subplot(grid[1, 2]), pen)
    figure.suptitle(where(run))
    return save(figure, path)


def _draw_letters(axis: Axes, letters: emnist.Letters) -> None:
    labels = letters.spikes.train_labels
    names = letters.spikes.classes
    columns = [
        np.concatenate(letters.train_images[labels == n][:INSTANCES]) for n in range(len(names))
    ]
    axis.imshow(np.concatenate(columns, 1), cmap="gray_r")
    side = columns[0].shape[1]
    axis.set_xticks((np.arange(len(names)) + 0.5) * side, names)
    axis.set(yticks=[], title=f"letters, {INSTANCES} of each")


def _draw_trial(axis: Axes, spikes: np.ndarray) -> None:
    step, channel = np.nonzero(spikes)
    seconds = step * BIN_S - GO_S
    axis.plot(seconds, channel, "|", color=INK, markersize=1.6, markeredgewidth=0.6)
    axis.axvline(0, color=ACCENT, label="go cue")
    axis.set(xlabel="s", ylabel="electrode", title=f"a trial: {SHOWN_LETTER}")
    axis.margins(0.01)
    axis.legend(loc="upper left")


def _draw_pen(axis: Axes, pen: PenPath) -> None:
    speed = np.linalg.norm(pen.velocity, axis=1)
    air = ~pen.down
    axis.scatter(*pen.position[air].T, s=3, color="#c8c8c8", label="in the air")
    dots = axis.scatter(*pen.position[pen.down].T, s=8, c=speed[pen.down], cmap="viridis")
    axis.figure.colorbar(dots, ax=axis, label="speed (x-heights a letter)", shrink=0.8)
    axis.set(aspect="equal", xticks=[], yticks=[], title="the pen's path behind it")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, -0.12), frameon=False)
