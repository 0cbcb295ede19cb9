"""The path from a file to an accuracy grows no longer; aims are 8 modules and 11 frames."""

import pytest

from tests.path_length import measure, path_length

# Modules and frames today. Two modules of each are how any file is opened (`harness.data.files`).
CEILINGS = {
    "Fashion-MNIST image": (17, 11),
    "N-MNIST recording": (16, 10),
    "audio-visual query": (22, 11),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CEILINGS)
def test_the_path_is_no_longer_than_it_was(case, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = path_length(case, tmp_path)
    modules, frames = CEILINGS[case]
    assert len(found.modules) <= modules, found.modules
    assert len(found.frames) <= frames, found.frames


def test_calls_are_counted_as_a_reader_follows_them():
    from harness.report.pages import figure, text_table

    record = {
        "row": "a", "metric": "b", "unit": "%", "protocol": "validation", "paper": None,
        "mean": 1.0, "std": 0.0, "values": [1.0], "data": {"kind": "real"}, "train_seconds": 0,
        "encode_seconds": 0, "fixed_weights": 0, "trained_weights": 0, "note": "",
    }  # fmt: skip
    found = measure([lambda: figure(None), lambda: text_table([record])])
    assert found.modules == ["harness.report.pages"]
    assert [name.split(":")[1] for name in found.frames] == ["text_table", "cells", "figure"]
