"""Zero-shot transfer between spoken digits and event-camera digits (LSM paper, audio-visual).

Rows follow the published scripts `zero_shot_sim.py` (LSM-CLIP), `zero_shot_train.py` (SRNN-CLIP),
`zero_shot_prototype.py` and `zero_shot_prototype_trainable.py`.
`bash lsm/run_audio_visual.sh --help` lists rows and constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from harness.errors import UserError
from harness.run.cli import main
from harness.run.config import constant
from harness.run.protocol import Run, Table
from lsm.data import nmnist, ntidigits
from lsm.encode import StateFeatures
from lsm.probe import seconds_a_recording
from lsm.reservoir import ReservoirSpec
from lsm.tables.chip_costs import paired_products
from lsm.tables.common import (
    CHIP,
    SOFTWARE,
    ZeroShotConfig,
    clip_config,
    prototype_config,
    srnn_config,
)
from lsm.tables.zero_shot_figures import draw_zero_shot, trained_model
from lsm.tables.zero_shot_models import (
    EVENTS,
    PROTOTYPE_WIDTHS,
    Alignment,
    Clip,
    FrozenFeatures,
    Prototypes,
    Specs,
    Srnn,
)
from lsm.tables.zero_shot_rows import (
    Directions,
    DistributionRow,
    Models,
    SplitRow,
    TrainedOnTestItems,
)
from lsm.training.recurrent import TrainedSpec
from lsm.zero_shot.modalities import PairedModalities, Split, match, split_by_name
from lsm.zero_shot.retrieval import SIMILARITIES, Similarity, centred_cosine, principal_axis
from rram.cost import Product

SOURCE = "LSM, Nature Computational Science 5:37 (2025), published code"
PIXELS = 16  # a side of an image
AUDIO_STEPS, IMAGE_STEPS = 129, 50
AUDIO_CHANNELS, IMAGE_CHANNELS = 64, PIXELS * PIXELS
DIGITS = tuple(map(str, range(1, 10)))  # the paper trains on 1 to 7 and tests on 8 and 9
DIRECTIONS = Directions(("audio", "image"), SOURCE)
FORWARD, BACK = DIRECTIONS.both
on_split, over_splits = partial(SplitRow, DIRECTIONS), partial(DistributionRow, DIRECTIONS)
# Smallest seen and unseen top-1 of an epoch that the published scripts report, in %.
CLIP_FLOORS = {FORWARD: (65.0, 85.0), BACK: (70.0, 60.0)}
SRNN_FLOORS = {FORWARD: (65.0, 70.0), BACK: (70.0, 60.0)}
PROTOTYPE_FLOORS = {FORWARD: (50.0, 50.0), BACK: (50.0, 50.0)}
PROTOTYPE_FIGURES = {
    "LSM": ((50.25, 81.69), (50.0, 77.9), (50.6, 69.41), (51.2, 73.66), (56.9, 68.9)),
    "SRNN": ((50.25, 82.14), (53.0, 76.11), (54.5, 83.48), (60.2, 80.58), (52.9, 82.36)),
}


@dataclass(frozen=True)
class AudioVisualConfig(ZeroShotConfig):
    """Constants of the audio-visual table; edit them here or with --set name=value."""

    unseen: str = constant("8,9", "digits never trained on, separated by commas (LSM, code)")
    pool_size: int = constant(
        100, "first test items a class in a pool (LSM, code)", low=1, smoke=20
    )
    prototype_pool: int = constant(
        224, "the same of the prototype rows: 1,568 seen, 448 unseen (LSM, code)", low=1, smoke=20
    )
    images: int = constant(
        300, "training images a digit, the first; pairs take as many as utterances (LSM, code)",
        low=2, smoke=20,
    )  # fmt: skip
    similarity: str = constant(
        "dot product", "of LSM-CLIP's projections: dot product (LSM, code) or cosine"
    )
    targets: str = constant(
        "identity", "of the contrastive loss: identity, soft or labels (not visible)"
    )
    neurons: int = constant(200, "of each reservoir (LSM, code)", low=1, high=65536)
    audio_const: float = constant(0.1, "weight scale of the audio reservoir (LSM, code)", low=1e-9)
    image_const: float = constant(0.3, "weight scale of the image reservoir (LSM, code)", low=1e-9)
    audio_decay: float = constant(0.97, "of its membranes, also trained (LSM, code)", low=0, high=1)
    image_decay: float = constant(0.9, "of its membranes, also trained (LSM, code)", low=0, high=1)
    audio_threshold: float = constant(5.3, "of its membranes, also trained (LSM, code)", low=0)
    image_threshold: float = constant(5.0, "of its membranes, also trained (LSM, code)", low=0)
    prototype_audio_const: float = constant(
        0.6, "weight scale of LSM-Prototype's audio reservoir (LSM, code: width 64)", low=1e-9
    )
    prototype_image_const: float = constant(
        0.35, "weight scale of its image reservoir (LSM, code: width 64)", low=1e-9
    )
    trained_neurons: int = constant(
        200, "of each SRNN encoder (not visible; that of the reservoirs)", low=1, smoke=20
    )
    trained_batch: int = constant(8, "pairs a step of SRNN-CLIP (LSM, code)", low=2)
    trained_temperature: float = constant(1.0, "of SRNN-CLIP's loss (LSM, code)", low=1e-4)
    trained_audio_const: float = constant(
        0.5, "weight scale of SRNN-CLIP's audio encoder (LSM, code)", low=0
    )
    trained_image_const: float = constant(0.5, "of its image encoder (LSM, code)", low=0)
    trained_prototype_audio_const: float = constant(
        0.9, "weight scale of SRNN-Prototype's audio encoder (LSM, code: width 64)", low=0
    )
    trained_prototype_image_const: float = constant(
        0.35, "of its image encoder (LSM, code: width 64)", low=0
    )
    window_epochs: int = constant(30, "of LSM-CLIP with windows and membranes", low=1, smoke=4)


def load(run: Run) -> PairedModalities:
    """Both data sets, digits 1 to 9."""
    c = run.config
    options = {"kind": c.data_kind, "tiny": run.smoke}
    sets = (ntidigits.load(run.data_root, **options), nmnist.load(run.data_root, **options))
    limits, fraction = (None, c.images), c.validation_fraction
    data = match(*sets, DIRECTIONS.names, classes=DIGITS, limits=limits, fraction=fraction)
    split_by_name(c.unseen, data.classes)  # before any work
    clip_config(c, 64, targets=c.targets)
    _similarity(c)
    return data


def paper_split(run: Run) -> Split:
    """The digits of `unseen`, by default 8 and 9."""
    return split_by_name(run.config.unseen, run.data.classes)


def every_pair(run: Run) -> Sequence[Split]:
    """All choices of two unseen digits: 36."""
    count = len(run.data.classes)
    return [Split(pair, count) for pair in combinations(range(count), 2)]


def specs(config: AudioVisualConfig, audio_const: float, image_const: float) -> Specs:
    """Both reservoirs."""
    c, n = config, config.neurons
    return (
        ReservoirSpec(
            AUDIO_CHANNELS, n, c.audio_decay, c.audio_threshold, audio_const, AUDIO_STEPS
        ),
        ReservoirSpec(
            IMAGE_CHANNELS, n, c.image_decay, c.image_threshold, image_const, IMAGE_STEPS
        ),
    )


def costs(run: Run) -> list[Product]:
    """Products of LSM-CLIP as published, for one pair."""
    c = run.config
    return paired_products(run, specs(c, c.audio_const, c.image_const), 64)


def trained_specs(
    config: AudioVisualConfig, audio_const: float, image_const: float
) -> tuple[TrainedSpec, TrainedSpec]:
    """Both SRNN encoders; `Srnn` sets the width of their readouts."""
    c, n = config, config.trained_neurons
    return (
        TrainedSpec(
            "linear", AUDIO_CHANNELS, n, 1, AUDIO_STEPS,
            decay=c.audio_decay, threshold=c.audio_threshold, const=audio_const,
        ),
        TrainedSpec(
            "linear", IMAGE_CHANNELS, n, 1, IMAGE_STEPS,
            decay=c.image_decay, threshold=c.image_threshold, const=image_const,
        ),
    )  # fmt: skip


def _similarity(config: AudioVisualConfig) -> Similarity:
    if config.similarity not in SIMILARITIES:
        allowed = ", ".join(SIMILARITIES)
        raise UserError(f"similarity is {config.similarity!r}: one of {allowed}")
    return SIMILARITIES[config.similarity]


def lsm_clip(source: str, width: int) -> Models:
    """LSM-CLIP as published."""

    def models(config: AudioVisualConfig) -> list[Clip]:
        features = FrozenFeatures(source, specs(config, config.audio_const, config.image_const))
        recipe = clip_config(config, width, targets=config.targets)
        return [Clip(features, recipe, _similarity(config))]

    return models


def event_clip(config: AudioVisualConfig) -> list[Clip]:
    """The rival without random layers: LSM-CLIP's projections of event counts in time windows."""
    reads = (StateFeatures(config.rival_windows),) * 2
    both = specs(config, config.audio_const, config.image_const)
    features = FrozenFeatures(EVENTS, both, reads, standardised=True)
    recipe = clip_config(config, 64, targets=config.targets)
    return [Clip(features, recipe, _similarity(config))]


def windowed_clip(source: str) -> Models:
    """Labels in the loss, embeddings of length 1, and two kinds of features to choose from.

    Time windows and membranes, standardised, tell seen digits apart. Rates compared along one
    axis tell two unseen digits apart, and leave to chance which is called which; they are not
    used for seen digits.
    """

    def models(config: AudioVisualConfig) -> list[Clip]:
        both = specs(config, config.audio_const, config.image_const)
        better = {"targets": "labels", "normalise": True, "epochs": config.window_epochs}
        reads = (StateFeatures(5, (), 0 if source == EVENTS else 5),) * 2
        seen = clip_config(config, 64, **better, temperature=0.1, batch_size=32)
        unseen = clip_config(config, 64, **better, temperature=0.3)
        return [
            Clip(FrozenFeatures(source, both, reads, standardised=True), seen, centred_cosine),
            Clip(FrozenFeatures(source, both), unseen, principal_axis, unseen_only=True),
        ]

    return models


def alignment(config: AudioVisualConfig) -> list[Alignment]:
    """Closed-form alignment of the chip's rates."""
    both = specs(config, config.audio_const, config.image_const)
    return [Alignment(FrozenFeatures(CHIP, both))]


def srnn_clip(config: AudioVisualConfig) -> list[Srnn]:
    """SRNN-CLIP as published: similarities are cosines, the loss takes raw dot products."""
    c = config
    both = trained_specs(c, c.trained_audio_const, c.trained_image_const)
    return [Srnn(both, srnn_config(c))]


def prototypes(kind: str, width: int) -> Models:
    """LSM-Prototype or SRNN-Prototype of one width, with the constants of width 64."""

    def models(config: AudioVisualConfig) -> list[Prototypes | Srnn]:
        c = config
        if kind == "LSM":
            both = specs(c, c.prototype_audio_const, c.prototype_image_const)
            return [Prototypes(FrozenFeatures(CHIP, both), prototype_config(c, width))]
        both = trained_specs(c, c.trained_prototype_audio_const, c.trained_prototype_image_const)
        recipe = prototype_config(c, width, learning_rate=c.trained_rate, epochs=c.trained_epochs)
        return [Srnn(both, recipe, prototypes=True)]

    return models


def _prototype_rows() -> tuple[SplitRow, ...]:
    rows = []
    for kind, figures in PROTOTYPE_FIGURES.items():
        for width, paper in zip(PROTOTYPE_WIDTHS, figures, strict=True):
            options = {
                "paper": {FORWARD: paper},
                "default": kind == "LSM",
                "pool_size": lambda c: c.prototype_pool,
            }
            name, models = f"{kind}-Prototype, {width}", prototypes(kind, width)
            rows += [
                on_split(name, models, paper_split, **options),
                TrainedOnTestItems(
                    DIRECTIONS, f"{name}, trains on test items", models, paper_split,
                    floors=PROTOTYPE_FLOORS, **options,
                ),
            ]  # fmt: skip
    return tuple(rows)


def picture(modality: int, spikes: np.ndarray) -> np.ndarray:
    """Sound as channels over time, an image as its events: (rows, columns) to draw."""
    return spikes.T[::-1] if modality == 0 else spikes.sum(0).reshape(PIXELS, PIXELS)


def draw_figures(run: Run, rows: list[dict]) -> list[Path]:
    """All figures; those of single items show the model that tells seen digits apart."""
    model, split = windowed_clip(CHIP)(run.config)[0], paper_split(run)
    shown = trained_model(run, model, split)
    return draw_zero_shot(run, rows, shown, picture, TABLE.name, 100 / len(split))


def _clip_row(name: str, source: str, width: int, paper: tuple[float, float]) -> SplitRow:
    options = {"paper": {FORWARD: paper}, "floors": CLIP_FLOORS}
    return on_split(name, lsm_clip(source, width), paper_split, **options)


ROWS = (
    _clip_row("LSM-CLIP, chip (RRAM)", CHIP, 64, (67.42, 87.5)),
    _clip_row("LSM-CLIP, software", SOFTWARE, 64, (66.1, 88.0)),
    _clip_row("LSM-CLIP, software, 128", SOFTWARE, 128, (67.4, 88.5)),
    on_split("event counts, LSM-CLIP", event_clip, paper_split),
    on_split("LSM-CLIP, windows and membranes", windowed_clip(CHIP), paper_split, restarts=5),
    on_split("event counts, windows", windowed_clip(EVENTS), paper_split, restarts=5),
    on_split("closed-form alignment", alignment, paper_split),
    *_prototype_rows(),
    on_split("SRNN-CLIP, trained", srnn_clip, paper_split,
        paper={FORWARD: (82.28, 74.0)}, floors=SRNN_FLOORS, default=False,
    ),
    over_splits("LSM-CLIP, every two unseen digits", lsm_clip(CHIP, 64), every_pair),
    over_splits("LSM-CLIP, permuted control", lsm_clip(CHIP, 64), every_pair, permuted=True),
)  # fmt: skip

TABLE = Table(
    name="audio_visual",
    title="Audio-visual zero-shot transfer",
    command="lsm/run_audio_visual.sh",
    paper_data=f"{ntidigits.INFO.name} + {nmnist.INFO.name}",
    config=AudioVisualConfig,
    rows=tuple(row.row() for row in ROWS),
    headlines=(
        "LSM-CLIP, chip (RRAM)",
        "event counts, LSM-CLIP",
        "SRNN-CLIP, trained",
    ),
    load=load,
    costs=costs,
    figures=draw_figures,
    probe=seconds_a_recording,
    next_step='bash lsm/run_audio_visual.sh --rows "SRNN-CLIP, trained" --seeds 1',
)  # fmt: skip

if __name__ == "__main__":
    raise SystemExit(main(TABLE))
