"""The chips of a table, from its constants."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.config import constant
from harness.errors import UserError
from rram import Chip, Device


@dataclass(frozen=True)
class ChipConfig:
    """Constants that every table has: what its chips are made of and how they are read."""

    sparsity: float = constant(0.5, "fraction of cells left unbroken (DEPLM, code)", low=0, high=1)
    programming_voltage_v: float | None = constant(
        None, "programming pulse in V, instead of sparsity (ESGNN: 3.14 to 3.70)", low=0
    )
    conductance_map: str | None = constant(None, "CSV of a measured array in uS, as the chip")
    read_noise: float = constant(
        0.02, "relative, fresh in every product, in the rows with it (DEPLM, code)", low=0, high=1
    )


def make_chip(constants: ChipConfig, device: Device, seed: int) -> Chip:
    """Chip number `seed`: a measured map, a programming voltage in V, or else the sparsity."""
    if constants.conductance_map is not None:
        return Chip.from_map(constants.conductance_map, seed)
    if constants.programming_voltage_v is not None:
        return Chip(device, seed, programming_voltage_v=constants.programming_voltage_v)
    return Chip(device, seed, sparsity=constants.sparsity)


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
        try:
            named["conductance_map"] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"conductance_map {path} cannot be read ({error.strerror})") from error
    return named
