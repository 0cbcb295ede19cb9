"""The fast encoder equals the straightforward one, for any number of threads and chips."""

import numpy as np
import pytest
import torch

from deplm.encoder import FrozenEncoder, calibration_batches, encode, encode_all
from deplm.layers import neighbour_max
from deplm.network import DVS_GESTURE, FASHION_MNIST, SHAPENET_PART, PointNetwork, SetAbstraction
from deplm.points import Clouds, CloudSet, ball_query, gather
from rram import Chip, UserError
from rram.crossbar import ReadConfig
from tests.oracles import point_network as oracle

SMALL = PointNetwork(
    features=3,
    abstractions=(
        SetAbstraction(5, centres=20, neighbours=8, radius=0.3),
        SetAbstraction(9, centres=6, neighbours=4, radius=0.5),
        SetAbstraction(17),
    ),
)


class RandomClouds(CloudSet):
    name = "train"

    def __init__(self, count, points=40, features=3, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.points = torch.rand(count, points, 3, generator=generator) - 0.5
        self.values = torch.randn(count, points, features, generator=generator)

    def __len__(self):
        return len(self.points)

    def clouds(self, indices):
        return Clouds(self.points[indices], self.values[indices])


def calibrated(source, network, seeds=(0,), read_config=ReadConfig(), clouds=24):
    encoders = [FrozenEncoder(network, Chip(seed=seed), read_config) for seed in seeds]
    for encoder in encoders:
        encoder.calibrate(calibration_batches(source, network, clouds))
    return encoders


def test_paper_sizes():
    """The fixed weights of the paper's table, and their total with the readout."""
    assert FASHION_MNIST.shapes == {"sa1": (6, 51), "sa2": (54, 102), "sa3": (105, 819)}
    assert FASHION_MNIST.fixed_weights == 91_809
    assert FASHION_MNIST.fixed_weights + 819 * 10 == 99_999
    assert DVS_GESTURE.shapes == {"sa1": (3, 53), "sa2": (56, 107), "sa3": (110, 512)}
    assert DVS_GESTURE.fixed_weights == 62_471
    assert SHAPENET_PART.shapes == {"sa1": (6, 117), "sa2": (120, 80), "sa3": (83, 234)}


@pytest.mark.parametrize("network", [SMALL, PointNetwork(0, SMALL.abstractions)])
def test_agrees_with_the_oracle(network):
    source = RandomClouds(24, features=network.features)
    (encoder,) = calibrated(source, network)
    ours = encode_all(source, [encoder])[0]
    chip = Chip(seed=0)
    weights = [chip.weights(n, s) * network.input_scale for n, s in network.shapes.items()]
    plain = oracle.PointNetwork(network, weights)
    plain.calibrate(source.points, source.values)
    with torch.no_grad():
        theirs = plain(source.points, source.values).numpy()
    assert ours.std() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_same_for_any_number_of_threads():
    source = RandomClouds(70)
    (encoder,) = calibrated(source, SMALL)
    one, two = (encode_all(source, [encoder], threads=n)[0] for n in (1, 2))
    assert np.array_equal(one, two)


def test_a_second_run_gives_the_same_bits():
    first, second = (
        encode_all(RandomClouds(30), calibrated(RandomClouds(30), SMALL))[0] for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_chips_share_groupings_but_not_features():
    source = RandomClouds(20)
    both = encode_all(source, calibrated(source, SMALL, seeds=(0, 1)))
    alone = encode_all(source, calibrated(source, SMALL, seeds=(1,)))[0]
    assert np.array_equal(both[1], alone)
    assert not np.allclose(both[0], both[1])


def test_streams_in_order():
    source = RandomClouds(50)
    (encoder,) = calibrated(source, SMALL)
    numbers = [n for part, _ in encode(source, [encoder]) for n in part]
    assert numbers == list(range(50))


def test_maxima_over_neighbours_agree_with_plain_torch():
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(3, 30, 3, generator=generator)
    projected = torch.randn(3, 30, 7, generator=generator)
    neighbours = ball_query(points, points[:, :11].contiguous(), 0.4, 9)
    plain = gather(projected, neighbours).amax(2)
    assert torch.equal(neighbour_max(projected, neighbours), plain)


def test_calibrated_projections_have_mean_0_and_variance_1():
    source = RandomClouds(24)
    (encoder,) = calibrated(source, SMALL)
    batch = calibration_batches(source, SMALL, 24)
    layer = encoder.layers[0]
    rows = []
    for part in batch:
        inputs = torch.cat(part.clouds, -1)
        grouped = gather(inputs, part.groupings[0].neighbours)
        grouped[..., :3] -= part.groupings[0].centres[:, :, None]
        rows.append(grouped @ layer.crossbar.weights * layer.norm.scale + layer.norm.shift)
    rows = torch.cat(rows).flatten(0, 2)
    assert rows.mean(0).abs().max() < 1e-4
    assert (rows.var(0) - 1).abs().max() < 0.05  # epsilon of the norm


def test_uncalibrated_or_nan_is_refused():
    source = RandomClouds(4)
    batch = calibration_batches(source, SMALL, 4)[0]
    with pytest.raises(UserError, match="calibrate"):
        FrozenEncoder(SMALL, Chip())(batch)
    source.points[2, 5, 1] = float("nan")
    with pytest.raises(UserError, match="NaN"):
        calibration_batches(source, SMALL, 4)


@pytest.mark.parametrize("noise_on", ["cells", "weight"])
@pytest.mark.parametrize("noise_per", ["product", "vector", "batch"])
@pytest.mark.parametrize("bits", [None, 6])
def test_noisy_features_repeat_and_differ_between_sets(noise_per, bits, noise_on):
    source, read_config = RandomClouds(20), ReadConfig(0.05, noise_on, noise_per, bits)
    encoders = calibrated(source, SMALL, read_config=read_config)
    first, second = (encode_all(source, encoders)[0] for _ in range(2))
    assert np.array_equal(first, second)
    source.name = "test"
    assert not np.array_equal(first, encode_all(source, encoders)[0])


@pytest.mark.parametrize("bits", [None, 6])
@pytest.mark.parametrize(("noise_per", "equal"), [("product", False), ("batch", True)])
def test_noise_per_batch_is_one_read_for_all_its_clouds(bits, noise_per, equal):
    """Equal clouds of one batch have equal features, with quantised inputs too."""
    source = RandomClouds(8)
    source.points[3], source.values[3] = source.points[5], source.values[5]
    config = ReadConfig(0.05, noise_per=noise_per, input_bits=bits)
    features = calibrated(source, SMALL, read_config=config)[0](SMALL.batch(source, np.arange(8)))
    assert torch.allclose(features[3], features[5], atol=1e-6) == equal
    ideal = calibrated(source, SMALL)[0](SMALL.batch(source, np.arange(8)))
    assert (features - ideal).abs().mean() > 0.01


def test_no_noise_and_no_bits_is_the_shared_projection():
    """The per-product path without effects equals the per-point one."""
    source = RandomClouds(8)
    (ideal,) = calibrated(source, SMALL)
    (fine,) = calibrated(source, SMALL, read_config=ReadConfig(input_bits=16))
    ours, theirs = (encode_all(source, [e])[0] for e in (ideal, fine))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
