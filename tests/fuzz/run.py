"""Runs mutations in a process of its own and watches over it: no hang, no crash, no memory."""

import json
import multiprocessing
import resource
import shutil
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import numpy as np

from harness.errors import UserError
from tests.fuzz.mutate import mutated
from tests.fuzz.parser import Parser

SEED = 2025
LONGEST_S = 20.0  # of one mutation, on a machine that does other things too
MEMORY = 3 << 30  # bytes that a parser may take beside what the process has
LONGEST_LINE = 1000  # letters of an error
MEMORY_FOLDER = Path("/dev/shm")  # where there is such, the disk is spared
GOOD = ("loaded", "refused")


@dataclass
class Outcomes:
    """Of one parser: how often it did what, and the first of each kind of escape.

    Attributes:
        counts: "loaded", "refused", or what else happened.
        escapes: kind -> (number of the mutation, what was said).
        seconds: of all.
    """

    counts: Counter = field(default_factory=Counter)
    escapes: dict[str, tuple[int, str]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def bad(self) -> int:
        """Mutations that were neither loaded as what they are nor refused in one line."""
        return sum(n for kind, n in self.counts.items() if kind not in GOOD)


def outcome(parser: Parser, folder: Path, content: bytes) -> tuple[str, str]:
    """What the parser makes of a file's content: a word, and what was said."""
    try:
        value = parser.read(parser.place(folder, content))
        return ("loaded", "") if parser.plausible(value) else ("implausible", repr(value)[:200])
    except UserError as error:
        text = str(error)
        one_line = len(text.splitlines()) == 1 and len(text) < LONGEST_LINE
        return ("refused", "") if one_line else ("long error", text[:300])
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        said = f"{type(error).__name__}: {str(error)[:120]} ({place})"
        return f"traceback {type(error).__name__}", said


def content_of(parser: Parser, seeds: list[bytes], number: int) -> bytes:
    """Mutation `number`; the first ones are the seeds as they are."""
    if number < len(seeds):
        return seeds[number]
    rng = np.random.default_rng([SEED, zlib.crc32(parser.name.encode()), number])
    return mutated(seeds, rng)


def fuzz(parser: Parser, count: int) -> Outcomes:
    """Try `count` mutations of a parser's files, in processes that are watched."""
    base = str(MEMORY_FOLDER) if MEMORY_FOLDER.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=base))
    outcomes, began, first = Outcomes(), time.monotonic(), 0
    context = multiprocessing.get_context("fork")
    try:
        while first < count:
            at = context.Value("q", first)
            log = folder / "log"
            log.write_text("")
            child = context.Process(target=_try, args=(parser, folder, first, count, at, log))
            child.start()
            how = _watched(child, at, count)
            for line in log.read_text().splitlines():
                _add(outcomes, *json.loads(line))
            first = count
            if how:
                _add(outcomes, at.value, how, f"{how} at mutation {at.value}")
                first = at.value + 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcomes.seconds = time.monotonic() - began
    return outcomes


def _watched(child: multiprocessing.Process, at: Synchronized, count: int) -> str:
    # "" when it came to its end, else "hang" or "crash".
    last, since = -1, time.monotonic()
    while child.is_alive():
        child.join(0.05)
        if at.value != last:
            last, since = at.value, time.monotonic()
        elif time.monotonic() - since > LONGEST_S:
            child.kill()
            child.join()
            return "hang"
    return "" if at.value >= count else "crash"


def _try(parser: Parser, folder: Path, first: int, count: int, at: Synchronized, log: Path) -> None:
    warnings.simplefilter("ignore")
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seeds = parser.seeds()
    with log.open("a", buffering=1) as lines:
        for number in range(first, count):
            at.value = number
            work = folder / "work"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            kind, said = outcome(parser, work, content_of(parser, seeds, number))
            if number < len(seeds) and kind == "refused":
                kind = "whole file refused"
            lines.write(json.dumps([number, kind, said]) + "\n")
    at.value = count


def _add(outcomes: Outcomes, number: int, kind: str, said: str) -> None:
    outcomes.counts[kind] += 1
    if kind not in GOOD:
        outcomes.escapes.setdefault(f"{kind}: {said.rpartition('(')[2]}", (number, said))
