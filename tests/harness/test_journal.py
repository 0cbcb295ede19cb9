"""The journal: shared by runs, and no altered line of it is ever taken for a measurement."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from harness.run.chips import ChipConfig
from harness.run.journal import Journal
from harness.run.protocol import DataRecord, Measurement, Run

MEASURED = Measurement({"accuracy": 1 / 3, "other (published)": 2.0}, 10, 5, details={"a": [1, 2]})


def run_of(folder, *, restart=False, **constants):
    run = Run(ChipConfig(**constants), [0], "cpu", folder, folder, table="toy", restart=restart)
    run.data = SimpleNamespace(record=DataRecord("Toy", "real", 4, 2, "abc"))
    return run


def journal_of(folder, **settings):
    return Journal(folder / "toy.partial.jsonl", run_of(folder, **settings))


def kept(folder, row="row", checkpoints=(), **settings):
    with journal_of(folder, **settings) as journal:
        journal.add(row, 0, MEASURED, checkpoints)


def test_a_measurement_is_found_again(tmp_path):
    kept(tmp_path)
    with journal_of(tmp_path) as journal:
        assert journal.get("row", 0) == MEASURED
        assert journal.get("row", 1) is None and journal.get("other", 0) is None
    with journal_of(tmp_path, read_noise=0.03) as journal:
        assert len(journal) == 0


def test_no_altered_line_counts(tmp_path):
    kept(tmp_path)
    path = tmp_path / "toy.partial.jsonl"
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(1, len(whole) - 1, 150):
        altered = bytearray(whole)
        altered[place] ^= 1 << int(place) % 8
        path.write_bytes(altered)
        with journal_of(tmp_path) as journal:
            assert journal.get("row", 0) in (None, MEASURED)


@pytest.mark.parametrize(
    "line", ["[" * 100_000, "7", "[]", '{"digest": 1}', "\ud800", '{"row": NaN}']
)
def test_lines_that_are_no_entries_are_passed_over(tmp_path, line):
    kept(tmp_path)
    with (tmp_path / "toy.partial.jsonl").open("ab") as file:
        file.write(line.encode("utf-8", "surrogatepass") + b"\n\xff\xfe\n")
    with journal_of(tmp_path) as journal:
        assert len(journal) == 1


def test_the_last_of_several_runs_removes_it(tmp_path):
    """As in: a run that ends deletes the journal of another run in the same folder."""
    trained = tmp_path / "a.npz"
    trained.write_text("")
    with journal_of(tmp_path) as first:
        with journal_of(tmp_path) as second:
            second.add("second", 0, MEASURED)
            first.add("first", 0, MEASURED, [trained])
            second.remove()
        with journal_of(tmp_path) as third:
            assert third.get("first", 0) == MEASURED
        assert trained.exists()
        first.remove()
    assert list(tmp_path.iterdir()) == []


def test_lines_of_another_configuration_stay_and_those_of_other_code_go(tmp_path):
    kept(tmp_path, row="other", read_noise=0.03)
    path = tmp_path / "toy.partial.jsonl"
    old = journal_of(tmp_path, read_noise=0.04)
    old.code = "of yesterday"
    with old:
        old.add("old", 0, MEASURED)
    with journal_of(tmp_path) as journal:
        journal.add("row", 0, MEASURED)
        journal.remove()
    lines = [json.loads(line)["row"] for line in path.read_text().splitlines() if line]
    assert lines == ["other"]


def test_restart_forgets(tmp_path):
    kept(tmp_path)
    with journal_of(tmp_path, restart=True) as journal:
        assert len(journal) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_did_nothing_leaves_nothing(tmp_path):
    with journal_of(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_named_outside_the_folder_is_not_removed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("")
    folder = tmp_path / "results"
    folder.mkdir()
    with journal_of(folder) as journal:
        entry = {"row": "row", "seed": 0, "code": journal.code, "setting": journal.setting}
        entry |= {"checkpoints": ["../victim"], "measurement": {"values": {}}}
        journal._write(entry)
    with pytest.raises(ValueError, match="no file inside"), journal_of(folder):
        pass
    assert victim.exists()
