"""A fitted model is one file: it predicts the same digits, and no other file is taken for it."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression

from deplm import Chip, DEPLMClassifier, DEPLMSegmenter, PointNetwork, ReadConfig, SetAbstraction
from deplm.plus import DvsPlusNetwork, ImagePlusNetwork, Window
from harness.errors import UserError
from harness.readouts.discriminative import DiscriminativeRidge
from harness.readouts.logistic import LogisticReadout
from harness.readouts.model_file import KEY, _digest, read_model, unplain
from harness.readouts.ridge import RidgeReadout
from lsm import LSMClassifier, LSMEncoder, StateFeatures
from rram import DEPLM_40NM
from rram.allotment import allot

ONE = RidgeReadout(penalties=(1e-3,))
SMALL = PointNetwork(
    0, (SetAbstraction(6, 20, 8, 0.3), SetAbstraction(9, 6, 4, 0.5), SetAbstraction(30))
)
rng = np.random.default_rng(0)
CLOUDS, LABELS = rng.normal(0, 0.3, (40, 40, 3)), np.array(["ant", "bee"])[np.arange(40) % 2]
CLOUDS[::2, :, 2] = 0
IMAGES = rng.random((30, 28, 28)) + np.linspace(0, 1, 28) * (np.arange(30) % 2)[:, None, None]
SPIKES = rng.random((40, 20, 30)) < np.where(np.arange(40) % 2, 0.4, 0.1)[:, None, None]
CELLS = rng.normal(30, 5, (60, 40)) * (rng.random((60, 40)) < 0.5)
EVENTS = [np.stack([rng.integers(0, 9, 50), np.arange(50)], 1)[:, ::-1] for _ in range(40)]
PLUS_EVENTS = DvsPlusNetwork(
    0, (SetAbstraction(6, 20, 8, 0.3), SetAbstraction(9, 6, 4, 0.5)), cells=(2, 2)
)
MAP = Chip.from_map(CELLS, 3, stuck_on=0.1)
OWN = Chip(DEPLM_40NM, 2, programming_voltage_v=3.5, drift_exponent=0.02, drift_spread=0.01)
TILED = Chip.from_map(
    np.abs(rng.normal(30, 5, (64, 64))), minus=np.abs(rng.normal(30, 5, (64, 64))),
    tiles=allot(SMALL.shapes, (64, 64), sides=("plus",)),
)  # fmt: skip
NOISE = ReadConfig(read_noise=0.05, input_bits=6)
FITTED = {
    "images": (DEPLMClassifier(readout=LogisticReadout(penalties=(0.01,))), IMAGES),
    "images, DEPLM+": (
        DEPLMClassifier(ImagePlusNetwork(((Window(8, 1),),), cells=(7,)), readout=ONE), IMAGES,
    ),
    "clouds": (DEPLMClassifier(SMALL, chip=1, readout=DiscriminativeRidge(steps=4)), CLOUDS),
    "clouds, DEPLM+": (DEPLMClassifier(PLUS_EVENTS, readout=ONE), CLOUDS),
    "map, noise": (DEPLMClassifier(SMALL, chip=MAP, read=NOISE, readout=ONE), CLOUDS),
    "aged chip": (DEPLMClassifier(SMALL, chip=OWN.age(3600, corrected=True), readout=ONE), CLOUDS),
    "two maps": (DEPLMClassifier(SMALL, chip=TILED, readout=ONE), CLOUDS),
    "spikes": (LSMClassifier(60, const=0.2, features=StateFeatures(3, (0.5,), 2)), SPIKES),
    "events": (LSMClassifier(60, const=0.4, read=ReadConfig(0.02), chip=4, readout=ONE), EVENTS),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:layer")
@pytest.mark.parametrize("case", FITTED)
def test_a_loaded_model_gives_the_same_scores_to_the_bit(case, tmp_path):
    model, X = FITTED[case]
    y = LABELS[: len(X)]
    path = model.fit(X, y).save(tmp_path / "model.safetensors", row="mine")
    assert path.stat().st_size < 300_000
    again = type(model).load(path)
    assert np.array_equal(again.decision_function(X), model.decision_function(X))
    assert np.array_equal(again.predict(X), model.predict(X)) and again.predict(X).dtype == y.dtype
    assert repr(again.get_params(deep=False)["read"]) == repr(model.read)
    assert again.save(tmp_path / "again").stat().st_size > 1000  # and can be kept once more
    assert read_model(path)[0]["about"] == {"row": "mine"}


def test_segmenter_and_encoder_are_kept(tmp_path):
    labels = [cloud[:, 0] > 0 for cloud in CLOUDS]
    kinds = np.arange(40) // 20
    model = DEPLMSegmenter(readout=ONE).fit(CLOUDS * 3, labels, kinds)
    again = DEPLMSegmenter.load(model.save(tmp_path / "parts"))
    assert np.array_equal(again.predict(CLOUDS * 3, kinds), model.predict(CLOUDS * 3, kinds))
    encoder = LSMEncoder(60, const=0.4, sensor=(9, 1, 1)).fit(EVENTS)
    again = LSMEncoder.load(encoder.save(tmp_path / "encoder"))
    assert np.array_equal(again.transform(EVENTS), encoder.transform(EVENTS))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    return DEPLMClassifier(SMALL, readout=ONE).fit(CLOUDS, LABELS).save(path)


def altered(path, target, change, *, again=True):
    """A copy of a file whose header and arrays were changed, with a checksum that fits or not."""
    with safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()[KEY])
    arrays = load_file(path)
    change(header, arrays)
    if again:
        header.pop("sha256")
        header["sha256"] = _digest(header, arrays)
    save_file(arrays, target, metadata={KEY: json.dumps(header)})
    return target


CHANGES = {
    "layout version 2, this package .* reads 1: install version": (
        lambda header, arrays: header.update(version=2), True,
    ),
    "array 'more' is not named in its header: altered": (
        lambda header, arrays: arrays.update(more=np.zeros(3)), True,
    ),
    "array 'readout/coef_' is missing: altered": (
        lambda header, arrays: arrays.pop("readout/coef_"), True,
    ),
    "the checksum does not match: altered": (
        lambda header, arrays: arrays["readout/coef_"].__setitem__(0, 7), False,
    ),
    "the checksum does not match": (lambda header, arrays: header["params"].update(chip=5), False),
    "a LSMClassifier, expected a DEPLMClassifier": (
        lambda header, arrays: header.update(estimator="LSMClassifier"), True,
    ),
    "names 'Popen': expected one of": (
        lambda header, arrays: header["params"].update(network={"kind": "Popen"}), True,
    ),
    "header does not fit a DEPLMClassifier": (
        lambda header, arrays: header["params"].update(speed=3), True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("said", CHANGES)
def test_another_file_is_one_clear_line(said, kept, tmp_path):
    change, again = CHANGES[said]
    path = altered(kept, tmp_path / "other.safetensors", change, again=again)
    with pytest.raises(UserError, match=said) as error:
        DEPLMClassifier.load(path)
    assert "\n" not in str(error.value)


def test_a_file_of_another_kind_or_cut_short_is_one_clear_line(kept, tmp_path):
    content = kept.read_bytes()
    (tmp_path / "text").write_text("no model")
    (tmp_path / "long").write_bytes(content + b"more")
    save_file({"a": np.zeros(3)}, tmp_path / "other")
    cases = {
        "text": "cut short, or no safetensors file",
        "long": "cut short",
        "absent": "no such file",
    }
    cases |= {"other": "a safetensors file without a header of this package"}
    for end in (0, 4, 100, len(content) // 2, len(content) - 1):
        (tmp_path / f"cut{end}").write_bytes(content[:end])
        cases[f"cut{end}"] = "cut short, or no safetensors file"
    for name, said in cases.items():
        with pytest.raises(UserError, match=said) as error:
            DEPLMClassifier.load(tmp_path / name)
        assert "\n" not in str(error.value) and name in str(error.value)


def test_what_cannot_be_kept_is_told(tmp_path):
    model = DEPLMClassifier(SMALL, readout=LogisticRegression()).fit(CLOUDS, LABELS)
    with pytest.raises(UserError, match="readout LogisticRegression cannot be saved: RidgeReadout"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="expected one of A"):
        unplain({"kind": "os"}, {"A": int})
