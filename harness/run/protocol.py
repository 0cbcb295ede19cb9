"""How a table is measured: chips, splits, and who may see the test set.

Whatever is chosen (penalty, epoch, constants) is chosen on a validation split of the training
data. A row's function returns test figures only. Rows trained by gradient score the test set after
every epoch, since the published scripts' own rule chooses by it; that rule exists only as metrics
of protocol "published", and the best on test data as metrics of protocol "oracle": see
`harness.run.selection`. The validation rule reads no test score but that of the epoch it chose.
"""

import dataclasses
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from harness.errors import UserError
from harness.run.checkpoint import Checkpoint
from harness.run.chips import ChipConfig, identity

T = TypeVar("T")
SPLIT_SEED = 2025  # of every validation split
VALIDATION_FRACTION = 1 / 6  # of the training rows, where nothing else is said
DEFAULT_CHIPS = 5  # of a table
# Constants of the chip that every checkpoint names; others only where they are not the default,
# so that a checkpoint outlives a new constant.
CHIP_KEY = ("sparsity", "programming_voltage_v", "conductance_map", "read_noise")


class DataRecord(NamedTuple):
    """What results say of their data; `kind` is one of `harness.data.datasets.KINDS`."""

    name: str
    kind: str
    train: int
    test: int
    sha256: str


class Metric(NamedTuple):
    """One figure of a row. `paper` is the published one, None where there is none."""

    name: str = "accuracy"
    unit: str = "%"
    paper: float | None = None
    paper_source: str | None = None
    protocol: str = "validation"

    @property
    def key(self) -> str:
        """Its name, with the protocol where that is not "validation"."""
        return self.name if self.protocol == "validation" else f"{self.name} ({self.protocol})"


@dataclass(frozen=True)
class Measurement:
    """What one chip gave in one row.

    Attributes:
        values: by `Metric.key`.
        fixed_weights: random weights that are never trained.
        trained_weights: trained weights; biases are not counted, as in the papers.
        train_seconds: fitting the readout or training.
        encode_seconds: frozen features, this chip's share.
        details: small arrays as lists, for figures; summed over chips.
        note: what a reader of the row has to know.
    """

    values: dict[str, float]
    fixed_weights: int = 0
    trained_weights: int = 0
    train_seconds: float = 0.0
    encode_seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a table: how one chip (seed) is measured, and against what.

    Attributes:
        name: as the paper, or the issue tracker, calls it.
        measure: (run, seed) -> measurement.
        metrics: the figures it gives.
        default: whether it runs unless `--rows` says otherwise.
        chips: at most so many of the seeds; None for all. Rows without a chip take 1.
    """

    name: str
    measure: Callable[["Run", int], Measurement]
    metrics: tuple[Metric, ...] = (Metric(),)
    default: bool = True
    chips: int | None = None


@dataclass(frozen=True)
class Table:
    """Everything the command line needs to know of one table.

    Attributes:
        name: of `results/<name>.json`.
        title: for people.
        command: the script that runs it.
        paper_data: name of the data that the paper's figures were measured on.
        config: the dataclass of its constants.
        rows: in the order of the table.
        load: run -> data set; it has a `record: DataRecord`.
        figures: (run, result rows) -> paths of the figures drawn.
        next_step: what to try next, one line.
        headlines: names of the rows that stand in the README; without any, the first ones.
        probe: times the table's encoder on a device, in s a sample; without one, `--device auto`
            is the CPU.
        costs: run -> the products of its network for one sample (`rram.cost.Product`); None: no
            count.
        test_samples: run -> the test set as an estimator takes it, samples and labels, where saved
            models of the table are scored.
    """

    name: str
    title: str
    command: str
    paper_data: str
    config: type
    rows: tuple[Row, ...]
    load: Callable[["Run"], Any]
    figures: Callable[["Run", list[dict]], list[Path]]
    next_step: str = ""
    headlines: tuple[str, ...] = ()
    probe: Callable[[str], float] | None = None
    costs: Callable[["Run"], list] | None = None
    test_samples: Callable[["Run"], tuple[Any, np.ndarray]] | None = None

    @property
    def package(self) -> str:
        """The package that its code lies in."""
        return self.load.__module__.partition(".")[0]


class Run:
    """One run of a table: configuration, data, and what its rows share.

    Attributes:
        config: the table's constants.
        seeds: which chips.
        device: "cpu" or "cuda".
        data_root: folder of the data sets.
        smoke: whether to use tiny synthetic data.
        restart: whether training starts anew where a checkpoint of it lies.
        results: folder of results and figures.
        table: its name.
        checkpoints: files of the trainings of this run.
        data: the loaded data set.
    """

    def __init__(
        self,
        config: Any,  # noqa: ANN401
        seeds: list[int],
        device: str,
        data_root: Path,
        results: Path,
        *,
        table: str = "table",
        smoke: bool = False,
        restart: bool = False,
    ) -> None:
        self.config = config
        self.seeds = seeds
        self.device = device
        self.data_root = data_root
        self.results = results
        self.table = table
        self.smoke = smoke
        self.restart = restart
        self.checkpoints: set[Path] = set()
        self.data: Any = None
        self._cached: dict[Hashable, Any] = {}
        self._shared: dict[tuple[Hashable, int], Any] = {}

    def cached(self, key: Hashable, make: Callable[[], T]) -> T:
        """`make()`, made at the first call for `key` and kept for the whole run."""
        if key not in self._cached:
            self._cached[key] = make()
        return self._cached[key]

    def shared(self, key: Hashable, seed: int, make: Callable[[list[int]], Mapping[int, T]]) -> T:
        """What the rows of chip `seed` share, encoded features most often; freed by `release`.

        Args:
            key: what it is.
            seed: of the chip.
            make: (seeds of some chips) -> a value for each, so that chips share sampling and
                grouping. The first chip is made alone, so that its figure is soon there.
        """
        if (key, seed) not in self._shared:
            seeds = self.seeds[:1] if seed in self.seeds[:1] else self.seeds[1:]
            self._shared |= {(key, s): value for s, value in make(seeds).items()}
        return self._shared[key, seed]

    def release(self, seed: int) -> None:
        """Free what the rows of chip `seed` shared: all of them are measured."""
        self._shared = {k: value for k, value in self._shared.items() if k[1] != seed}

    def checkpoint(self, row: str, seed: int, **depends_on: Any) -> Checkpoint:  # noqa: ANN401
        """Where training for `row` on chip `seed` is kept after every epoch.

        Args:
            row: its name.
            seed: of the chip.
            depends_on: whatever the row's digits depend on, beside chip and data.
        """
        name = re.sub(r"[^a-z0-9+]+", "-", row.lower()).strip("-")
        path = self.results / "checkpoints" / f"{self.table}-{name}-chip{seed}.npz"
        constants = identity(self.config)
        chip = {
            field.name: constants[field.name]
            for field in dataclasses.fields(ChipConfig)
            if field.name in CHIP_KEY or constants[field.name] != field.default
        }
        key = {"seed": seed, "data": self.data.record.sha256, **chip, **depends_on}
        checkpoint = Checkpoint(path, key)
        if self.restart and path not in self.checkpoints:
            checkpoint.remove()
        self.checkpoints.add(path)
        return checkpoint


def split(count: int, fraction: float, seed: int = SPLIT_SEED) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the training part and of the validation part, both ascending.

    Args:
        count: rows of the training set.
        fraction: of them for validation; at least one row goes to each part.
        seed: of the split.
    """
    held = round(count * fraction)
    if not 0 < held < count:
        raise UserError(f"{count} training rows cannot give a validation part of {fraction:g}")
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])


def train_rows_first(count: int) -> tuple[np.ndarray, int]:
    """Rows as the tables encode them: those that `Readout.fit` fits first, then those to choose on.

    Args:
        count: of the rows.

    Returns:
        (count,) numbers of rows, and how many of them are to fit.
    """
    rows, others = split(count, max(VALIDATION_FRACTION, 1 / count))
    return np.concatenate([rows, others]), len(rows)


def split_groups(
    groups: np.ndarray, fraction: float, seed: int = SPLIT_SEED
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the training part and of the validation part, no group in both.

    Args:
        groups: (rows,) who made each row, a speaker for instance.
        fraction: of the groups for validation; at least one group goes to each part.
        seed: of the split.

    Raises:
        UserError: there is one group only.
    """
    names = np.unique(groups)
    if len(names) < 2:
        raise UserError("one speaker only in the training data: a validation part needs another")
    count = min(max(1, round(len(names) * fraction)), len(names) - 1)
    chosen = np.random.default_rng(seed).permutation(names)[:count]
    held_out = np.isin(groups, chosen)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
