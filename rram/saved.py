"""A chip as plain values and arrays, for files: its seed and constants, or its measured maps."""

import dataclasses
import inspect
from typing import Any

import numpy as np

from rram.allotment import Tile
from rram.chip import Chip
from rram.device import Device

CONSTANTS = tuple(
    name
    for name in inspect.signature(Chip).parameters
    if name not in ("device", "sparsity")  # the programming voltage says how many cells broke
)


def chip_parts(chip: Chip) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Plain values of a chip, and its maps by name where it has any."""
    values = {name: vars(chip)[name] for name in CONSTANTS}
    values["device"] = dataclasses.asdict(chip.device)
    values |= {"age_s": chip.age_s, "corrected": chip.corrected, "maps": len(chip._maps)}
    if chip._tiles is not None:
        values["tiles"] = [list(tile) for tiles in chip._tiles.values() for tile in tiles]
    return values, {f"map {n}": np.asarray(cells) for n, cells in enumerate(chip._maps)}


def chip_of_parts(values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Chip:
    """Back from `chip_parts`."""
    constants = {name: values[name] for name in CONSTANTS}
    maps = [arrays[f"map {n}"] for n in range(values["maps"])]
    if not maps:
        chip = Chip(Device(**values["device"]), **constants)
    else:
        del constants["programming_voltage_v"]
        tiles = values.get("tiles")
        chip = Chip.from_map(
            maps[0],
            constants.pop("seed"),
            minus=maps[1] if len(maps) > 1 else None,
            tiles=None if tiles is None else [Tile(*tile) for tile in tiles],
            **constants,
        )
    return chip.age(values["age_s"], corrected=values["corrected"])
