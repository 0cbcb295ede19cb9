"""Products on the chip: quantisation, bit planes, read noise, converter."""

import numpy as np
import pytest
import torch

from rram import Chip, Crossbar, Pair, UserError
from rram.crossbar import ReadConfig, quantise
from tests.oracles import crossbar as oracle


def array(reading=ReadConfig(), shape=(7, 5)):
    return Crossbar(Chip(seed=1).conductances("a", shape), reading)


def vectors(count=20, width=7):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0))


def test_quantise_by_hand():
    q = quantise(torch.tensor([[-1.0, 0.0, 2.0], [3.0, 3.0, 3.0]]), 2)
    assert q.levels.tolist() == [[0, 1, 3], [0, 0, 0]]
    assert q.minimum.flatten().tolist() == [-1, 3]
    assert q.step.flatten().tolist() == [1, 0]


@pytest.mark.parametrize("bits", [1, 5, 6, 12])
def test_quantised_values_are_within_half_a_step(bits):
    x = vectors()
    q = quantise(x, bits)
    assert ((q.minimum + q.step * q.levels - x).abs() <= q.step / 2 + 1e-6).all()
    assert q.levels.max() == 2**bits - 1


def test_ideal_product():
    crossbar = array()
    assert torch.allclose(crossbar.product(vectors()), vectors() @ crossbar.weights)


@pytest.mark.parametrize("bits", [1, 4, 6])
def test_bit_planes_recombine(bits):
    """Equal to the oracle, and to the product with the quantised vector."""
    crossbar, x = array(ReadConfig(input_bits=bits)), vectors()
    q = quantise(x, bits)
    ours = crossbar.product(x)
    assert torch.allclose(ours, (q.minimum + q.step * q.levels) @ crossbar.weights, atol=1e-3)
    pair = crossbar.pair
    theirs = oracle.product(x.numpy(), pair.plus.numpy(), pair.minus.numpy(), 0, bits, None)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("noise_per", ["product", "batch"])
@pytest.mark.parametrize("bits", [None, 6])
def test_noise_zero_is_the_ideal_read(noise_per, bits):
    x, generator = vectors(), torch.Generator()
    noiseless = ReadConfig(read_noise=0.0, noise_per=noise_per, input_bits=bits)
    expected = array(ReadConfig(input_bits=bits)).product(x)
    assert torch.equal(array(noiseless).product(x, generator), expected)


def test_noise_equal_to_the_weight_doubles_it(monkeypatch):
    """With e = 1 in every cell and n = 1, G (1 + n e) = 2 G: channels stay in their place."""
    monkeypatch.setattr("rram.crossbar._normal", lambda like, _: torch.ones_like(like))
    crossbar = array(ReadConfig(read_noise=1.0, noise_per="batch"))
    x = vectors()
    expected = 2 * x @ crossbar.weights
    assert torch.allclose(crossbar.product(x, torch.Generator()), expected, atol=1e-3)


def test_spread_of_a_product_by_hand():
    """x = (3, 4), G+ = (1, 2), G- = 0: s.d. = n sqrt(9 + 64), within 5 standard errors."""
    pair = Pair(torch.tensor([[1.0], [2.0]]), torch.zeros(2, 1))
    crossbar = Crossbar(pair, ReadConfig(read_noise=0.1))
    reads = crossbar.product(torch.tensor([[3.0, 4.0]]).repeat(20_000, 1), torch.Generator())
    deviation = 0.1 * np.sqrt(9 + 64)
    assert abs(reads.std().item() / deviation - 1) < 5 / np.sqrt(2 * 20_000)
    assert abs(reads.mean().item() - 11) < 5 * deviation / np.sqrt(20_000)


@pytest.mark.parametrize("bits", [None, 4])
def test_noise_per_product_has_the_oracles_spread(bits):
    reads = 4000
    crossbar = array(ReadConfig(read_noise=0.1, input_bits=bits))
    x = vectors(1).repeat(reads, 1)
    ours = crossbar.product(x, torch.Generator().manual_seed(0)).double().numpy()
    pair, rng = crossbar.pair, np.random.default_rng(0)
    theirs = oracle.product(x.numpy(), pair.plus.numpy(), pair.minus.numpy(), 0.1, bits, rng)
    assert np.all(np.abs(ours.std(0) / theirs.std(0) - 1) < 5 / np.sqrt(reads))


def test_noise_per_batch_is_one_read():
    """All vectors of the batch see the same noisy weights."""
    crossbar = array(ReadConfig(read_noise=0.2, noise_per="batch"))
    x = vectors(1).repeat(3, 1)
    out = crossbar.product(x, torch.Generator().manual_seed(1))
    assert torch.allclose(out[0], out[1])
    assert not torch.allclose(out[0], x[0] @ crossbar.weights)


def test_converter_rounds_to_its_levels():
    crossbar = array(ReadConfig(input_bits=1, adc_bits=3))
    binary = torch.tensor([[0.0, 1, 0, 1, 1, 0, 1]])
    full_scale = crossbar.weights.abs().sum(0).max()
    levels = crossbar.product(binary) / full_scale * 3.5
    assert torch.allclose(levels, levels.round(), atol=1e-3)


@pytest.mark.parametrize(
    "arguments",
    [
        {"read_noise": -1.0},
        {"noise_per": "row"},
        {"input_bits": 0},
        {"input_bits": 17},
        {"adc_bits": 8},
    ],
)
def test_unfit_readings_are_refused(arguments):
    with pytest.raises(UserError):
        ReadConfig(**arguments)


def test_unfit_vectors_are_refused():
    with pytest.raises(UserError, match=r"\(2, 6\).*\(7, 5\)"):
        array().product(torch.zeros(2, 6))
    with pytest.raises(UserError, match="generator"):
        array(ReadConfig(read_noise=0.1)).product(torch.zeros(2, 7))
