"""The chips of a table, from its constants."""

import hashlib
from dataclasses import asdict, dataclass, fields
from typing import Any

from harness.data.files import read_file
from harness.errors import UserError
from harness.run.config import constant
from rram import Chip, Device
from rram.crossbar import ReadConfig

WORN = ("stuck_off", "stuck_on", "drift_exponent", "drift_spread", "wire_ohm")
MADE_BY = ("sparsity", "programming_voltage_v", "conductance_map")  # a chip: one of them


@dataclass(frozen=True)
class ChipConfig:
    """Constants that every table has: what its chips are made of and how they are read.

    Raises:
        UserError: two of `MADE_BY` are given, or a law of the noise is unknown.
    """

    sparsity: float = constant(0.5, "fraction of cells left unbroken (DEPLM, code)", low=0, high=1)
    programming_voltage_v: float | None = constant(
        None, "programming pulse in V, instead of sparsity (ESGNN: 3.14 to 3.70)", low=0
    )
    conductance_map: str | None = constant(None, "CSV of a measured array in uS, as the chip")
    stuck_off: float = constant(0.0, "fraction of cells stuck at 0 uS", low=0, high=1)
    stuck_on: float = constant(0.0, "fraction stuck at the mean of broken cells", low=0, high=1)
    drift_exponent: float = constant(0.0, "mean nu of the drift G (t / 1 s)^-nu")
    drift_spread: float = constant(0.0, "standard deviation of nu from cell to cell", low=0)
    age_s: float = constant(0.0, "seconds since programming, for the drift", low=0)
    wire_ohm: float = constant(0.0, "resistance of a wire segment between two cells", low=0)
    read_noise: float = constant(
        0.02, "relative, in the rows with chip effects and on LSM chips (DEPLM, code)",
        low=0, high=1,
    )  # fmt: skip
    noise_on: str = constant(
        "cells", "that noise is on both cells of a pair; weight: on the signed weight (DEPLM, code)"
    )
    noise_per: str = constant(
        "product", "it is fresh in every product; vector: one for all bits of an input; "
        "batch: one for a whole batch",
    )  # fmt: skip

    def __post_init__(self) -> None:
        ReadConfig(noise_on=self.noise_on, noise_per=self.noise_per)  # refuses unknown ones
        usual = {field.name: field.default for field in fields(self)}
        given = [name for name in MADE_BY if getattr(self, name) != usual[name]]
        if len(given) > 1:
            raise UserError(
                f"{' and '.join(given)} are given: a chip is made from one of them, keep one"
            )


def make_chip(constants: ChipConfig, device: Device, seed: int) -> Chip:
    """Chip number `seed`: a measured map, a programming voltage in V, or else the sparsity."""
    worn = {name: getattr(constants, name) for name in WORN}
    if constants.conductance_map is not None:
        chip = Chip.from_map(constants.conductance_map, seed, **worn)
    elif constants.programming_voltage_v is not None:
        voltage = constants.programming_voltage_v
        chip = Chip(device, seed, programming_voltage_v=voltage, **worn)
    else:
        chip = Chip(device, seed, sparsity=constants.sparsity, **worn)
    return chip.age(constants.age_s) if constants.age_s else chip


def identity(constants: Any) -> dict[str, Any]:  # noqa: ANN401
    """All constants by name, a measured array by its content and not by its path.

    Two runs with equal identities have equal chips.

    Args:
        constants: a frozen dataclass, most often a `ChipConfig`.

    Raises:
        UserError: the file of the measured array cannot be read.
    """
    named = asdict(constants)
    path = named.get("conductance_map")
    if path is not None:
        named["conductance_map"] = hashlib.sha256(read_file(path)).hexdigest()
    return named
