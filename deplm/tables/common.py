"""What the rows of the three DEPLM tables share: chips, frozen encoders, notes."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from deplm.encoder import Encoder, calibration_batches
from deplm.points import CloudSet
from harness.chips import make_chip
from harness.protocol import Run
from rram import DEPLM_40NM, Chip
from rram.crossbar import ReadConfig

PAPER = "DEPLM, Nature Communications 16:960 (2025), on the chip"
STAND_IN = "the stand-in's difficulty was set once, by looking at accuracy on it"
T = TypeVar("T")


def chip_of(run: Run, seed: int) -> Chip:
    """Chip number `seed` of the run."""
    return make_chip(run.config, DEPLM_40NM, seed)


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


def with_effects(run: Run) -> tuple[ReadConfig, str]:
    """Noise in the products and bit-serial inputs, and the words for a note."""
    c = run.config
    place = " on the signed weight" if c.noise_on == "weight" else ""
    return (
        ReadConfig(c.read_noise, c.noise_on, c.noise_per, c.input_bits),
        f"{c.read_noise:.1%} read noise a {c.noise_per}{place}, {c.input_bits}-bit inputs",
    )


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
