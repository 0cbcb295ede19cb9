"""Operations, cells, conversions, energy, latency and area of a network on the chip, as ranges.

Operations are counted from the products that a network does, given as a list of `Product`; siblings
make it from their networks as they run (`deplm.counts`, `lsm.counts`), and so can you. Everything
in joules, seconds and square metres comes from `cost_constants.json`, three values a constant.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, Self

from rram.allotment import MACRO, allot
from rram.errors import UserError
from rram.files import parsing, read_text

OPERATIONS_OF_A_MAC = 2
POINT, NEIGHBOUR = "per point", "per neighbour"  # two conventions of counting
UNITS = ("V", "ns", "pJ", "MS/s", "converters", "um2")
BYTES = 4  # of a number kept in memory


class Range(NamedTuple):
    """Low, typical and high value."""

    low: float
    typical: float
    high: float

    def __add__(self, other: "Range") -> "Range":
        """The sum, value by value."""
        return Range(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, factor: "float | Range") -> "Range":
        """The product with a number, or value by value."""
        factors = factor if isinstance(factor, Range) else (factor,) * 3
        return Range(*(a * b for a, b in zip(self, factors, strict=True)))


class Product(NamedTuple):
    """One weight matrix of a network and what it does for one sample.

    Attributes:
        name: of the layer.
        inputs: rows of the matrix.
        outputs: columns.
        vectors: input vectors a sample; of grouped points one a neighbour.
        point_macs: multiply-accumulates a sample where each point is projected once and gathered
            afterwards; None: as many as one a vector takes.
        on_chip: fixed random weights on the chip; else trained ones, digital.
        active: mean number of inputs that are 1 in a binary product; None: half of them.
        spikes: whether the inputs are spikes: one binary product a vector, no bit planes.
    """

    name: str
    inputs: int
    outputs: int
    vectors: float
    point_macs: float | None = None
    on_chip: bool = True
    active: float | None = None
    spikes: bool = False

    @property
    def weights(self) -> int:
        """Of the matrix."""
        return self.inputs * self.outputs

    def macs(self, convention: str = NEIGHBOUR) -> float:
        """Multiply-accumulates a sample, zeros among the inputs counted too."""
        if convention not in (POINT, NEIGHBOUR):
            raise UserError(f"convention {convention!r}: {POINT!r} or {NEIGHBOUR!r}")
        if convention == POINT and self.point_macs is not None:
            return self.point_macs
        return self.vectors * self.weights

    @property
    def additions(self) -> float:
        """Weights really added a sample, where inputs are spikes: rows of those that spiked."""
        active = self.inputs / 2 if self.active is None else self.active
        return self.vectors * active * self.outputs


class Training(NamedTuple):
    """Operations of one training step, a sample: 2 a multiply-accumulate, 2 a weight updated."""

    forward: float
    backward: float
    update: float

    @property
    def total(self) -> float:
        """All three."""
        return self.forward + self.backward + self.update


def training_cost(
    products: Sequence[Product], convention: str = NEIGHBOUR, *, frozen: bool = True
) -> Training:
    """Operations of a training step: backward is two products a trained matrix.

    Args:
        products: of the network.
        convention: how forward and backward products are counted.
        frozen: whether matrices on the chip stay as they are; else all are trained.
    """
    _checked(products)
    trained = [p for p in products if not (frozen and p.on_chip)]
    forward = sum(p.macs(convention) for p in products)
    backward = 2 * sum(p.macs(convention) for p in trained)
    update = sum(p.weights for p in trained)
    return Training(*(OPERATIONS_OF_A_MAC * x for x in (forward, backward, update)))


@dataclass(frozen=True)
class CostConstants:
    """Constants by name, each a `Range` in the unit of its file."""

    values: dict[str, Range]
    units: dict[str, str]
    sources: dict[str, str]

    def __getitem__(self, name: str) -> Range:
        """The constant `name`."""
        return self.values[name]

    @classmethod
    def usual(cls) -> Self:
        """Those of this package."""
        return cls._of(_usual_text(), "cost_constants.json")

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Those of a JSON file; what it leaves out is as usual.

        Raises:
            UserError: an unknown name, no or another unit, no source, or values that are not three
                numbers of 0 or more.
        """
        usual, own = cls.usual(), cls._of(read_text(path), str(path))
        for name, unit in own.units.items():
            if name not in usual.values:
                known = ", ".join(usual.values)
                raise UserError(f"{path}: no constant is called {name!r}; known are {known}")
            if unit != usual.units[name]:
                raise UserError(f"{path}: {name} is in {unit}; it is to be in {usual.units[name]}")
        return cls(usual.values | own.values, usual.units | own.units, usual.sources | own.sources)

    @classmethod
    def _of(cls, text: str, name: str) -> Self:
        with parsing(name, "JSON file of constants"):
            content = json.loads(text)
        if not isinstance(content, dict):
            raise UserError(f"{name}: expected constants by name")
        entries = {k: v for k, v in content.items() if k != "about"}
        for key, entry in entries.items():
            _check_entry(name, key, entry)
        return cls(
            {k: Range(*map(float, e["values"])) for k, e in entries.items()},
            {k: e["unit"] for k, e in entries.items()},
            {k: e["source"] for k, e in entries.items()},
        )


@dataclass(frozen=True)
class ChipCost:
    """What one sample costs on the chip.

    Attributes:
        energy_pj: by component.
        latency_us: one macro a matrix at work at a time.
        area_mm2: cells and converters of the macros.
        cells: two a weight.
        macros: of 512 x 512 cells.
        conversions: of the converters, a sample.
        reads: of an array, a sample.
    """

    energy_pj: dict[str, Range]
    latency_us: Range
    area_mm2: Range
    cells: int
    macros: int
    conversions: float
    reads: float

    @property
    def total_pj(self) -> Range:
        """Sum of the components."""
        return sum(self.energy_pj.values(), Range(0.0, 0.0, 0.0))


def chip_cost(
    products: Sequence[Product],
    constants: CostConstants | None = None,
    *,
    mean_conductance_us: float = 34.05538 / 2,
    input_bits: int = 6,
    adc_bits: int = 8,
) -> ChipCost:
    """Energy, latency and area of one sample: arrays, converters, digital part and memory.

    A read of a cell at V for t takes V^2 G t. Every output of every binary product is converted
    once (the pair's difference) for each array its rows are cut into.

    Args:
        products: of the network.
        constants: of the circuits; None: the usual ones.
        mean_conductance_us: of all cells, unbroken ones too; default DEPLM at sparsity 0.5.
        input_bits: planes of an input that is no spike.
        adc_bits: 4, 6, 8, 10, 12 or 14.
    """
    _checked(products)
    c = constants or CostConstants.usual()
    if (adc := f"adc_{adc_bits}_bit") not in c.values:
        raise UserError(f"adc_bits {adc_bits}: there are constants for 4, 6, 8, 10, 12 and 14 bits")
    chip, digital = ([p for p in products if p.on_chip is side] for side in (True, False))
    planes = {p.name: 1 if p.spikes else input_bits for p in chip}
    reads = sum(p.vectors * planes[p.name] * _tiles(p) for p in chip)
    conversions = sum(p.vectors * planes[p.name] * p.outputs * _row_tiles(p) for p in chip)
    driven = sum(p.additions * planes[p.name] for p in chip)
    joules = c["read_voltage"].times(c["read_voltage"]).times(c["read_time"])  # V^2 ns
    numbers = sum(p.vectors * (p.inputs + p.outputs) for p in products if not p.spikes)
    energy = {
        "cells": joules.times(2 * driven * mean_conductance_us * 1e-3),  # V^2 ns uS = 1e-3 pJ
        f"converters, {adc_bits} bits": c[adc].times(conversions),
        "input drivers": c["input_driver"].times(
            sum(p.vectors * planes[p.name] * p.inputs for p in chip)
        ),
        "shift and add": c["shift_add"].times(conversions),
        "normalisation, maximum or neurons": c["digital_add"].times(
            2 * sum(p.vectors * p.outputs for p in chip)
        ),
        "readout": c["digital_mac"].times(sum(p.macs() for p in digital)),
        "memory": c["sram_64_bit"].times(numbers * BYTES / 8),
    }
    waits = [_latency_us(p, planes[p.name], c) for p in chip]
    cells, macros = 2 * sum(p.weights for p in chip), _macros(chip)
    cell_area = c["cell_area"].times(macros * MACRO[0] * MACRO[1] * 1e-6)
    adc_area = c["adc_area"].times(macros * 1e-6)
    few, usual, many = c["adcs_per_macro"][::-1]
    area = cell_area + adc_area.times(Range(few, usual, many))
    latency = sum(waits, Range(0.0, 0.0, 0.0))
    return ChipCost(energy, latency, area, cells, macros, conversions, reads)


def gpu_cost(products: Sequence[Product], constants: CostConstants | None = None) -> dict:
    """Energy of one sample on a GPU in pJ, by convention: at its peak, and with memory traffic.

    Memory traffic: weights once, and what enters and leaves every layer, to and from DRAM.
    """
    _checked(products)
    c = constants or CostConstants.usual()
    costs = {}
    for convention in (NEIGHBOUR, POINT):
        macs = sum(p.macs(convention) for p in products)
        floor = c["gpu_operation"].times(OPERATIONS_OF_A_MAC * macs)
        numbers = sum(
            p.weights + p.macs(convention) / p.weights * (p.inputs + p.outputs) for p in products
        )
        costs[convention] = (floor, floor + c["dram_64_bit"].times(numbers * BYTES / 8))
    return costs


def _usual_text() -> str:
    return files("rram").joinpath("cost_constants.json").read_text(encoding="utf-8")


def _check_entry(file: str, name: str, entry: object) -> None:
    if not isinstance(entry, dict) or entry.keys() != {"values", "unit", "source"}:
        raise UserError(f"{file}: {name} needs values, unit and source, and nothing else")
    values, unit, source = entry["values"], entry["unit"], entry["source"]
    if unit not in UNITS:
        raise UserError(f"{file}: {name} has the unit {unit!r}; units are {', '.join(UNITS)}")
    if not isinstance(source, str) or not source.strip():
        raise UserError(f"{file}: {name} has no source")
    numbers = isinstance(values, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in values
    )
    if not numbers or len(values) != 3 or not all(0 <= v < math.inf for v in values):
        raise UserError(f"{file}: {name} has values {values!r}: low, typical and high, 0 or more")


def _checked(products: Sequence[Product]) -> None:
    if not products:
        raise UserError("a cost needs the count of a network's products, and this one has none")
    for p in products:
        if min(p.inputs, p.outputs) < 1 or not 0 <= p.vectors < math.inf:
            raise UserError(f"{p}: inputs and outputs from 1, a finite number of vectors")


def _row_tiles(p: Product) -> int:
    return -(-p.inputs // MACRO[0])


def _tiles(p: Product) -> int:
    return 2 * _row_tiles(p) * -(-p.outputs // MACRO[1])


def _macros(chip: Sequence[Product]) -> int:
    tiles = allot({p.name: (p.inputs, p.outputs) for p in chip}) if chip else []
    return max((tile.macro + 1 for tile in tiles), default=0)


def _latency_us(p: Product, planes: int, c: CostConstants) -> Range:
    columns = min(p.outputs, MACRO[1])
    waits = []
    for time, rate, adcs in zip(c["read_time"], c["adc_rate"], c["adcs_per_macro"], strict=True):
        conversions = -(-columns // max(1, int(adcs)))
        waits.append(p.vectors * planes * (time * 1e-3 + conversions / rate))
    return Range(*waits)
