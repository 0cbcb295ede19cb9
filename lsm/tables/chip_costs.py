"""What the networks of the LSM tables cost, beside what the paper publishes.

`bash run_chip.sh --costs` prints and writes it.
"""

from collections.abc import Sequence

from harness.chip.costs import Line, line
from harness.run.protocol import Run
from lsm.counts import count_products
from lsm.reservoir import ReservoirSpec
from lsm.tables.common import CHIP, make_reservoir
from rram.cost import Product, chip_cost, gpu_cost, training_cost

COUNTED = 200  # items of each modality whose spikes are counted
# Mean of all cells of a chip with every cell broken, uS (LSM_40NM).
CONDUCTANCE_US = 34.05538
PUBLISHED = {"Audio-visual": (152.83, 23.34), "Brain-visual": (393.07, 160.0)}


def paired_products(run: Run, specs: Sequence[ReservoirSpec], width: int) -> list[Product]:
    """Products of one pair: both liquids on chip 0, and both projections.

    Args:
        run: with the data.
        specs: of the liquids.
        width: of the projections.
    """
    products = []
    for modality, spec in zip(run.data.modalities, specs, strict=True):
        reservoir = make_reservoir(run.config, 0, CHIP, spec, f"{modality.name} ")
        some = modality.trains.take(slice(0, COUNTED))
        products += count_products(reservoir, some, width, prefix=f"{modality.name} ")
    return products


def compare(title: str, kind: str, products: Sequence[Product]) -> list[Line]:
    """Lines of one pair of modalities: cost of a training step, energy of an inference."""
    training, energy = PUBLISHED[title]
    trained = training_cost(products, frozen=False)
    digital = training_cost([p for p in products if not p.on_chip])
    whole = training_cost(products)
    cost = chip_cost(products, mean_conductance_us=CONDUCTANCE_US)
    floor, traffic = gpu_cost(products)["per neighbour"]
    added = sum(p.additions for p in products if p.on_chip)
    dense = sum(p.macs() for p in products if p.on_chip)
    return [
        line(
            f"{title}: training cost, trained network over LSM-CLIP", training,
            trained.total / digital.total, "times",
            "formula not published. Ours: forward, backward and update of both recurrent networks "
            f"over the projections alone ({trained.total / 1e6:.4g} and {digital.total / 1e6:.3g} "
            "MOPs a pair), the liquids' rates being made once, by the chip; with their forward "
            f"pass in every step it is {trained.total / whole.total:.2f} times",
        ),
        line(
            f"{title}: energy, digital over chip", energy,
            floor.typical / cost.total_pj.typical, "times",
            "formula not published. Ours: a GPU at its peak, dense products "
            f"({floor.typical / 1e6:.3g} uJ), over the chip with 8-bit converters "
            f"({cost.total_pj.typical / 1e6:.3g} uJ a pair, {cost.total_pj.low / 1e6:.3g} to "
            f"{cost.total_pj.high / 1e6:.3g}); with memory traffic of every step the GPU takes "
            f"{traffic.typical / 1e6:.4g} uJ, {traffic.typical / cost.total_pj.typical:.3g} times. "
            f"On {kind} data {added / dense:.1%} of the dense products are really added",
        ),
    ]  # fmt: skip
