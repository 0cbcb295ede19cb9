"""DEPLM+ against a plain loop over the pixels of a window."""

import numpy as np
import torch

from deplm.data.image_fashion_mnist import ImageClouds
from deplm.encoder import calibration_batches, encode_all
from deplm.plus import ImagePlusEncoder, ImagePlusNetwork, Window, window_table
from rram import Chip

NETWORK = ImagePlusNetwork(
    levels=((Window(3, 1), Window(2, 2)), (Window(4, 1, slope=20.0),)), cells=(7, 5)
)


def images(count=12):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return ImageClouds("train", pixels, np.zeros(count, np.int64))


def plain_level(points, hidden, windows, weights):
    """points (n, 784, 3), hidden (n, 784, F) -> (n, 784, C), float64, one pixel after another."""
    outputs = []
    for window, matrix in zip(windows, weights, strict=True):
        scaled = points * np.array([1, window.slope, window.slope])
        out = np.empty((*points.shape[:2], matrix.shape[1]))
        for pixel in range(784):
            row, column = divmod(pixel, 28)
            near = [
                28 * r + c
                for r in range(max(0, row - window.radius), min(28, row + window.radius + 1))
                for c in range(max(0, column - window.radius), min(28, column + window.radius + 1))
            ]
            offsets = scaled[:, near] - scaled[:, [pixel]]
            grouped = np.concatenate([offsets, hidden[:, near]], -1)
            out[:, pixel] = (grouped @ matrix).max(1)
        mean, variance = out.mean((0, 1)), out.var((0, 1))
        outputs.append(np.maximum((out - mean) / np.sqrt(variance + 1e-5), 0))
    return np.concatenate(outputs, -1)


def plain_pool(hidden, cells):
    square = hidden.reshape(len(hidden), 28, 28, -1)
    edges = [(28 * n // cells, -(-28 * (n + 1) // cells)) for n in range(cells)]
    means = [square[:, a:b, c:d].mean((1, 2)) for a, b in edges for c, d in edges]
    return np.concatenate(means, -1)


def test_agrees_with_the_plain_loop():
    source, chip = images(), Chip(seed=4)
    encoder = ImagePlusEncoder(NETWORK, chip)
    encoder.calibrate(calibration_batches(source, NETWORK, len(source)))
    ours = encode_all(source, [encoder])[0]

    weights = iter(
        chip.weights(name, shape).double().numpy() * NETWORK.input_scale
        for name, shape in NETWORK.shapes.items()
    )
    points = source.clouds(np.arange(len(source))).points.double().numpy()
    hidden, pooled = points, []
    for windows, cells in zip(NETWORK.levels, NETWORK.cells, strict=True):
        hidden = plain_level(points, hidden, windows, [next(weights) for _ in windows])
        pooled.append(plain_pool(hidden, cells))
    np.testing.assert_allclose(ours, np.concatenate(pooled, -1), atol=1e-3)


def test_sizes():
    assert NETWORK.shapes == {
        "level1window1": (6, 3),
        "level1window2": (6, 2),
        "level2window1": (8, 4),
    }
    assert NETWORK.fixed_weights == 62
    assert NETWORK.width == 5 * 49 + 4 * 25


def test_window_table_by_hand():
    table = window_table(3, 1)
    assert table[4].tolist() == list(range(9))
    assert table[0].tolist() == [0, 1, 3, 4, 0, 0, 0, 0, 0]
    assert table.dtype == torch.int32
