"""How far it is from a file to an accuracy, for a reader who follows the calls.

`python -m tests.path_length` runs one row of three tables on tiny data, as `--smoke` does: a
Fashion-MNIST image, an N-MNIST recording, a query for an image by its sound. It prints

    modules   modules of this project, in the order in which they are entered, of which some
              function runs between the opening of the files and the accuracy;
    frames    the most functions of this project that are open at one time, and which.

Not counted: what is set up once and no sample passes through (`SETUP`), code outside the project,
comprehensions (a part of the function that they stand in), and functions that a decorator or
`dataclass` made. A compiled function has no frame: its module counts where its Python code runs.
The stand-ins' writers ran before: files lie on the disk, as real data would.
"""

import importlib
import os
import re
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("rram", "harness", "deplm", "lsm")
SETUP = {
    "harness.run.config": "constants",
    "harness.run.chips": "which chip",
    "harness.data.datasets": "which folder",
    "harness.scale.distributed": "which process; where there is one, rows come back as they are",
    "harness.scale.parallel": "which thread",
    "harness.run.protocol": "what rows share, and the split",
    "rram.chip": "programming a chip",
    "rram.device": "programming a chip",
}
CASES = {  # table, and a pattern of the row
    "Fashion-MNIST image": ("deplm.tables.image", r"DEPLM, .*(ridge|closed-form)"),
    "N-MNIST recording": ("lsm.tables.nmnist", r"LSM, chip.*(ridge|closed-form)"),
    "audio-visual query": ("lsm.tables.audio_visual", r"LSM-CLIP.*chip"),
}
SEED = 1  # chip 0 also measures what is drawn


class PathLength(NamedTuple):
    """Modules in the order in which they are entered, and the deepest nesting, outermost first."""

    modules: list[str]
    frames: list[str]


def measure(steps: list[Callable[[], object]]) -> PathLength:
    """Call each of `steps` and record the project's functions that run in them."""
    modules: dict[str, None] = {}
    open_frames: list[tuple[FrameType, str]] = []
    deepest: list[str] = []

    def record(frame: FrameType, event: str, _: object) -> None:
        nonlocal deepest
        if event == "return" and open_frames and open_frames[-1][0] is frame:
            open_frames.pop()
        module = module_of(frame)
        if event != "call" or module is None or module in SETUP:
            return
        modules[module] = None
        open_frames.append((frame, f"{module}:{frame.f_code.co_qualname}"))
        if len(open_frames) > len(deepest):
            deepest = [name for _, name in open_frames]

    for step in steps:
        sys.setprofile(record)
        try:
            step()
        finally:
            sys.setprofile(None)
    return PathLength(list(modules), deepest)


def module_of(frame: FrameType) -> str | None:
    """Name of the project's module that a frame runs in, None outside and in comprehensions."""
    if frame.f_code.co_name in ("<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>", "<module>"):
        return None
    return module_in(frame.f_code.co_filename)


@cache
def module_in(filename: str) -> str | None:
    """Name of the project's module in a file, None for other files."""
    file = Path(filename)
    if not file.is_relative_to(ROOT):
        return None
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts) if parts[0] in PACKAGES else None


def path_length(case: str, folder: Path) -> PathLength:
    """Load the tiny data of a case and measure its row, with every call counted.

    Args:
        case: one of `CASES`.
        folder: for the data.
    """
    from harness.run.config import smoke_config
    from harness.run.protocol import Run

    module, pattern = CASES[case]
    table = importlib.import_module(module).TABLE
    row = next(row for row in table.rows if re.search(pattern, row.name))

    def new_run() -> Run:
        config = smoke_config(table.config)
        return Run(config, [SEED], "cpu", folder, folder, table=table.name, smoke=True)

    first = new_run()  # writes the stand-ins and compiles
    first.data = table.load(first)
    row.measure(first, SEED)
    run = new_run()

    def load() -> None:
        run.data = table.load(run)

    return measure([load, lambda: row.measure(run, SEED)])


def main() -> int:
    """Print the path of every case."""
    os.environ["OMP_NUM_THREADS"] = "1"  # all in one thread, where the calls can be seen
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            found = path_length(case, Path(folder))
            print(f"\n{case}: {len(found.modules)} modules, {len(found.frames)} frames")
            print("  modules  " + "\n           ".join(found.modules))
            print("  frames   " + "\n           ".join(found.frames))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
