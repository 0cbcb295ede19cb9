"""Products on the chip: quantisation, bit planes, read noise, converter."""

import numpy as np
import pytest
import torch

from rram import Chip, Crossbar, Pair, ReadConfig, UserError
from rram.crossbar import normal_bank, quantise
from tests.oracles import crossbar as oracle

PATHS = pytest.mark.parametrize("plain", [False, True], ids=["compiled", "torch"])


def array(read_config=ReadConfig(), shape=(7, 5)):
    return Crossbar(Chip(seed=1).conductances("a", shape), read_config)


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
    assert torch.equal(crossbar.product(vectors()), vectors() @ crossbar.weights)


@PATHS
@pytest.mark.parametrize("bits", [1, 4, 6])
def test_bit_planes_recombine(bits, plain):
    """Equal to the oracle, and to the product with the quantised vector."""
    crossbar, x = array(ReadConfig(input_bits=bits)), vectors()
    x[3] = 1.5  # a constant vector
    q = quantise(x, bits)
    ours = crossbar.product(x, plain=plain)
    assert torch.allclose(ours, (q.minimum + q.step * q.levels) @ crossbar.weights, atol=1e-3)
    pair = crossbar.pair
    theirs = oracle.product(x.numpy(), pair.plus.numpy(), pair.minus.numpy(), 0, bits)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@PATHS
@pytest.mark.parametrize("noise_per", ["product", "vector", "batch"])
@pytest.mark.parametrize("bits", [None, 6])
def test_noise_zero_is_the_ideal_read(noise_per, bits, plain):
    noiseless = ReadConfig(read_noise=0.0, noise_per=noise_per, input_bits=bits)
    expected = array(ReadConfig(input_bits=bits)).product(vectors(), plain=plain)
    assert torch.equal(array(noiseless).product(vectors(), 1, plain=plain), expected)


@pytest.mark.parametrize("noise_on", ["cells", "weight"])
def test_noise_equal_to_the_weight_doubles_it(monkeypatch, noise_on):
    """With e = 1 and n = 1, G (1 + n e) = 2 G and W (1 + n e) = 2 W: channels stay in place."""
    monkeypatch.setattr("rram.crossbar._normal", lambda like, _: torch.ones_like(like))
    crossbar = array(ReadConfig(read_noise=1.0, noise_per="batch", noise_on=noise_on))
    expected = 2 * vectors() @ crossbar.weights
    assert torch.allclose(crossbar.product(vectors(), 0), expected, atol=1e-3)


def moments(noise_on, noise_per, plain, bits=None, x=(3.0, 4.0, 0.5), reads=20_000):
    """Means and variances of a product over many reads; conductances (5, 3), (2, 2), (4, 0)."""
    pair = Pair(torch.tensor([[5.0], [2.0], [4.0]]), torch.tensor([[3.0], [2.0], [0.0]]))
    config = ReadConfig(0.1, noise_on=noise_on, noise_per=noise_per, input_bits=bits)
    crossbar, x = Crossbar(pair, config), torch.tensor([x])
    if noise_per == "batch":
        out = torch.cat([crossbar.product(x, key, plain=plain) for key in range(reads)])
    else:
        out = crossbar.product(x.expand(reads, -1), 7, plain=plain)
    return out.double().mean().item(), out.double().var().item()


@PATHS
@pytest.mark.parametrize("noise_per", ["product", "vector", "batch"])
def test_both_laws_of_noise_are_what_arithmetic_says(noise_per, plain):
    """Variances n^2 sum x^2 (G+^2 + G-^2) and n^2 sum x^2 (G+ - G-)^2, within 5 standard errors.

    By hand, for x = (3, 4, 0.5): 0.01 (9 34 + 16 8 + 0.25 16) = 4.38 and
    0.01 (9 4 + 16 0 + 0.25 16) = 0.40; the cells' noise is sqrt(10.95) = 3.3 times the weight's.
    A variance of R reads has the relative error sqrt(2 / R), a ratio of two sqrt(4 / R).
    """
    reads = 4000 if noise_per == "batch" else 20_000
    (mean, cells), (_, weight) = (
        moments(law, noise_per, plain, reads=reads) for law in ("cells", "weight")
    )
    assert abs(mean - 8.0) < 5 * np.sqrt(4.38 / reads)
    assert abs(cells / 4.38 - 1) < 5 * np.sqrt(2 / reads)
    assert abs(weight / 0.40 - 1) < 5 * np.sqrt(2 / reads)
    assert abs(cells / weight / 10.95 - 1) < 5 * np.sqrt(4 / reads)


@PATHS
@pytest.mark.parametrize(
    ("noise_per", "factor"),
    [("product", (1 + 4, 1, 0)), ("vector", (9, 1, 0)), ("batch", (9, 1, 0))],
)
def test_noise_of_bit_planes_by_hand(noise_per, factor, plain):
    """x = (3, 1, 0) in 2 bits is itself; fresh noise in both planes of 3 is 1 + 4, else 3^2."""
    reads = 4000 if noise_per == "batch" else 20_000
    _, variance = moments("cells", noise_per, plain, bits=2, x=(3.0, 1.0, 0.0), reads=reads)
    expected = 0.01 * np.dot(factor, (34, 8, 16))
    assert abs(variance / expected - 1) < 5 * np.sqrt(2 / reads)


@PATHS
@pytest.mark.parametrize("noise_on", ["cells", "weight"])
@pytest.mark.parametrize("noise_per", ["product", "vector"])
@pytest.mark.parametrize("bits", [None, 4])
def test_noise_has_the_oracles_distribution(noise_on, noise_per, bits, plain):
    """Means and spreads of 4000 reads, within 5 standard errors of those of draws cell by cell."""
    reads = 4000
    config = ReadConfig(0.1, noise_on=noise_on, noise_per=noise_per, input_bits=bits)
    crossbar, x = array(config), vectors(1).repeat(reads, 1)
    ours = crossbar.product(x, 3, plain=plain).double().numpy()
    pair, rng = crossbar.pair, np.random.default_rng(0)
    theirs = oracle.product(
        x.numpy(), pair.plus.numpy(), pair.minus.numpy(), 0.1, bits, rng, noise_on, noise_per
    )
    spread = theirs.std(0)
    assert np.all(np.abs(ours.mean(0) - theirs.mean(0)) < 5 * spread * np.sqrt(2 / reads))
    assert np.all(np.abs(ours.std(0) / spread - 1) < 5 / np.sqrt(reads))


def test_noise_is_independent_between_vectors_and_columns():
    x = vectors(4, 7)
    crossbar = array(ReadConfig(read_noise=0.1))
    reads = torch.stack([crossbar.product(x, key).flatten() for key in range(2000)])
    correlation = np.corrcoef(reads.numpy().T)
    off_diagonal = correlation[~np.eye(len(correlation), dtype=bool)]
    assert np.abs(off_diagonal).max() < 6 / np.sqrt(2000)


def test_pieces_of_a_list_have_the_noise_of_the_whole():
    crossbar, x = array(ReadConfig(read_noise=0.1, input_bits=5)), vectors(20)
    whole = crossbar.product(x, 5)
    pieces = [crossbar.product(x[:8], 5), crossbar.product(x[8:], 5, first=8)]
    assert torch.equal(torch.cat(pieces), whole)
    assert not torch.equal(crossbar.product(x, 6), whole)


@PATHS
@pytest.mark.parametrize("bits", [None, 6])
@pytest.mark.parametrize("noise_on", ["cells", "weight"])
def test_noise_per_batch_is_one_read(bits, noise_on, plain):
    """All vectors of the batch see the same noisy weights, quantised or not."""
    config = ReadConfig(0.2, noise_on=noise_on, noise_per="batch", input_bits=bits)
    crossbar, ideal = array(config), array(ReadConfig(input_bits=bits))
    x = vectors(1).repeat(3, 1)
    out = crossbar.product(x, 1, plain=plain)
    assert torch.allclose(out[0], out[1], rtol=1e-6)
    assert not torch.allclose(out, ideal.product(x), rtol=1e-2)
    assert not torch.allclose(out, crossbar.product(x, 2, plain=plain), rtol=1e-2)
    read = crossbar.read(torch.Generator().manual_seed(1))
    assert torch.equal(out, read.product(x, plain=plain))


def test_a_weight_of_zero_is_noisy_only_by_its_cells():
    pair = Pair(torch.full((1, 1), 3.0), torch.full((1, 1), 3.0))
    for noise_on, noisy in (("cells", True), ("weight", False)):
        out = Crossbar(pair, ReadConfig(0.1, noise_on=noise_on)).product(torch.ones(50, 1), 0)
        assert (out.std() > 0.1) == noisy


def test_quantiles_are_those_of_a_normal():
    assert abs(normal_bank().mean()) < 1e-6
    assert abs(normal_bank().std() - 1) < 1e-4
    assert normal_bank().max() > 4.2


def test_converter_rounds_to_its_levels():
    crossbar = array(ReadConfig(input_bits=1, adc_bits=3))
    binary = torch.tensor([[0.0, 1, 0, 1, 1, 0, 1]])
    full_scale = crossbar.weights.abs().sum(0).max()
    levels = crossbar.product(binary) / full_scale * 3.5
    assert torch.allclose(levels, levels.round(), atol=1e-3)


def test_a_fine_converter_changes_little_a_coarse_one_much():
    ideal = array(ReadConfig(input_bits=4)).product(vectors())
    for bits, close in ((16, True), (3, False)):
        read = array(ReadConfig(input_bits=4, adc_bits=bits)).product(vectors())
        assert torch.allclose(read, ideal, atol=0.2) == close


def test_converter_behind_noise_that_lasts_a_vector():
    """A fine converter hardly changes the spread; reads of one key repeat."""
    x = vectors(1).repeat(500, 1)
    configs = (ReadConfig(0.1, "cells", "vector", 4, adc) for adc in (None, 14))
    plain, digitised = (array(config).product(x, 2) for config in configs)
    assert np.all(np.abs((digitised.std(0) / plain.std(0) - 1).numpy()) < 5 / np.sqrt(500))
    again = array(ReadConfig(0.1, "cells", "vector", 4, 14)).product(x, 2)
    assert torch.equal(again, digitised)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"read_noise": -1.0}, "0 or more"),
        ({"noise_per": "row"}, "'product', 'vector' or 'batch'"),
        ({"noise_on": "wire"}, "'cells' or 'weight'"),
        ({"input_bits": 0}, "1 to 16"),
        ({"input_bits": 17}, "1 to 16"),
        ({"adc_bits": 8}, "needs input_bits"),
    ],
)
def test_unfit_configurations_are_refused(arguments, said):
    with pytest.raises(UserError, match=said):
        ReadConfig(**arguments)


def test_unfit_vectors_are_refused():
    with pytest.raises(UserError, match=r"\(2, 6\).*\(7, 5\)"):
        array().product(torch.zeros(2, 6))
    with pytest.raises(UserError, match="key"):
        array(ReadConfig(read_noise=0.1)).product(torch.zeros(2, 7))


@PATHS
@pytest.mark.parametrize("bits", [None, 4])
@pytest.mark.parametrize("noise_per", ["product", "vector"])
def test_maxima_of_groups_have_the_oracles_distribution(monkeypatch, noise_per, bits, plain):
    """Groups of 4 reads, one padded with 2 more reads of its first vector, within 5 errors."""
    monkeypatch.setattr("rram.kernels.PLAIN", plain)
    config = ReadConfig(0.1, noise_per=noise_per, input_bits=bits)
    crossbar, x, reads = array(config), vectors(6), 3000
    sizes = torch.tensor([4, 2]).repeat(reads)
    ours, _ = crossbar.group_max(x.repeat(reads, 1), sizes, 4, 3)
    pair, rng = crossbar.pair, np.random.default_rng(0)
    padded = x[[0, 1, 2, 3, 4, 5, 4, 4]].repeat(reads, 1).numpy()
    cells = pair.plus.numpy(), pair.minus.numpy()
    theirs = oracle.product(padded, *cells, 0.1, bits, rng, "cells", noise_per)
    theirs = theirs.reshape(reads, 2, 4, -1).max(2)
    ours = ours.double().numpy().reshape(theirs.shape)
    spread = theirs.std(0)
    assert np.all(np.abs(ours.mean(0) - theirs.mean(0)) < 5 * spread * np.sqrt(2 / reads))
    assert np.all(np.abs(ours.std(0) / spread - 1) < 6 / np.sqrt(reads))
    single = (theirs[:, 1].mean(0) - oracle.product(x[4:5].numpy(), *cells, 0, bits)[0]).max()
    assert single > 0.5 * spread.min()  # the reads of copies are fresh: their maximum is higher


@pytest.mark.parametrize("config", [ReadConfig(), ReadConfig(input_bits=5), ReadConfig(0.1)])
def test_sums_over_groups_are_those_of_their_products(config):
    crossbar, x, sizes = array(config), vectors(6), torch.tensor([4, 2])
    maxima, sums = crossbar.group_max(x, sizes, 4, 3, measure=True)
    index = torch.tensor([0, 1, 2, 3, 4, 5, 4, 4])
    if not config.read_noise:
        products = crossbar.product(x)[index]
        assert torch.allclose(maxima, products.view(2, 4, -1).amax(1), rtol=1e-5)
        assert torch.allclose(sums[0].float(), products.sum(0), rtol=1e-4, atol=1e-3)
        assert torch.allclose(sums[1].float(), products.square().sum(0), rtol=1e-4)
    pieces = [
        crossbar.group_max(*part, 4, 3, first=n, measure=True)
        for n, part in enumerate([(x[:4], sizes[:1]), (x[4:], sizes[1:])])
    ]
    assert torch.equal(torch.cat([best for best, _ in pieces]), maxima)
    assert torch.allclose(sum(s for _, s in pieces), sums)
