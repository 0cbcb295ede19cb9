"""The examples run, say what they are meant to say, and stay short."""

import json
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
    ("name", "least", "shown"),
    [
        ("own_images.py", 80, 2),
        ("own_clouds.py", 80, 3),
        ("own_events.py", 70, 2),
        ("own_device.py", 60, 2),
    ],
)
def test_they_classify_well_above_chance(name, least, shown, monkeypatch, capsys):
    found = shares(output(name, monkeypatch, capsys))
    assert len(found) == shown
    assert min(found) > least


def test_own_files_are_read(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = rng.integers(0, 100, (60, 24, 24))
    images[labels == 1, :, 12:] += 100
    sample = np.repeat(np.arange(60), 200)  # class 1: events on the right
    x, y = rng.integers(0, 4, sample.size) + 4 * labels[sample], rng.integers(0, 8, sample.size)
    events = {"sample": sample, "x": x, "y": y, "t": rng.integers(0, 1000, sample.size)}
    points = rng.normal(0, 0.3, (60, 64, 3))
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


def blocks():
    """Python blocks of the README and of docs/own_data.md, by page and number."""
    found = {}
    for page in ("README.md", "docs/own_data.md"):
        text = (EXAMPLES.parent / page).read_text(encoding="utf-8")
        for n, block in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL)):
            found[f"{page}, block {n}"] = block
    return found


def own_files(folder):
    """What the blocks read: two classes of images, clouds, events; a measured array and cells."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    images = rng.integers(0, 100, (200, 24, 24))
    images[labels == 1, :, 12:] += 100
    np.savez(folder / "my_images.npz", images=images, labels=labels)
    points = rng.normal(0, 0.3, (200, 128, 3))
    points[labels == 1, :, 2] = 0
    np.savez(folder / "my_clouds.npz", points=points, labels=labels)
    sample = np.repeat(np.arange(200), 200)
    events = np.zeros(len(sample), [(name, int) for name in ("sample", "x", "y", "t", "p")])
    events["sample"], events["x"] = sample, rng.integers(0, 4, len(sample)) + 4 * labels[sample]
    events["y"], events["t"] = rng.integers(0, 8, len(sample)), np.tile(np.arange(200), 200)
    np.save(folder / "my_events.npy", events)
    np.save(folder / "my_labels.npy", labels)
    cells = rng.normal(30, 5, (60, 40)) * (rng.random((60, 40)) < 0.5)
    np.savetxt(folder / "my_array.csv", cells, delimiter=",")
    np.savetxt(folder / "breakdown.csv", rng.normal(3.4, 0.1, (20, 20)), delimiter=",")


def test_five_lines_each(tmp_path, monkeypatch, capsys):
    own_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert len(blocks()) >= 5
    for heading, block in blocks().items():
        assert len(block.splitlines()) == 5, heading
        exec(compile(block, heading, "exec"), {})
        (share,) = re.findall(r"([\d.]+)% of", capsys.readouterr().out)
        assert float(share) > 80, heading


NOTEBOOK = json.loads((EXAMPLES / "tour.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_shows_its_outputs():
    """Read without running it: every figure and printed line is stored, and no error."""
    kinds = [output["output_type"] for cell in CODE for output in cell["outputs"]]
    assert "error" not in kinds and kinds.count("display_data") == 3
    assert all(cell["execution_count"] == n for n, cell in enumerate(CODE, 1))
    assert (EXAMPLES / "tour.ipynb").stat().st_size < 300_000


@pytest.mark.slow
def test_the_notebook_runs(monkeypatch, capsys):
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    names = {}
    for n, cell in enumerate(CODE):
        exec(compile("".join(cell["source"]), f"tour.ipynb, cell {n}", "exec"), names)
    shown = "".join("".join(output.get("text", "")) for cell in CODE for output in cell["outputs"])
    assert shares(capsys.readouterr().out) == pytest.approx(shares(shown), abs=3)
