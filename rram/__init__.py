"""The random resistive memory chip that both papers draw their weights from."""

from rram.chip import Chip, Pair
from rram.crossbar import Crossbar
from rram.device import DEPLM_40NM, LSM_40NM, Device
from rram.errors import UserError

__all__ = ["DEPLM_40NM", "LSM_40NM", "Chip", "Crossbar", "Device", "Pair", "UserError"]
