"""What the three DEPLM tables share: constants, chips, frozen encoders, notes.

Each table overrides the constants that are its own. "Published script" is the script of the DEPLM
repository that a table follows, train_classification_image.py for instance, as its shell script
calls it.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from deplm.counts import count_products
from deplm.encoder import Encoder, calibration_batches
from deplm.network import CloudNetwork, SetAbstraction
from deplm.points import CloudSet
from deplm.training.augment import Augmentation
from deplm.training.recipe import Recipe
from harness.data.datasets import DatasetInfo
from harness.errors import UserError
from harness.run.chips import ChipConfig, make_chip
from harness.run.config import constant
from harness.run.protocol import Run
from rram import DEPLM_40NM, Chip
from rram.cost import Product
from rram.crossbar import ReadConfig

PAPER = "DEPLM, Nature Communications 16:960 (2025), on the chip"
STAND_IN = "the stand-in's difficulty was set once, by looking at accuracy on it"
T = TypeVar("T")


@dataclass(frozen=True)
class DeplmConfig(ChipConfig):
    """Constants of every DEPLM table; the defaults are those of Fashion-MNIST."""

    input_bits: int = constant(
        6,
        "bits of the bit-serial input in the row with chip effects (the published scripts parse "
        "such a number and never use it)",
        low=1,
        high=16,
    )
    calibration_clouds: int = constant(
        1000, "training clouds whose statistics normalise the frozen layers", low=1, smoke=64
    )
    num_feat1: int = constant(128, "channels of SA1 before pruning (published script)", low=1)
    num_feat2: int = constant(256, "channels of SA2 before pruning (published script)", low=1)
    num_feat: int = constant(2048, "channels of SA3 before pruning (published script)", low=1)
    c_prune_rate: float = constant(
        2.5, "all channels are divided by it, rounded down (published script)", low=0.1
    )
    centres1: int = constant(512, "points that SA1 samples (published script)", low=1)
    neighbours1: int = constant(32, "points of a group in SA1 (published script)", low=1)
    r0: float = constant(0.15, "radius of SA1, in coordinate units (published script)", low=0)
    centres2: int = constant(128, "points that SA2 samples (published script)", low=1)
    neighbours2: int = constant(64, "points of a group in SA2 (published script)", low=1)
    r1: float = constant(0.2, "radius of SA2, in coordinate units (published script)", low=0)
    input_scale: float = constant(
        0.005, "scalar at the input of every random layer, at the start (published script)", low=0
    )
    epochs: int = constant(
        300, "of the rows trained by gradient (published script)", low=1, smoke=1
    )
    batch_size: int = constant(1024, "clouds a step (published script)", low=2, smoke=64)
    learning_rate: float = constant(
        0.005, "of Adam, at the start (published script)", low=0, high=100
    )
    weight_decay: float = constant(1e-4, "of Adam (published script)", low=0)
    step_epochs: int = constant(
        20, "epochs from one step of the learning rate to the next (published script)", low=1
    )
    step_factor: float = constant(0.7, "of the learning rate, a step (published script)", low=0)
    steps_early: int = constant(
        1, "1: steps come an epoch early, as the published script has it; 0: they do not",
        low=0, high=1,
    )  # fmt: skip
    lowest_rate: float = constant(0.0, "the learning rate falls no lower", low=0, high=100)
    norm_momentum: float = constant(
        0.1, "of running batch-norm statistics, at the start (torch's default)", low=0, high=1
    )
    norm_factor: float = constant(1.0, "of that momentum, every step_epochs", low=0, high=1)
    lowest_norm_momentum: float = constant(0.01, "that momentum falls no lower", low=0, high=1)
    dropout: float = constant(
        0.875, "largest ratio of points dropped of a training cloud (published script)",
        low=0, high=1,
    )  # fmt: skip
    shift: float = constant(
        0.1, "largest shift of a training cloud along each axis (published script)", low=0
    )
    smallest_scale: float = constant(1.0, "smallest factor on a training cloud", low=0)
    largest_scale: float = constant(1.0, "largest factor on a training cloud", low=0)
    train_limit: int | None = constant(
        None, "train the gradient rows on so many clouds only; none for all", low=16
    )


def abstractions(config: DeplmConfig) -> tuple[SetAbstraction, ...]:
    """The paper's three set abstractions, in the sizes of the constants."""
    sizes = (config.num_feat1, config.num_feat2, config.num_feat)
    first, second, last = (int(size / config.c_prune_rate) for size in sizes)
    return (
        SetAbstraction(first, config.centres1, config.neighbours1, config.r0),
        SetAbstraction(second, config.centres2, config.neighbours2, config.r1),
        SetAbstraction(last),
    )


def recipe(config: DeplmConfig, *, move_features: bool = False) -> Recipe:
    """The published training, with the constants of a table.

    Args:
        config: the table's constants.
        move_features: see `Augmentation`.
    """
    scale = (config.smallest_scale, config.largest_scale)
    return Recipe(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        step_epochs=config.step_epochs,
        step_factor=config.step_factor,
        augmentation=Augmentation(config.dropout, config.shift, scale, move_features),
        first_step_early=bool(config.steps_early),
        lowest_rate=config.lowest_rate,
        weight_decay=config.weight_decay,
        norm_momentum=config.norm_momentum,
        norm_factor=config.norm_factor,
        lowest_norm_momentum=config.lowest_norm_momentum,
    )


def chip_of(run: Run, seed: int) -> Chip:
    """Chip number `seed` of the run."""
    return make_chip(run.config, DEPLM_40NM, seed)


@dataclass(frozen=True)
class RidgeRow:
    """Base of the ridge rows of gestures and parts: by what clouds are encoded.

    Attributes:
        kind: class of the encoders.
        network: their sizes; it knows its `fixed_weights`.
        read_config: how the arrays are read.
        note: what a reader of the row has to know.
    """

    kind: type
    network: CloudNetwork
    read_config: ReadConfig = ReadConfig()
    note: str = ""

    def encoders(self, run: Run, seeds: list[int]) -> list[Encoder]:
        """One a chip, see `frozen_encoders`."""
        clouds = run.data.train
        return frozen_encoders(run, self.kind, self.network, seeds, clouds, self.read_config)


def frozen_encoders(
    run: Run,
    kind: type,
    network: Any,  # noqa: ANN401
    seeds: list[int],
    source: CloudSet,
    read_config: ReadConfig = ReadConfig(),
) -> list[Encoder]:
    """Calibrated encoders of one network, one a chip.

    Args:
        run: whose chips, and how many clouds they are calibrated on.
        kind: class of the encoder, `FrozenEncoder` for instance.
        network: its sizes.
        seeds: of the chips.
        source: training clouds.
        read_config: how the arrays are read.
    """
    batches = calibration_batches(source, network, run.config.calibration_clouds, run.device)
    encoders = [kind(network, chip_of(run, seed), read_config, run.device) for seed in seeds]
    for encoder in encoders:
        encoder.calibrate(batches)
    return encoders


def products_of(run: Run, network: CloudNetwork, classes: int) -> list[Product]:
    """Products of a network for one training cloud, for its costs."""
    return count_products(network, network.batch(run.data.train, np.arange(1)), classes)


def with_effects(run: Run) -> tuple[ReadConfig, str]:
    """Noise in the products and bit-serial inputs, and the words for a note."""
    c = run.config
    place = " on the signed weight" if c.noise_on == "weight" else ""
    return (
        ReadConfig(c.read_noise, c.noise_on, c.noise_per, c.input_bits),
        f"{c.read_noise:.1%} read noise a {c.noise_per}{place}, {c.input_bits}-bit inputs",
    )


def limited(run: Run, rows: np.ndarray) -> CloudSet:
    """Training clouds `rows`, or fewer: evenly, since those of a kind stand together."""
    count = min(run.config.train_limit or len(rows), len(rows))
    return replace(run.data.train, rows=rows[np.linspace(0, len(rows) - 1, count).astype(int)])


def real_samples(run: Run, named: str | None, info: DatasetInfo, kind: str) -> list[Path]:
    """Files of single real samples, to look at when the set itself is a stand-in.

    Args:
        run: names the data folder.
        named: a folder in it, or a path; None: the set's own folder.
        info: of the set, with the pattern of such files.
        kind: of the data at hand.

    Raises:
        UserError: a folder was named, and no such file is there.
    """
    folder = run.data_root / (named or info.folder)
    if named and not folder.is_dir():
        folder = Path(named)
    files = sorted(folder.glob(info.samples))
    if named and not files:
        raise UserError(f"{folder}: no real samples ({info.samples}) there; name another folder")
    return files if kind != "real" else []


def epochs_note(run: Run, published_epochs: int, clouds: int, what: str) -> str:
    """How long a row was trained, beside the published script.

    Args:
        run: with `epochs` and `batch_size` among its constants.
        published_epochs: of the script.
        clouds: in the training set.
        what: they are: "images".
    """
    return (
        f"{run.config.epochs} of the paper's {published_epochs} epochs, "
        f"batch {run.config.batch_size}, {clouds:,} {what}"
    )


def note_of(run: Run, *parts: str) -> str:
    """What a reader of a row has to know, of it and of the data."""
    stand_in = "" if run.data.record.kind == "real" else STAND_IN
    return "; ".join(filter(None, (*parts, stand_in)))


class Stopwatch:
    """Seconds spent waiting for features, and seconds spent on the rest.

    Attributes:
        waited: seconds that `waiting` waited for its items.
    """

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.waited = 0.0

    def waiting(self, items: Iterable[T]) -> Iterator[T]:
        """The items, one by one; the time that each takes to come counts as waiting."""
        iterator = iter(items)
        while True:
            before = time.perf_counter()
            item = next(iterator, None)
            self.waited += time.perf_counter() - before
            if item is None:
                return
            yield item

    @property
    def rest(self) -> float:
        """Seconds since the start that were not spent waiting."""
        return time.perf_counter() - self.started - self.waited
