"""The liquid state machine's fixed random reservoir: its constants and its weights."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from harness.errors import UserError
from lsm import kernels
from rram import Chip, Crossbar, Pair
from rram.crossbar import ReadConfig

LARGEST_INTEGER = 8191  # four of them, added in 16 bits, do not overflow

# Statistics of the dense Gaussian weights in the LSM author's later code. `const` multiplies
# weights of this spread: with s.d. 1 the paper's reservoirs hardly ever fire (0.02 % of steps
# on real N-MNIST, against 7 % with this).
INPUT_MEAN, INPUT_STD = 0.00156, 6.61329
RECURRENT_MEAN, RECURRENT_STD = 0.00606, 6.67268


@dataclass(frozen=True)
class ReservoirSpec:
    """Size and constants of a reservoir (LSM paper, published code).

    Attributes:
        inputs: channels.
        neurons: of the reservoir.
        decay: d, what is left of a membrane after a step.
        threshold: Vth, in membrane units.
        const: scale of the weights, membrane units per weight unit (uS on the chip).
        steps: window length T.
        recurrent_gain: `const` of the recurrent block over that of the input block; 1 in the
            paper. With sqrt(200 / neurons) the recurrent drive of a larger reservoir is that
            of 200 neurons.
    """

    inputs: int
    neurons: int
    decay: float
    threshold: float
    const: float
    steps: int
    recurrent_gain: float = 1.0

    def __post_init__(self) -> None:
        if min(self.inputs, self.neurons, self.steps) < 1:
            raise UserError(f"{self}: inputs, neurons and steps must be 1 or more")
        if not 0 <= self.decay <= 1 or not self.threshold >= 0 or not self.const > 0:
            raise UserError(f"{self}: decay in 0..1, threshold >= 0 and const > 0 are needed")
        if not self.recurrent_gain >= 0:
            raise UserError(f"{self}: recurrent_gain must be 0 or more")

    @property
    def weights(self) -> int:
        """Fixed weights: input and recurrent."""
        return (self.inputs + self.neurons) * self.neurons


NMNIST = ReservoirSpec(256, 200, decay=0.9, threshold=5.0, const=0.07, steps=50)
NTIDIGITS = ReservoirSpec(64, 200, decay=0.97, threshold=5.3, const=0.08, steps=129)
AUDIO_VISUAL_IMAGE = replace(NMNIST, const=0.3)
AUDIO_VISUAL_AUDIO = replace(NTIDIGITS, const=0.1)
BRAIN_VISUAL_NEURAL = ReservoirSpec(192, 2048, decay=0.95, threshold=0.1, const=0.0005, steps=201)
BRAIN_VISUAL_LETTER = ReservoirSpec(784, 2048, decay=0.95, threshold=0.1, const=0.0005, steps=49)


@dataclass(frozen=True)
class Reservoir:
    """Fixed weights of one reservoir.

    Weights are whole multiples of `unit`, a power of two, at most 8191 units: fine enough for
    any analogue chip (about 1/1000 of their s.d.), and every sum of them is exact in float32
    whatever the order, so that all ways of computing give the same spikes to the bit.

    Attributes:
        spec: size and constants.
        integers: (inputs + neurons, neurons) int16 weights in units, input rows first.
        unit: membrane units.
        squares: same shape, G+^2 + G-^2 in `square_unit`; what read noise needs.
        square_unit: membrane units squared.
        read_noise: n in G' = G (1 + n e), fresh in every product.
        reread: gives the reservoir as read for one batch, from (seed, batch number), when
            there is read noise per batch.
    """

    spec: ReservoirSpec
    integers: np.ndarray
    unit: float
    squares: np.ndarray | None = None
    square_unit: float = 1.0
    read_noise: float = 0.0
    reread: "Callable[[int, int], Reservoir] | None" = None

    @property
    def weights(self) -> np.ndarray:
        """(inputs + neurons, neurons) float32, in membrane units: input rows first."""
        return self.integers * np.float32(self.unit)

    @cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights and squares (weights again, where there are none) as the loop wants them."""
        weights = kernels.pack(self.integers)
        return weights, weights if self.squares is None else kernels.pack(self.squares)


def from_weights(spec: ReservoirSpec, inputs: np.ndarray, recurrent: np.ndarray) -> Reservoir:
    """Reservoir of your own weights, in membrane units (`const` is not applied).

    Args:
        spec: size and constants.
        inputs: (inputs, neurons), row i is what a spike of channel i adds to each neuron.
        recurrent: (neurons, neurons), likewise.

    Raises:
        UserError: other shapes, or weights that are not finite.
    """
    return Reservoir(spec, *_integers(_stack(spec, inputs, recurrent)))


def gaussian(spec: ReservoirSpec, seed: int) -> Reservoir:
    """The software rows: plain Gaussian weights times `const` (LSM paper, code)."""
    generator = np.random.default_rng([seed, spec.inputs, spec.neurons])
    inputs = generator.normal(INPUT_MEAN, INPUT_STD, (spec.inputs, spec.neurons))
    recurrent = generator.normal(RECURRENT_MEAN, RECURRENT_STD, (spec.neurons, spec.neurons))
    return from_weights(spec, *_with_gain(spec, [inputs, recurrent], spec.const))


def from_chip(
    spec: ReservoirSpec,
    chip: Chip,
    reading: ReadConfig = ReadConfig(),
    *,
    match_std: bool = False,
    prefix: str = "",
) -> Reservoir:
    """The chip rows: blocks `input` and `recurrent` as differential pairs times `const`.

    Args:
        spec: size and constants.
        chip: the chip; the paper's is `Chip(LSM_40NM, seed, sparsity=0.0)`.
        reading: read noise, fresh for every product or for every batch of samples.
        match_std: scale the weights to the spread of the paper's, so that its `const` fits
            chips of other conductance or sparsity.
        prefix: of the blocks' names; two reservoirs on one chip need different ones.

    Raises:
        UserError: input or converter bits, which a reservoir does not have.
    """
    if reading.input_bits is not None or reading.adc_bits is not None:
        raise UserError("a reservoir's inputs are spikes: input_bits and adc_bits do not apply")
    shapes = {"input": spec.inputs, "recurrent": spec.neurons}
    pairs = {
        name: chip.conductances(prefix + name, (rows, spec.neurons))
        for name, rows in shapes.items()
    }
    std = float(torch.cat([pair.weights for pair in pairs.values()]).std())
    if std == 0:
        raise UserError("all weights of this chip are the same: no cell broke, or all are stuck")
    scale = spec.const * (RECURRENT_STD / std if match_std else 1.0)
    fixed = _scaled(spec, [pair.weights for pair in pairs.values()], scale)
    if not reading.read_noise:
        return fixed
    if reading.noise_per == "batch":
        return replace(fixed, reread=lambda *key: _reread(spec, chip, pairs, reading, scale, key))
    squares = [(pair.plus.square() + pair.minus.square()).numpy() for pair in pairs.values()]
    # A square scales with the square: once more by the same factor.
    squares = _with_gain(spec, _with_gain(spec, squares, scale), scale)
    integers, unit = _integers(_stack(spec, *squares))
    return replace(fixed, squares=integers, square_unit=unit, read_noise=reading.read_noise)


def _reread(
    spec: ReservoirSpec,
    chip: Chip,
    pairs: dict[str, Pair],
    reading: ReadConfig,
    scale: float,
    key: tuple[int, int],
) -> Reservoir:
    seed = chip.generator("read", *key).integers(2**63)
    generator = torch.Generator().manual_seed(int(seed))
    read = [Crossbar(pair, reading).read_weights(generator) for pair in pairs.values()]
    return _scaled(spec, read, scale)


def _scaled(spec: ReservoirSpec, blocks: list[torch.Tensor], scale: float) -> Reservoir:
    return from_weights(spec, *_with_gain(spec, [b.double().numpy() for b in blocks], scale))


def _with_gain(spec: ReservoirSpec, blocks: list[np.ndarray], scale: float) -> list[np.ndarray]:
    inputs, recurrent = blocks
    return [inputs * scale, recurrent * (scale * spec.recurrent_gain)]


def _stack(spec: ReservoirSpec, inputs: np.ndarray, recurrent: np.ndarray) -> np.ndarray:
    for block, rows in ((inputs, spec.inputs), (recurrent, spec.neurons)):
        if block.shape != (rows, spec.neurons):
            raise UserError(f"weights of shape {block.shape}, expected {(rows, spec.neurons)}")
        if not np.isfinite(block).all():
            raise UserError("weights must be finite numbers")
    return np.concatenate([inputs, recurrent]).astype(np.float64)


def _integers(values: np.ndarray) -> tuple[np.ndarray, float]:
    # The smallest power of two that keeps all of them within the integers allowed.
    largest = max(np.abs(values).max(), np.finfo(np.float32).tiny)
    unit = 2.0 ** np.ceil(np.log2(largest / LARGEST_INTEGER))
    return np.round(values / unit).astype(np.int16), float(unit)
