"""Zero-shot transfer between spoken digits and event-camera digits (LSM paper, audio-visual).

`bash lsm/run_audio_visual.sh --help` lists rows and constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from harness.cli import main
from harness.config import constant
from harness.protocol import Row, Run, Table
from lsm.data import nmnist, ntidigits
from lsm.encode import StateFeatures
from lsm.reservoir import AUDIO_VISUAL_AUDIO, AUDIO_VISUAL_IMAGE
from lsm.tables.common import CHIP, SOFTWARE
from lsm.tables.zero_shot_figures import draw_zero_shot, trained_model
from lsm.tables.zero_shot_models import (
    PROTOTYPE_WIDTHS,
    Model,
    ZeroShotConfig,
    aligned,
    clip,
    frozen,
    prototypes,
    srnn,
)
from lsm.tables.zero_shot_rows import Task
from lsm.training.recurrent import NMNIST_SRNN_ANN, NTIDIGITS_SRNN_ANN
from lsm.zero_shot.modalities import PairedModalities, Split, match, split_by_name
from lsm.zero_shot.selection import centred_cosine, principal_axis

SOURCE = "LSM, Nature Computational Science 5:37 (2025), published code"
PIXELS = 16  # of a side of an image
DIGITS = tuple(map(str, range(1, 10)))  # the paper trains on 1 to 7 and tests on 8 and 9
SPECS = (AUDIO_VISUAL_AUDIO, AUDIO_VISUAL_IMAGE)
# Over 129 steps, the supervised N-TIDIGITS network's const 1 lets gradients grow to infinity.
TRAINED = (replace(NTIDIGITS_SRNN_ANN, const=0.03, threshold=0.3), NMNIST_SRNN_ANN)
TASK = Task(("audio", "image"), SOURCE)


@dataclass(frozen=True)
class AudioVisualConfig(ZeroShotConfig):
    """Constants of the audio-visual table; edit them here or with --set name=value."""

    unseen: str = constant("8,9", "digits never trained on, separated by commas (LSM, code)")
    pool_size: int = constant(100, "test items a class in a pool (LSM, code)", low=1, smoke=20)
    images: int = constant(
        300, "training images a digit, the first ones; the paper takes as many as utterances",
        low=2, smoke=20,
    )  # fmt: skip


def load(run: Run) -> PairedModalities:
    """Both data sets, digits 1 to 9."""
    c = run.config
    options = {"kind": c.data_kind, "tiny": run.smoke}
    sets = (ntidigits.load(run.data_root, **options), nmnist.load(run.data_root, **options))
    data = match(
        *sets, TASK.sides, classes=DIGITS, limits=(None, c.images), fraction=c.validation_fraction
    )
    split_by_name(c.unseen, data.classes)  # before any work
    return data


def paper_split(run: Run) -> Split:
    """The digits of `unseen`, by default 8 and 9."""
    return split_by_name(run.config.unseen, run.data.classes)


def every_pair(run: Run) -> Sequence[Split]:
    """All choices of two unseen digits: 36."""
    count = len(run.data.classes)
    return [Split(pair, count) for pair in combinations(range(count), 2)]


def plus(config: AudioVisualConfig) -> list[Model]:
    """LSM-CLIP+: labels in the loss, embeddings of length 1, and two ways to read the reservoirs.

    Time windows and membranes, standardised, tell seen digits apart. Rates compared along one
    axis tell two unseen digits apart, and leave to chance which is called which; they are not
    used for seen digits.
    """
    better = {"targets": "labels", "normalise": True, "epochs": min(30, config.epochs)}
    reads = StateFeatures(5, (), 5)
    seen = clip(config, 64, **better, temperature=0.1, batch_size=32)
    seen = seen._replace(reads=(reads, reads), standardised=True, similarity=centred_cosine)
    unseen = clip(config, 64, **better, temperature=0.3)._replace(
        similarity=principal_axis, unseen_only=True
    )
    return [seen, unseen]


def _prototype_rows() -> tuple[Row, ...]:
    published = {
        "LSM": ((50.25, 81.69), (50.0, 77.9), (50.6, 69.41), (51.2, 73.66), (56.9, 68.9)),
        "SRNN": ((50.25, 82.14), (53.0, 76.11), (54.5, 83.48), (60.2, 80.58), (52.9, 82.36)),
    }
    rows = []
    for name, figures in published.items():
        for width, paper in zip(PROTOTYPE_WIDTHS, figures, strict=True):
            frozen_model = frozen(CHIP, SPECS, lambda c, width=width: [prototypes(c, width)])
            trained_model = srnn(TRAINED, lambda c, width=width: prototypes(c, width))
            rows.append(
                TASK.row(
                    f"{name}-Prototype, {width}",
                    frozen_model if name == "LSM" else trained_model,
                    paper_split, paper=paper, default=name == "LSM",
                )
            )  # fmt: skip
    return tuple(rows)


def _clip64(config: AudioVisualConfig) -> list[Model]:
    return [clip(config, 64)]


def picture(side: int, spikes: np.ndarray) -> np.ndarray:
    """Sound as channels over time, an image as its events: (rows, columns) to draw."""
    return spikes.T[::-1] if side == 0 else spikes.sum(0).reshape(PIXELS, PIXELS)


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """All figures; those of single items show LSM-CLIP+ as it tells seen digits apart."""
    model, split = plus(run.config)[0], paper_split(run)
    shown = trained_model(run, CHIP, SPECS, model, split)
    return draw_zero_shot(run, rows, shown, picture, TABLE.name, 100 / len(split))


def _trained_clip(config: AudioVisualConfig) -> Model:
    # The published loss hardly moves these encoders in the epochs that a CPU can afford.
    return clip(config, 64, targets="labels", normalise=True, temperature=0.1)


TABLE = Table(
    name="audio_visual",
    title="Audio-visual zero-shot transfer",
    command="lsm/run_audio_visual.sh",
    paper_data=f"{ntidigits.INFO.name} + {nmnist.INFO.name}",
    config=AudioVisualConfig,
    rows=(
        TASK.row(
            "LSM-CLIP, software", frozen(SOFTWARE, SPECS, _clip64), paper_split, paper=(66.1, 88.0)
        ),
        TASK.row(
            "LSM-CLIP, software, 128",
            frozen(SOFTWARE, SPECS, lambda c: [clip(c, 128)]),
            paper_split, paper=(67.4, 88.5),
        ),
        TASK.row(
            "LSM-CLIP, chip (RRAM)", frozen(CHIP, SPECS, _clip64), paper_split, paper=(67.42, 87.5)
        ),
        TASK.row(
            "LSM-CLIP+",
            frozen(CHIP, SPECS, plus),
            paper_split, restarts=5,
        ),
        TASK.row("closed-form alignment", aligned(CHIP, SPECS), paper_split),
        *_prototype_rows(),
        TASK.row(
            "SRNN-CLIP, trained", srnn(TRAINED, _trained_clip),
            paper_split, paper=(82.28, 74.0), default=False,
        ),
        TASK.distribution(
            "LSM-CLIP, every two unseen digits", frozen(CHIP, SPECS, _clip64), every_pair
        ),
        TASK.distribution(
            "LSM-CLIP, permuted control", frozen(CHIP, SPECS, _clip64), every_pair, permuted=True
        ),
    ),
    load=load,
    figures=draw_figures,
    next_step='bash lsm/run_audio_visual.sh --rows "SRNN-CLIP, trained" --seeds 1',
)  # fmt: skip

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
