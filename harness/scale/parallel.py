"""Work shared by threads so that the result does not depend on how many there are."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Processors that this process may use; `OMP_NUM_THREADS`, where set, lowers it."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(allowed or 1, int(wanted))) if wanted.isdigit() else allowed or 1


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Limit the threads of torch's own operations inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def map_in_order(
    function: Callable[[T], R], items: Iterable[T], threads: int | None = None
) -> Iterator[R]:
    """Results of `function` in the order of `items`, a few ahead at most.

    Each thread works on one item at a time with single-threaded torch, so that item for item
    the arithmetic is the same for any number of threads. `function` must release the GIL to gain.

    Args:
        function: what to do with an item.
        items: the work.
        threads: how many; default `cores()`.
    """
    threads = threads or cores()
    with torch_threads(1):
        if threads == 1:
            yield from map(function, items)
            return
        # The setting above reaches this thread alone: each of the pool makes it for itself.
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            waiting: deque = deque()
            try:
                for item in items:
                    waiting.append(pool.submit(function, item))
                    if len(waiting) > 2 * threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
