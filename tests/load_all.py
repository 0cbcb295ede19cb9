"""Loads the tiny form of data sets: `python -m tests.load_all FOLDER MODULE ...`."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    for name in sys.argv[2:]:
        import_module(name).load(Path(sys.argv[1]), tiny=True)
