"""How a program ends when its user, and not its code, has to act."""

import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from harness.scale.memory import limited_memory, memory_refused
from rram.errors import NoRealData, UserError

__all__ = ["NoRealData", "UserError", "exits_cleanly"]
INTERRUPTED = "interrupted: finished chips are kept; run again to go on"
NO_READER = 128 + signal.SIGPIPE  # as a shell says of a program whose output nobody reads


def exits_cleanly(main: Callable[..., int]) -> Callable[..., int]:
    """Turn what its user has to act on into one line and an exit status.

    That is a `UserError`, Ctrl-C, an error of the operating system, or more memory asked for than
    there is. Where the output's reader has gone, as with `| head`, the end is silent. Letters that
    a terminal does not have are shown as "?".
    """

    @wraps(main)
    def wrapped(*args: Any, **kwargs: Any) -> int:  # noqa: ANN401
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            with limited_memory():
                status = main(*args, **kwargs)
            sys.stdout.flush()
            return status
        except UserError as error:
            return _ended(f"error: {error}", error.status)
        except KeyboardInterrupt:
            return _ended(INTERRUPTED, 130)
        except BrokenPipeError:
            _write_nowhere(sys.stdout)
            return NO_READER
        except OSError as error:
            return _ended(f"error: {error.filename or 'a file'}: {error.strerror or error}", 2)
        except (MemoryError, RuntimeError) as error:
            if not (refused := memory_refused(error)):
                raise
            return _ended(f"error: {refused}", 2)

    return wrapped


def _ended(line: str, status: int) -> int:
    try:
        print(" ".join(line.splitlines()), file=sys.stderr, flush=True)
    except BrokenPipeError:
        _write_nowhere(sys.stderr)
    return status


def _write_nowhere(stream: Any) -> None:  # noqa: ANN401
    # Else the interpreter flushes what is left at its end, and fails again.
    with suppress(OSError, ValueError):  # not a real stream
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
