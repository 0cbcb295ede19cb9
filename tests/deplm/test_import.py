"""`import deplm` gives what its table of contents says, and loads no data set, table or figure."""

import subprocess
import sys

import deplm


def test_everything_in_the_table_of_contents_is_there():
    assert all(hasattr(deplm, name) for name in deplm.__all__)
    assert all(name in deplm.__doc__ for name in deplm.__all__)


def test_import_stays_quick():
    slow = "matplotlib", "h5py", "torchvision", "deplm.data", "deplm.tables", "deplm.training"
    code = f"import sys, deplm; print(*(n for n in {slow!r} if n in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.returncode == 0 and loaded.stdout.strip() == ""
