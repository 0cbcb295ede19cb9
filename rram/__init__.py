"""The random resistive memory chip that both papers draw their weights from.

Device     physical constants of a kind of cell; presets DEPLM_40NM, LSM_40NM
Chip       one physical chip: program -> age -> read; named blocks of pairs G+ and G-
Crossbar   products with such a pair; ReadConfig says how it is read
"""

from rram.chip import Chip, Pair
from rram.crossbar import Crossbar, ReadConfig
from rram.device import DEPLM_40NM, LSM_40NM, Device
from rram.errors import UserError

__all__ = [
    "DEPLM_40NM",
    "LSM_40NM",
    "Chip",
    "Crossbar",
    "Device",
    "Pair",
    "ReadConfig",
    "UserError",
]
