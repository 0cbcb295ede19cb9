"""Operations and energies of networks on the chip; operations as torch counts them."""

import json
import re

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from deplm.counts import count_products
from deplm.network import PointNetwork, SetAbstraction
from deplm.points import ArrayClouds
from deplm.segmentation import PartNetwork
from harness.chip.costs import (
    cost_lines,
    cost_page,
    line,
    mean_conductance_us,
    print_costs,
    write_lines,
)
from harness.run.chips import ChipConfig
from rram import Chip, UserError
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
from tests.oracles import point_network as oracle
from tests.oracles import segment_network as segment_oracle

SMALL = PointNetwork(
    features=3,
    abstractions=(
        SetAbstraction(5, centres=20, neighbours=8, radius=0.3),
        SetAbstraction(9, centres=6, neighbours=4, radius=0.5),
        SetAbstraction(17),
    ),
)
PARTS = PartNetwork(SMALL, propagations=(7, 11, 13))


def clouds(count=3, points=40):
    rng = np.random.default_rng(0)
    values = rng.random((2, count, points, 3)).astype(np.float32)
    return ArrayClouds("a", *values, categories=np.arange(count))


def macs_of(run):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2


@pytest.mark.parametrize("network", [SMALL, PARTS])
def test_forward_counts_are_torchs(network):
    """Per neighbour, the dense oracle's multiply-accumulates to the operation."""
    source, chip = clouds(), Chip()
    weights = {n: chip.weights(n, s) for n, s in network.shapes.items()}
    batch = network.batch(source, np.arange(3))
    if network is PARTS:
        plain = segment_oracle.SegmentNetwork(network, weights)
        inputs = *batch.clouds, torch.from_numpy(source.categories)
    else:
        plain, inputs = oracle.PointNetwork(network, list(weights.values())), batch.clouds
    counted = macs_of(lambda: plain.eval()(*inputs))
    ours = sum(p.macs(NEIGHBOUR) for p in count_products(network, batch, 10) if p.on_chip)
    assert counted == 3 * ours


def test_a_training_step_of_a_layer_by_hand():
    """3 x 2 weights, 4 vectors: forward 48, backward 96, update 12 operations."""
    products = [Product("a", 5, 3, 4), Product("readout", 3, 2, 4, on_chip=False)]
    assert training_cost(products) == (2 * (60 + 24), 2 * 2 * 24, 2 * 6)
    assert training_cost(products, frozen=False) == (168, 2 * 168, 2 * (6 + 15))


def test_backward_of_a_readout_is_torchs():
    layer, x = torch.nn.Linear(3, 2, bias=False), torch.ones(4, 3, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        layer(x).sum().backward()
    cost = training_cost([Product("readout", 3, 2, 4, on_chip=False)])
    assert counter.get_total_flops() == cost.forward + cost.backward


def test_the_papers_own_counts():
    """Backward 47.92 MOPs and update 11.70 KOPs of ShapeNet-part, as DEPLM has them."""
    cost = training_cost([Product("readout", 117, 50, 2048, on_chip=False)])
    assert (cost.backward, cost.update) == (4 * 2048 * 117 * 50, 11_700)


def test_energy_by_hand():
    """One vector of one input that is on: 2 cells of 10 uS at 0.2 V for 50 ns are 0.04 pJ."""
    cost = chip_cost([Product("a", 1, 1, 1, active=1, spikes=True)], mean_conductance_us=10)
    assert cost.energy_pj["cells"].typical == pytest.approx(2 * 0.04 * 50 * 10 * 1e-3)
    assert cost.energy_pj["converters, 8 bits"].typical == pytest.approx(2.6)
    assert (cost.cells, cost.macros, cost.conversions, cost.reads) == (2, 1, 1, 2)
    bits = chip_cost([Product("a", 1, 1, 1)], input_bits=6)
    assert bits.conversions == 6


def test_ranges_are_in_order_and_the_board_costs_more():
    products = count_products(SMALL, SMALL.batch(clouds(), np.arange(1)), 10)
    own, board = (chip_cost(products, adc_bits=bits).total_pj for bits in (8, 14))
    assert own.low < own.typical < own.high and board.typical > 2 * own.typical
    floor, traffic = gpu_cost(products)[NEIGHBOUR]
    assert traffic.low > floor.typical > gpu_cost(products)[POINT][0].typical
    assert any("fully trained" in text for text in cost_lines(products))


def test_ones_own_constants(tmp_path):
    path = tmp_path / "mine.json"
    mine = {"values": [1, 2, 3], "unit": "pJ", "source": "my converter"}
    path.write_text(json.dumps({"adc_8_bit": mine}))
    constants = CostConstants.from_file(path)
    assert constants["adc_8_bit"] == Range(1, 2, 3)
    assert constants["adc_4_bit"] == CostConstants.usual()["adc_4_bit"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"adc_9_bit": {"values": [1, 1, 1], "unit": "pJ", "source": "x"}}, "adc_9_bit"),
        ({"adc_8_bit": {"values": [1, 1, 1], "source": "x"}}, "needs values, unit and source"),
        ({"adc_8_bit": {"values": [1, 1, 1], "unit": "", "source": "x"}}, "unit"),
        ({"adc_8_bit": {"values": [1, 1, 1], "unit": "V", "source": "x"}}, "is to be in pJ"),
        ({"adc_8_bit": {"values": [1, 1], "unit": "pJ", "source": "x"}}, "low, typical and high"),
        ({"adc_8_bit": {"values": [1, -1, 1], "unit": "pJ", "source": "x"}}, "0 or more"),
        ({"adc_8_bit": {"values": "1", "unit": "pJ", "source": "x"}}, "values"),
        ({"adc_8_bit": {"values": [1, 1, 1], "unit": "pJ", "source": " "}}, "no source"),
        ({"adc_8_bit": 3}, "needs values"),
        ([1], "by name"),
    ],
)
def test_unfit_constants_are_refused(tmp_path, content, said):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=said):
        CostConstants.from_file(path)


def test_no_count_is_no_cost():
    class Other(PointNetwork.__bases__[0]):
        pass

    with pytest.raises(UserError, match="no count"):
        count_products(Other(), None, 10)
    with pytest.raises(UserError, match="none"):
        chip_cost([])
    with pytest.raises(UserError, match="4, 6, 8"):
        chip_cost([Product("a", 1, 1, 1)], adc_bits=9)
    with pytest.raises(UserError, match="convention"):
        Product("a", 1, 1, 1).macs("per pixel")

    class Table:
        costs, command = None, "run.sh"

    with pytest.raises(UserError, match="no count"):
        print_costs(Table, None, None)


def test_the_page_has_every_line(tmp_path):
    entry = line("energy", 10.0, Range(1, 20, 30), "uJ", "because")
    write_lines(tmp_path / "chip_costs_x.json", "x", [entry])
    page = cost_page(tmp_path)
    assert "| energy | 10 uJ | 20 uJ (1 to 30) | 2.00 | because |" in page
    assert cost_page(tmp_path / "none") == ""


def test_costs_are_of_the_chip_that_the_constants_make(tmp_path):
    broken = 34.05538
    assert mean_conductance_us(ChipConfig()) == pytest.approx(broken / 2, rel=0.01)
    assert mean_conductance_us(ChipConfig(sparsity=0.0)) == pytest.approx(broken, rel=0.01)
    array = tmp_path / "array.csv"
    array.write_text("\n".join(["2,4,6,8"] * 4))
    assert mean_conductance_us(ChipConfig(conductance_map=str(array))) == pytest.approx(5, rel=0.01)
    products = [Product("a", 512, 512, 1000)]
    cells = [
        float(re.search(r"cells +([\d.e+-]+)", "\n".join(cost_lines(products, None, g)))[1])
        for g in (10.0, 20.0)
    ]
    assert cells[1] == pytest.approx(2 * cells[0], rel=0.02)
