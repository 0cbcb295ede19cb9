"""Products on the chip: bit-serial inputs, read noise, digitised outputs."""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from rram.chip import Pair
from rram.errors import UserError


@dataclass(frozen=True)
class ReadConfig:
    """How an array is read. The default is an ideal read.

    Attributes:
        read_noise: n in G' = G (1 + n e), e ~ N(0, 1) for every cell (DEPLM, code: 0.02).
        noise_per: "product": fresh e for every vector-matrix product; "batch": one e a batch.
        input_bits: bits of the bit-serial input, None for an analogue input (DEPLM: 6, 5).
        adc_bits: bits of the converter on the differential current of each binary product,
            full scale +- the largest sum of |G+ - G-| of a column. None for no converter.
    """

    read_noise: float = 0.0
    noise_per: str = "product"
    input_bits: int | None = None
    adc_bits: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.read_noise < float("inf"):
            raise UserError(f"read_noise is {self.read_noise}: it must be 0 or more")
        if self.noise_per not in ("product", "batch"):
            raise UserError(f"noise_per is {self.noise_per!r}: 'product' or 'batch'")
        for name in ("input_bits", "adc_bits"):
            bits = getattr(self, name)
            if bits is not None and not 1 <= bits <= 16:
                raise UserError(f"{name} is {bits}: 1 to 16, or none")
        if self.adc_bits is not None and self.input_bits is None:
            raise UserError("adc_bits needs input_bits: the converter reads binary products")

    @property
    def per_product(self) -> bool:
        """Whether two products with the same input differ, or inputs are quantised."""
        noisy = self.read_noise > 0 and self.noise_per == "product"
        return noisy or self.input_bits is not None


class Quantised(NamedTuple):
    """x is close to minimum + step * levels; each with the shape of x but for its last axis."""

    levels: torch.Tensor
    minimum: torch.Tensor
    step: torch.Tensor


def quantise(x: torch.Tensor, bits: int) -> Quantised:
    """Min-max quantisation of every vector x (..., channels) to 2^bits levels (DEPLM, code).

    Returns:
        levels (..., channels) of integers in float, minimum (..., 1), step (..., 1). A constant
        vector has step 0 and levels 0.
    """
    minimum = x.amin(-1, keepdim=True)
    step = (x.amax(-1, keepdim=True) - minimum) / (2**bits - 1)
    levels = torch.round((x - minimum) / torch.where(step > 0, step, torch.ones_like(step)))
    return Quantised(levels, minimum, step)


class Crossbar:
    """A differential pair of arrays that multiplies vectors.

    Noise on the cells of a column adds up to Gaussian noise on its current, whose variance is
    a product with the squared conductances. It is drawn there: the same distribution as drawing
    a number a cell and product, for one number an output (test: `tests/oracles/crossbar.py`).

    Args:
        pair: conductances (inputs, outputs) in uS, from `Chip.conductances`.
        reading: the non-idealities.
    """

    def __init__(self, pair: Pair, reading: ReadConfig = ReadConfig()) -> None:
        self.pair = pair
        self.reading = reading
        self.weights = pair.weights
        self.variance = pair.plus.square() + pair.minus.square()

    def read_weights(self, generator: torch.Generator) -> torch.Tensor:
        """One read of all cells, (inputs, outputs): G+ and G- each with fresh noise."""
        noisy = [
            g * (1 + self.reading.read_noise * _normal(g, generator))
            for g in (self.pair.plus, self.pair.minus)
        ]
        return noisy[0] - noisy[1]

    def product(self, x: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Multiply vectors x (..., inputs) by the array -> (..., outputs).

        Args:
            x: float tensor on the CPU or the pair's device.
            generator: source of the read noise; needed when there is any.

        Raises:
            UserError: x does not fit the array, or noise without a generator.
        """
        if x.shape[-1] != self.weights.shape[0]:
            raise UserError(f"input {tuple(x.shape)} does not fit array {(*self.weights.shape,)}")
        reading = self.reading
        if reading.read_noise and generator is None:
            raise UserError("read_noise needs a generator")
        weights, noise = self.weights, reading.read_noise
        if noise and reading.noise_per == "batch":
            weights, noise = self.read_weights(generator), 0.0
        if reading.input_bits is None:
            return self._binary(x, weights, noise, generator)
        q = quantise(x, reading.input_bits)
        total = torch.zeros_like(x[..., :1]) * weights[0]
        levels = q.levels.to(torch.int32)
        for bit in range(reading.input_bits):
            plane = ((levels >> bit) & 1).to(x.dtype)
            total = total + 2**bit * self._digitise(self._binary(plane, weights, noise, generator))
        return total * q.step + q.minimum * self.weights.sum(0)

    def _binary(
        self,
        x: torch.Tensor,
        weights: torch.Tensor,
        noise: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        current = x @ weights
        if noise:
            spread = (x.square() @ self.variance).sqrt()
            current = current + noise * spread * _normal(current, generator)
        return current

    def _digitise(self, current: torch.Tensor) -> torch.Tensor:
        if self.reading.adc_bits is None:
            return current
        full_scale = self.weights.abs().sum(0).max().clamp(min=1e-12)
        half_levels = 2 ** (self.reading.adc_bits - 1) - 0.5
        return torch.round(current / full_scale * half_levels) / half_levels * full_scale


def _normal(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(like.shape, generator=generator, dtype=like.dtype).to(like.device)
