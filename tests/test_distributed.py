"""Two processes, as torchrun starts them, give what one gives."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UserError
from harness.readouts.shared import SharedRidgeReadout
from harness.scale import distributed
from tests import share_work

ROOT = Path(__file__).resolve().parent.parent


def torchrun(processes, module, *arguments):
    """Run a module in some processes; what it printed."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", module, *map(str, arguments)]
    setting = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=setting, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_two_processes_give_the_features_and_readouts_of_one(tmp_path):
    printed = torchrun(2, "tests.share_work", tmp_path / "two.npz")
    share_work.main(tmp_path / "one.npz")
    one, two = (dict(np.load(tmp_path / f"{n}.npz")) for n in ("one", "two"))
    assert printed.count("printed by one") == 1
    assert (one.pop("processes"), two.pop("processes")) == (1, 2)
    assert one.pop("by first").tolist() == two.pop("by first").tolist() == [0, 1]
    for name in ("ridge", "parts"):  # sums in another order
        a, b = one.pop(name), two.pop(name)
        assert np.abs(a - b).max() < 1e-9 * np.abs(a).max()
    assert one.keys() == two.keys()
    for name, values in one.items():
        assert np.array_equal(values, two[name]), name


@pytest.fixture
def three_processes(monkeypatch):
    """As if this were one of three processes."""

    def become(number):
        monkeypatch.setattr(distributed, "processes", lambda: 3)
        monkeypatch.setattr(distributed, "number", lambda: number)

    return become


@pytest.mark.parametrize("items", [0, 1, 2, 3, 10])
def test_shares_are_whole_disjoint_and_in_order(three_processes, items):
    together = []
    for number in range(3):
        three_processes(number)
        together += range(items)[distributed.share(items)]
    assert together == list(range(items))


def test_a_process_without_rows_is_an_error_and_no_hang(three_processes):
    three_processes(2)
    with pytest.raises(UserError, match="process 2 of 3 has no rows: start fewer processes"):
        SharedRidgeReadout(2).solve(1.0)


# One row of each kind: features gathered, streamed sums, trained by process 0, contrast.
TABLES = [
    ("deplm.tables.image", "DEPLM, discriminative ridge (re-targeted);DEPLM, paper recipe"),
    ("deplm.tables.dvs", "DEPLM, ridge"),
    ("deplm.tables.seg", "DEPLM, ridge per category, class-balanced"),
    ("lsm.tables.nmnist", "LSM, chip, discriminative ridge;LSM, chip, published readout;SRNN-ANN"),
    ("lsm.tables.audio_visual", "LSM-CLIP, chip (RRAM)"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "rows"), TABLES, ids=lambda x: x.split(".")[-1])
def test_two_processes_give_the_smoke_table_of_one(module, rows, tmp_path):
    tables = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        printed = torchrun(processes, module, "--smoke", "--rows", rows, "--results", folder)
        assert printed.count("\ntook ") == 1
        (file,) = folder.glob("*.json")
        assert not list(folder.glob("*.partial.jsonl"))
        assert not list(folder.rglob("*.npz"))
        records = json.loads(file.read_text())["rows"]
        assert {record["machine"]["processes"] for record in records} == {processes}
        tables.append([(r["row"], r["metric"], r["protocol"], r["values"]) for r in records])
    assert tables[0] == tables[1]
