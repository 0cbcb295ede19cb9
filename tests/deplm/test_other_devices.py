"""The torch branches that other devices take, run on the CPU: they give the same features."""

import numpy as np
import pytest
import torch

from deplm import Chip, FrozenEncoder, PartEncoder, ReadConfig
from tests.deplm import test_encode as clouds
from tests.deplm import test_segment as shapes

CONFIGS = [
    ReadConfig(),
    ReadConfig(input_bits=6),
    ReadConfig(read_noise=0.05, noise_per="batch"),
    ReadConfig(read_noise=0.05, noise_per="batch", input_bits=6),
]


def features(kind, network, source, config):
    encoder = kind(network, Chip(seed=0), config)
    batch = network.batch(source, np.arange(len(source)))
    encoder.calibrate([batch])
    return encoder(batch)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize(
    ("kind", "network", "source"),
    [
        (FrozenEncoder, clouds.SMALL, clouds.RandomClouds(12)),
        (PartEncoder, shapes.SMALL, shapes.RandomShapes(12)),
    ],
    ids=["clouds", "shapes"],
)
def test_branches_agree(kind, network, source, config, monkeypatch):
    compiled = features(kind, network, source, config)
    monkeypatch.setattr("rram.kernels.PLAIN", True)
    plain = features(kind, network, source, config)
    assert plain.std() > 0.1
    # A rounded level may differ by one where the inputs differ in their last digit.
    tolerance = 1e-4 if config.input_bits is None else 0.2
    torch.testing.assert_close(plain, compiled, atol=tolerance, rtol=0)
    assert (plain - compiled).abs().mean() < 2e-3


def test_noise_of_every_product_repeats_and_has_the_same_spread(monkeypatch):
    config, source = ReadConfig(read_noise=0.05, input_bits=6), clouds.RandomClouds(12)
    ideal = features(FrozenEncoder, clouds.SMALL, source, ReadConfig(input_bits=6))
    compiled = features(FrozenEncoder, clouds.SMALL, source, config)
    monkeypatch.setattr("rram.kernels.PLAIN", True)
    plain, again = (features(FrozenEncoder, clouds.SMALL, source, config) for _ in range(2))
    assert torch.equal(plain, again) and not torch.equal(plain, compiled)
    errors = [(noisy - ideal).abs().mean() for noisy in (plain, compiled)]
    assert 0.7 < errors[0] / errors[1] < 1.4
