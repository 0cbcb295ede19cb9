"""The reservoirs of a table, from its constants."""

from dataclasses import dataclass

from harness.chips import ChipConfig, make_chip
from harness.config import constant
from lsm.reservoir import Reservoir, ReservoirSpec, from_chip, gaussian
from rram import LSM_40NM
from rram.crossbar import ReadConfig

SOFTWARE, CHIP = "software (Gaussian)", "chip (RRAM)"


@dataclass(frozen=True)
class LsmConfig(ChipConfig):
    """Constants that every table of the LSM paper has."""

    sparsity: float = constant(
        0.0, "fraction of cells left unbroken (LSM: dense weights)", low=0, high=1
    )
    data_kind: str | None = constant(
        None, "insist on real, simulated-sensor or synthetic data; none: the best at hand"
    )


def make_reservoir(
    config: LsmConfig, seed: int, kind: str, spec: ReservoirSpec, prefix: str = ""
) -> Reservoir:
    """Reservoir number `seed`: Gaussian, or on the chip with read noise.

    Args:
        config: of the chip.
        seed: of the weights.
        kind: `SOFTWARE` or `CHIP`.
        spec: of the reservoir.
        prefix: of its blocks' names, where one chip holds several reservoirs.
    """
    if kind == SOFTWARE:
        return gaussian(spec, seed)
    c = config
    # The paper's const is for its own cells, all broken: other chips are scaled to their spread.
    other = bool(c.sparsity) or (c.programming_voltage_v or c.conductance_map) is not None
    chip = make_chip(c, LSM_40NM, seed)
    reading = ReadConfig(c.read_noise, c.noise_on, c.noise_per)
    return from_chip(spec, chip, reading, match_std=other, prefix=prefix)
