"""Constants by --set: names, types and ranges."""

from dataclasses import dataclass, fields

import pytest

from deplm.tables.dvs import DvsConfig
from deplm.tables.image import ImageConfig
from deplm.tables.seg import SegConfig
from harness.errors import UserError
from harness.run.config import checked, constant, describe, smoke_config, with_settings
from lsm.tables.brain_visual import BrainVisualConfig
from lsm.tables.nmnist import NmnistConfig


@dataclass(frozen=True)
class Constants:
    sparsity: float = constant(0.5, "fraction", low=0, high=1)
    input_bits: int = constant(6, "bits", low=1, high=16, smoke=2)
    voltage: float | None = constant(None, "V", low=0)
    name: str = constant("a", "a name")
    fast: bool = constant(False, "a switch")
    radii: tuple[float, ...] = constant((0.2, 0.4), "radii", low=0, high=2)
    sizes: tuple[int, int] | None = constant(None, "two sizes", low=1)


def test_values_take_the_fields_type():
    settings = ["sparsity=0.25", "input_bits=4", "voltage=3.4", "name=b c", "fast=true"]
    assert with_settings(Constants(), settings) == Constants(0.25, 4, 3.4, "b c", True)
    assert with_settings(Constants(voltage=3.0), ["voltage=none"]).voltage is None
    changed = with_settings(Constants(), ["radii=0.15, 0.2,1", "sizes=3,4"])
    assert (changed.radii, changed.sizes) == ((0.15, 0.2, 1.0), (3, 4))
    assert with_settings(changed, ["sizes=none"]).sizes is None


def test_help_shows_values_as_they_are_set():
    text = describe(Constants)
    assert "  radii = 0.2,0.4\n      radii; between 0 and 2" in text
    assert "  sizes = None\n      two sizes; 1 or more" in text
    assert "  name = a\n      a name\n" in text


def test_an_upper_limit_of_0_is_a_limit():
    @dataclass(frozen=True)
    class Cold:
        degrees: float = constant(-1.0, "of frost", high=0)

    with pytest.raises(UserError, match="0 or less"):
        with_settings(Cold(), ["degrees=1"])


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
        ("fast=maybe", "expected true or false"),
        ("fast", "expected name=value"),
        ("radii=0.1,wide", "radii=wide: expected float"),
        ("radii=0.1,3", "radii is 0.1,3.0: it must be between 0 and 2"),
        ("sizes=4", "expected 2 values"),
        ("sizes=4,0.5", "expected int"),
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


@dataclass(frozen=True)
class Chosen:
    kind: str | None = constant(None, "kind", choices=("real", "synthetic"))
    many: int = constant(3, "many", low=1)
    rate: float = constant(0.1, "rate", low=0)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("kind=foo", "must be real or synthetic"),
        ("many=1_000", "expected int"),
        ("rate=1e300", r"between 0 and 1e\+30"),
        ("rate=nan", "rate is nan"),
        ("many=" + "9" * 400, "between 1 and 2147483647"),
        ("many=" + "9" * 5000, "expected int"),
        ("many=٣", "expected int"),
        ("kind=a\0b", "expected str"),
    ],
)
def test_what_python_would_take_and_nobody_means_is_refused(setting, words):
    assert with_settings(Chosen(), ["kind=real", "many=4"]) == Chosen("real", 4)
    with pytest.raises(UserError, match=words) as error:
        with_settings(Chosen(), [setting])
    assert len(str(error.value)) < 300


def test_no_table_takes_a_learning_rate_that_no_training_stands():
    """As in: learning_rate=1e300 reports 9 % with a warning."""
    rates = [
        field
        for config in (ImageConfig, DvsConfig, SegConfig, NmnistConfig, BrainVisualConfig)
        for field in fields(config)
        if field.name.endswith("_rate") and "prune" not in field.name
    ]
    assert len(rates) > 8
    assert all(field.metadata["high"] <= 100 for field in rates), [f.name for f in rates]
