"""The fast segmentation network equals the straightforward one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deplm.encoder import calibration_batches
from deplm.network import PointNetwork, SetAbstraction
from deplm.points import Clouds, CloudSet
from deplm.segmentation import (
    PART_NETWORK,
    PartEncoder,
    PartNetwork,
    add_interpolated,
    interpolate,
    link,
)
from rram import Chip, UserError
from rram.crossbar import ReadConfig
from tests.oracles import segment_network as oracle
from tests.oracles.point_network import index_points

SMALL = PartNetwork(
    PointNetwork(
        features=3,
        abstractions=(
            SetAbstraction(5, centres=20, neighbours=8, radius=0.3),
            SetAbstraction(9, centres=6, neighbours=4, radius=0.5),
            SetAbstraction(17),
        ),
    ),
    propagations=(7, 8, 11),
)


class RandomShapes(CloudSet):
    name = "train"

    def __init__(self, count=20, points=40, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.points = torch.rand(count, points, 3, generator=generator) - 0.5
        self.categories = np.arange(count) % 16

    def __len__(self):
        return len(self.points)

    def clouds(self, indices):
        return Clouds(self.points[indices], self.points[indices])


def everything(source, network=SMALL):
    return network.batch(source, np.arange(len(source)))


def calibrated(network=SMALL, reading=ReadConfig(), source=None):
    encoder = PartEncoder(network, Chip(seed=0), reading)
    source = source or RandomShapes()
    encoder.calibrate(calibration_batches(source, network, len(source)))
    return encoder


def test_paper_sizes():
    """Inputs and outputs of every layer, and the totals of the paper's table."""
    assert PART_NETWORK.propagation_shapes == {
        "fp3": (314, 80), "fp2": (197, 117), "fp1": (139, 117)
    }  # fmt: skip
    assert PART_NETWORK.fixed_weights == 94_156 and PART_NETWORK.width == 117
    assert PART_NETWORK.fixed_weights + 117 * 50 == 100_006


def test_agrees_with_the_oracle():
    source, chip = RandomShapes(), Chip(seed=0)
    ours = calibrated()(everything(source))
    scale = SMALL.encoder.input_scale
    weights = {name: chip.weights(name, shape) * scale for name, shape in SMALL.shapes.items()}
    plain = oracle.SegmentNetwork(SMALL, weights)
    kinds = torch.from_numpy(source.categories)
    theirs = plain(source.points, source.points, kinds, calibrate=True)
    assert ours.shape == (20, 40, 11) and ours.std() > 0.1
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_interpolation_is_the_plain_one():
    generator = torch.Generator().manual_seed(0)
    fine, coarse = torch.rand(2, 30, 3, generator=generator), torch.rand(2, 9, 4)
    centres = fine[:, :9].contiguous()
    grouping = type("G", (), {"centres": centres})()
    (where,) = link(fine, [grouping])
    expected = (index_points(coarse, where.nearest.long()) * where.weights[..., None]).sum(2)
    torch.testing.assert_close(interpolate(coarse, where), expected)
    torch.testing.assert_close(where.weights.sum(-1), torch.ones(2, 30))
    # A point that is itself a centre keeps that centre's features.
    torch.testing.assert_close(interpolate(coarse, where)[:, :9], coarse, atol=1e-4, rtol=0)
    only = add_interpolated(coarse[:, :1], None, torch.zeros(2, 30, 4))
    torch.testing.assert_close(only, coarse[:, :1].expand(-1, 30, -1))


def test_fine_quantised_inputs_change_little():
    """The path product by product, close to the shared one when it is nearly ideal."""
    source = RandomShapes()
    batch = everything(source)
    ideal = calibrated()(batch)
    fine = calibrated(reading=ReadConfig(input_bits=14))(batch)
    torch.testing.assert_close(fine, ideal, atol=0.02, rtol=0)
    noisy = calibrated(reading=ReadConfig(read_noise=0.02, input_bits=5))
    assert torch.equal(noisy(batch), noisy(batch))
    assert 0.01 < (noisy(batch) - ideal).abs().mean() < 0.5


def test_wide_readout_sees_every_level():
    network = replace(SMALL, categories=0, slope=4.0, multiscale=True)
    features = calibrated(network)(everything(RandomShapes(), network))
    assert features.shape[-1] == network.width == 11 + 8 + 5 + 7 + 9
    # The finest propagation comes first, and does not depend on what else the readout sees.
    alone = replace(network, multiscale=False)
    torch.testing.assert_close(
        features[..., :11], calibrated(alone)(everything(RandomShapes(), alone))
    )


def test_category_reaches_every_point():
    source = RandomShapes()
    encoder = calibrated()
    batch = everything(source)
    other = batch._replace(categories=(batch.categories + 1) % 16)
    assert (encoder(batch) != encoder(other)).any(-1).float().mean() > 0.9


def test_mistakes_are_told():
    with pytest.raises(UserError, match="one propagation for each abstraction"):
        replace(SMALL, propagations=(1, 2))
    with pytest.raises(UserError, match="sa1 has no batch-norm statistics"):
        PartEncoder(SMALL, Chip(seed=0))(everything(RandomShapes()))
