"""One physical chip: every block of weights it holds, drawn from its own random numbers."""

import copy
import hashlib
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch

from rram.device import DEPLM_40NM, Device
from rram.errors import UserError
from rram.files import read_numbers

MACRO_CELLS = 512 * 512  # one 256 Kb macro (ESGNN, methods)
DRIFT_START_S = 1.0  # age at which the conductance is the programmed one


class Pair(NamedTuple):
    """The two arrays of a differential pair, each (rows, columns), in uS."""

    plus: torch.Tensor
    minus: torch.Tensor

    @property
    def weights(self) -> torch.Tensor:
        """Signed weights G+ - G-, in uS."""
        return self.plus - self.minus


class Chip:
    """A chip after stochastic programming: program -> age -> read.

    Each cell has a breakdown voltage and a conductance, both drawn from `device`; the
    programming pulse breaks the cells whose breakdown voltage it exceeds, the others count
    as 0 uS. A signed weight is the difference of two such cells (DEPLM, methods):

        W = (G+ - G-) (t / 1 s)^-drift_exponent

    Each named block has a generator of its own, so blocks do not disturb each other and a chip
    is the same on every device; the random numbers are NumPy's, on the CPU.

    Args:
        device: constants of the cells.
        seed: which chip.
        sparsity: fraction of cells left unbroken, 0 to 1. Default 0.5, as in DEPLM.
        programming_voltage_v: height of the programming pulse in V, instead of `sparsity`.
        stuck_off: fraction of cells stuck at 0 uS.
        stuck_on: fraction of cells stuck at the mean conductance of a broken cell.
        drift_exponent: nu in G(t) = G (t / 1 s)^-nu, see `age`.

    Raises:
        UserError: an argument out of range, or both `sparsity` and a voltage.

    Example:
        >>> from rram import LSM_40NM, Chip
        >>> chip = Chip(LSM_40NM, seed=0, programming_voltage_v=3.5, drift_exponent=0.02)
        >>> fresh = chip.weights("my layer", (6, 51))
        >>> old = chip.age(seconds=3600).weights("my layer", (6, 51))
        >>> round(float(old.abs().sum() / fresh.abs().sum()), 3)  # 3600^-0.02
        0.849
        >>> chip.cells  # two for every weight
        612
    """

    def __init__(
        self,
        device: Device = DEPLM_40NM,
        seed: int = 0,
        *,
        sparsity: float | None = None,
        programming_voltage_v: float | None = None,
        stuck_off: float = 0.0,
        stuck_on: float = 0.0,
        drift_exponent: float = 0.0,
    ) -> None:
        if sparsity is not None and programming_voltage_v is not None:
            raise UserError("give either sparsity or programming_voltage_v, not both")
        if programming_voltage_v is None:
            programming_voltage_v = device.programming_voltage_v(
                0.5 if sparsity is None else sparsity
            )
        if np.isnan(programming_voltage_v):
            raise UserError("programming_voltage_v is not a number")
        if min(stuck_off, stuck_on) < 0 or stuck_off + stuck_on > 1:
            raise UserError(f"stuck_off {stuck_off} and stuck_on {stuck_on} are no fractions")
        if seed < 0:
            raise UserError(f"seed is {seed}: it must be 0 or more")
        self.device = device
        self.seed = seed
        self.programming_voltage_v = programming_voltage_v
        self.stuck_off = stuck_off
        self.stuck_on = stuck_on
        self.drift_exponent = drift_exponent
        self.age_s = 0.0
        self.blocks: dict[str, tuple[int, int]] = {}
        self._map: np.ndarray | None = None

    @classmethod
    def from_map(cls, conductances: np.ndarray | str | Path, seed: int = 0) -> Self:
        """A chip whose cells are those of a measured array.

        A block takes its cells in a random order of its own, first all of the map once, then
        again: a map with fewer cells than a block reuses cells, which `map_reuse` counts.

        Args:
            conductances: (rows, columns) in uS, 0 where a cell did not break; or a CSV file.
            seed: the random order.

        Raises:
            UserError: not a matrix, or text, NaN or negative conductances in it, or all equal.
        """
        if isinstance(conductances, str | Path):
            name, cells = Path(conductances).name, read_numbers(conductances, minimum=0.0)
        else:
            name, cells = "array", np.asarray(conductances, dtype=np.float64)
        if cells.ndim != 2 or cells.size < 2:
            raise UserError(f"conductance map {name}: shape {cells.shape}, expected a matrix")
        if not np.isfinite(cells).all() or cells.min() < 0:
            raise UserError(f"conductance map {name}: NaN, infinite or negative conductances")
        broken = cells[cells > 0]
        if len(broken) < 2 or np.ptp(cells) == 0:
            raise UserError(f"conductance map {name}: fewer than two different broken cells")
        device = Device(f"map:{name}", float(broken.mean()), float(broken.std(ddof=1)), source=name)
        chip = cls(device, seed, sparsity=1 - len(broken) / cells.size)
        chip._map = cells
        return chip

    def program(self, name: str, shape: tuple[int, int]) -> Pair:
        """Program the block `name`: conductances right after the pulse.

        Args:
            name: the block; the same name always gives the same cells.
            shape: (inputs, outputs) of the weight matrix.

        Returns:
            Pair of float32 CPU tensors of that shape, in uS.
        """
        if len(shape) != 2 or min(shape) < 1:
            raise UserError(f"block {name}: shape {shape}, expected (inputs, outputs), each >= 1")
        if self.blocks.get(name, shape) != shape:
            raise UserError(f"block {name} is {self.blocks[name]} on this chip, asked as {shape}")
        self.blocks[name] = shape
        return Pair(*(self._array(name, side, shape) for side in ("plus", "minus")))

    def age(self, seconds: float) -> "Chip":
        """This chip `seconds` after programming; conductances drift as (t / 1 s)^-nu."""
        if not seconds >= 0:
            raise UserError(f"age is {seconds} s: it must be 0 or more")
        aged = copy.copy(self)
        aged.blocks = dict(self.blocks)
        aged.age_s = seconds
        return aged

    def conductances(self, name: str, shape: tuple[int, int]) -> Pair:
        """Block `name` at the chip's present age, without read noise, in uS."""
        pair = self.program(name, shape)
        factor = (max(self.age_s, DRIFT_START_S) / DRIFT_START_S) ** -self.drift_exponent
        return Pair(pair.plus * factor, pair.minus * factor)

    def weights(self, name: str, shape: tuple[int, int]) -> torch.Tensor:
        """Signed weights G+ - G- of block `name`, (inputs, outputs), float32, in uS."""
        return self.conductances(name, shape).weights

    def generator(self, *key: str | int) -> np.random.Generator:
        """A random stream of this chip that depends on `key` only."""
        text = "/".join(map(str, ("rram", self.seed, *key)))
        digest = hashlib.sha256(text.encode()).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))

    @property
    def cells(self) -> int:
        """Cells in use: two for every weight programmed so far."""
        return sum(2 * rows * columns for rows, columns in self.blocks.values())

    @property
    def macros(self) -> int:
        """512 x 512 macros that these cells occupy, blocks packed one after another."""
        return -(-self.cells // MACRO_CELLS)

    @property
    def map_reuse(self) -> float:
        """How often a cell of the measured map serves in the largest array (0: no map)."""
        if self._map is None or not self.blocks:
            return 0.0
        return max(rows * columns for rows, columns in self.blocks.values()) / self._map.size

    def _array(self, name: str, side: str, shape: tuple[int, int]) -> torch.Tensor:
        generator = self.generator(name, side)
        if self._map is not None:
            cells = self._map_cells(generator, shape)
        else:
            breakdown = generator.normal(
                self.device.breakdown_mean_v, self.device.breakdown_std_v, shape
            )
            cells = generator.normal(
                self.device.conductance_mean_us, self.device.conductance_std_us, shape
            ).clip(min=0)
            cells[breakdown > self.programming_voltage_v] = 0
        if self.stuck_off or self.stuck_on:
            fate = self.generator(name, side, "stuck").random(shape)
            cells[fate < self.stuck_off] = 0
            cells[fate >= 1 - self.stuck_on] = self.device.conductance_mean_us
        return torch.from_numpy(cells.astype(np.float32))

    def _map_cells(self, generator: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        cells = self._map.ravel()
        wanted = shape[0] * shape[1]
        rounds = -(-wanted // cells.size)
        order = np.concatenate([generator.permutation(cells.size) for _ in range(rounds)])
        return cells[order[:wanted]].reshape(shape)
