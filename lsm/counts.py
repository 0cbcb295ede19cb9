"""What a liquid adds up, counted from the spikes that really occur: for `rram.cost`."""

from lsm.encode import encode
from lsm.reservoir import Reservoir
from lsm.spikes import SpikeTrains
from rram.cost import Product


def count_products(
    reservoir: Reservoir, trains: SpikeTrains, outputs: int, *, prefix: str = ""
) -> list[Product]:
    """Products of one sample: input rows, recurrent rows, and the trained readout.

    `Product.macs` counts every row in every step, as dense products do; `Product.additions` only
    the rows of what spiked, mean over the samples.

    Args:
        reservoir: the liquid.
        trains: samples to run through it.
        outputs: of the readout, or of a projection, that sees one rate a neuron.
        prefix: of the layers' names, where there are several liquids.
    """
    spec = reservoir.spec
    inputs = trains.counts(1).sum() / (len(trains) * trains.steps)  # spikes a step and sample
    neurons = encode(trains, reservoir).sum() / len(trains)
    steps = trains.steps
    return [
        Product(
            f"{prefix}input", spec.inputs, spec.neurons, steps, active=float(inputs), spikes=True
        ),
        Product(
            f"{prefix}recurrent", spec.neurons, spec.neurons, steps, active=float(neurons),
            spikes=True,
        ),
        Product(f"{prefix}readout", spec.neurons, outputs, 1, on_chip=False),
    ]  # fmt: skip
