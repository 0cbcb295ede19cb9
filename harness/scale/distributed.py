"""One table, measured by several processes together, as `torchrun` starts them.

    torchrun --nproc-per-node 2 -m deplm.tables.image

Every process runs the same program on the same data. What is shared is the work that grows with
the data: a process encodes its own part of the samples (`share`), and `total` puts the parts
together: rows of an array of which each process has filled its own and left the others zero, or
sums over rows, in float64. All else, readouts of features that are needed whole for instance, is
computed by every process alike. Process 0 alone prints and writes.

With one process all this does nothing. Messages go through gloo on the CPU, NCCL on GPUs.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import distributed

from harness.errors import UserError

T = TypeVar("T")
LONGEST = timedelta(days=7)  # that a process waits for another one, which may be training
_alone = False  # inside `by_first`: nothing is shared


def count() -> int:
    """How many processes share the work; 1 where nothing is shared."""
    return 1 if _alone else processes()


def processes() -> int:
    """How many processes there are, whether the work at hand is shared or not."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def number() -> int:
    """The number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_first() -> bool:
    """Whether this is process 0, the one that prints and writes."""
    return number() == 0


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Meet the other processes that `torchrun` started, if it did; all but process 0 are silent.

    Args:
        device: "cpu" or "cuda"; each process of a machine takes a GPU of its own.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=LONGEST)
    with (
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(sys.stdout if is_first() else nowhere),
    ):
        yield
    distributed.destroy_process_group()  # not after an error: the others may never come


@contextmanager
def first_of_machine_first() -> Iterator[None]:
    """A machine's other processes begin when its first one has ended: caches are made once."""
    later = count() > 1 and os.environ.get("LOCAL_RANK") != "0"
    if later:
        distributed.barrier()
    yield
    if count() > 1 and not later:
        distributed.barrier()


def share(items: int) -> slice:
    """Which of `items` this process works on: in order, nearly equal parts of all."""
    if count() == 1:
        return slice(0, items)
    return slice(items * number() // count(), items * (number() + 1) // count())


def total(values: np.ndarray) -> np.ndarray:
    """The sum over all processes, in each of them; exact where all but one have zeros.

    Args:
        values: of any shape, the same in every process.
    """
    return values if count() == 1 else gathered(values.copy())


def gathered(rows: np.ndarray) -> np.ndarray:
    """`total` in place, for arrays that are large: `rows` holds the sum, and is returned."""
    if count() > 1:
        there = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        summed = torch.from_numpy(rows).to(there)
        distributed.all_reduce(summed)
        rows[...] = summed.cpu().numpy()
    return rows


def no_rows() -> UserError:
    """What to raise where this process has no share of the data."""
    words = f"process {number()} of {count()} has no rows: start fewer processes"
    return UserError(f"{words}, the data are too few for so many")


def from_first(make: Callable[[], T]) -> T:
    """What process 0 makes, in every process; the others wait."""
    if count() == 1:
        return make()
    with _not_shared():
        made = [make() if is_first() else None]
    distributed.broadcast_object_list(made)
    return made[0]


def by_first(function: Callable[..., T]) -> Callable[..., T]:
    """Let process 0 alone run a function, training for instance, and give all its result."""

    @wraps(function)
    def wrapped(*arguments: object, **options: object) -> T:
        return from_first(lambda: function(*arguments, **options))

    return wrapped


@contextmanager
def _not_shared() -> Iterator[None]:
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before
