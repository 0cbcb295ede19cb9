"""What the networks on clouds multiply, counted from a batch as it is grouped: for `rram.cost`."""

from deplm.network import Batch, CloudNetwork, PointNetwork
from deplm.segmentation import PartNetwork
from rram.cost import Product
from rram.errors import UserError


def count_products(network: CloudNetwork, batch: Batch, classes: int) -> list[Product]:
    """Products of one cloud: the random layers, then the trained readout.

    Args:
        network: the paper's, of whole clouds or of parts.
        batch: of `network.batch`; its groupings say how many centres and neighbours there are.
        classes: outputs of the readout.

    Raises:
        UserError: a network of another kind, which has no count here.

    Example:
        >>> import numpy as np
        >>> from deplm import FASHION_MNIST, ArrayClouds
        >>> from deplm.counts import count_products
        >>> rng = np.random.default_rng(0)
        >>> clouds = ArrayClouds("a", rng.random((2, 784, 3)), rng.random((2, 784, 3)))
        >>> products = count_products(
        ...     FASHION_MNIST, FASHION_MNIST.batch(clouds, np.arange(2)), classes=10
        ... )
        >>> [round(p.macs() / 1e6, 2) for p in products]  # millions, one a neighbour
        [5.01, 45.12, 11.01, 0.01]
    """
    if not isinstance(network, PointNetwork | PartNetwork):
        raise UserError(f"{type(network).__name__}: no count of its products, so no cost")
    parts = isinstance(network, PartNetwork)
    shapes = dict((network.encoder if parts else network).shapes)
    points = [batch.clouds.points.shape[1]]
    products = []
    for (name, (inputs, outputs)), grouping in zip(shapes.items(), batch.groupings, strict=True):
        before = points[-1]
        if grouping is None:
            points.append(1)
            products.append(Product(name, inputs, outputs, before))
            continue
        centres, neighbours = grouping.neighbours.shape[1:]
        points.append(centres)
        macs = before * inputs * outputs + centres * 3 * outputs  # and W_xyz c of every centre
        products.append(Product(name, inputs, outputs, centres * neighbours, macs))
    if parts:
        products += _propagations(network, points)
    per_cloud = points[0] if parts else 1
    return [*products, Product("readout", network.width, classes, per_cloud, on_chip=False)]


def _propagations(network: PartNetwork, points: list[int]) -> list[Product]:
    shapes = network.propagation_shapes.items()
    return [
        Product(name, *shape, fine)
        for (name, shape), fine in zip(shapes, points[-2::-1], strict=True)
    ]
