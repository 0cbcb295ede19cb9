"""Constants by --set: names, types and ranges."""

from dataclasses import dataclass

import pytest

from harness.config import checked, constant, smoke_config, with_settings
from harness.errors import UserError


@dataclass(frozen=True)
class Constants:
    sparsity: float = constant(0.5, "fraction", low=0, high=1)
    input_bits: int = constant(6, "bits", low=1, high=16, smoke=2)
    voltage: float | None = constant(None, "V", low=0)
    name: str = constant("a", "a name")
    fast: bool = constant(False, "a switch")


def test_values_take_the_fields_type():
    settings = ["sparsity=0.25", "input_bits=4", "voltage=3.4", "name=b c", "fast=true"]
    assert with_settings(Constants(), settings) == Constants(0.25, 4, 3.4, "b c", True)
    assert with_settings(Constants(voltage=3.0), ["voltage=none"]).voltage is None


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("sparsty=0.5", "did you mean sparsity"),
        ("zzz=1", "no such constant"),
        ("sparsity", "expected name=value"),
        ("sparsity=half", "expected float"),
        ("input_bits=2.5", "expected int"),
        ("input_bits=0", "between 1 and 16"),
        ("sparsity=1.2", "between 0 and 1"),
        ("sparsity=nan", "between 0 and 1"),
        ("voltage=-1", "0 or more"),
        ("voltage=high", "expected float or none"),
        ("fast=maybe", "expected bool"),
    ],
)
def test_unfit_settings_are_refused(setting, words):
    with pytest.raises(UserError, match=words):
        with_settings(Constants(), [setting])


def test_a_constant_edited_out_of_range_is_refused_too():
    with pytest.raises(UserError, match="input_bits is 40"):
        checked(Constants(input_bits=40))


def test_smoke_values():
    assert smoke_config(Constants) == Constants(input_bits=2)
