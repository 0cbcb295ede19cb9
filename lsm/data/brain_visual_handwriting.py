"""Attempted handwriting in motor cortex: spikes of 192 electrodes (Willett et al. 2021).

On disk one MATLAB file, version 5 or 7.3, with an array `neuralActivityCube_<letter>` for each
letter a to z: trials x 201 bins of 10 ms x 192 electrodes, counts of threshold crossings. The LSM
paper takes session t5.2019.05.08 (27 trials a letter) and clamps counts to at most 1.

How it splits and enlarges trials is not visible in its scripts. Here the later half of each
letter's trials, at most 30 of them, is the test part, as a decoder of brain activity is used after
it was trained. The stand-in has 60 trials a letter, which fills the paper's pools of 30; the real
session gives 13 to test.

    from lsm.data import brain_visual_handwriting as handwriting
    data = handwriting.load(Path("data"))
    data.train.dense()          # (201, samples, 192)
"""

import hashlib
import math
import sys
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from scipy.io import loadmat, savemat, whosmat

from harness.data.cache import cached_arrays, key_of, stand_in
from harness.data.datasets import DatasetInfo, kind_of
from harness.data.files import parsing, read_file
from harness.errors import UserError
from lsm import spikes
from lsm.data.hdf5 import array_of, new_hdf5, open_hdf5
from lsm.data.mat5 import check_mat5
from lsm.data.spike_set import SpikeSet, split_arrays
from lsm.data.stand_ins import brain_visual_cortex, brain_visual_strokes
from lsm.data.stand_ins.brain_visual_cortex import BINS, CHANNELS, MotorCortex
from lsm.data.stand_ins.brain_visual_strokes import ALPHABET, ONE_WRITER, PenPath, write_letter
from lsm.spikes import SpikeTrains

FILE = "singleLetters.mat"
INFO = DatasetInfo(
    name="neural handwriting",
    folder="handwriting",
    files=(FILE,),
    licence="CC0 1.0",
    source="F. R. Willett et al., Nature 593:249 (2021), doi 10.5061/dryad.wh70rxwmv",
    how_to_get="https://doi.org/10.5061/dryad.wh70rxwmv: unpack handwritingBCIData, put "
    f"Datasets/t5.2019.05.08/{FILE} here",
    stand_in="synthetic",
)
CUBE = "neuralActivityCube_"
MATLAB_NUMBERS = (
    "double", "single", "logical", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64",
)  # fmt: skip
MOST_COUNTS = 1 << 28  # of one letter: 6,900 trials
TRIALS, TINY_TRIALS = 60, 12  # of the stand-in, a letter
TEST_TRIALS = 30  # at most, a letter: the paper's pools
HEADER_5, HEADER_7_3 = (
    b"MATLAB 5.0 MAT-file, made by Python",
    b"MATLAB 7.3 MAT-file, made by Python",
)
USER_BLOCK = 512  # bytes before the HDF5 part of a 7.3 file

Cubes = dict[str, np.ndarray]  # letter -> (trials, 201, 192) counts


def load(root: Path, *, kind: str | None = None, tiny: bool = False) -> SpikeSet:
    """The recordings where they are there, else trials of a simulated motor cortex.

    Args:
        root: the data folder.
        kind: insist on this kind, "real" or "synthetic".
        tiny: a few synthetic trials, for smoke runs.

    Returns:
        Spikes in 201 steps, letters a to z as classes 0 to 25, trial by trial within a letter.

    Raises:
        UserError: the kind asked for is not to be had, or the file is wrong.
    """
    folder = _folder(root, "synthetic" if tiny else kind, tiny)
    path = folder / FILE
    code = sys.modules[__name__], spikes
    key = key_of(files=[path], code=code, test_trials=TEST_TRIALS)
    arrays = cached_arrays(root, "handwriting", key, lambda: _read_splits(path))
    return SpikeSet.from_arrays(INFO.name, kind_of(folder), ALPHABET, arrays)


def read(path: Path) -> Cubes:
    """Counts of every letter, at most 1: letter -> (trials, 201, 192) uint8.

    Raises:
        UserError: not a MATLAB file or a damaged one, a letter missing, another number of bins
            or electrodes, NaN, negative counts, or letters of unequal numbers of trials.
    """
    if not path.exists():
        raise UserError(f"{path} is not there; {INFO.how_to_get}")
    read_file(path, first=1)  # a regular file that may be read
    with parsing(path, "MATLAB file"):
        arrays = _read_hdf5(path) if h5py.is_hdf5(path) else _read_version_5(path)
    missing = [letter for letter in ALPHABET if letter not in arrays]
    if missing:
        raise UserError(f"{path}: no {CUBE}{missing[0]} in it ({len(missing)} letter(s) missing)")
    trials = len(arrays[ALPHABET[0]])
    return {letter: _checked(arrays[letter], letter, trials, path) for letter in ALPHABET}


def write(path: Path, cubes: Mapping[str, np.ndarray], version: str = "5") -> None:
    """Write counts in the recordings' form.

    Args:
        path: of the new file.
        cubes: letter -> (trials, 201, 192) uint8.
        version: of the MATLAB file, "5" or "7.3". The latter is HDF5, axes in reverse order.
    """
    if version == "5":
        savemat(path, {CUBE + letter: cube for letter, cube in cubes.items()}, do_compression=True)
        _overwrite(path, HEADER_5.ljust(116))  # instead of scipy's, which holds the time
        return
    if version != "7.3":
        raise UserError(f"MATLAB file of version {version!r}: 5 or 7.3")
    with new_hdf5(path, USER_BLOCK) as file:
        for letter, cube in cubes.items():
            stored = file.create_dataset(CUBE + letter, data=cube.T, compression="gzip")
            stored.attrs["MATLAB_class"] = np.bytes_(cube.dtype.name)
    _overwrite(path, HEADER_7_3.ljust(124) + b"\x00\x02IM")


def simulate(trials: int, seed: int = 0) -> Cubes:
    """So many trials of every letter of a simulated motor cortex, (trials, 201, 192) uint8."""
    cortex = MotorCortex()
    cubes = {}
    for number, letter in enumerate(ALPHABET):
        generators = [_of_trial(seed, number, n) for n in range(trials)]
        cubes[letter] = np.stack([cortex.record(letter, g) for g in generators])
    return cubes


def pen_path(letter: str, trial: int, seed: int = 0) -> PenPath:
    """What the pen does in a trial of `simulate`: it is drawn before the spikes."""
    generator = _of_trial(seed, ALPHABET.index(letter), trial)
    return write_letter(letter, ONE_WRITER, generator)


def split_trials(trials: int) -> tuple[slice, slice]:
    """Trials of one letter to train and to test on, see the head of this file.

    Raises:
        UserError: fewer than 2 trials.
    """
    test = min(TEST_TRIALS, trials // 2)
    if test < 1:
        raise UserError(f"{trials} trial(s) a letter: training and test need one each")
    return slice(0, trials - test), slice(trials - test, trials)


def _of_trial(seed: int, letter: int, trial: int) -> np.random.Generator:
    return np.random.default_rng([seed, letter, trial])


def _folder(root: Path, kind: str | None, tiny: bool) -> Path:
    real = INFO.found(root)
    if real and not tiny and kind in (None, kind_of(real)):
        return real
    if kind not in (None, "synthetic"):
        raise UserError(f"no {kind} {FILE} in {root / INFO.folder}; {INFO.how_to_get}")
    trials = TINY_TRIALS if tiny else TRIALS
    code = sys.modules[__name__], brain_visual_cortex, brain_visual_strokes
    key = key_of(code=code, trials=trials, hand=ONE_WRITER, cortex=MotorCortex())
    return stand_in(
        INFO.stand_in_folder(root),
        "synthetic",
        key,
        lambda new: write(new / FILE, simulate(trials)),
        "simulating a motor cortex",
        tiny=tiny,
    )


def _overwrite(path: Path, header: bytes) -> None:
    with path.open("r+b") as file:
        file.write(header)


def _read_version_5(path: Path) -> Cubes:
    names = [CUBE + letter for letter in ALPHABET]
    check_mat5(read_file(path))
    stored = {name: (shape, kind) for name, shape, kind in whosmat(path) if name in names}
    for name, (shape, kind) in stored.items():  # before anything is read
        _check_stored(f"{path}: {name}", shape, kind in MATLAB_NUMBERS)
    found = loadmat(path, variable_names=names)
    return {name[len(CUBE) :]: found[name] for name in names if name in found}


def _read_hdf5(path: Path) -> Cubes:
    with open_hdf5(path, "MATLAB file") as file:
        names = [CUBE + letter for letter in ALPHABET if CUBE + letter in file]
        cubes = {n: array_of(file, n, str(path), axes=3, kinds="iuf").T for n in names}
    return {name[len(CUBE) :]: cube for name, cube in cubes.items()}


def _check_stored(where: str, shape: tuple[int, ...], numbers: bool) -> None:
    if not numbers:
        raise UserError(f"{where} is no plain array of numbers; this is not the array of counts")
    if math.prod(shape) > MOST_COUNTS:
        raise UserError(f"{where} has shape {shape}, too large to be right; get the file again")


def _checked(cube: np.ndarray, letter: str, trials: int, path: Path) -> np.ndarray:
    where = f"{path}: {CUBE}{letter}"
    if not isinstance(cube, np.ndarray) or cube.dtype.kind not in "biuf":
        raise UserError(f"{where} is no plain array of numbers; this is not the array of counts")
    if cube.ndim != 3 or cube.shape[1] != BINS:
        raise UserError(f"{where} has shape {cube.shape}, expected (trials, {BINS}, {CHANNELS})")
    if cube.shape[2] != CHANNELS:
        raise UserError(f"{where} has {cube.shape[2]} channels, expected {CHANNELS}")
    if len(cube) != trials:
        raise UserError(f"{where} has {len(cube)} trials, letter {ALPHABET[0]} has {trials}")
    if not np.isfinite(cube).all():
        bad = np.flatnonzero(~np.isfinite(cube).all((1, 2)))
        raise UserError(f"{where}: NaN in trial(s) {bad[:9]}; leave these out")
    if cube.min(initial=0) < 0:
        raise UserError(f"{where}: negative counts; this is not the raw array of counts")
    return np.minimum(cube, 1).astype(np.uint8)


def _read_splits(path: Path) -> dict[str, np.ndarray]:
    cubes = read(path)
    arrays = {"sha256": np.array(hashlib.sha256(read_file(path)).hexdigest())}
    splits = split_trials(len(cubes[ALPHABET[0]]))
    for name, trials in zip(("train", "test"), splits, strict=True):
        parts = [cubes[letter][trials] for letter in ALPHABET]
        labels = np.repeat(np.arange(len(ALPHABET)), [len(part) for part in parts])
        keys = [np.flatnonzero(trial) for part in parts for trial in part]
        trains = SpikeTrains.from_keys(keys, BINS, CHANNELS)
        arrays |= split_arrays(name, trains, labels)
    return arrays
