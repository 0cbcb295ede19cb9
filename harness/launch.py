"""Starts a table so that Ctrl-C ends it with one line from its first moment on.

    python -m harness.launch deplm.tables.image --smoke

torch takes seconds to import, in which Python would answer Ctrl-C by a traceback.
"""

import os
import runpy
import signal
import sys


def _end(*_: object) -> None:
    os.write(2, b"interrupted: nothing was begun\n")
    os._exit(130)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _end)  # `harness.cli.main` sets its own
    signal.signal(signal.SIGTERM, _end)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
