"""What imperfections of the chip do: the list of studies, and how each point's chip is made.

A study varies one thing. Everywhere a readout is fitted to features of the imperfect chip (the
chip in the loop); where an ideal chip of the same cells exists, the network that was normalised
and fitted on that one is run on the imperfect chip too (without the loop).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from rram import Chip, Device
from rram.allotment import SIDES, Tile, allot
from rram.crossbar import ReadConfig
from rram.maps import read_map

Shapes = dict[str, tuple[int, int]]  # (inputs, outputs) of each block, by name
HOUR, DAY, YEAR = 3600.0, 86_400.0, 3.156e7  # s
DRIFT = {"drift_exponent": 0.05, "drift_spread": 0.02}  # assumed: no measured drift of this chip
AGES = (1.0, HOUR, DAY, YEAR, 10 * YEAR)
SPARSITIES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95)
NOISES = (0.05, 0.2)
IN_LOOP, WITHOUT = "fitted on this chip", "fitted on the ideal chip"


@dataclass(frozen=True)
class Point:
    """One value of a study: the chip and how it is read.

    Attributes:
        value: on the x axis.
        line: name of the curve it belongs to.
        cells: options of `rram.Chip` beside those of an ideal chip.
        spread: standard deviation of the conductance over its mean; None: the device's.
        age_s: since programming, in s.
        corrected: whether ageing is corrected by one factor an array.
        read: how the chip is read.
        size: factor on features or neurons.
    """

    value: float
    line: str = ""
    cells: dict[str, Any] = field(default_factory=dict)
    spread: float | None = None
    age_s: float = 0.0
    corrected: bool = False
    read: ReadConfig = ReadConfig()
    size: float = 1.0

    def chip(self, source: "ChipSource", seed: int, shapes: Shapes) -> Chip:
        """Chip number `seed` with this point's imperfections, for blocks of these shapes."""
        chip = source.chip(seed, self.cells, self.spread, shapes)
        return chip.age(self.age_s, corrected=self.corrected) if self.age_s else chip


@dataclass(frozen=True)
class ChipSource:
    """Where chips come from: a device, or measured maps.

    Attributes:
        device: constants of the cells.
        options: of every chip, `sparsity` for instance.
        maps: (G+ and G- together,) or (G+, G-), files of measured conductances in uS. Blocks lie
            on them in their order, see `rram.allotment`.
        reuse: whether cells of a map that is too small serve several times.
    """

    device: Device
    options: dict[str, Any] = field(default_factory=dict)
    maps: tuple[str, ...] = ()
    reuse: bool = False

    def chip(self, seed: int, cells: dict[str, Any], spread: float | None, shapes: Shapes) -> Chip:
        """A chip with the options `cells`, and another spread of its conductance if given."""
        if self.maps:
            minus = self.maps[1] if len(self.maps) > 1 else None
            tiles = self.tiles(shapes)
            return Chip.from_map(self.maps[0], seed, minus=minus, tiles=tiles, **cells)
        device = self.device
        if spread is not None:
            device = replace(device, conductance_std_us=spread * device.conductance_mean_us)
        return Chip(device, seed, **self.options | cells)

    def tiles(self, shapes: Shapes) -> list[Tile]:
        """Where blocks of these shapes lie on the maps.

        Raises:
            UserError: too few cells, and no reuse.
        """
        sides = ("plus",) if len(self.maps) > 1 else SIDES
        shape = read_map(self.maps[0]).shape
        return allot(shapes, shape, macros=1, sides=sides, reuse=self.reuse)


class Study(NamedTuple):
    """A figure: one imperfection, varied.

    Attributes:
        name: of `results/chip_<name>.png`.
        title: for people.
        axis: what the value is, with its unit.
        points: the chips.
        compared: whether the ideal chip's network is run on each point's chip.
        log: whether the axis is logarithmic.
        bits: whether it needs bit-serial inputs, which spikes do not have.
        programs: whether it is about programming, which a measured map has behind it.
    """

    name: str
    title: str
    axis: str
    points: tuple[Point, ...]
    compared: bool = True
    log: bool = False
    bits: bool = False
    programs: bool = False


def studies() -> tuple[Study, ...]:
    """All studies, the quick ones first."""
    return (
        Study(
            "sparsity", "Sparsity, set by the programming voltage", "sparsity",
            tuple(_sparsities()), compared=False, programs=True,
        ),
        Study(
            "spread", "Spread of the conductance", "standard deviation / mean of broken cells",
            tuple(Point(v, spread=v) for v in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)),
            compared=False, programs=True,
        ),
        Study("stuck", "Stuck cells", "fraction of stuck cells", tuple(_stuck())),
        Study("drift", "Drift", "s after programming", tuple(_drift()), log=True),
        Study(
            "wires", "Wire resistance, arrays of 512 x 512", "ohm a segment",
            tuple(Point(v, cells={"wire_ohm": v}) for v in (0.0, 0.5, 1.0, 2.0, 5.0)),
        ),
        Study(
            "size", "Number of features or neurons", "times the paper's",
            tuple(Point(v, size=v) for v in (0.125, 0.25, 0.5, 1.0, 2.0)),
            compared=False, log=True,
        ),
        Study(
            "input_bits", "Bits of the bit-serial input", "bits",
            tuple(Point(b, read=ReadConfig(input_bits=b)) for b in (1, 2, 4, 6)), bits=True,
        ),
        Study("noise", "Read noise", "relative standard deviation", tuple(_noise())),
        Study(
            "adc_bits",
            "Bits of the converter; full scale: the largest sum of |G+ - G-| of a column", "bits",
            tuple(Point(b, read=ReadConfig(input_bits=6, adc_bits=b)) for b in (4, 6, 8, 14)),
            bits=True,
        ),
    )  # fmt: skip


def for_subject(all_studies: Iterable[Study], *, spikes: bool, measured: bool) -> Iterator[Study]:
    """The studies that apply: inputs of spikes have no bits, a measured map is programmed already.

    Args:
        all_studies: the list.
        spikes: whether the inputs are spikes.
        measured: whether the chip is a measured map.
    """
    for study in all_studies:
        if (spikes and study.bits) or (measured and study.programs):
            continue
        points = study.points
        if spikes:
            points = tuple(p for p in points if p.read.input_bits is None)
        yield study._replace(points=points)


def smaller(study: Study) -> Study:
    """Both ends of the first line and the last point of the last, for a smoke run."""
    first = [point for point in study.points if point.line == study.points[0].line]
    ends = dict.fromkeys([0, len(first) - 1, len(study.points) - 1])
    return study._replace(points=tuple(study.points[n] for n in ends))


def ideal(point: Point) -> Point:
    """The ideal chip of the same cells and size."""
    return Point(0.0, spread=point.spread, size=point.size)


def _sparsities() -> Iterator[Point]:
    for noise in (0.0, 0.1):
        read = ReadConfig(noise)
        line = f"{noise:.0%} read noise on the cells" if noise else "no noise"
        for value in SPARSITIES if not noise else (0.0, 0.5, 0.95):
            yield Point(value, line, {"sparsity": value}, read=read)


def _stuck() -> Iterator[Point]:
    for kind, words in (("stuck_off", "stuck at 0"), ("stuck_on", "stuck at the mean")):
        for value in (0.0, 0.05, 0.1, 0.2):
            yield Point(value, words, {kind: value})


def _drift() -> Iterator[Point]:
    for corrected in (False, True):
        line = "one correction factor an array" if corrected else "not corrected"
        for age in AGES:
            yield Point(age, line, DRIFT, age_s=age, corrected=corrected)


def _noise() -> Iterator[Point]:
    for place in ("cells", "weight"):
        for rate, words in (("batch", "a batch"), ("vector", "a vector")):
            line = f"on the {place}, fresh for {words}"
            for value in NOISES:
                yield Point(value, line, read=ReadConfig(value, place, rate))
        for value in NOISES:
            line = f"on the {place}, fresh for a bit plane of 6"
            yield Point(value, line, read=ReadConfig(value, place, "product", input_bits=6))
