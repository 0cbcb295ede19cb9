"""Memory: more than there is is refused with its figure, before the system ends the program."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rram.errors import UserError

MEMINFO = Path("/proc/meminfo")
STATUS = Path("/proc/self/status")
GROUP_LIMIT, GROUP_USED = (  # of a container
    Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current")
)
CUDA = Path("/dev/nvidiactl")  # its driver reserves addresses of memory that is never used
GB = 1e9
REMEDY = "choose smaller constants, fewer samples or fewer chips"


def available_bytes() -> int | None:
    """Bytes that this program may still take; None where the system does not say."""
    free = _kilobytes(MEMINFO, "MemAvailable")
    if free is None:
        return None
    free += _kilobytes(MEMINFO, "SwapFree") or 0
    with suppress(OSError, ValueError):  # no container, or one without a limit
        free = min(free, int(GROUP_LIMIT.read_text()) - int(GROUP_USED.read_text()))
    return max(0, free)


def check_memory(wanted: int, what: str) -> None:
    """Refuse arrays that cannot be held, before anything is made of them.

    Args:
        wanted: bytes.
        what: needs them, for the error.

    Raises:
        UserError: they are more than there is.
    """
    free = available_bytes()
    if free is not None and wanted > free:
        raise UserError(
            f"{what} would take {wanted / GB:,.1f} GB of memory, {free / GB:,.1f} GB are free:"
            f" {REMEDY}"
        )


@contextmanager
def limited_memory() -> Iterator[None]:
    """Inside the block, arrays larger than what is free raise MemoryError when asked for.

    Without a limit, Linux grants more memory than there is, and ends the program when it is used.
    Beside CUDA there is no limit.
    """
    used, free = _kilobytes(STATUS, "VmData"), available_bytes()
    if used is None or free is None or CUDA.exists():
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [used + free, *(limit for limit in before if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def memory_refused(error: Exception) -> str:
    """What to tell the user when `error` says that memory was refused, else "".

    torch says so by RuntimeError, all others by MemoryError.
    """
    text = " ".join(str(error).split())
    refused = ("can't allocate memory", "out of memory", "not enough memory", "bad_alloc")
    if not isinstance(error, MemoryError) and not any(words in text.lower() for words in refused):
        return ""
    detail = text[text.find("DefaultCPUAllocator") :] if "DefaultCPUAllocator" in text else text
    return f"more memory is needed than there is ({detail[:160] or 'refused'}): {REMEDY}"


def _kilobytes(path: Path, name: str) -> int | None:
    # Bytes of a line "name:  123 kB" of one of the system's files.
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) * 1024 if found else None
