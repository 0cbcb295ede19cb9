"""The examples run, say what they are meant to say, and stay short."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def output(name, monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def shares(text):
    return [float(share) for share in re.findall(r": ([\d.]+)% of", text)]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda e: e.name)
def test_they_are_short(example):
    assert len(example.read_text(encoding="utf-8").splitlines()) < 40


@pytest.mark.parametrize(
    ("name", "least"), [("own_images.py", 80), ("own_clouds.py", 80), ("own_events.py", 70)]
)
def test_they_classify_well_above_chance(name, least, monkeypatch, capsys):
    found = shares(output(name, monkeypatch, capsys))
    assert len(found) == 2
    assert min(found) > least


def test_own_files_are_read(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = rng.integers(0, 100, (60, 24, 24))
    images[labels == 1, :, 12:] += 100
    sample = np.repeat(np.arange(60), 200)  # class 1: events on the right
    x, y = rng.integers(0, 4, sample.size) + 4 * labels[sample], rng.integers(0, 8, sample.size)
    events = {"sample": sample, "x": x, "y": y, "t": rng.uniform(0, 1, sample.size)}
    points = rng.normal(size=(60, 64, 3))
    points[labels == 1, :, 2] = 0  # flat
    for name, arrays in (
        ("own_images.py", {"images": images}),
        ("own_events.py", events),
        ("own_clouds.py", {"points": points}),
    ):
        file = tmp_path / "mine.npz"
        np.savez(file, labels=labels, **arrays)
        assert min(shares(output(name, monkeypatch, capsys, file))) > 80


def test_a_measured_array(tmp_path, monkeypatch, capsys):
    cells = np.zeros((20, 20))
    cells[:, ::2] = np.linspace(20, 30, 200).reshape(20, 10)
    np.savetxt(tmp_path / "cells.csv", cells, delimiter=",")
    text = output("own_chip.py", monkeypatch, capsys, tmp_path / "cells.csv")
    assert "cells.csv" in text and "612 cells in use" in text
