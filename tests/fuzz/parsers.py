"""All parsers of the package, with tiny files in the real forms (`DATA_ROOT`: real ones too)."""

from tests.fuzz.data_files import DATA
from tests.fuzz.own_files import OWN

PARSERS = (*DATA, *OWN)
