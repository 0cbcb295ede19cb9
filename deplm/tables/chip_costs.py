"""What the networks of the DEPLM tables cost, beside what the paper publishes.

`bash run_chip.sh --costs` prints and writes it.
"""

import time
from collections.abc import Sequence

import numpy as np

from deplm.encoder import FrozenEncoder
from deplm.network import PointNetwork
from deplm.tables.common import chip_of
from harness.chip.costs import Line, line
from harness.run.protocol import Run
from harness.scale.parallel import torch_threads
from rram.cost import NEIGHBOUR, POINT, Product, Training, chip_cost, gpu_cost, training_cost

MOPS = 1e-6
REDUCTIONS = {"ShapeNet-part": 70.12, "DVS128 Gesture": 89.46, "Fashion-MNIST": 85.61}
ENERGIES_UJ = {"ShapeNet-part": 135.11, "DVS128 Gesture": 31.12, "Fashion-MNIST": 44.68}
GAINS = {"ShapeNet-part": 6.78, "DVS128 Gesture": 21.04, "Fashion-MNIST": 15.79}


def compare(title: str, products: Sequence[Product]) -> list[Line]:
    """Lines of one data set: operations, training reduction, energy, gain."""
    frozen = {c: training_cost(products, c) for c in (NEIGHBOUR, POINT)}
    trained = {c: training_cost(products, c, frozen=False) for c in (NEIGHBOUR, POINT)}
    cut = {c: 100 * (1 - frozen[c].total / trained[c].total) for c in frozen}
    own, board = (chip_cost(products, adc_bits=bits).total_pj.times(1e-6) for bits in (8, 14))
    costs = gpu_cost(products)
    floor, traffic = (value.times(1e-6) for value in costs[NEIGHBOUR])
    point = costs[POINT][0].times(1e-6).typical
    return [
        *_operations(title, frozen),
        line(
            f"{title}: training cost saved", REDUCTIONS[title], cut[POINT], "%",
            "formula not published. Ours: forward, backward (two products a trained matrix) and "
            f"update of all layers against those of the readout alone, per point; per neighbour "
            f"{cut[NEIGHBOUR]:.2f} %. With three equal passes a small readout can save 66.7 % at "
            "most, so the paper must count the trained network otherwise",
        ),
        line(
            f"{title}: energy an inference", ENERGIES_UJ[title], own, "uJ",
            "formula not published. Ours with 8-bit converters, read voltage 0.1 to 0.3 V and time "
            "10 to 100 ns assumed; a converter for every output of every bit plane of every "
            "neighbour",
        ),
        line(
            f"{title}: the same with the board's 14-bit converter", ENERGIES_UJ[title], board, "uJ",
            "the paper's converter stands on the board; it alone would take more than the whole",
        ),
        line(
            f"{title}: energy, digital over chip", GAINS[title],
            floor.typical / own.typical, "times",
            f"formula not published. Ours: a GPU at its peak, per neighbour ({floor.typical:.3g} "
            f"uJ); per point it takes {point:.3g} uJ, and with memory traffic of every layer "
            f"{traffic.typical:.4g} uJ ({traffic.typical / own.typical:.3g} times)",
        ),
    ]  # fmt: skip


def _operations(title: str, frozen: dict[str, Training]) -> list[Line]:
    per_point, per_neighbour = frozen[POINT], frozen[NEIGHBOUR]
    if title == "ShapeNet-part":
        return [
            line(
                f"{title}: forward", 131.40, per_point.forward * MOPS, "MOPs",
                "ours once a point, with the centres' own products; once a neighbour it is "
                f"{per_neighbour.forward * MOPS:.1f}",
            ),
            line(
                f"{title}: backward", 47.92, per_point.backward * MOPS, "MOPs",
                "the same: 2 products of 2,048 x 117 x 50",
            ),
            line(
                f"{title}: update", 11.70, per_point.update * 1e-3, "KOPs",
                "the same: 2 a trained weight",
            ),
        ]  # fmt: skip
    if title == "Fashion-MNIST":
        return [
            line(
                f"{title}: a training step", 60.26, per_point.total * MOPS, "MOPs",
                f"between ours once a point and once a neighbour ({per_neighbour.total * MOPS:.1f})"
                "; formula not published",
            )
        ]  # fmt: skip
    return []


def cpu_line(run: Run, network: PointNetwork, clouds: int = 32) -> str:
    """How long this machine takes for a cloud, sampling and grouping counted, on one thread."""
    encoder = FrozenEncoder(network, chip_of(run, 0))
    indices = np.arange(min(clouds, len(run.data.train)))
    encoder.calibrate([network.batch(run.data.train, indices)])
    times = []
    with torch_threads(1):
        for _ in range(3):
            started = time.perf_counter()
            encoder(network.batch(run.data.train, indices))
            times.append((time.perf_counter() - started) / len(indices))
    return f"this machine's CPU, one thread: {1e3 * min(times):.2f} ms a cloud, measured"
