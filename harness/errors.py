"""How a program ends when its user, and not its code, has to act."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from rram.errors import UserError

__all__ = ["UserError", "exits_cleanly"]


def exits_cleanly(main: Callable[..., int]) -> Callable[..., int]:
    """Turn a `UserError` or Ctrl-C inside `main` into one line and an exit status."""

    @wraps(main)
    def wrapped(*args: Any, **kwargs: Any) -> int:  # noqa: ANN401
        try:
            return main(*args, **kwargs)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("interrupted: finished chips are kept; run again to go on", file=sys.stderr)
            return 130

    return wrapped
