"""Physical constants of one kind of resistive memory cell."""

from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist
from typing import Self

import numpy as np

from rram.errors import UserError
from rram.files import read_numbers
from rram.fit import Fit, fit_normal

LARGEST = 1e9  # V or uS: what is larger is a wrong unit or a slip


@dataclass(frozen=True)
class Device:
    """One kind of cell: when it breaks down, and how well it conducts afterwards.

    A pristine cell is driven once into dielectric breakdown. Both its breakdown voltage V_b and
    its conductance G after breakdown are random and quasi-normal; a cell that did not break
    counts as 0 (DEPLM, methods; ESGNN, fig. 1):

        V_b ~ N(breakdown_mean_v, breakdown_std_v^2)
        G = max(0, N(conductance_mean_us, conductance_std_us^2)) if V_b <= V_pulse, else 0

    Attributes:
        name: what to call it in results.
        conductance_mean_us: mean conductance of broken cells, in uS.
        conductance_std_us: standard deviation of the same, in uS.
        breakdown_mean_v: mean breakdown voltage, in V.
        breakdown_std_v: standard deviation of the same, in V.
        source: where the constants come from.
        conductances_us: measured conductances of broken cells, to draw from in place of the normal
            distribution; none: that one.
        breakdowns_v: measured breakdown voltages, likewise.
        fits: how well normal distributions describe the measured cells, see `rram.fit`.

    Raises:
        UserError: a constant that is not finite, or not above 0.

    Example:
        >>> from rram import Device
        >>> device = Device("mine", conductance_mean_us=12.3, conductance_std_us=1.7)
        >>> round(device.broken_fraction(3.5), 2)  # of the cells, by a pulse of 3.5 V
        0.72
        >>> round(device.programming_voltage_v(sparsity=0.5), 3)
        3.433
    """

    name: str
    conductance_mean_us: float
    conductance_std_us: float
    breakdown_mean_v: float = 3.433
    breakdown_std_v: float = 0.114
    source: str = "user"
    conductances_us: tuple[float, ...] = field(default=(), repr=False)
    breakdowns_v: tuple[float, ...] = field(default=(), repr=False)
    fits: tuple[Fit, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("conductance_mean_us", "breakdown_mean_v", "breakdown_std_v"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise UserError(f"Device {self.name}: {name} is {getattr(self, name)}, not > 0")
        if not (np.isfinite(self.conductance_std_us) and self.conductance_std_us >= 0):
            raise UserError(
                f"Device {self.name}: conductance_std_us is {self.conductance_std_us}, not >= 0"
            )

    @property
    def breakdown(self) -> NormalDist:
        """Distribution of the breakdown voltage, in V."""
        return NormalDist(self.breakdown_mean_v, self.breakdown_std_v)

    def broken_fraction(self, programming_voltage_v: float) -> float:
        """Fraction of cells that one pulse of `programming_voltage_v` (V) breaks."""
        if self.breakdowns_v:
            measured = np.sort(self.breakdowns_v)
            places = np.linspace(0, 1, len(measured))
            return float(np.interp(programming_voltage_v, measured, places))
        return self.breakdown.cdf(programming_voltage_v)

    def programming_voltage_v(self, sparsity: float) -> float:
        """Pulse height (V) that leaves the fraction `sparsity` of the cells unbroken."""
        if not 0 <= sparsity <= 1:
            raise UserError(f"sparsity is {sparsity}: it is a fraction between 0 and 1")
        if sparsity in (0, 1):
            return float("inf") if sparsity == 0 else float("-inf")
        if self.breakdowns_v:
            return float(np.quantile(self.breakdowns_v, 1 - sparsity))
        return self.breakdown.inv_cdf(1 - sparsity)

    def draw_breakdowns(self, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        """Breakdown voltages of fresh cells, `shape`, in V."""
        if self.breakdowns_v:
            return np.quantile(self.breakdowns_v, rng.random(shape))
        return rng.normal(self.breakdown_mean_v, self.breakdown_std_v, shape)

    def draw_conductances(self, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        """Conductances of broken cells, `shape`, in uS."""
        if self.conductances_us:
            return np.quantile(self.conductances_us, rng.random(shape))
        return rng.normal(self.conductance_mean_us, self.conductance_std_us, shape).clip(min=0)

    @classmethod
    def from_measurements(
        cls,
        breakdown_csv: str | Path,
        conductance_csv: str | Path | None = None,
        *,
        name: str = "measured",
        empirical: bool = False,
    ) -> Self:
        """Fit a device to measured cells; `fits` says how well the normal distribution does.

        Args:
            breakdown_csv: breakdown voltages in V, any layout; one header line is allowed.
            conductance_csv: conductances in uS, 0 for a cell that did not break. Without it
                the conductance is that of `DEPLM_40NM`.
            name: name of the new device.
            empirical: draw from the measured cells, interpolated between them, in place of the
                normal distributions. Nothing outside their range is drawn.

        Raises:
            UserError: a file is missing, holds anything but numbers, or too few of them.
        """
        voltages = read_numbers(breakdown_csv, minimum=0.0).ravel()
        fits = [_fit(voltages, breakdown_csv, "breakdown voltage", "V")]
        mean, std = DEPLM_40NM.conductance_mean_us, DEPLM_40NM.conductance_std_us
        conductances = np.empty(0)
        if conductance_csv is not None:
            cells = read_numbers(conductance_csv, minimum=0.0)
            conductances = cells[cells > 0]
            fits.append(_fit(conductances, conductance_csv, "conductance of broken cells", "uS"))
            mean, std = fits[1].mean, fits[1].std
        sources = [Path(p).name for p in (breakdown_csv, conductance_csv) if p is not None]
        measured = (tuple(conductances), tuple(voltages)) if empirical else ((), ())
        return cls(
            name, mean, std, fits[0].mean, fits[0].std, " and ".join(sources), *measured,
            tuple(fits),
        )  # fmt: skip


def _fit(values: np.ndarray, path: str | Path, name: str, unit: str) -> Fit:
    if len(values) < 2:
        raise UserError(f"{path}: {len(values)} usable cells; a fit needs two or more")
    if values.max() > LARGEST:
        raise UserError(f"{path}: {values.max():.3g} {unit} is no cell's; {name} is in {unit}")
    return fit_normal(values, name, unit)


DEPLM_40NM = Device(
    name="DEPLM_40NM",
    conductance_mean_us=34.05538,
    conductance_std_us=5.32269,
    source="conductance: published code of DEPLM (unit presumed uS); "
    "breakdown: ESGNN, source data, 400 cells",
)

# The LSM code draws dense Gaussian weights, s.d. 6.61 (input) and 6.67 (recurrent): a pair of
# broken cells of s.d. 6.64 / sqrt(2) each. The mean cancels in the pair, so it is DEPLM's.
LSM_40NM = Device(
    name="LSM_40NM",
    conductance_mean_us=34.05538,
    conductance_std_us=4.6973,
    source="spread: weight statistics in the LSM author's later code; "
    "mean: DEPLM (it cancels in a differential pair)",
)
