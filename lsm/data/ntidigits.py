"""N-TIDIGITS: spoken digits heard by a silicon cochlea of 64 channels (Anumula et al. 2018).

On disk one HDF5 file: `train_labels` and `test_labels` are lists of names `<speaker>-...-<digits>`,
`*_addresses/<name>` the channels and `*_timestamps/<name>` the times in seconds. The paper takes
single digits, 11 classes: z (zero) is class 0, o (oh) class 10.

    from lsm.data import ntidigits
    data = ntidigits.load(Path("data"))
    data.train.dense()          # (129, samples, 64)
"""

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy.stats import rankdata

from harness.data.cache import cached_arrays, key_of, stand_in
from harness.data.datasets import DatasetInfo, kind_of
from harness.data.files import read_file
from harness.errors import UserError
from harness.scale.parallel import map_in_order
from lsm import spikes
from lsm.data.hdf5 import array_of, member_of, new_hdf5, open_hdf5
from lsm.data.spike_set import SpikeSet, split_arrays
from lsm.data.stand_ins import ntidigits_cochlea, ntidigits_spoken
from lsm.data.stand_ins.ntidigits_cochlea import AudioSpikes, hear
from lsm.data.stand_ins.ntidigits_spoken import DIGITS, Utterance, recorded, synthesised
from lsm.spikes import SpikeTrains

FSDD = DatasetInfo(
    name="Free Spoken Digit Dataset",
    folder="fsdd",
    files=("*.wav",),
    licence="CC BY-SA 4.0",
    source="Z. Jackson and others, github.com/Jakobovski/free-spoken-digit-dataset",
    how_to_get="that repository: put its recordings, <digit>_<speaker>_<n>.wav, here",
)
INFO = DatasetInfo(
    name="N-TIDIGITS",
    folder="ntidigits",
    files=("n-tidigits.hdf5",),
    licence="see the authors' page; the sounds behind it are TIDIGITS (LDC93S10)",
    source="J. Anumula et al., Front. Neurosci. 12:23 (2018)",
    how_to_get="the authors' page, https://sensors.ini.ch/databases: put n-tidigits.hdf5 here",
    stand_in="simulated-sensor",
    made_from=(FSDD,),
)
FILE = "n-tidigits.hdf5"
CHANNELS = 64
LONGEST_S = 60  # of an utterance
CLASSES = (*map(str, range(10)), "oh")
SYNTHETIC = {"train": (16, 8), "test": (8, 8)}  # speakers, takes of every digit
TINY = {"train": (4, 4), "test": (2, 3)}


@dataclass(frozen=True)
class Binning:
    """How an utterance is cut into steps.

    Attributes:
        steps: at most so many.
        bin_ms: width of a bin before neighbours are joined, in ms.
        published_length: D = ceil(last time / bin_ms) + 1 bins, as in the published scripts; else
            floor instead of ceil, so that no bin is empty behind the last spike.
        aligned: the steps follow the utterance instead: a spike's place in it, 0 to 1, is the
            mean of its time between the first and last hundredth of the spikes and of its rank
            among them. Slow and fast speakers then fill the same steps. Ours, not the paper's.
    """

    steps: int = 129
    bin_ms: float = 1.0
    published_length: bool = False
    aligned: bool = False


DEFAULT_BINNING = Binning()


def load(
    root: Path,
    *,
    kind: str | None = None,
    tiny: bool = False,
    binning: Binning = DEFAULT_BINNING,
) -> SpikeSet:
    """The best N-TIDIGITS at hand, single digits, binned (LSM paper, methods).

    The real file; else the recordings in `root/fsdd` heard by a simulated cochlea, the last
    speaker for test; else synthesised digits heard by the same. What has to be made is made
    once, in the real file's form, and read as that is.

    Args:
        root: the data folder.
        kind: insist on this kind.
        tiny: a few synthetic utterances, for smoke runs.
        binning: how an utterance is cut into steps.

    Raises:
        UserError: the kind asked for is not to be had, or a file is wrong.
    """
    folder = _folder(root, "synthetic" if tiny else kind, tiny)
    path = folder / FILE
    key = key_of(files=[path], code=(sys.modules[__name__], spikes), binning=binning)
    arrays = cached_arrays(root, "ntidigits", key, lambda: _read_splits(path, binning))
    return SpikeSet.from_arrays(INFO.name, kind_of(folder), CLASSES, arrays)


def bin_spikes(
    spikes: AudioSpikes, binning: Binning = DEFAULT_BINNING, where: str = "utterance"
) -> np.ndarray:
    """Spikes of one utterance as sorted keys step * 64 + channel.

    Of its D bins from time 0, ceil(D / steps) neighbours are joined; what is left of the steps
    stays empty (published transform of LSM-NTIDIGITS/*.py, which cuts by `torch.chunk`).

    Args:
        spikes: channels 0 to 63 and times in seconds.
        binning: width and number of the bins.
        where: of the utterance, for errors.

    Raises:
        UserError: no spikes, lengths that differ, a channel over 63 or a negative time.
    """
    channels, times = (np.asarray(values) for values in spikes)
    if (
        channels.ndim != 1
        or times.ndim != 1
        or {channels.dtype.kind, times.dtype.kind} - set("iuf")
    ):
        raise UserError(f"{where}: addresses and times must be two rows of numbers")
    if len(channels) != len(times):
        raise UserError(f"{where}: {len(channels)} addresses, but {len(times)} times")
    if len(times) == 0:
        raise UserError(f"{where}: no spikes in it")
    if not (np.isfinite(times).all() and times.min() >= 0 and times.max() <= LONGEST_S):
        raise UserError(
            f"{where}: a time is negative, over {LONGEST_S} or no number; times are seconds from 0"
        )
    if not (channels % 1 == 0).all():
        raise UserError(f"{where}: a channel is no whole number")
    if channels.min() < 0 or channels.max() >= CHANNELS:
        raise UserError(f"{where}: channels {channels.min()} to {channels.max()}, expected 0 to 63")
    if binning.aligned:
        return np.unique(
            _aligned_steps(times, binning.steps) * CHANNELS + channels.astype(np.int64)
        )
    # A spike at 0.003 s belongs to bin 3, whatever its last binary digit says.
    units = times * (1000 / binning.bin_ms)
    bins = np.floor(units + 1e-6).astype(np.int64)
    last = np.ceil(units.max() - 1e-6) if binning.published_length else bins.max()
    joined = -(-(int(last) + 1) // binning.steps)
    return np.unique(bins // joined * CHANNELS + channels.astype(np.int64))


def _aligned_steps(times: np.ndarray, steps: int) -> np.ndarray:
    first, last = np.quantile(times, [0.01, 0.99])
    by_time = ((times - first) / max(last - first, 1e-9)).clip(0, 1)
    by_rank = rankdata(times, "average") / (len(times) + 1)
    return np.minimum((by_time + by_rank) / 2 * steps, steps - 1).astype(np.int64)


def read(
    path: Path, split: str, binning: Binning = DEFAULT_BINNING
) -> tuple[SpikeTrains, np.ndarray, np.ndarray]:
    """Spike trains, classes and speakers (numbered) of the single digits of a split.

    Args:
        path: of the file.
        split: "train" or "test".
        binning: how an utterance is cut into steps.

    Raises:
        UserError: no HDF5 file, or it is damaged or of another form.
    """
    with open_hdf5(path) as file:
        return _read_split(file, path, split, binning)


def write(path: Path, splits: dict[str, Iterable[tuple[str, AudioSpikes]]]) -> None:
    """Write named utterances in the real file's form.

    Args:
        path: of the new file.
        splits: "train" and "test", each with (name, spikes); names end in `-<digits>`.
    """
    with new_hdf5(path) as file:
        for split, utterances in splits.items():
            names = []
            for name, spikes in utterances:
                names.append(name.encode())
                file[f"{split}_addresses/{name}"] = spikes.channels.astype(np.uint8)
                file[f"{split}_timestamps/{name}"] = spikes.times_s
            file[f"{split}_labels"] = np.array(names)


def listen(utterances: Iterable[Utterance]) -> Iterable[tuple[str, AudioSpikes]]:
    """What the simulated cochlea makes of utterances, with N-TIDIGITS-like names."""

    def one(utterance: Utterance) -> tuple[str, AudioSpikes]:
        name = f"{utterance.speaker}-{utterance.take:03d}-{utterance.digit}"
        return name, hear(utterance.sound)

    return map_in_order(one, utterances)


def _folder(root: Path, kind: str | None, tiny: bool) -> Path:
    real = INFO.found(root)
    if real and not tiny and kind in (None, kind_of(real)):
        return real
    if kind == "real":
        raise UserError(f"no {FILE} in {root / INFO.folder}; {INFO.how_to_get}")
    fsdd = root / "fsdd"
    have_wavs = fsdd.is_dir() and any(fsdd.glob("*.wav"))
    kind = kind or ("simulated-sensor" if have_wavs else "synthetic")
    if kind == "simulated-sensor" and not have_wavs:
        raise UserError(f"no recordings in {fsdd}: put <digit>_<speaker>_<n>.wav files there")
    return _stand_in(root, kind, tiny)


def _stand_in(root: Path, kind: str, tiny: bool) -> Path:
    speakers = root / "fsdd" if kind == "simulated-sensor" else None
    key = key_of(
        files=sorted(speakers.glob("*.wav")) if speakers else (),
        code=(sys.modules[__name__], ntidigits_cochlea, ntidigits_spoken),
        sizes=TINY if tiny else SYNTHETIC,
        cochlea=ntidigits_cochlea.FSDD_COCHLEA,
    )

    def write_all(new: Path) -> None:
        splits = _by_speaker(speakers) if speakers else _synthetic(tiny)
        write(new / FILE, {name: listen(split) for name, split in splits.items()})

    return stand_in(
        INFO.stand_in_folder(root), kind, key, write_all, "simulating a cochlea", tiny=tiny
    )


def _by_speaker(folder: Path) -> dict[str, list[Utterance]]:
    utterances = list(recorded(folder))
    speakers = sorted({utterance.speaker for utterance in utterances})
    if len(speakers) < 2:
        raise UserError(f"{folder}: one speaker only; training and test need different ones")
    return {
        "train": [u for u in utterances if u.speaker != speakers[-1]],
        "test": [u for u in utterances if u.speaker == speakers[-1]],
    }


def _synthetic(tiny: bool) -> dict[str, Iterable[Utterance]]:
    sizes = TINY if tiny else SYNTHETIC
    return {split: synthesised(*size, seed=n) for n, (split, size) in enumerate(sizes.items())}


def _read_splits(path: Path, binning: Binning) -> dict[str, np.ndarray]:
    arrays = {"sha256": np.array(hashlib.sha256(read_file(path, limit=1 << 40)).hexdigest())}
    for split in ("train", "test"):
        trains, labels, arrays[f"{split}_groups"] = read(path, split, binning)
        arrays |= split_arrays(split, trains, labels)
    return arrays


def _read_split(
    file: h5py.File, path: Path, split: str, binning: Binning
) -> tuple[SpikeTrains, np.ndarray, np.ndarray]:
    parts = [member_of(file, f"{split}_{part}", str(path)) for part in ("addresses", "timestamps")]
    if not all(isinstance(part, h5py.Group) for part in parts):
        raise UserError(f"{path}: {split} addresses and times must be groups; get the file again")
    names = array_of(file, f"{split}_labels", str(path), axes=1, kinds="S")
    keys, labels, speakers = [], [], []
    for name in (n.decode() if isinstance(n, bytes) else str(n) for n in names):
        digits = name.rsplit("-", 1)[-1]
        if not digits or set(digits) - set(DIGITS):
            raise UserError(f"{path}: label {name[:80]!r} does not end in digits 1-9, z or o")
        if len(digits) > 1:
            continue
        where = f"{path}, {split} {name}"
        spikes = (array_of(part, name, where, axes=1, kinds="iuf") for part in parts)
        keys.append(bin_spikes(AudioSpikes(*spikes), binning, where))
        labels.append(DIGITS.index(digits))
        speakers.append(name.rsplit("-", 2)[0])  # names are <speaker>-<take>-<digits>
    if not keys:
        raise UserError(f"{path}: no single digits among the {split} labels")
    _, numbers = np.unique(speakers, return_inverse=True)
    trains = SpikeTrains.from_keys(keys, binning.steps, CHANNELS)
    return trains, np.array(labels, np.int64), numbers
