"""What code a figure comes from, without git."""

import hashlib
from functools import cache
from pathlib import Path

from harness.data.cache import code_digest

SOURCE = Path(__file__).resolve().parents[2]
SHARED = ("rram", "harness")  # packages that every table is computed with


@cache
def code_key(package: str) -> str:
    """16 hexadecimal digits of every source file of `rram`, `harness` and one package more.

    Comments, docstrings and layout do not count: the key stays the same through commits that
    touch only these, pages, tests or results.

    Args:
        package: that a table lies in, "deplm" for instance.
    """
    whole = hashlib.sha256()
    for name in (*SHARED, package):
        for file in sorted((SOURCE / name).rglob("*.py")):
            whole.update(file.relative_to(SOURCE).as_posix().encode())
            whole.update(code_digest(file))
    return whole.hexdigest()[:16]
