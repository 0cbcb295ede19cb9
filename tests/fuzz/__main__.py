"""Mutations of every parser; `--write` keeps their counts for docs/robustness.md.

python -m tests.fuzz [--count 10000] [--parsers IDX WAV] [--write]
"""

import argparse
import sys

from tests.fuzz.parsers import PARSERS
from tests.fuzz.run import GOOD, fuzz
from tests.tried import keep

COUNT = 10_000


def main() -> int:
    """Print a line a parser; the exit status says whether something escaped."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--count", type=int, default=COUNT, help="mutations a parser")
    options.add_argument("--parsers", nargs="+", default=[p.name for p in PARSERS], metavar="NAME")
    options.add_argument("--write", action="store_true", help="keep the counts for the docs")
    chosen = options.parse_args()
    lines, escapes = [], 0
    for parser in (p for p in PARSERS if p.name in chosen.parsers):
        found = fuzz(parser, chosen.count)
        counts = [found.counts[kind] for kind in GOOD]
        print(f"{parser.name:<26} {counts[0]:>6} loaded {counts[1]:>6} refused ", end="")
        print(f"{found.bad:>5} escaped   {found.seconds:5.0f} s", flush=True)
        for number, said in found.escapes.values():
            print(f"    {number}: {said}", flush=True)
        lines.append([parser.name, sum(found.counts.values()), *counts, found.bad])
        escapes += found.bad
    if chosen.write:
        keep("fuzz", lines)
    print(f"{escapes} of {sum(line[1] for line in lines):,} mutations escaped")
    return int(escapes > 0)


if __name__ == "__main__":
    sys.exit(main())
