"""The torch branches that other devices take, run on the CPU: they give the same features."""

import numpy as np
import pytest
import torch

from deplm import Chip, FrozenEncoder, PartEncoder, ReadConfig, probe
from deplm.encoder import batch_size, encode_all
from deplm.points import farthest_point_sample
from tests.deplm import test_encode as clouds
from tests.deplm import test_segment as shapes
from tests.no_waiting import NoWaiting

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


@pytest.mark.parametrize("config", [ReadConfig(), ReadConfig(0.05), ReadConfig(0.05, input_bits=6)])
@pytest.mark.parametrize(
    ("kind", "network", "source"),
    [
        (FrozenEncoder, clouds.SMALL, clouds.RandomClouds(12)),
        (PartEncoder, shapes.SMALL, shapes.RandomShapes(12)),
    ],
    ids=["clouds", "shapes"],
)
def test_encoding_never_waits_for_the_device(kind, network, source, config, monkeypatch):
    monkeypatch.setattr("rram.kernels.PLAIN", True)
    encoder = kind(network, Chip(seed=0), config)
    batch = network.batch(source, np.arange(len(source)))
    encoder.calibrate([batch])
    with NoWaiting():
        farthest_point_sample(batch.clouds.points, 8)
        encoder(batch)
    with pytest.raises(AssertionError, match="_local_scalar_dense"), NoWaiting():
        batch.clouds.points.sum().item()


@pytest.mark.parametrize("config", [ReadConfig(), ReadConfig(0.05), CONFIGS[2]], ids=str)
def test_large_batches_of_a_gpu_give_the_features_of_small_ones(config, monkeypatch):
    """Noise is keyed by the cloud; where it lasts a batch, batches stay as they are."""
    monkeypatch.setattr("rram.kernels.PLAIN", True)
    source = clouds.RandomClouds(12)
    encoder = FrozenEncoder(clouds.SMALL, Chip(seed=0), config)
    encoder.calibrate([clouds.SMALL.batch(source, np.arange(12))])
    small = encode_all(source, [encoder])[0]
    sizes = []
    monkeypatch.setattr(
        "deplm.encoder.batch_that_fits", lambda size, device: sizes.append(size) or 12
    )
    per_batch = config.noise_per == "batch"
    on_gpu = batch_size(source, clouds.SMALL, "cuda", config)
    assert on_gpu == (source.batch_size if per_batch else 12)
    assert batch_size(source, clouds.SMALL, "cpu", config) == source.batch_size < 12
    monkeypatch.setattr("deplm.encoder.batch_size", lambda *_: on_gpu)
    large = encode_all(source, [encoder])[0]
    np.testing.assert_allclose(large, small, atol=1e-5)
    assert all(size > 0 for size in sizes)


def test_the_clock_that_auto_decides_by_runs(monkeypatch):
    monkeypatch.setitem(probe.CLOUDS, "cpu", 8)
    assert 0 < probe.seconds_a_cloud("cpu") < 10
