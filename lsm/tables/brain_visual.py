"""Zero-shot transfer between neural handwriting and letter images (LSM paper, brain-visual).

Rows follow the published scripts `train_zero_shot_clip_enlarge_suploss.py` (LSM-CLIP),
`zero_shot_train.py` (SRNN-CLIP) and `zero_shot_prototype_train.py` (SRNN-Prototype).
`bash lsm/run_brain_visual.sh --help` lists rows and constants.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from harness.errors import UserError
from harness.run.cli import main
from harness.run.config import constant
from harness.run.protocol import Run, Table
from lsm.data import brain_visual_emnist as emnist
from lsm.data import brain_visual_handwriting as handwriting
from lsm.data.stand_ins.brain_visual_strokes import SIDE
from lsm.probe import seconds_a_recording
from lsm.spikes import SpikeTrains
from lsm.tables.brain_visual_figures import draw_data
from lsm.tables.brain_visual_models import (
    PAPER_NEURONS,
    alignment,
    component_clip,
    event_clip,
    low_temperature,
    lsm_clip,
    lsm_prototypes,
    short_clip,
    small_batch,
    specs,
    srnn_clip,
    srnn_prototypes,
)
from lsm.tables.chip_costs import paired_products
from lsm.tables.common import CHIP, ZeroShotConfig
from lsm.tables.zero_shot_figures import draw_zero_shot, trained_model
from lsm.tables.zero_shot_models import EVENTS
from lsm.tables.zero_shot_rows import Directions, DistributionRow, SplitRow
from lsm.zero_shot.modalities import PairedModalities, Split, match, split_by_name

SOURCE = "LSM, Nature Computational Science 5:37 (2025), published code"
DIRECTIONS = Directions(("neural", "letter"), SOURCE)
FORWARD, BACK = DIRECTIONS.both
on_split, over_splits = partial(SplitRow, DIRECTIONS), partial(DistributionRow, DIRECTIONS)
# Smallest seen and unseen top-1 of an epoch that the published scripts report, in %.
CLIP_FLOORS = {FORWARD: (50.0, 70.0), BACK: (None, None)}
NO_FLOORS = {FORWARD: (None, None), BACK: (None, None)}
CHOICES_SEED = 2025  # of the random choices of unseen letters
NOISE_SEED = 2025


@dataclass(frozen=True)
class BrainVisualConfig(ZeroShotConfig):
    """Constants of the brain-visual table; edit them here or with --set name=value."""

    unseen: str = constant(
        "s,t,u,v", "letters never trained on, separated by commas (LSM, code: its best lines)"
    )
    other_unseen: str = constant("w,x,y,z", "those of its other line (LSM, code)")
    temperature: float = constant(0.5, "of the contrastive loss (LSM, code: best line)", low=1e-4)
    low_temperature: float = constant(0.001, "of two other lines (LSM, code)", low=1e-4)
    batch_size: int = constant(1024, "pairs a step (LSM, code: best line)", low=2)
    small_batch: int = constant(128, "pairs a step of the other lines (LSM, code)", low=2)
    width: int = constant(256, "of the common space (LSM, code)", low=1, smoke=32)
    targets: str = constant(
        "labels", "of the contrastive loss, which is given labels; its form is not visible"
    )
    learned_scale: bool = constant(
        True, "logits are multiplied by a learned number (not visible; there is one)"
    )
    pool_size: int = constant(
        30, "first test items a letter in a pool (inferred: figures are k / 660 and k / 120)",
        low=1, smoke=6,
    )  # fmt: skip
    enlarge_train: int = constant(
        10, "how often a training trial is paired, each time with another image (LSM, code; what "
        "it repeats is not visible)", low=1, high=100, smoke=1,
    )  # fmt: skip
    enlarge_test: int = constant(
        10, "how often a test trial may be in a pool that has too few (LSM, code; likewise)",
        low=1, high=100,
    )  # fmt: skip
    neural_noise: float = constant(
        0.0, "s.d. of Gaussian noise on the neural 0 and 1, cut again at 1/2 (LSM, code: eeg_std; "
        "what it is added to is not visible)", low=0, high=10,
    )  # fmt: skip
    neurons: int = constant(
        PAPER_NEURONS, "of each reservoir (LSM, code)", low=1, high=65536, smoke=200
    )
    neural_const: float = constant(5e-4, "weight scale of the neural reservoir (LSM, code)", low=0)
    letter_const: float = constant(5e-4, "weight scale of the letter reservoir (LSM, code)", low=0)
    decay: float = constant(0.95, "of all membranes, also trained (LSM, code)", low=0, high=1)
    threshold: float = constant(0.1, "of all membranes but SRNN-Prototype's (LSM, code)", low=0)
    validation_fraction: float = constant(
        0.3, "part of the training items of a letter to choose on", low=0.001, high=0.9
    )
    prototype_batch: int = constant(1100, "pairs a step of the prototype rows (LSM, code)", low=2)
    prototype_temperature: float = constant(
        0.001, "what squared distances are divided by in the prototype rows (LSM, code)", low=1e-9
    )
    prototype_width: int = constant(512, "of the prototype rows (LSM, code)", low=1, smoke=32)
    trained_neurons: int = constant(
        PAPER_NEURONS, "of each SRNN encoder (LSM, code)", low=1, smoke=20
    )
    trained_batch: int = constant(512, "pairs a step of SRNN-CLIP (LSM, code)", low=2)
    trained_temperature: float = constant(0.01, "of SRNN-CLIP's loss (LSM, code)", low=1e-4)
    trained_normalised: bool = constant(
        True, "SRNN-CLIP's loss takes embeddings of length 1 (not visible in the published code)"
    )
    trained_neural_const: float = constant(
        0.5, "weight scale of SRNN-CLIP's neural encoder (LSM, code: noted figures)", low=0
    )
    trained_letter_const: float = constant(0.1, "of its letter encoder (LSM, code)", low=0)
    trained_prototype_const: float = constant(
        5e-4, "weight scale of SRNN-Prototype's encoders (LSM, code)", low=0
    )
    trained_neural_threshold: float = constant(6.0, "of SRNN-Prototype (LSM, code)", low=0)
    trained_letter_threshold: float = constant(1.0, "of SRNN-Prototype (LSM, code)", low=0)
    copies: int = constant(
        2, "as enlarge_train, of our own rows (chosen on held-out letters)", low=1, high=100,
        smoke=1,
    )  # fmt: skip
    choices: int = constant(20, "random choices of four unseen letters", low=1, high=1000, smoke=4)
    choice_batch: int = constant(128, "pairs a step in the rows over many choices", low=2)
    choice_rate: float = constant(3e-3, "of Adam in the rows over many choices", low=1e-9, high=100)
    choice_epochs: int = constant(12, "epochs of the rows over many choices", low=1, smoke=2)
    component_windows: int = constant(
        8, "time windows of the neural reservoir before principal components", low=1, high=201
    )
    component_epochs: int = constant(20, "of LSM-CLIP on principal components", low=1, smoke=2)


def load(run: Run) -> PairedModalities:
    """Both data sets, letters a to z."""
    c = run.config
    options = {"kind": c.data_kind, "tiny": run.smoke}
    neural = handwriting.load(run.data_root, **options)
    if c.neural_noise:
        noisy = (
            noisy_spikes(x, c.neural_noise, n) for n, x in enumerate((neural.train, neural.test))
        )
        neural = replace(neural, **dict(zip(("train", "test"), noisy, strict=True)))
    letters = emnist.load(run.data_root, **options).spikes
    options = {"fraction": c.validation_fraction, "test_copies": c.enlarge_test}
    data = match(neural, letters, DIRECTIONS.names, **options)
    for names in (c.unseen, c.other_unseen):
        split_by_name(names, data.classes)  # before any work
    return data


def noisy_spikes(trains: SpikeTrains, deviation: float, seed: int) -> SpikeTrains:
    """Zeros and ones plus Gaussian noise, cut again at 1/2: some spikes go, others come.

    Args:
        trains: (T, B, C) zeros and ones.
        deviation: of the noise.
        seed: of the noise.
    """
    generator = np.random.default_rng([NOISE_SEED, seed])
    parts = []
    for sample in range(len(trains)):  # one at a time: a whole set does not fit in memory
        dense = trains.take(slice(sample, sample + 1)).dense()
        noise = generator.normal(0, deviation, dense.shape)
        parts.append(SpikeTrains.from_dense((dense + noise > 0.5).astype(np.uint8)))
    return SpikeTrains.concatenate(parts)


def best_split(run: Run) -> Split:
    """The letters of `unseen`, by default s t u v."""
    return split_by_name(run.config.unseen, run.data.classes)


def other_split(run: Run) -> Split:
    """The letters of `other_unseen`, by default w x y z."""
    return split_by_name(run.config.other_unseen, run.data.classes)


def random_choices(run: Run) -> Sequence[Split]:
    """`choices` different choices of as many letters as `unseen` has, the same on every chip."""
    generator = np.random.default_rng(CHOICES_SEED)
    count, size = len(run.data.classes), len(best_split(run))
    if math.comb(count, size) < run.config.choices:
        raise UserError(
            f"choices is {run.config.choices}: there are {math.comb(count, size)} of {size} letters"
        )
    chosen: dict[Split, None] = {}
    while len(chosen) < run.config.choices:
        chosen[Split(generator.permutation(count)[:size].tolist(), count)] = None
    return list(chosen)


def consecutive_letters(run: Run) -> Sequence[Split]:
    """All windows of as many letters in the alphabet's order as `unseen` has: 23 of four."""
    count, size = len(run.data.classes), len(best_split(run))
    return [Split(range(first, first + size), count) for first in range(count - size + 1)]


def picture(modality: int, spikes: np.ndarray) -> np.ndarray:
    """A trial as counts of 4 electrodes in 50 ms, a letter as its spikes: (rows, columns)."""
    if modality == 1:
        return spikes.sum(0).reshape(SIDE, SIDE)
    return spikes[:200].reshape(40, 5, -1, 4).sum((1, 3)).T[::-1]


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """All figures; those of single items show the model with most principal components."""
    split = best_split(run)
    shown = trained_model(run, component_clip(CHIP)(run.config)[-1], split)
    drawn = draw_zero_shot(run, rows, shown, picture, TABLE.name, 100 / len(split))
    return [*drawn, draw_data(run, run.results / f"{TABLE.name}_data.png")]


ROWS = (
    on_split("LSM-CLIP, unseen s t u v", lsm_clip, best_split,
        paper={FORWARD: (52.27, 70.83)}, floors=CLIP_FLOORS,
    ),
    on_split("LSM-CLIP, unseen s t u v, batch 128", small_batch, best_split,
        paper={FORWARD: (50.15, 68.33)}, floors=CLIP_FLOORS,
    ),
    on_split("LSM-CLIP, unseen s t u v, T 0.001", low_temperature, best_split,
        paper={FORWARD: (49.84, 60.0)}, floors=CLIP_FLOORS,
    ),
    on_split("LSM-CLIP, unseen w x y z", low_temperature, other_split,
        paper={FORWARD: (48.93, 58.12)}, floors=CLIP_FLOORS,
    ),
    on_split("event counts, LSM-CLIP", event_clip, best_split),
    on_split("LSM-CLIP, principal components", component_clip(CHIP), best_split, restarts=5),
    on_split("event counts, principal components", component_clip(EVENTS), best_split, restarts=5),
    on_split("closed-form alignment", alignment, best_split),
    on_split("LSM-Prototype (ours)", lsm_prototypes, other_split),
    on_split("SRNN-Prototype", srnn_prototypes, other_split, floors=NO_FLOORS, default=False),
    on_split("SRNN-CLIP, trained", srnn_clip, other_split,
        paper={FORWARD: (21.52, 61.67), BACK: (17.27, 33.33)}, floors=NO_FLOORS,
        default=False,
    ),
    over_splits("LSM-CLIP, random four unseen letters", short_clip, random_choices),
    over_splits("LSM-CLIP, four consecutive unseen letters", short_clip, consecutive_letters),
    over_splits("LSM-CLIP, permuted control", short_clip, random_choices, permuted=True),
)  # fmt: skip

TABLE = Table(
    name="brain_visual",
    title="Brain-visual zero-shot transfer",
    command="lsm/run_brain_visual.sh",
    paper_data=f"{handwriting.INFO.name} + {emnist.INFO.name}",
    config=BrainVisualConfig,
    rows=tuple(row.row() for row in ROWS),
    headlines=(
        "LSM-CLIP, unseen s t u v",
        "event counts, LSM-CLIP",
        "SRNN-CLIP, trained",
    ),
    load=load,
    costs=lambda run: paired_products(run, specs(run.config), run.config.width),
    figures=draw_figures,
    probe=seconds_a_recording,
    next_step='bash lsm/run_brain_visual.sh --rows "SRNN-CLIP, trained" --seeds 1 '
    "--set trained_neurons=200 trained_epochs=20",
)  # fmt: skip

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
