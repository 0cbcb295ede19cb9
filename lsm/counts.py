"""What a liquid adds up, counted from the spikes that really occur: for `rram.cost`."""

from lsm.encode import encode
from lsm.reservoir import Reservoir
from lsm.spikes import SpikeTrains
from rram.cost import Product


def count_products(
    reservoir: Reservoir, trains: SpikeTrains, classes: int, *, features: int | None = None
) -> list[Product]:
    """Products of one sample: input rows, recurrent rows, and the trained readout.

    `Product.macs` counts every row in every step, as dense products do; `Product.additions` only
    the rows of what spiked, mean over the samples.

    Args:
        reservoir: the liquid.
        trains: samples to run through it.
        classes: outputs of the readout, or of a projection.
        features: inputs of the readout; None: one a neuron.
    """
    spec = reservoir.spec
    inputs = trains.counts(1).sum() / (len(trains) * trains.steps)  # spikes a step and sample
    neurons = encode(trains, reservoir).sum() / len(trains)
    steps = trains.steps
    return [
        Product("input", spec.inputs, spec.neurons, steps, active=float(inputs), spikes=True),
        Product("recurrent", spec.neurons, spec.neurons, steps, active=float(neurons), spikes=True),
        Product("readout", features or spec.neurons, classes, 1, on_chip=False),
    ]
