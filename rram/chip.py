"""One physical chip: every block of weights it holds, drawn from its own random numbers."""

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from rram.allotment import MACRO, Tile
from rram.device import DEPLM_40NM, Device
from rram.errors import UserError
from rram.maps import checked_map, read_map
from rram.wires import through_wires

MACRO_CELLS = MACRO[0] * MACRO[1]
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

        W = G+ (t / 1 s)^-nu+ - G- (t / 1 s)^-nu-,    nu ~ N(drift_exponent, drift_spread^2)

    Each named block has a generator of its own, so blocks do not disturb each other and a chip
    is the same on every device; the random numbers are NumPy's, on the CPU.

    Args:
        device: constants of the cells.
        seed: which chip.
        sparsity: fraction of cells left unbroken, 0 to 1. Default 0.5, as in DEPLM.
        programming_voltage_v: height of the programming pulse in V, instead of `sparsity`.
        stuck_off: fraction of cells stuck at 0 uS.
        stuck_on: fraction of cells stuck at the mean conductance of a broken cell.
        drift_exponent: mean nu in G(t) = G (t / 1 s)^-nu, see `age`.
        drift_spread: standard deviation of nu from cell to cell.
        wire_ohm: resistance of a wire segment between two cells, see `rram.wires`.

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
        drift_spread: float = 0.0,
        wire_ohm: float = 0.0,
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
        if not (np.isfinite(drift_exponent) and 0 <= drift_spread < np.inf):
            raise UserError(
                f"drift_exponent {drift_exponent}, drift_spread {drift_spread}: finite, spread >= 0"
            )
        if not 0 <= wire_ohm < np.inf:
            raise UserError(f"wire_ohm is {wire_ohm}: a resistance is 0 or more")
        self.device = device
        self.seed = seed
        self.programming_voltage_v = programming_voltage_v
        self.stuck_off = stuck_off
        self.stuck_on = stuck_on
        self.drift_exponent = drift_exponent
        self.drift_spread = drift_spread
        self.wire_ohm = wire_ohm
        self.age_s = 0.0
        self.corrected = False
        self.blocks: dict[str, tuple[int, int]] = {}
        self._maps: Sequence[np.ndarray] = ()
        self._tiles: dict[tuple[str, str], list[Tile]] | None = None

    @classmethod
    def from_map(
        cls,
        conductances: np.ndarray | str | Path,
        seed: int = 0,
        *,
        minus: np.ndarray | str | Path | None = None,
        tiles: Sequence[Tile] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Self:
        """A chip whose cells are those of a measured array.

        Without `tiles`, a block takes its cells in a random order of its own, first all of the map
        once, then again: a map with fewer cells than a block reuses cells, which `map_reuse`
        counts. With `tiles`, every weight has the cells that `rram.allotment.allot` gave it, the
        map being its one macro; the seed is then that of noise and of stuck cells alone.

        Args:
            conductances: (rows, columns) in uS, 0 where a cell did not break; or a CSV or .npy
                file.
            seed: the random order.
            minus: the same of another array, from which G- is taken; None: of the same one.
            tiles: where each block lies.
            options: `stuck_off`, `stuck_on`, `drift_exponent`, `drift_spread`, `wire_ohm`.

        Raises:
            UserError: not a matrix, or text, NaN or negative conductances in it, or all equal.
        """
        given = [conductances] if minus is None else [conductances, minus]
        named = [_named_map(cells) for cells in given]
        maps, name = [cells for _, cells in named], named[0][0]
        if len({cells.shape for cells in maps}) > 1:
            shapes = " and ".join(str(cells.shape) for cells in maps)
            raise UserError(f"conductance maps of G+ and G- are {shapes}: one shape is needed")
        cells = np.concatenate([m.ravel() for m in maps])
        broken = cells[cells > 0]
        device = Device(f"map:{name}", float(broken.mean()), float(broken.std(ddof=1)), source=name)
        chip = cls(device, seed, sparsity=1 - len(broken) / cells.size, **options)
        chip._maps = maps
        if tiles is not None:
            chip._tiles = {}
            for tile in tiles:
                chip._tiles.setdefault((tile.block, tile.side), []).append(tile)
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

    def age(self, seconds: float, *, corrected: bool = False) -> "Chip":
        """This chip `seconds` after programming; conductances drift as (t / 1 s)^-nu.

        Args:
            seconds: since the pulse.
            corrected: whether each array's products are multiplied by one factor, that of its
                total conductance after the pulse over that of now.
        """
        if not seconds >= 0:
            raise UserError(f"age is {seconds} s: it must be 0 or more")
        aged = copy.copy(self)
        aged.blocks = dict(self.blocks)
        aged.age_s = seconds
        aged.corrected = corrected
        return aged

    def conductances(self, name: str, shape: tuple[int, int]) -> Pair:
        """Block `name` at the chip's present age, without read noise, in uS.

        Behind wires they are effective ones: the current of an output for 1 V at an input.
        """
        pair = self.program(name, shape)
        if self.drift_spread:
            aged = Pair(*(self._drifted(name, *side) for side in pair._asdict().items()))
        else:
            factor = self._time_ratio**-self.drift_exponent
            aged = Pair(pair.plus * factor, pair.minus * factor)
        if self.corrected:
            factor = sum(g.sum() for g in pair) / sum(g.sum() for g in aged)
            aged = Pair(aged.plus * factor, aged.minus * factor)
        if not self.wire_ohm:
            return aged
        effective = (through_wires(g.double().numpy(), self.wire_ohm) for g in aged)
        return Pair(*(torch.from_numpy(g.astype(np.float32)) for g in effective))

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
        if not self._maps or not self.blocks:
            return 0.0
        return max(rows * columns for rows, columns in self.blocks.values()) / self._maps[0].size

    @property
    def _time_ratio(self) -> float:
        return max(self.age_s, DRIFT_START_S) / DRIFT_START_S

    def _drifted(self, name: str, side: str, cells: torch.Tensor) -> torch.Tensor:
        normals = self.generator(name, side, "drift").standard_normal(tuple(cells.shape))
        exponents = self.drift_exponent + self.drift_spread * normals
        return cells * torch.from_numpy((self._time_ratio**-exponents).astype(np.float32))

    def _array(self, name: str, side: str, shape: tuple[int, int]) -> torch.Tensor:
        generator = self.generator(name, side)
        if self._tiles is not None:
            cells = self._tile_cells(name, side, shape)
        elif self._maps:
            cells = self._map_cells(generator, self._maps[-1 if side == "minus" else 0], shape)
        else:
            breakdown = self.device.draw_breakdowns(generator, shape)
            cells = self.device.draw_conductances(generator, shape)
            cells[breakdown > self.programming_voltage_v] = 0
        if self.stuck_off or self.stuck_on:
            fate = self.generator(name, side, "stuck").random(shape)
            cells[fate < self.stuck_off] = 0
            cells[fate >= 1 - self.stuck_on] = self.device.conductance_mean_us
        return torch.from_numpy(cells.astype(np.float32))

    @staticmethod
    def _map_cells(
        generator: np.random.Generator, cells: np.ndarray, shape: tuple[int, int]
    ) -> np.ndarray:
        cells = cells.ravel()
        wanted = shape[0] * shape[1]
        rounds = -(-wanted // cells.size)
        order = np.concatenate([generator.permutation(cells.size) for _ in range(rounds)])
        return cells[order[:wanted]].reshape(shape)

    def _tile_cells(self, name: str, side: str, shape: tuple[int, int]) -> np.ndarray:
        # G+ and G- in arrays of their own lie at the same place, each in its own.
        maps, tiles = self._maps, self._tiles.get((name, "plus" if len(self._maps) > 1 else side))
        if tiles is None:
            raise UserError(f"block {name} is not in the allotment: {sorted(self._tiles)} are")
        source = maps[-1 if side == "minus" else 0]
        cells = np.full(shape, np.nan)
        for t in tiles:
            taken = source[t.row : t.row + t.rows, t.column : t.column + t.columns]
            to = np.s_[t.first_input : t.first_input + t.rows]
            cells[to, t.first_output : t.first_output + t.columns] = taken
        if np.isnan(cells).any():
            raise UserError(f"block {name} of shape {shape}: the allotment is of another shape")
        return cells


def _named_map(conductances: np.ndarray | str | Path) -> tuple[str, np.ndarray]:
    if isinstance(conductances, str | Path):
        return Path(conductances).name, read_map(conductances)
    return "array", checked_map(conductances, "array")
