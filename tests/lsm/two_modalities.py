"""A small data set of two modalities for the tests: every class has channels of its own."""

import numpy as np

from lsm.data.spike_set import SpikeSet
from lsm.spikes import SpikeTrains
from lsm.zero_shot.modalities import match

STEPS = 10


def spike_set(name, channels, each, classes="abcdef", kind="synthetic", groups=None, seed=0):
    """`each` training items a class and half as many test items."""
    generator = np.random.default_rng([seed, channels])
    rates = generator.random((len(classes), channels)) ** 2
    parts = []
    for count in (each, max(1, each // 2)):
        labels = np.tile(np.arange(len(classes)), count)
        spikes = generator.random((STEPS, len(labels), channels)) < rates[labels]
        parts += [SpikeTrains.from_dense(spikes.astype(np.uint8)), labels]
    made = None if groups is None else np.arange(len(parts[1])) // len(classes) % groups
    return SpikeSet(name, kind, name, tuple(classes), *parts, made)


def two_modalities(each=12, **options):
    """Six classes, 8 and 12 channels; the first one knows who made its items."""
    first = spike_set("one", 8, each, groups=3)
    second = spike_set("other", 12, each + 6, seed=1)
    return match(first, second, ("sound", "sight"), **options)
