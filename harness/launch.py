"""Starts a program so that Ctrl-C ends it with one line from its first moment on.

    rrm image --smoke
    python -m harness.launch harness.run.rrm image --smoke   where `rrm` is not on the path

torch takes seconds to import, in which Python would answer Ctrl-C by a traceback.
"""

import os
import runpy
import signal
import sys


def _end(*_: object) -> None:
    os.write(2, b"interrupted: nothing was begun\n")
    os._exit(130)


def rrm() -> int:
    """The command `rrm`, see `harness.run.rrm`."""
    _watch()
    from harness.run.rrm import main

    return main()


def _watch() -> None:
    signal.signal(signal.SIGINT, _end)  # `harness.run.cli.main` sets its own
    signal.signal(signal.SIGTERM, _end)


if __name__ == "__main__":
    _watch()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
