"""Products on the chip, and all noise in them: bit-serial inputs, read noise, digitised outputs."""

import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple, Self

import numpy as np
import torch
from scipy.special import ndtri

from rram import kernels
from rram.chip import Pair
from rram.errors import UserError

BANK = 1 << 18  # normal numbers, 1 MB: they stay in the cache of a core


@dataclass(frozen=True)
class ReadConfig:
    """How an array is read. The default is an ideal read.

    Attributes:
        read_noise: n, relative standard deviation of the noise (DEPLM, code: 0.02).
        noise_on: "cells": G' = G (1 + n e) for both cells of a pair, e ~ N(0, 1) for each, as
            physics has it; "weight": W' = W (1 + n e) for the signed weight, as the published
            layers have it, in which a weight of 0 has no noise (DEPLM, models/noise_layers.py).
        noise_per: how long an e lasts. "product": fresh for every binary product, so for every
            bit plane of every vector; "vector": one for all bit planes of a vector; "batch": one
            for all vectors of a batch.
        input_bits: bits of the bit-serial input, None for an analogue input (the published
            DEPLM scripts parse 6 and 5, and never use them).
        adc_bits: bits of the converter on the differential current of each binary product,
            full scale +- the largest sum of |G+ - G-| of a column. None for no converter.

    Raises:
        UserError: a value out of range.
    """

    read_noise: float = 0.0
    noise_on: str = "cells"
    noise_per: str = "product"
    input_bits: int | None = None
    adc_bits: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.read_noise < float("inf"):
            raise UserError(f"read_noise is {self.read_noise}: it must be 0 or more")
        if self.noise_on not in ("cells", "weight"):
            raise UserError(f"noise_on is {self.noise_on!r}: 'cells' or 'weight'")
        if self.noise_per not in ("product", "vector", "batch"):
            raise UserError(f"noise_per is {self.noise_per!r}: 'product', 'vector' or 'batch'")
        for name, bits in (("input_bits", self.input_bits), ("adc_bits", self.adc_bits)):
            if bits is not None and not 1 <= bits <= 16:
                raise UserError(f"{name} is {bits}: 1 to 16, or none")
        if self.adc_bits is not None and self.input_bits is None:
            raise UserError("adc_bits needs input_bits: the converter reads binary products")

    @property
    def linear(self) -> bool:
        """Whether one linear map serves a whole batch, so that vectors may share products."""
        return self.input_bits is None and (self.read_noise == 0 or self.noise_per == "batch")


class Quantised(NamedTuple):
    """x is close to minimum + step * levels; each with the shape of x but for its last axis."""

    levels: torch.Tensor
    minimum: torch.Tensor
    step: torch.Tensor


def quantise(x: torch.Tensor, bits: int) -> Quantised:
    """Min-max quantisation of every vector x (..., channels) to 2^bits levels.

    As in DEPLM's models/noise_layers.py, which no published script lets act.

    Returns:
        levels (..., channels) of integers in float, minimum (..., 1), step (..., 1). A constant
        vector has step 0 and levels 0.
    """
    minimum = x.amin(-1, keepdim=True)
    step = (x.amax(-1, keepdim=True) - minimum) / (2**bits - 1)
    levels = torch.round((x - minimum) / torch.where(step > 0, step, torch.ones_like(step)))
    return Quantised(levels, minimum, step)


class Crossbar:
    """A differential pair of arrays that multiplies vectors: y = x (G+ - G-).

    With read noise n on the cells, the noise of a column adds up to Gaussian noise on its
    current, of variance n^2 sum_i x_i^2 (G+_i^2 + G-_i^2); with noise on the weight, of variance
    n^2 sum_i x_i^2 (G+_i - G-_i)^2. It is drawn there: the distribution of drawing a number a
    cell and product, for one number an output (`tests/oracles/crossbar.py` draws them all).
    A bit-serial vector x = minimum + step * sum_b 2^b plane_b is multiplied plane by plane, and
    minimum * column sum is added digitally, without noise.

    Args:
        pair: conductances (inputs, outputs) in uS, from `Chip.conductances`.
        read_config: the non-idealities.

    Attributes:
        weights: G+ - G-, (inputs, outputs), in uS.
        variance: V, (inputs, outputs) in uS^2, so that a product has noise of variance
            n^2 sum_i x_i^2 V_i.

    Example:
        >>> import torch
        >>> from rram import Chip, Crossbar, ReadConfig
        >>> pair = Chip(seed=0).conductances("my layer", (6, 51))
        >>> x = torch.rand(10, 6)
        >>> bool(torch.equal(Crossbar(pair).product(x), x @ pair.weights))
        True
        >>> noisy = Crossbar(pair, ReadConfig(read_noise=0.02, input_bits=6))
        >>> noisy.product(x, key=1).shape  # the same key gives the same noise
        torch.Size([10, 51])
    """

    def __init__(self, pair: Pair, read_config: ReadConfig = ReadConfig()) -> None:
        self.pair = pair
        self.read_config = read_config
        self.weights = pair.weights
        on_cells = read_config.noise_on == "cells"
        self.variance = (
            pair.plus.square() + pair.minus.square() if on_cells else self.weights.square()
        )
        self._offset = self.weights.sum(0)
        self._full_scale = self.weights.abs().sum(0).max().clamp(min=1e-12)

    def read_weights(self, generator: torch.Generator) -> torch.Tensor:
        """One read of the whole array: signed weights (inputs, outputs) with fresh noise."""
        noise = self.read_config.read_noise
        if self.read_config.noise_on == "weight":
            return self.weights * (1 + noise * _normal(self.weights, generator))
        plus, minus = (g * (1 + noise * _normal(g, generator)) for g in self.pair)
        return plus - minus

    def read(self, generator: torch.Generator) -> Self:
        """The array as one read of it gives it; what it multiplies has no further noise."""
        array = copy.copy(self)
        array.weights = self.read_weights(generator)
        array.read_config = replace(self.read_config, read_noise=0.0)
        return array

    def product(
        self, x: torch.Tensor, key: int | None = None, *, first: int = 0, plain: bool = False
    ) -> torch.Tensor:
        """Multiply vectors x (..., inputs) by the array -> (..., outputs), in units of x times uS.

        Args:
            x: float32, on the pair's device; all of them are one batch.
            key: of the noise, 0 to 2^63: the same key gives the same noise. Needed where there
                is noise.
            first: how many vectors with the same key were multiplied before these, so that a
                long list of vectors may be cut in pieces.
            plain: use torch on the CPU too.

        Raises:
            UserError: x does not fit the array, or noise without a key.
        """
        if x.shape[-1] != self.weights.shape[0]:
            raise UserError(f"input {tuple(x.shape)} does not fit array {(*self.weights.shape,)}")
        config = self.read_config
        if config.read_noise and key is None:
            raise UserError("read_noise needs a key: an integer that names the noise")
        if config.read_noise == 0 and config.input_bits is None:
            return x @ self.weights
        seed = (key or 0) + first
        if config.read_noise and config.noise_per == "batch":
            generator = torch.Generator().manual_seed(seed)  # one read of an array on any device
            return self.read(generator).product(x, plain=plain)
        if kernels.runs_compiled(x) and config.adc_bits is None and not plain:
            return self._compiled_product(x, key or 0, first)
        generator = torch.Generator(x.device).manual_seed(seed)
        if config.read_noise and config.noise_per == "vector" and config.adc_bits is not None:
            # The converter sees planes whose noise is the same cells': no short way.
            rows = [self.read(generator).product(row) for row in x.flatten(0, -2)]
            return torch.stack(rows).view(*x.shape[:-1], -1)
        return self._plain_product(x, generator)

    def group_max(
        self,
        x: torch.Tensor,
        sizes: torch.Tensor,
        wanted: int,
        key: int | None = None,
        *,
        first: int = 0,
        measure: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Maxima of the products of groups of vectors -> (groups, outputs), as `product`.

        Groups that are padded with their first vector give it once: it is multiplied once, and
        read again, with fresh noise, as often as it was padded.

        Args:
            x: (n, inputs) float32, the vectors of a group side by side.
            sizes: (groups,) int64, vectors of each group.
            wanted: products a group; the first vector makes up for those that are missing.
            key: of the noise, as of `product`.
            first: how many groups with the same key came before these.
            measure: whether the sums are wanted.

        Returns:
            The maxima; and sums over all products of their values and of their squares, (2,
            outputs) float64.
        """
        config, width = self.read_config, self.weights.shape[1]
        sums = np.zeros((2, width) if measure else (0, 0))
        noisy = config.read_noise > 0 and config.noise_per != "batch"
        if noisy and key is None:
            raise UserError("read_noise needs a key: an integer that names the noise")
        if kernels.runs_compiled(x) and config.adc_bits is None and config.noise_per != "batch":
            arrays, constants = self._noise_free(x.contiguous())
            best = kernels.noisy_group_max(
                *arrays, *constants, sizes.numpy(), wanted, normal_bank(),
                np.uint64(key or 0), first, sums,
            )  # fmt: skip
            return torch.from_numpy(best), torch.from_numpy(sums) if measure else None
        place = torch.arange(wanted, device=x.device).expand(len(sizes), -1)
        index = (sizes.cumsum(0) - sizes)[:, None] + place * (place < sizes[:, None])
        if noisy:
            values = self.product(x[index], key, first=first * wanted)
        else:  # equal vectors have equal products
            values = self.product(x, key)[index]
        if not measure:
            return values.amax(1), None
        flat = values.flatten(0, 1)
        moments = [v.sum(0, dtype=torch.float64) for v in (flat, flat.square())]
        return values.amax(1), torch.stack(moments).cpu()

    def _plain_product(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        config = self.read_config
        if config.input_bits is None:
            return self._with_noise(x @ self.weights, x.square(), generator)
        q = quantise(x, config.input_bits)
        levels, total = q.levels.to(torch.int32), torch.zeros_like(x[..., :1]) * self.weights[0]
        for bit in range(config.input_bits):
            plane = ((levels >> bit) & 1).to(x.dtype)
            current = plane @ self.weights
            if config.noise_per == "product":
                current = self._with_noise(current, plane, generator)
            total = total + 2**bit * self._digitised(current)
        if config.noise_per == "vector":
            total = self._with_noise(total, q.levels.square(), generator)
        return total * q.step + q.minimum * self._offset

    def _with_noise(
        self, current: torch.Tensor, power: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Current (..., C) with the noise of inputs whose squares are `power` (..., I)."""
        noise = self.read_config.read_noise
        if not noise:
            return current
        return current + noise * (power @ self.variance).sqrt() * _normal(current, generator)

    def _digitised(self, current: torch.Tensor) -> torch.Tensor:
        if self.read_config.adc_bits is None:
            return current
        half_levels = 2 ** (self.read_config.adc_bits - 1) - 0.5
        levels = torch.round(current / self._full_scale * half_levels)
        return levels / half_levels * self._full_scale

    def _compiled_product(self, x: torch.Tensor, key: int, first: int) -> torch.Tensor:
        arrays, constants = self._noise_free(x.reshape(-1, x.shape[-1]).contiguous())
        kernels.rescale_and_add_noise(*arrays, *constants, normal_bank(), np.uint64(key), first)
        return torch.from_numpy(arrays[0]).view(*x.shape[:-1], -1)

    def _noise_free(self, vectors: torch.Tensor) -> tuple[list[np.ndarray], tuple]:
        """Two matrix products for any number of bits: the planes' noise is one Gaussian.

        Returns:
            levels @ W, powers @ V and the scale of every vector; column sums and n.
        """
        config = self.read_config
        scale = np.empty((len(vectors), 2), np.float32)
        if config.input_bits is None:
            scale[:], levels, powers = (0, 1), vectors, vectors.square()
        else:
            levels, powers = torch.empty_like(vectors), torch.empty_like(vectors)
            power_of = level_powers(config.input_bits, config.noise_per)
            kernels.quantise_vectors(
                vectors.numpy(), power_of, levels.numpy(), powers.numpy(), scale
            )
        current = levels @ self.weights
        spread = powers @ self.variance if config.read_noise else current
        noise = np.float32(config.read_noise)
        return [current.numpy(), spread.numpy(), scale], (self._offset.numpy(), noise)


@cache
def normal_bank() -> np.ndarray:
    """2^18 numbers of N(0, 1), its quantiles at equal steps in a random order, float32.

    The noise of a product is a run of them that begins at a random place: the outputs of one
    product have different numbers, and two products the same ones once in 260,000 times (a
    shared noise table, as in Salimans et al., arXiv 1703.03864).
    """
    quantiles = ndtri((np.arange(BANK) + 0.5) / BANK)
    return np.random.default_rng(0).permutation(quantiles / quantiles.std()).astype(np.float32)


@cache
def level_powers(bits: int, noise_per: str) -> np.ndarray:
    """What each level adds to the variance of the noise, (2^bits,) float32.

    Fresh noise in every bit plane gives the sum of 4^b over the set bits b, as variances add up;
    one noise for all planes gives the square of the level.
    """
    places, levels = np.arange(bits), np.arange(2**bits)
    if noise_per == "vector":
        return (levels.astype(np.float64) ** 2).astype(np.float32)
    return ((levels[:, None] >> places & 1) * 4.0**places).sum(1, np.float32)


def _normal(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    # Drawn where the generator is, which for products is where they are.
    options = {"generator": generator, "device": generator.device, "dtype": like.dtype}
    return torch.randn(like.shape, **options).to(like.device)
