"""Costs of a table's network: on the terminal (`--costs`), and beside the published figures."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.errors import UserError
from harness.run.chips import ChipConfig, make_chip
from harness.run.protocol import Run, Table
from harness.run.records import commit, machine, now, write_atomically
from rram.cost import (
    NEIGHBOUR,
    POINT,
    CostConstants,
    Product,
    Range,
    chip_cost,
    gpu_cost,
    training_cost,
)
from rram.device import DEPLM_40NM

INPUT_BITS = 6  # of the papers' board
SAMPLE = (512, 512)  # cells whose mean conductance is taken
CONVERTERS = (8, 14)  # bits: of a macro of its own, and of the papers' board
HEAD = ("figure", "published", "ours", "ours / published", "where they differ, and why")


class Line(NamedTuple):
    """A published figure and ours: `ours` in words where it is a range, `ratio` ours over it."""

    what: str
    published: str
    ours: str
    ratio: float | None
    why: str


def line(what: str, published: float, ours: float | Range, unit: str, why: str) -> Line:
    """A line of the comparison; of a range the typical value is compared."""
    middle = ours.typical if isinstance(ours, Range) else ours
    shown = f"{middle:.4g} {unit}"
    if isinstance(ours, Range):
        shown += f" ({ours.low:.3g} to {ours.high:.3g})"
    return Line(what, f"{published:.6g} {unit}", shown, middle / published, why)


def write_lines(path: Path, title: str, lines: Sequence[Line]) -> None:
    """Write the comparison of one paper as JSON."""
    about = {"title": title, "created": now(), "commit": commit(), "machine": machine("cpu")}
    content = about | {"lines": [entry._asdict() for entry in lines]}
    write_atomically(path, json.dumps(content, indent=1) + "\n")


def compared(folder: Path) -> list[dict]:
    """The stored comparisons of published and counted figures, one a paper."""
    return [json.loads(f.read_text()) for f in sorted(folder.glob("chip_costs_*.json"))]


def compared_rows(content: dict) -> list[tuple[str, ...]]:
    """Cells of one paper's comparison: what, published, ours, ratio, why they differ."""
    return [
        (e["what"], e["published"], e["ours"], f"{e['ratio']:.2f}", e["why"])
        for e in content["lines"]
    ]


def cost_page(folder: Path) -> str:
    """The comparison of both papers in Markdown; "" where none was made."""
    stored = compared(folder)
    if not stored:
        return ""
    parts = [
        "## The chip: published figures and counted ones", "", "`bash run_chip.sh --costs`", "",
        "Counted from the networks as they run (`rram/cost.py`); constants of circuits are in "
        "`rram/cost_constants.json`, ranges are low to high. Neither paper publishes a formula "
        "for energy or training cost.", "",
    ]  # fmt: skip
    for content in stored:
        parts += [f"**{content['title']}**", "", *_markdown(compared_rows(content)), ""]
        parts += [f"Counted {content['created'][:10]}, commit {content['commit']}.", ""]
    return "\n".join(parts)


def print_costs(table: Table, run: Run, constants: str | None) -> None:
    """Print what one sample costs in the table's network.

    Raises:
        UserError: the table has no count of its network.
    """
    if table.costs is None:
        raise UserError(f"{table.command}: no count of this table's network, so no cost")
    own = CostConstants.from_file(constants) if constants else None
    print(f"{table.title}: one sample of {run.data.record.kind} data")
    bits = dataclasses.asdict(run.config).get("input_bits", INPUT_BITS)  # LSM's inputs are spikes
    for text in cost_lines(table.costs(run), own, mean_conductance_us(run.config), bits):
        print(text)


def mean_conductance_us(config: ChipConfig) -> float:
    """Mean of all cells of chip 0 in uS, unbroken ones too: programmed, measured or aged."""
    pair = make_chip(config, DEPLM_40NM, 0).conductances("costs", SAMPLE)  # LSM's has the same mean
    return float(sum(g.mean() for g in pair) / len(pair))


def cost_lines(
    products: Sequence[Product],
    constants: CostConstants | None = None,
    conductance_us: float = DEPLM_40NM.conductance_mean_us / 2,
    input_bits: int = INPUT_BITS,
) -> list[str]:
    """Operations, training cost, chip and GPU of a network, line by line.

    Args:
        products: of the network, for one sample.
        constants: of the circuits; None: the usual ones.
        conductance_us: mean of all cells; default DEPLM's chip at sparsity 0.5.
        input_bits: planes of an input that is no spike.
    """
    lines = [f"{'layer':<12} {'shape':>12} {'vectors':>9} {NEIGHBOUR + ', MMAC':>20} "
             f"{POINT + ', MMAC':>16}"]  # fmt: skip
    lines += [
        f"{p.name:<12} {f'{p.inputs} x {p.outputs}':>12} {p.vectors:>9,.0f} "
        f"{p.macs() / 1e6:>20.3f} {p.macs(POINT) / 1e6:>16.3f}"
        + (f"   {p.additions / 1e6:.3f} M weights really added" if p.spikes else "")
        for p in products
    ]
    for convention in (NEIGHBOUR, POINT):
        frozen, trained = (training_cost(products, convention, frozen=f) for f in (True, False))
        lines.append(
            f"training, {convention}: forward {frozen.forward / 1e6:.2f}, backward "
            f"{frozen.backward / 1e6:.2f}, update {frozen.update / 1e6:.4f} MOPs; fully trained "
            f"{trained.total / 1e6:.2f}: {1 - frozen.total / trained.total:.2%} less"
        )
    for bits in CONVERTERS:
        cost = chip_cost(
            products, constants, mean_conductance_us=conductance_us,
            input_bits=input_bits, adc_bits=bits,
        )  # fmt: skip
        lines.append(f"chip, {bits}-bit converters: {_micro(cost.total_pj)} uJ, of which")
        lines += [f"    {name:<34} {_micro(value)} uJ" for name, value in cost.energy_pj.items()]
    lines.append(
        f"    {cost.cells:,} cells, {cost.macros} macros, {cost.reads:,.0f} reads and "
        f"{cost.conversions:,.0f} conversions, {_shown(cost.latency_us, 1e-3)} ms, "
        f"{_shown(cost.area_mm2, 1)} mm2"
    )
    for convention, (floor, traffic) in gpu_cost(products, constants).items():
        lines.append(
            f"GPU, {convention}: {floor.typical / 1e6:.2f} uJ at its peak, "
            f"{_micro(traffic)} uJ with memory traffic"
        )
    return lines


def _micro(value: Range) -> str:
    return _shown(value, 1e-6)


def _shown(value: Range, factor: float) -> str:
    low, typical, high = (v * factor for v in value)
    return f"{typical:.3g} ({low:.3g} to {high:.3g})"


def _markdown(rows: Iterable[tuple[str, ...]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (HEAD, ("---",) * len(HEAD), *rows)]
