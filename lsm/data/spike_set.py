"""Labelled spike trains of a training and a test set: the one form of a spiking data set."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from harness.run.protocol import DataRecord
from lsm.spikes import SpikeTrains


@dataclass(frozen=True)
class SpikeSet:
    """A data set ready for the reservoir.

    Attributes:
        name: as the paper calls it.
        kind: "real", "simulated-sensor" or "synthetic".
        sha256: checksum of the files it was read from.
        classes: names of the labels.
        train: spike trains.
        train_labels: (samples,) int64, index into `classes`.
        test: spike trains.
        test_labels: (samples,) int64.
        train_groups: (samples,) int64, the maker (speaker, writer) of each training sample; a
            validation part holds out whole groups. None: any sample may be held out.
        test_groups: (samples,) int64, likewise of the test samples.
    """

    name: str
    kind: str
    sha256: str
    classes: tuple[str, ...]
    train: SpikeTrains
    train_labels: np.ndarray
    test: SpikeTrains
    test_labels: np.ndarray
    train_groups: np.ndarray | None = None
    test_groups: np.ndarray | None = None

    @property
    def record(self) -> DataRecord:
        """What a results file says of its data."""
        return DataRecord(self.name, self.kind, len(self.train), len(self.test), self.sha256)

    @classmethod
    def from_arrays(
        cls, name: str, kind: str, classes: tuple[str, ...], arrays: dict[str, np.ndarray]
    ) -> Self:
        """The set whose arrays a loader made with `split_arrays`.

        Args:
            name: as the paper calls it.
            kind: of the data.
            classes: names of the labels.
            arrays: those of the splits "train" and "test", `sha256` and perhaps `train_groups`
                and `test_groups`.
        """
        splits = [part for split in ("train", "test") for part in _split(split, arrays)]
        groups = (arrays.get(f"{split}_groups") for split in ("train", "test"))
        return cls(name, kind, str(arrays["sha256"]), classes, *splits, *groups)


def split_arrays(split: str, trains: SpikeTrains, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of one split, for `harness.data.cache.cached_arrays`.

    Args:
        split: "train" or "test".
        trains: B samples.
        labels: (B,) int64.
    """
    shape = np.array([trains.steps, trains.inputs])
    parts = {"rows": trains.rows, "channels": trains.channels, "shape": shape, "labels": labels}
    return {f"{split}_{part}": array for part, array in parts.items()}


def _split(split: str, arrays: dict[str, np.ndarray]) -> tuple[SpikeTrains, np.ndarray]:
    parts = ("rows", "channels", "shape", "labels")
    rows, channels, (steps, inputs), labels = (arrays[f"{split}_{part}"] for part in parts)
    return SpikeTrains(rows, channels, int(steps), int(inputs)), labels
