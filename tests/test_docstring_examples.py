"""The examples in the docstrings of the main classes run, and print what they say."""

import doctest
from importlib import import_module

import pytest

MODULES = [
    "rram.device",
    "rram.chip",
    "rram.crossbar",
    "deplm.encoder",
    "deplm.estimators.classifier",
    "deplm.estimators.segmenter",
    "lsm.spikes",
    "lsm.reservoir",
    "lsm.estimators.liquid",
    "lsm.zero_shot.retriever",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    failed, run = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0 and run > 0
