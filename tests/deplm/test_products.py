"""Products neighbour by neighbour: compiled, plain torch and cell by cell agree."""

import numpy as np
import pytest
import torch

from deplm.products import NORMAL_QUANTILES, product_currents
from rram import Chip, Crossbar
from rram.crossbar import ReadConfig
from tests.oracles import crossbar as oracle


def setting(reading, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.rand(1, 12, 7, generator=generator)
    centres = inputs[:, :4, :3].clone()
    neighbours = torch.randint(12, (1, 4, 5), generator=generator, dtype=torch.int32)
    array = Crossbar(Chip(seed=3).conductances("a", (7, 6)), reading)
    vectors = inputs[0][neighbours[0].long()]
    vectors[..., :3] -= centres[0][:, None]
    return (inputs, centres, neighbours, array), vectors.flatten(0, 1).double().numpy()


@pytest.mark.parametrize("bits", [None, 1, 4, 6])
def test_without_noise_equals_the_oracle(bits):
    arguments, vectors = setting(ReadConfig(input_bits=bits))
    (ours,) = product_currents(*arguments, [1])
    pair = arguments[-1].pair
    theirs = oracle.product(vectors, pair.plus.numpy(), pair.minus.numpy(), 0, bits, None)
    np.testing.assert_allclose(ours.flatten(0, 1), theirs, atol=1e-3)


@pytest.mark.parametrize("bits", [None, 6])
def test_noise_has_the_oracles_distribution(bits):
    """Mean and spread over 4000 reads within 5 standard errors of those of cell-wise draws."""
    reads, noise = 4000, 0.1
    arguments, vectors = setting(ReadConfig(read_noise=noise, input_bits=bits))
    ours = torch.stack([next(iter(product_currents(*arguments, [key]))) for key in range(reads)])
    ours = ours.flatten(1, 2)[:, 0].double().numpy()
    pair, rng = arguments[-1].pair, np.random.default_rng(0)
    repeated = np.repeat(vectors[:1], reads, 0)
    theirs = oracle.product(repeated, pair.plus.numpy(), pair.minus.numpy(), noise, bits, rng)
    spread = theirs.std(0)
    assert np.all(np.abs(ours.mean(0) - theirs.mean(0)) < 5 * spread * np.sqrt(2 / reads))
    assert np.all(np.abs(ours.std(0) / spread - 1) < 5 / np.sqrt(reads))


def test_noise_is_independent_between_products_and_columns():
    arguments, _ = setting(ReadConfig(read_noise=0.1))
    reads = [next(iter(product_currents(*arguments, [key]))).flatten() for key in range(2000)]
    correlation = np.corrcoef(torch.stack(reads).numpy().T)
    off_diagonal = correlation[~np.eye(len(correlation), dtype=bool)]
    assert np.abs(off_diagonal).max() < 6 / np.sqrt(2000)


def test_quantiles_are_those_of_a_normal():
    assert abs(NORMAL_QUANTILES.mean()) < 1e-6
    assert abs(NORMAL_QUANTILES.std() - 1) < 1e-4
    assert NORMAL_QUANTILES.max() > 4.2


def test_plain_path_reads_with_a_converter():
    """A coarse converter changes products, a fine one does not."""
    arguments, _ = setting(ReadConfig(input_bits=4))
    (ideal,) = product_currents(*arguments, [0])
    for bits, close in ((16, True), (3, False)):
        arguments, _ = setting(ReadConfig(input_bits=4, adc_bits=bits))
        (read,) = product_currents(*arguments, [0])
        assert torch.allclose(read, ideal, atol=0.2) == close
