"""Norm and maximum of groups: without the groups the same as with them."""

import pytest
import torch
from torch import nn

from deplm.points import gather
from deplm.training.grouped_norm import PART, GroupNormMaxReLU, group_sums, group_sums_in_bags
from tests.oracles import grouped_norm as oracle

CLOUDS, POINTS, CENTRES, NEIGHBOURS, CHANNELS = 3, 20, 6, 5, 7


def setting(seed, mean=0.0):
    generator = torch.Generator().manual_seed(seed)
    projected = torch.randn(CLOUDS, POINTS, CHANNELS, generator=generator) + mean
    neighbours = torch.randint(POINTS, (CLOUDS, CENTRES, NEIGHBOURS), generator=generator)
    neighbours[:, :, 3:] = neighbours[:, :, :1]  # padded with the first
    offset = torch.randn(CLOUDS, CENTRES, CHANNELS, generator=generator)
    norms = GroupNormMaxReLU(CHANNELS), nn.BatchNorm1d(CHANNELS)
    scale = torch.randn(CHANNELS, generator=generator)  # of both signs
    for norm in norms:
        norm.weight.data.copy_(scale)
        norm.bias.data.copy_(scale.flip(0))
    return projected, neighbours.int(), offset, norms


def both(projected, neighbours, offset, norms):
    """Outputs, gradients of inputs and of the affine map, running statistics: ours, oracle's."""
    generator = torch.Generator().manual_seed(9)
    found = []
    for norm, run in zip(
        norms, (norms[0], lambda *a: oracle.grouped_norm(norms[1], *a)), strict=True
    ):
        inputs = [x.clone().requires_grad_() for x in (projected, offset) if x is not None]
        out = run(inputs[0], neighbours, inputs[1] if len(inputs) > 1 else None)
        generator.manual_seed(9)
        (out * torch.randn(out.shape, generator=generator)).sum().backward()
        parameters = [norm.weight.grad, norm.bias.grad, norm.running_mean, norm.running_var]
        found.append([out, *(x.grad for x in inputs), *parameters])
        norm.zero_grad()
    return found


@pytest.mark.parametrize("seed", range(4))
def test_training_agrees_with_the_oracle(seed):
    for ours, theirs in zip(*both(*setting(seed)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_large_mean_costs_little():
    projected, neighbours, offset, norms = setting(5, mean=100.0)
    ours, theirs = both(projected, neighbours, offset, norms)
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=2e-3)


def test_evaluation_agrees_with_the_oracle():
    projected, neighbours, offset, norms = setting(6)
    both(projected, neighbours, offset, norms)
    for norm in norms:
        norm.eval()
    for ours, theirs in zip(*both(projected, neighbours, offset, norms), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_one_group_of_all_points():
    projected, _, _, norms = setting(7)
    for ours, theirs in zip(*both(projected, None, None, norms), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("clouds", [2, 2 * PART + 3])
@pytest.mark.parametrize("way", [group_sums, group_sums_in_bags])
def test_sums_and_extremes_of_groups(clouds, way):
    generator = torch.Generator().manual_seed(clouds)
    projected = torch.randn(clouds, POINTS, CHANNELS, generator=generator).requires_grad_()
    neighbours = torch.randint(POINTS, (clouds, CENTRES, NEIGHBOURS), generator=generator).int()
    sign = torch.tensor([1.0, -1, 1, 1, -1, -1, 1])
    grouped = gather(projected, neighbours)
    expected = grouped.sum(2), (grouped * sign).amax(2) * sign
    found = way(projected, sign, neighbours)
    weights = torch.randn(2, *found[0].shape, generator=generator)
    gradients = [
        torch.autograd.grad((weights[0] * pair[0] + weights[1] * pair[1]).sum(), projected)[0]
        for pair in (found, expected)
    ]
    for ours, theirs in zip((*found, gradients[0]), (*expected, gradients[1]), strict=True):
        torch.testing.assert_close(ours, theirs)
