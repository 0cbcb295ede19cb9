"""The chips of a table, from its constants."""

from typing import Protocol

from rram import Chip, Device


class ChipConstants(Protocol):
    """Constants of a table that say what its chips are made of."""

    sparsity: float
    programming_voltage_v: float | None
    conductance_map: str | None


def make_chip(constants: ChipConstants, device: Device, seed: int) -> Chip:
    """Chip number `seed`: a measured map, a programming voltage in V, or else the sparsity."""
    if constants.conductance_map is not None:
        return Chip.from_map(constants.conductance_map, seed)
    if constants.programming_voltage_v is not None:
        return Chip(device, seed, programming_voltage_v=constants.programming_voltage_v)
    return Chip(device, seed, sparsity=constants.sparsity)
