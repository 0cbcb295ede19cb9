"""Grouped products with read noise: gradients, and the law of the noise."""

import torch

from deplm.points import Grouping, NoiseKey, gather
from deplm.training.layers import GradientLayer
from deplm.training.noisy_groups import NoisyGroups, noisy_group_sums
from rram import Chip, Crossbar, Pair
from rram.crossbar import ReadConfig

CLOUDS, POINTS, CENTRES, NEIGHBOURS, INPUTS, CHANNELS = 3, 14, 5, 6, 7, 9
KEY = NoiseKey("train", (4, 0, 9))


def setting(read_noise):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(CLOUDS, POINTS, INPUTS, generator=generator)
    neighbours = torch.randint(POINTS, (CLOUDS, CENTRES, NEIGHBOURS), generator=generator).int()
    matrix = torch.randn(INPUTS, CHANNELS, generator=generator)
    grouping = Grouping(inputs[:, :CENTRES, :3].contiguous(), neighbours)
    crossbar = Crossbar(Pair(matrix, torch.zeros_like(matrix)), ReadConfig(read_noise=read_noise))
    return matrix, NoisyGroups(inputs, grouping, crossbar, [5, 6, 7])


def all_products(noisy):
    clouds = [torch.cat([rows for _, rows in noisy.products(n)]) for n in range(CLOUDS)]
    return torch.stack(clouds)


def test_gradients_are_those_of_the_whole_array():
    matrix, noisy = setting(0.3)
    sign = torch.tensor([1.0, -1, 1, 1, -1, 1, 1, -1, 1])
    products = all_products(noisy)
    results = []
    for way in ("ours", "plain"):
        weights = matrix.clone().requires_grad_()
        projected = noisy.inputs @ weights
        offset = noisy.grouping.centres @ weights[:3]
        if way == "ours":
            outputs = noisy_group_sums(projected, offset, sign, noisy)
        else:
            ideal = gather(projected, noisy.grouping.neighbours) - offset[:, :, None]
            rows = ideal + (products - ideal).detach()
            outputs = rows.sum(2), rows.square().sum(2), (rows * sign).amax(2) * sign
        factors = torch.Generator().manual_seed(2)
        sum((x * torch.randn(x.shape, generator=factors)).sum() for x in outputs).backward()
        results.append([*outputs, weights.grad])
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)


def test_noise_is_relative_to_the_signed_weight():
    """Variance n^2 sum (x w)^2: a weight of 0 has no noise, and vectors have noise of their own."""
    matrix, quiet = setting(0.0)
    matrix[:, 0] = 0
    noise = []
    for stream in range(400):
        _, noisy = setting(0.1)
        noisy.crossbar.variance[:, 0] = 0
        noisy.streams[:] = [stream, stream + 1000, stream + 2000]
        noise.append(all_products(noisy) - all_products(quiet))
    noise = torch.stack(noise)
    vectors = gather(quiet.inputs, quiet.grouping.neighbours)
    vectors[..., :3] -= quiet.grouping.centres[:, :, None]
    expected = 0.1 * (vectors.square() @ quiet.crossbar.weights.square()).sqrt()
    ratio = noise.std(0)[..., 1:] / expected[..., 1:]
    assert abs(ratio.mean() - 1) < 0.02 and 0.8 < ratio.min() < ratio.max() < 1.25
    assert noise[..., 0].abs().max() < 1e-5
    assert not torch.allclose(noise[:, 0, 0, 0], noise[:, 0, 0, 1], atol=1e-3)


def test_without_noise_it_is_the_shared_path():
    """A layer whose noise is next to nothing gives the features of one without."""
    _, setup = setting(0.0)
    layers = [
        GradientLayer("sa1", (INPUTS, CHANNELS), Chip(seed=0), read_noise=n) for n in (0.0, 1e-7)
    ]
    for grouping in (setup.grouping, None):
        for mode in (True, False):
            ours = [layer.train(mode).groups(setup.inputs, grouping, KEY, 0) for layer in layers]
            torch.testing.assert_close(*ours, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(layers[0].norm.running_var, layers[1].norm.running_var)


def test_one_draw_serves_a_batch():
    layer = GradientLayer("fp1", (INPUTS, CHANNELS), Chip(seed=0), read_noise=0.02)
    noise = torch.stack([layer.batch_noise(KEY, epoch) for epoch in range(300)])
    assert torch.equal(layer.batch_noise(KEY, 7), noise[7])
    weights = layer.matrix().detach()
    assert (noise[:, weights == 0] == 0).all()
    shown = weights != 0
    assert abs((noise.std(0)[shown] / weights[shown].abs()).mean() / 0.02 - 1) < 0.02
