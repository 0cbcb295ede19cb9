"""The rows that stand in the README are rows of their tables."""

import importlib

import pytest

TABLES = [f"deplm.tables.{name}" for name in ("image", "dvs", "seg")] + [
    f"lsm.tables.{name}"
    for name in (
        "nmnist",
        "nmnist_real",
        "ntidigits",
        "ntidigits_voices",
        "audio_visual",
        "brain_visual",
    )
]


@pytest.mark.parametrize("module", TABLES)
def test_headlines_are_rows(module):
    table = importlib.import_module(module).TABLE
    assert set(table.headlines) <= {row.name for row in table.rows}


@pytest.mark.parametrize("module", TABLES)
def test_auto_can_time_the_encoder_of_every_table(module):
    assert importlib.import_module(module).TABLE.probe is not None
