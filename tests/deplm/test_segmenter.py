"""The segmentation network with gradients: equal to the frozen one, and what of it learns."""

import numpy as np
import torch

from deplm.training.segmenter import READOUT_BLOCK, PartSegmenter
from rram import Chip
from tests.deplm.test_segment import SMALL, RandomShapes, calibrated, everything

LAYERS = len(SMALL.shapes)
AFFINE = 2 * sum(columns for _, columns in SMALL.shapes.values())


def trained(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_it_agrees_with_the_frozen_network():
    source = RandomShapes()
    batch = everything(source)
    model = PartSegmenter(SMALL, Chip(seed=0)).train()
    model.initialise(3)
    expected = torch.log_softmax(model.readout(calibrated()(batch)), -1)
    torch.testing.assert_close(model([batch]), expected, atol=0.05, rtol=1e-3)
    halves = [SMALL.batch(source, part) for part in np.split(np.arange(20), 2)]
    torch.testing.assert_close(model(halves), expected, atol=0.05, rtol=1e-3)


def test_the_recipe_trains_readout_norms_and_scalars():
    """From the chip's weights, a quarter of which is exactly 0, with three and three scalars."""
    chip = Chip(seed=0)
    model = PartSegmenter(SMALL, chip)
    model.initialise(3)
    assert trained(model) == 11 * 50 + 50 + AFFINE + LAYERS
    assert torch.equal(model.readout.weight.T, chip.weights(READOUT_BLOCK, (11, 50)))
    assert 0.15 < (model.readout.weight == 0).float().mean() < 0.35
    assert model.trained_weights == 550


def test_every_weight_of_the_twins_is_trained():
    for chip, scalars in ((None, 0), (Chip(seed=0), LAYERS)):
        model = PartSegmenter(SMALL, chip, trained=True)
        model.initialise(0)
        model([everything(RandomShapes())]).square().sum().backward()
        assert model.trained_weights == SMALL.fixed_weights + 11 * 50
        assert trained(model) == model.trained_weights + 50 + AFFINE + scalars
        assert all(p.grad is not None for p in model.parameters())
    assert torch.equal(model.layers["sa1"].weights, chip.weights("sa1", (6, 5)))


def test_read_noise_repeats_within_an_epoch_and_acts_in_evaluation():
    batch = everything(RandomShapes())
    quiet, noisy = (PartSegmenter(SMALL, Chip(seed=0), read_noise=n) for n in (0.0, 0.02))
    for model in (quiet, noisy):
        model.initialise(1)
        model.train()([batch])
        model.load_state_dict(quiet.state_dict())
        model.eval()
    with torch.no_grad():
        first, again, plain = noisy([batch]), noisy([batch]), quiet([batch])
        noisy.epoch = 1
        later = noisy([batch])
    assert torch.equal(first, again) and not torch.allclose(first, later)
    change = (first - plain).abs().mean() / plain.std()
    assert 0.003 < change < 0.5


def test_noisy_evaluation_repeats_to_the_bit_wherever_its_arrays_lie():
    """Products of several threads each round by where arrays lie: the pool's have one each."""
    batch, rng = everything(RandomShapes()), np.random.default_rng(0)
    model = PartSegmenter(SMALL, Chip(seed=0), read_noise=0.02)
    model.initialise(1)
    model.train()([batch])
    model.eval()
    kept = []
    with torch.no_grad():
        first = model([batch])
        for _ in range(20):
            kept.append(np.empty(rng.integers(1, 4000), np.uint8))  # moves what comes next
            assert torch.equal(model([batch]), first)
