"""Runs the studies of the chip on a table's own network and data, and writes what they gave.

    python -m deplm.tables.chip, python -m lsm.tables.chip      (`bash run_chip.sh` calls both)

`results/chip_<table>.json` holds, for every study, the score of each chip at each point.
"""

import argparse
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.chip.costs import Line, print_costs, write_lines
from harness.chip.figures import draw_allotment, draw_fits, draw_studies
from harness.chip.studies import (
    ChipSource,
    Point,
    Shapes,
    Study,
    for_subject,
    ideal,
    smaller,
    studies,
)  # fmt: skip
from harness.data.datasets import data_root, project_root
from harness.errors import UserError, exits_cleanly
from harness.run.chips import identity
from harness.run.cli import Parser
from harness.run.code_key import code_key
from harness.run.config import checked, smoke_config, with_settings
from harness.run.protocol import DEFAULT_CHIPS, Run, Table
from harness.run.records import check_writable, commit, machine, now, recorded, write_atomically
from rram import Device
from rram.allotment import write_allotment
from rram.maps import read_map

FILES = ("--chip", "--cells")  # options that name files of one's own


class Subject(ABC):
    """A network on a data set, to be put on imperfect chips.

    Attributes:
        run: constants and data of its table.
        source: of its chips.
        metric: what `score` gives, with its unit.
        spikes: whether its inputs are spikes.
        sizes: what was fitted and tested: "1,000 images to fit, 500 to test".
    """

    metric = "accuracy (%)"
    spikes = False
    sizes = ""

    def __init__(self, run: Run, source: ChipSource) -> None:
        self.run = run
        self.source = source

    @abstractmethod
    def shapes(self, size: float = 1.0) -> Shapes:
        """Blocks of the network on the chip, with `size` times the features."""

    @abstractmethod
    def fit(self, point: Point, seed: int) -> Any:  # noqa: ANN401
        """The network on chip `seed` of a point, normalised and fitted there."""

    @abstractmethod
    def score(self, fitted: Any, point: Point | None, seed: int) -> float:  # noqa: ANN401
        """Test score of a fitted network on its own chip (None) or on another point's."""


@dataclass(frozen=True)
class SubjectKind:
    """A table, how a subject is made of it, and its costs beside the published ones.

    Attributes:
        device: its paper's cells.
        table: with its constants and data.
        make: (run, where chips come from) -> subject; None: nothing is studied, costs alone.
        compare: run -> lines of the comparison; None: nothing is published.
    """

    device: Device
    table: Table
    make: Callable[[Run, ChipSource], Subject] | None = None
    compare: Callable[[Run], list[Line]] | None = None


def measure_study(subject: Subject, study: Study, seeds: Sequence[int], ideals: dict) -> list[dict]:
    """Scores of all chips at all points of a study.

    Args:
        subject: network and data.
        study: what varies.
        seeds: of the chips.
        ideals: fitted networks of ideal chips by seed, kept from study to study.
    """
    records = [
        {"value": p.value, "line": p.line, "in_loop": [], "without": []} for p in study.points
    ]
    for seed in seeds:
        for point, record in zip(study.points, records, strict=True):
            fitted = subject.fit(point, seed)
            record["in_loop"].append(subject.score(fitted, None, seed))
            if study.compared:
                if seed not in ideals:
                    ideals[seed] = subject.fit(ideal(point), seed)
                record["without"].append(subject.score(ideals[seed], point, seed))
        mean = np.mean([r["in_loop"][-1] for r in records])
        print(f"chip {seed}   {study.name:<12} mean of its points {mean:6.2f}", flush=True)
    return records


def run_subject(kind: SubjectKind, options: argparse.Namespace, folder: Path) -> None:
    """Measure the chosen studies on one table, writing after each."""
    table, run = kind.table, run_of(kind.table, options, folder)
    seeds, maps = run.seeds, tuple(options.chip or ())
    device = options.cells and device_of(options, folder)
    usual = {"sparsity": run.config.sparsity}
    source = ChipSource(device or kind.device, usual, maps, options.reuse)
    subject = kind.make(run, source)
    if maps:
        show_allotment(subject, folder, table.name)
    kind_of_data, count = run.data.record.kind, len(seeds)
    print(f"{table.title}: {kind_of_data} data, {subject.sizes}, {count} chips", flush=True)
    wanted = list(for_subject(studies(), spikes=subject.spikes, measured=bool(maps)))
    path, ideals = folder / f"chip_{table.name}.json", {}
    for study in wanted:
        if options.studies and study.name not in options.studies:
            continue
        study = smaller(study) if options.smoke else study
        if options.missing and is_measured(path, subject, table, study):
            print(f"study    {table.name} {study.name}: measured already", flush=True)
            continue
        started = time.perf_counter()
        points = measure_study(subject, study, seeds, ideals)
        seconds = time.perf_counter() - started
        store(path, subject, table, study, points, seconds, command_of(table, options))
        print(f"study    {table.name} {study.name}: {seconds:.0f} s", flush=True)
        draw_studies(folder, study.name)


def device_of(options: argparse.Namespace, folder: Path) -> Device:
    """The device of measured cells; how well it fits them is printed and drawn."""
    device = Device.from_measurements(*options.cells, empirical=options.empirical)
    for fit in device.fits:
        print(f"fit      {fit}")
    print(f"figure   {draw_fits(device, folder / 'chip_fits.png')}", flush=True)
    return device


def show_allotment(subject: Subject, folder: Path, name: str) -> None:
    """Write and draw which cells of the maps hold which block."""
    tiles = subject.source.tiles(subject.shapes())
    print(f"cells    {write_allotment(tiles, folder / f'chip_cells_{name}.csv')}")
    shape = read_map(subject.source.maps[0]).shape
    print(f"figure   {draw_allotment(tiles, folder / f'chip_cells_{name}.png', shape)}", flush=True)


def run_of(table: Table, options: argparse.Namespace, folder: Path) -> Run:
    """The run of a table, with its constants and data."""
    config = checked(smoke_config(table.config) if options.smoke else table.config())
    config = with_settings(config, _settings_of(config, options.set))
    one = options.smoke or options.chip  # a measured array is one chip
    count = options.seeds or (1 if one else DEFAULT_CHIPS)
    root, name = data_root(options.data), f"chip_{table.name}"
    run = Run(config, list(range(count)), "cpu", root, folder, table=name, smoke=options.smoke)
    run.data = table.load(run)
    return run


def compare_costs(
    kinds: Sequence[SubjectKind], options: argparse.Namespace, folder: Path, package: str
) -> None:
    """Print the costs of the tables, and write them beside the published figures."""
    lines = []
    for kind in kinds:
        run = run_of(kind.table, options, folder)
        print_costs(kind.table, run, options.cost_constants)
        lines += kind.compare(run) if kind.compare else []
    for entry in lines:
        print(f"{entry.what}: published {entry.published}, ours {entry.ours}", flush=True)
    write_lines(folder / f"chip_costs_{package}.json", package, lines)


def command_of(table: Table, options: argparse.Namespace) -> str:
    """What measures the studies of one table as they were measured; files by their last part."""
    words = ["bash run_chip.sh --tables", table.name]
    settings = _settings_of(table.config(), options.set)
    named = {"--seeds": [options.seeds] if options.seeds else [], "--set": settings}
    named |= {"--chip": options.chip, "--cells": options.cells}
    for option, values in named.items():
        if values:
            words += [option, *(Path(v).name if option in FILES else str(v) for v in values)]
    words += [f for f in ("--empirical", "--reuse") if vars(options)[f.removeprefix("--")]]
    return " ".join(words)


def store(
    path: Path, subject: Subject, table: Table, study: Study, points: list[dict],
    seconds: float, command: str,
) -> None:  # fmt: skip
    """Put one study's figures into the file of its table, the others staying as they are."""
    content = {"table": table.name, "title": table.title, "studies": {}}
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
    device = subject.source.device
    content["studies"][study.name] = {
        "title": study.title, "axis": study.axis, "log": study.log, "metric": subject.metric,
        "sizes": subject.sizes, "device": device.name, "volts": volts_of(device, study),
        "maps": [Path(m).name for m in subject.source.maps],
        **identity_of(subject, table, study),
        "command": command, "seconds": seconds,
        "created": now(), "commit": commit(), "machine": machine("cpu"),
        "points": points,
    }  # fmt: skip
    write_atomically(path, json.dumps(content, indent=1) + "\n")


def volts_of(device: Device, study: Study) -> dict[str, float]:
    """Programming voltage in V of each sparsity of a study of it."""
    values = {p.value for p in study.points if study.name == "sparsity" and p.value > 0}
    return {f"{value:g}": device.programming_voltage_v(value) for value in sorted(values)}


def identity_of(subject: Subject, table: Table, study: Study) -> dict[str, Any]:
    """What the figures of a study depend on, as its record keeps it: see docs/scale.md."""
    run = subject.run
    return {
        "data": run.data.record._asdict(),
        "chips": len(run.seeds),
        "config": recorded(run.config),
        "code": code_key(table.package),
        "values": [[point.value, point.line] for point in study.points],
    }


def is_measured(path: Path, subject: Subject, table: Table, study: Study) -> bool:
    """Whether a study's record is of these constants, chips, data and this code.

    Of measured maps it never is: the record keeps their names alone.
    """
    config = subject.run.config
    if (
        not path.exists()
        or subject.source.maps
        or subject.source.device.fits
        or identity(config) != asdict(config)
    ):
        return False
    stored = json.loads(path.read_text(encoding="utf-8"))["studies"].get(study.name, {})
    wanted = identity_of(subject, table, study)
    return all(stored.get(name) == value for name, value in wanted.items())


def _settings_of(config: Any, settings: list[str]) -> list[str]:  # noqa: ANN401
    # Of several tables each takes the constants that it has.
    return [s for s in settings if hasattr(config, s.partition("=")[0].strip())]


def parser(kinds: dict[str, SubjectKind]) -> Parser:
    """The options of the studies."""
    options = Parser(prog="run_chip.sh", description=__doc__.splitlines()[0])
    options.add_argument("--smoke", action="store_true", help="tiny synthetic data, end points")
    options.add_argument("--tables", nargs="+", choices=[*kinds], help="default: all of them")
    names = ", ".join(study.name for study in studies())
    options.add_argument("--studies", nargs="+", metavar="NAME", help=f"some of {names}")
    options.add_argument("--seeds", type=int, help=f"how many chips (default {DEFAULT_CHIPS})")
    options.add_argument("--missing", action="store_true", help="only what is not measured yet")
    options.add_argument("--costs", action="store_true", help="operations and energy; no study")
    options.add_argument("--cost-constants", metavar="FILE", help="JSON, of your own circuits")
    options.add_argument(
        "--chip", nargs="+", metavar="MAP", help="CSV or .npy in uS: one, or G+ G-"
    )
    options.add_argument(
        "--cells",
        nargs="+",
        metavar="CSV",
        help="measured breakdown voltages in V, and conductances in uS: chips are drawn like them",
    )
    options.add_argument(
        "--empirical", action="store_true", help="draw from those cells, not from a normal fit"
    )
    options.add_argument("--reuse", action="store_true", help="cells of a small map serve again")
    options.add_argument("--data", help="data folder (default: DATA_ROOT, else data/)")
    options.add_argument("--results", help="results folder (default: results/)")
    options.add_argument("--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE")
    return options


@exits_cleanly
def main(package: str, kinds: dict[str, SubjectKind], argv: list[str] | None = None) -> int:
    """Measure the studies, or compare the costs, on the tables asked for."""
    options = parser(kinds).parse_args(argv)
    if options.seeds is not None and options.seeds < 1:
        raise UserError(f"--seeds {options.seeds}: a study needs 1 chip or more")
    if options.chip and len(options.chip) > 2:
        raise UserError(f"--chip: {len(options.chip)} maps; one, or one for G+ and one for G-")
    if options.cells and (options.chip or len(options.cells) > 2):
        raise UserError("--cells: breakdown voltages and perhaps conductances, and without --chip")
    if options.cells:
        Device.from_measurements(*options.cells)  # before any work
    for path in options.chip or ():
        read_map(path)  # before any work
    names = [study.name for study in studies()]
    for name in options.studies or ():
        if name not in names:
            raise UserError(f"--studies {name}: known are {', '.join(names)}")
    for setting in options.set:
        known = {f for kind in kinds.values() for f in vars(kind.table.config())}
        if setting.partition("=")[0].strip() not in known:
            raise UserError(f"--set {setting}: no table here has such a constant")
    default = project_root() / ("results/smoke" if options.smoke else "results")
    folder = Path(options.results or default)
    check_writable(folder)
    chosen = [k for name, k in kinds.items() if not options.tables or name in options.tables]
    if options.costs:
        compare_costs(chosen, options, folder, package)
        return 0
    for kind in chosen:
        if kind.make:
            run_subject(kind, options, folder)
    return 0
