"""The liquid state machine's fixed random reservoir: its size, its weights, their sources."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch

from harness.errors import UserError
from lsm import kernels
from lsm.kernels import LARGEST_INTEGER
from lsm.spikes import MAX_INPUTS
from rram import Chip, Crossbar, ReadConfig

# Statistics of the dense Gaussian weights in the LSM author's later code. `const` multiplies
# weights of this spread: with s.d. 1 the paper's reservoirs hardly ever fire (0.02 % of steps
# on real N-MNIST, against 7 % with this).
INPUT_MEAN, INPUT_STD = 0.00156, 6.61329
RECURRENT_MEAN, RECURRENT_STD = 0.00606, 6.67268
LARGEST_WEIGHT = 1e30  # membrane units: sums of all rows stay within float32


@dataclass(frozen=True)
class ReservoirSpec:
    """Size and constants of a reservoir.

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

    Raises:
        UserError: a value out of range, or not a number.
    """

    inputs: int
    neurons: int
    decay: float
    threshold: float
    const: float
    steps: int
    recurrent_gain: float = 1.0

    def __post_init__(self) -> None:
        if min(self.inputs, self.neurons, self.steps) < 1 or self.inputs > MAX_INPUTS:
            raise UserError(
                f"{self}: inputs (at most {MAX_INPUTS:,}), neurons and steps must be 1 or more"
            )
        finite = max(self.threshold, self.const, self.recurrent_gain) < float("inf")
        in_range = 0 <= self.decay <= 1 and self.threshold >= 0 and self.const > 0
        if not (finite and in_range and self.recurrent_gain >= 0):
            raise UserError(
                f"{self}: decay in 0..1, threshold and recurrent_gain >= 0, const > 0 are needed"
            )

    @property
    def weights(self) -> int:
        """Fixed weights: input and recurrent."""
        return (self.inputs + self.neurons) * self.neurons


NMNIST = ReservoirSpec(256, 200, decay=0.9, threshold=5.0, const=0.07, steps=50)
"""N-MNIST (LSM, LSM-NMNIST/run_lsm_gau_sim.sh)."""
NTIDIGITS = ReservoirSpec(64, 200, decay=0.97, threshold=5.3, const=0.08, steps=129)
"""N-TIDIGITS (LSM, LSM-NTIDIGITS/run_lsm_gau_sim.sh)."""
BRAIN_VISUAL_NEURAL = ReservoirSpec(192, 2048, decay=0.95, threshold=0.1, const=0.0005, steps=201)
"""Neural signals (LSM, LSM-CLIP-BTV/run_lsm_clip_one_layer_26class_sup.sh)."""
BRAIN_VISUAL_LETTER = ReservoirSpec(784, 2048, decay=0.95, threshold=0.1, const=0.0005, steps=49)
"""Letters (LSM, LSM-CLIP-BTV/run_lsm_clip_one_layer_26class_sup.sh)."""


@dataclass(frozen=True)
class Reservoir:
    """A liquid: leaky integrate-and-fire neurons with fixed random weights.

        u[t] = d u[t-1] (1 - s[t-1]) + x[t] W_in + s[t-1] W_rec;    s[t] = u[t] > Vth

    x: spikes of the input channels (0 or 1), u: membranes, s: spikes of the neurons, d and Vth:
    decay and threshold of `spec`. `lsm.encode.encode` runs it (LSM paper, methods).

    Weights are whole multiples of `unit`, a power of two, at most 8191 units: fine enough for
    any analogue chip (about 1/1000 of their s.d.), and every sum of them is exact in float32
    whatever the order, so that all ways of computing give the same spikes to the bit.

    With read noise n, fresh in every product, the drive of a neuron gets Gaussian noise of
    variance n^2 times the sum of V over the rows that spiked, V from `rram.Crossbar.variance`.

    Attributes:
        spec: size and constants.
        integers: (inputs + neurons, neurons) int16 weights in units, input rows first.
        unit: membrane units.
        squares: same shape, V in `square_unit`; what read noise needs.
        square_unit: membrane units squared.
        read_noise: n.
        reread: gives the reservoir as read for one batch, from (seed, batch number), when
            there is read noise per batch.

    Raises:
        UserError: arrays of another shape or kind, or integers beyond 8191.

    Example:
        >>> import numpy as np
        >>> from lsm import ReservoirSpec, SpikeTrains, encode, gaussian
        >>> spec = ReservoirSpec(inputs=40, neurons=100, decay=0.9, threshold=5.0, const=0.1,
        ...                      steps=20)
        >>> spikes = np.random.default_rng(0).random((20, 8, 40)) < 0.1  # (T, B, C)
        >>> rates = encode(SpikeTrains.from_dense(spikes), gaussian(spec, seed=0))
        >>> rates.shape  # spikes per step of every neuron
        (8, 100)
        >>> bool(0.001 < rates.mean() < 0.5)
        True
    """

    spec: ReservoirSpec
    integers: np.ndarray
    unit: float
    squares: np.ndarray | None = None
    square_unit: float = 1.0
    read_noise: float = 0.0
    reread: "Callable[[int, int], Reservoir] | None" = None

    def __post_init__(self) -> None:
        shape = (self.spec.inputs + self.spec.neurons, self.spec.neurons)
        tables = {"integers": self.integers}
        if self.squares is not None:
            tables["squares"] = self.squares
        for name, table in tables.items():
            if table.shape != shape or table.dtype != np.int16:
                raise UserError(f"{name} of {table.dtype} {table.shape}: expected int16 {shape}")
            lowest = 0 if name == "squares" else -LARGEST_INTEGER
            if table.min() < lowest or table.max() > LARGEST_INTEGER:
                raise UserError(
                    f"{name} from {table.min()} to {table.max()}: {lowest} to {LARGEST_INTEGER}, "
                    "so that four rows add up within 16 bits; from_weights scales them"
                )
        scales = (self.unit, self.square_unit)
        if not all(0 < scale < np.inf for scale in scales) or not 0 <= self.read_noise < np.inf:
            raise UserError(
                f"unit {self.unit}, square_unit {self.square_unit}, read_noise {self.read_noise}: "
                "units must be above 0, noise 0 or more"
            )
        if self.read_noise and self.squares is None:
            raise UserError("read_noise needs squares; from_chip makes them")

    @property
    def weights(self) -> np.ndarray:
        """(inputs + neurons, neurons) float32, in membrane units: input rows first."""
        return self.integers * np.float32(self.unit)

    @property
    def noise_per_batch(self) -> bool:
        """Whether every batch of samples meets another read of the weights."""
        return self.reread is not None

    def read(self, seed: int, batch: int) -> "Reservoir":
        """The reservoir that a batch of samples meets: itself unless its noise is per batch.

        Args:
            seed: of the read noise.
            batch: number of the batch.
        """
        return self.reread(seed, batch) if self.reread else self

    @property
    def noise_scale(self) -> float:
        """Standard deviation of the drive's noise where the sum of `squares` is 1."""
        return self.read_noise * np.sqrt(self.square_unit)

    @cached_property
    def table(self) -> np.ndarray:
        """Weights, with squares beside them where there are any, as the compiled loop has them."""
        return kernels.pack(*(t for t in (self.integers, self.squares) if t is not None))


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
    """The software rows: plain Gaussian weights times `const` (LSM paper, code).

    Args:
        spec: size and constants.
        seed: of the weights.
    """
    generator = np.random.default_rng([seed, spec.inputs, spec.neurons])
    inputs = generator.normal(INPUT_MEAN, INPUT_STD, (spec.inputs, spec.neurons))
    recurrent = generator.normal(RECURRENT_MEAN, RECURRENT_STD, (spec.neurons, spec.neurons))
    return from_weights(spec, *_scaled(spec, [inputs, recurrent], spec.const))


def from_chip(
    spec: ReservoirSpec,
    chip: Chip,
    read_config: ReadConfig = ReadConfig(),
    *,
    match_std: bool = False,
    prefix: str = "",
) -> Reservoir:
    """The chip rows: blocks `input` and `recurrent` as differential pairs times `const`.

    Args:
        spec: size and constants.
        chip: the chip; the paper's is `Chip(LSM_40NM, seed, sparsity=0.0)`.
        read_config: read noise, on cells or on the weight, fresh for every product (an input of
            spikes is one product a step) or for every batch of samples.
        match_std: scale the weights to the spread of the paper's, so that its `const` fits
            chips of other conductance or sparsity.
        prefix: of the blocks' names; two reservoirs on one chip need different ones.

    Raises:
        UserError: input or converter bits, which a reservoir does not have, or a chip whose
            weights are all the same.
    """
    if read_config.input_bits is not None or read_config.adc_bits is not None:
        raise UserError("a reservoir's inputs are spikes: input_bits and adc_bits do not apply")
    arrays = [
        Crossbar(chip.conductances(prefix + name, (rows, spec.neurons)), read_config)
        for name, rows in (("input", spec.inputs), ("recurrent", spec.neurons))
    ]
    std = float(torch.cat([array.weights for array in arrays]).std())
    if std == 0:
        raise UserError("all weights of this chip are the same: no cell broke, or all are stuck")
    scale = spec.const * (RECURRENT_STD / std if match_std else 1.0)
    weights = [array.weights.double().numpy() for array in arrays]
    fixed = from_weights(spec, *_scaled(spec, weights, scale))
    if not read_config.read_noise:
        return fixed
    if read_config.noise_per == "batch":
        return replace(fixed, reread=partial(_reread, spec, chip, arrays, scale))
    variances = [array.variance.numpy() for array in arrays]
    # A square scales with the square: once more by the same factor.
    variances = _scaled(spec, _scaled(spec, variances, scale), scale)
    squares, unit = _integers(_stack(spec, *variances))
    return replace(fixed, squares=squares, square_unit=unit, read_noise=read_config.read_noise)


def _reread(
    spec: ReservoirSpec, chip: Chip, arrays: list[Crossbar], scale: float, *key: int
) -> Reservoir:
    seed = chip.generator("read", *key).integers(2**63)
    generator = torch.Generator().manual_seed(int(seed))
    blocks = [array.read_weights(generator).double().numpy() for array in arrays]
    return from_weights(spec, *_scaled(spec, blocks, scale))


def _scaled(spec: ReservoirSpec, blocks: list[np.ndarray], scale: float) -> list[np.ndarray]:
    inputs, recurrent = blocks
    return [inputs * scale, recurrent * (scale * spec.recurrent_gain)]


def _stack(spec: ReservoirSpec, inputs: np.ndarray, recurrent: np.ndarray) -> np.ndarray:
    for block, rows in ((inputs, spec.inputs), (recurrent, spec.neurons)):
        if np.shape(block) != (rows, spec.neurons):
            raise UserError(f"weights of shape {np.shape(block)}, expected {(rows, spec.neurons)}")
        if not np.isfinite(block).all() or np.abs(block).max() > LARGEST_WEIGHT:
            raise UserError(f"weights must be finite numbers, up to {LARGEST_WEIGHT:g} in size")
    return np.concatenate([inputs, recurrent]).astype(np.float64)


def _integers(values: np.ndarray) -> tuple[np.ndarray, float]:
    # The smallest power of two that keeps all of them within the integers allowed.
    largest = max(np.abs(values).max(), np.finfo(np.float32).tiny)
    unit = 2.0 ** np.ceil(np.log2(largest / LARGEST_INTEGER))
    return np.round(values / unit).astype(np.int16), float(unit)
