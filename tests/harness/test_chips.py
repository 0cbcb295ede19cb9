"""Constants of a chip: which go together, and what a checkpoint is named by."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from harness.errors import UserError
from harness.run.chips import ChipConfig, make_chip
from harness.run.config import constant, with_settings
from harness.run.protocol import DataRecord, Run
from rram import LSM_40NM


@dataclass(frozen=True)
class Dense(ChipConfig):
    sparsity: float = constant(0.0, "fraction", low=0, high=1)


@pytest.mark.parametrize("kind", [ChipConfig, Dense])
@pytest.mark.parametrize(
    "settings",
    [
        ["conductance_map=my.csv", "sparsity=0.3"],
        ["conductance_map=my.csv", "programming_voltage_v=3.4"],
        ["programming_voltage_v=3.4", "sparsity=0.3"],
    ],
)
def test_a_chip_is_made_from_one_thing(kind, settings):
    for one in settings:
        with_settings(kind(), [one])
    with pytest.raises(UserError, match="made from one of them") as error:
        with_settings(kind(), settings)
    message = str(error.value)
    assert "\n" not in message and all(one.split("=")[0] in message for one in settings)


@pytest.mark.parametrize("setting", ["noise_on=wires", "noise_per=second"])
def test_an_unknown_law_of_the_noise_is_refused(setting):
    with pytest.raises(UserError, match=f"{setting.split('=')[0]} is"):
        with_settings(ChipConfig(), [setting])


def test_the_voltage_makes_the_chip():
    chip = make_chip(ChipConfig(programming_voltage_v=3.4), LSM_40NM, 2)
    assert (chip.programming_voltage_v, chip.seed) == (3.4, 2)


def test_a_checkpoint_names_the_law_of_the_noise_where_it_is_not_the_usual_one(tmp_path):
    def key(**constants):
        run = Run(ChipConfig(**constants), [0], "cpu", tmp_path, tmp_path)
        run.data = SimpleNamespace(record=DataRecord("Toy", "real", 4, 2, "abc"))
        return run.checkpoint("row", 0).key

    assert not {"noise_on", "noise_per"} & set(key())
    assert key(noise_on="weight") == key() | {"noise_on": "weight"}
    assert key(noise_per="batch") == key() | {"noise_per": "batch"}
