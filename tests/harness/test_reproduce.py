"""One command for all: what is measured is not measured again, and a failure stops nothing."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness.chip import runner as chip_runner
from harness.chip.studies import ChipSource, Point, Study
from harness.run import code_key as keys
from harness.run.protocol import Run
from rram import LSM_40NM
from tests.harness.test_table import CALLS, ChipToyConfig, ToyConfig, run, toy

ROOT = Path(__file__).resolve().parent.parent.parent


def measured(tmp_path, *arguments, table=None):
    CALLS.clear()
    status, _ = run(tmp_path, "--missing", "--seeds", "2", *arguments, table=table)
    assert status == 0
    return [row for row, _ in CALLS]


def test_rows_of_the_same_constants_data_and_code_are_not_measured_again(tmp_path, monkeypatch):
    rows = ["first", "second"] * 2
    assert measured(tmp_path) == rows
    assert measured(tmp_path) == []
    assert measured(tmp_path, "--seeds", "1") == []
    assert measured(tmp_path, "--set", "offset=2") == rows
    assert measured(tmp_path, "--set", "offset=2", "--rows", "all") == ["second"]  # "once"
    assert measured(tmp_path, "--set", "offset=2", "--seeds", "3") == ["first", "second"] * 3
    assert measured(tmp_path, "--set", "offset=2", table=toy(name="others")) == rows
    monkeypatch.setattr("harness.run.done.code_key", lambda package: "of other code")
    assert measured(tmp_path, "--set", "offset=2", table=toy(name="others")) == rows


def test_rows_of_before_there_was_a_code_key_are_measured_again(tmp_path):
    measured(tmp_path)
    path = tmp_path / "toy.json"
    results = json.loads(path.read_text())
    for record in results["rows"]:
        del record["code"]
    path.write_text(json.dumps(results))
    assert measured(tmp_path) == ["first", "second"] * 2


def test_a_row_on_a_measured_array_is_measured_again(tmp_path):
    """Results keep the name of its file alone, so that its content may be another one now."""

    table = replace(toy(), config=ChipToyConfig)
    assert measured(tmp_path, table=table) == ["first", "second"] * 2
    assert measured(tmp_path, table=table) == []
    cells = tmp_path / "cells.csv"
    cells.write_text("1,2")
    for _ in range(2):
        again = measured(tmp_path, "--set", f"conductance_map={cells}", table=table)
        assert again == ["first", "second"] * 2


def test_the_key_of_code_is_of_code_alone(tmp_path, monkeypatch):
    for package in (*keys.SHARED, "deplm", "lsm"):
        (tmp_path / package).mkdir()
    (tmp_path / "harness" / "a.py").write_text('"""What it is."""\nA = 1\n')
    monkeypatch.setattr(keys, "SOURCE", tmp_path)

    def key(package="deplm"):
        keys.code_key.cache_clear()
        return keys.code_key(package)

    first = key()
    (tmp_path / "harness" / "a.py").write_text('"""In other words."""\n\nA = 1  # one\n')
    assert key() == first
    (tmp_path / "lsm" / "b.py").write_text("B = 1\n")
    assert key() == first != key("lsm")
    (tmp_path / "harness" / "a.py").write_text("A = 2\n")
    assert key() != first
    keys.code_key.cache_clear()


@pytest.fixture
def checkout(tmp_path):
    """A checkout of `reproduce.sh` with tables that only say what they were given."""
    shutil.copy(ROOT / "reproduce.sh", tmp_path)
    fail = 'fail() { echo "error: $*" >&2; exit 2; }'
    (tmp_path / "setup.sh").write_text(
        f'set -euo pipefail\nroot="{tmp_path}"\nPYTHON=echo\n{fail}\n'
    )
    for script in scripts():
        (tmp_path / script).parent.mkdir(exist_ok=True)
        (tmp_path / script).write_text(f'echo "ran {script} $*"\n')
    return tmp_path


def scripts():
    text = (ROOT / "reproduce.sh").read_text().partition("scripts=(")[2].partition("\n)")[0]
    return re.findall(r"[\w/]*run_\w+\.sh", text)


def reproduce(checkout, *arguments):
    done = subprocess.run(
        ["bash", str(checkout / "reproduce.sh"), *arguments], capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def test_every_script_of_a_table_is_run():
    there = {str(f.relative_to(ROOT)) for f in [*ROOT.glob("run_*.sh"), *ROOT.glob("lsm/run_*.sh")]}
    assert there == set(scripts())


def test_all_tables_run_with_what_was_asked_then_the_page(checkout):
    wanted = ["--smoke", "--results", "a folder"]
    status, out, _ = reproduce(checkout, *wanted, "--again", "--device", "cpu")
    assert status == 0
    ran = [line for line in out.splitlines() if line.startswith("ran ")]
    *tables, chip, costs = ran
    assert tables == [f"ran {x} {' '.join(wanted)} --device cpu" for x in scripts()[:-1]]
    assert [chip, costs] == [f"ran run_chip.sh {' '.join(wanted)}{x}" for x in ("", " --costs")]
    assert "\n-m harness.report.html a folder\n" in out
    assert "--missing" in reproduce(checkout)[1]


def test_the_longest_table_is_short_unless_the_whole_is_asked_for(checkout):
    short = "ran lsm/run_brain_visual.sh --seeds 1 --set selection_splits=1 enlarge_train=2 "
    assert short + "--seeds 3 --missing" in reproduce(checkout, "--seeds", "3")[1]
    whole = reproduce(checkout, "--whole")[1]
    assert "ran lsm/run_brain_visual.sh --missing\n" in whole


class ToySubject(chip_runner.Subject):
    """Nothing is fitted: the record is written and found again."""

    fit = score = shapes = None


def test_a_study_of_the_chip_is_measured_once(tmp_path):
    study = Study("noise", "Read noise", "noise", (Point(0.1), Point(0.2)))
    path, table = tmp_path / "chip_toy.json", toy()
    run_of_study = Run(ToyConfig(), [0, 1], "cpu", tmp_path, tmp_path)
    run_of_study.data = table.load(run_of_study)

    def measured(**options):
        subject = ToySubject(run_of_study, ChipSource(LSM_40NM, **options))
        return chip_runner.is_measured(path, subject, table, study)

    assert not measured()
    subject = ToySubject(run_of_study, ChipSource(LSM_40NM))
    chip_runner.store(path, subject, table, study, [], 1.0, "bash run_chip.sh")
    assert measured()
    assert not measured(maps=("map.csv",))
    run_of_study.seeds = [0]
    assert not measured()
    run_of_study.seeds = [0, 1]
    run_of_study.config = ToyConfig(offset=1.0)
    assert not measured()


def test_a_table_that_fails_stops_no_other_and_is_named_at_the_end(checkout):
    broken = scripts()[1]
    (checkout / broken).write_text("exit 2\n")
    status, out, err = reproduce(checkout)
    assert status == 2
    assert out.count("ran ") == len(scripts()) and "harness.report.html" in out
    assert err.count("\n") == 1 and f"error: failed: {broken} (exit 2);" in err


def test_what_needs_real_data_is_left_out_without_an_error(checkout):
    (checkout / scripts()[1]).write_text("exit 3\n")
    status, out, err = reproduce(checkout)
    assert (status, err) == (0, "") and "left out: no real data" in out


def test_an_interrupt_ends_it_all(checkout):
    (checkout / scripts()[1]).write_text("exit 130\n")
    status, out, _ = reproduce(checkout)
    assert (status, out.count("ran ")) == (130, 1)


@pytest.mark.parametrize("arguments", [["--frobnicate"], ["--data"]])
def test_bad_arguments_of_the_script_give_one_line_and_status_2(checkout, arguments):
    status, out, err = reproduce(checkout, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ") and arguments[0] in err
