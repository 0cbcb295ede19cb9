"""A whole run of a toy table: protocol, journal, results, report, command line."""

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from harness.errors import UserError
from harness.run.chips import ChipConfig
from harness.run.cli import chosen_rows, main
from harness.run.config import constant
from harness.run.protocol import DataRecord, Measurement, Metric, Row, Table, split
from harness.run.records import recorded


@dataclass(frozen=True)
class ToyConfig:
    offset: float = constant(0.0, "added to every figure", low=-1, high=10)


CALLS: list[tuple[str, int]] = []


def measure(run, seed):
    CALLS.append(("first", seed))
    values = {"accuracy": 50.0 + seed + run.config.offset, "accuracy (published)": 60.0}
    return Measurement(values, 10, 5, details={"counts": [1, seed]})


def second(run, seed):
    CALLS.append(("second", seed))
    if run.config.offset == 1.0 and seed == 2:
        raise KeyboardInterrupt
    return Measurement({"accuracy": 1.0})


METRICS = (Metric(paper=77.2), Metric(protocol="published", paper=77.2))


def toy(kind="real", name="Toy"):
    data = SimpleNamespace(record=DataRecord(name, kind, 4, 2, "abc"))
    return Table(
        name="toy",
        title="Toy",
        command="run_toy.sh",
        paper_data="Toy",
        config=ToyConfig,
        rows=(
            Row("first, of two", measure, METRICS),
            Row("second", second),
            Row("once", second, chips=1, default=False),
        ),
        load=lambda run: data,
        figures=lambda run, rows: [],
    )


@pytest.fixture(autouse=True)
def _no_calls():
    CALLS.clear()


def run(tmp_path, *arguments, table=None):
    status = main(table or toy(), ["--results", str(tmp_path), *arguments])
    path = tmp_path / "toy.json"
    return status, json.loads(path.read_text()) if path.exists() else None


def test_results_have_the_contracts_keys(tmp_path):
    status, results = run(tmp_path)
    assert status == 0
    assert {"table", "created", "commit", "machine", "data", "config", "rows"} <= set(results)
    assert results["data"]["kind"] == "real"
    row = results["rows"][0]
    keys = (
        "row metric unit paper paper_source values mean std protocol fixed_weights trained_weights"
    )
    keys += " train_seconds encode_seconds created commit machine config data"
    assert set(keys.split()) <= set(row)
    assert row["values"] == [50, 51, 52, 53, 54]
    assert row["mean"] == 52
    assert row["std"] == pytest.approx(np.std(row["values"], ddof=1))
    assert row["details"]["counts"] == [5, 10]
    assert [r["protocol"] for r in results["rows"]] == ["validation", "published", "validation"]


def test_rows_keep_the_command_that_measures_them_again(tmp_path):
    _, results = run(tmp_path, "--rows", "first, of two;once")
    usual = 'bash run_toy.sh --rows "{}"'
    assert {r["row"]: r["command"] for r in results["rows"]} == {
        name: usual.format(name) for name in ("first, of two", "once")
    }
    _, results = run(tmp_path, "--rows", "second", "--seeds", "2", "--set", "offset=2")
    command = next(r["command"] for r in results["rows"] if r["row"] == "second")
    assert command == usual.format("second") + " --seeds 2 --set offset=2.0"


def test_a_command_gives_tuples_back_as_they_are_set(tmp_path):
    @dataclass(frozen=True)
    class Config(ToyConfig):
        radii: tuple[float, ...] = constant((0.1, 0.2), "radii")

    table = replace(toy(), config=Config)
    _, results = run(tmp_path, "--seeds", "5", table=table)
    assert "--set" not in results["rows"][0]["command"]
    _, results = run(tmp_path, "--set", "radii=0.3,0.4", table=table)
    assert results["rows"][0]["command"].endswith(" --set radii=0.3,0.4")
    assert results["config"]["radii"] == [0.3, 0.4]


def test_chips_come_one_after_another(tmp_path):
    run(tmp_path, "--seeds", "2")
    assert CALLS == [("first", 0), ("second", 0), ("first", 1), ("second", 1)]


def test_only_the_rows_that_ran_are_replaced(tmp_path):
    run(tmp_path, "--seeds", "2")
    _, results = run(tmp_path, "--rows", "second", "--seeds", "3")
    assert [len(r["values"]) for r in results["rows"]] == [2, 2, 3]
    _, results = run(tmp_path, "--rows", "once", "second", "--seeds", "2")
    assert [(r["row"], len(r["values"])) for r in results["rows"]][2:] == [
        ("second", 2),
        ("once", 1),
    ]


def test_an_interrupted_run_goes_on_where_it_was(tmp_path, capsys):
    status, results = run(tmp_path, "--set", "offset=1")
    assert (status, results) == (130, None)
    assert "run again to go on" in capsys.readouterr().err
    CALLS.clear()
    status, _ = run(tmp_path, "--set", "offset=1")
    assert CALLS == [("second", 2)]  # chips 0 and 1, and the first row of chip 2, are kept
    with (tmp_path / "toy.partial.jsonl").open("a") as file:
        file.write('{"row": "second", "se')  # a line that a kill cut short
    CALLS.clear()
    run(tmp_path, "--set", "offset=2")  # other constants: nothing is taken over
    assert len(CALLS) == 10
    CALLS.clear()
    assert run(tmp_path, "--set", "offset=1")[0] == 130
    assert CALLS == [("second", 2)]  # and nothing of an interrupted run is lost
    run(tmp_path, "--set", "offset=1", "--seeds", "2")
    assert not (tmp_path / "toy.partial.jsonl").exists()


def kept(run, seed):
    """A row that trains: it leaves a checkpoint, and chip 1 is interrupted after it did."""
    CALLS.append(("kept", seed))
    path = run.checkpoint("kept", seed).path
    path.parent.mkdir(exist_ok=True)
    path.write_text("an epoch")
    if seed == 1 and len(CALLS) == 2:
        raise KeyboardInterrupt
    return Measurement({"accuracy": 1.0})


@dataclass(frozen=True)
class ChipToyConfig(ChipConfig):
    offset: float = constant(0.0, "added to every figure", low=-1, high=10)


def test_checkpoints_go_when_the_results_are_written(tmp_path, monkeypatch):
    table = replace(toy(), rows=(Row("kept", kept),), config=ChipToyConfig)
    left = tmp_path / "checkpoints"
    assert run(tmp_path, "--seeds", "2", table=table)[0] == 130
    assert len(list(left.iterdir())) == 2
    with monkeypatch.context() as patch:
        patch.setattr("harness.run.records.os.fsync", full)
        assert run(tmp_path, "--seeds", "2", table=table)[0] == 2
    assert len(list(left.iterdir())) == 2
    assert run(tmp_path, "--seeds", "2", table=table)[0] == 0
    assert CALLS == [("kept", 0), ("kept", 1), ("kept", 1)]
    assert not list(left.iterdir())


def test_restart_measures_all_anew(tmp_path):
    assert run(tmp_path, "--set", "offset=1")[0] == 130
    CALLS.clear()
    run(tmp_path, "--set", "offset=1", "--seeds", "2", "--restart")
    assert len(CALLS) == 4


def test_a_map_of_other_content_is_another_chip(tmp_path):
    cells = tmp_path / "map.csv"
    table = replace(toy(), config=ChipToyConfig)
    arguments = ["--set", "offset=1", f"conductance_map={cells}"]
    cells.write_text("1,2")
    assert run(tmp_path, *arguments, table=table)[0] == 130
    CALLS.clear()
    cells.write_text("1,3")
    run(tmp_path, *arguments, "--seeds", "2", table=table)
    assert len(CALLS) == 4  # nothing of the other array is taken over


def test_a_line_that_a_kill_cut_short_spoils_no_other(tmp_path):
    assert run(tmp_path, "--set", "offset=1")[0] == 130
    journal = tmp_path / "toy.partial.jsonl"
    *lines, _ = journal.read_text().split("\n\n")
    journal.write_text("\n\n".join(lines) + '\n{"row": "second", "se')
    CALLS.clear()
    assert run(tmp_path, "--set", "offset=1")[0] == 130
    assert CALLS == [("first", 2), ("second", 2)]
    CALLS.clear()
    run(tmp_path, "--set", "offset=1")
    assert CALLS == [("second", 2)]


def test_a_finished_run_measures_afresh_and_repeats(tmp_path):
    _, first = run(tmp_path)
    CALLS.clear()
    _, second_run = run(tmp_path)
    assert len(CALLS) == 10
    assert [r["values"] for r in first["rows"]] == [r["values"] for r in second_run["rows"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rows", "frst"], "did you mean"),
        (["--rows", "nothing at all"], "no row 'nothing at all'"),
        (["--seeds", "0"], "1 chip or more"),
        (["--seeds", "many"], "invalid int"),
        (["--set", "ofset=1"], "did you mean offset"),
        (["--set", "offset=11"], "between -1 and 10"),
        (["--data", "/nowhere/at/all"], "/nowhere/at/all"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_bad_arguments_give_one_line_and_status_2(tmp_path, capsys, arguments, words):
    status, results = run(tmp_path, *arguments)
    lines = capsys.readouterr().err.strip().splitlines()
    assert (status, results, len(lines)) == (2, None, 1)
    assert lines[0].startswith("error: ")
    assert words in lines[0]
    assert CALLS == []


def test_an_unwritable_results_folder_is_found_before_the_work(tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(toy(), ["--results", str(blocked / "results")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert CALLS == []


def full(*_):
    raise OSError(28, "No space left on device")


def test_a_full_disk_keeps_what_is_finished(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("harness.run.records.os.fsync", full)
    assert run(tmp_path) == (2, None)
    assert "No space left" in capsys.readouterr().err
    monkeypatch.undo()
    CALLS.clear()
    assert run(tmp_path)[0] == 0
    assert CALLS == []


def test_a_file_that_is_no_results_file_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "toy.json").write_text("my notes")
    assert main(toy(), ["--results", str(tmp_path)]) == 2
    assert "no results file" in capsys.readouterr().err
    assert (tmp_path / "toy.json").read_text() == "my notes"


def test_row_names_may_hold_commas():
    names = [row.name for row in chosen_rows(toy(), "once,first, of two")]
    assert names == ["first, of two", "once"]
    assert len(chosen_rows(toy(), "all")) == 3
    assert len(chosen_rows(toy(), None)) == 2


@pytest.mark.parametrize(("kind", "name"), [("synthetic", "Toy"), ("real", "mine")])
def test_other_data_never_stands_beside_the_papers_figure_unsaid(tmp_path, capsys, kind, name):
    run(tmp_path, table=toy(kind, name))
    printed = capsys.readouterr().out
    assert "77.20 (on real Toy)" in printed
    if kind != "real":
        assert "none of these figures reproduces the paper's" in printed


def test_every_row_can_be_asked_for_by_its_name():
    table = toy()
    rows = (*table.rows, Row("third, 4,000 of them", measure))
    table = replace(table, rows=rows)
    for row in rows:
        assert chosen_rows(table, row.name) == [row]
    assert chosen_rows(table, ", ".join(row.name for row in rows)) == list(rows)


def test_results_keep_no_path_of_the_machine(tmp_path):
    @dataclass(frozen=True)
    class Config:
        chip_map: str = str(tmp_path / "my_array.csv")
        unseen: str = "8,9"

    assert recorded(Config()) == {"chip_map": "my_array.csv", "unseen": "8,9"}


def test_split_is_whole_disjoint_and_repeats():
    rows, held = split(100, 0.2)
    assert len(held) == 20
    assert sorted([*rows, *held]) == list(range(100))
    assert np.array_equal(held, split(100, 0.2)[1])
    with pytest.raises(UserError, match="validation part"):
        split(3, 0.01)
