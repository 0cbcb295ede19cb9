"""Sweeps over constants and chips: the records of the table's own command, wherever tasks run."""

import json
from pathlib import Path

import pytest

from deplm.tables import dvs
from harness.run.cli import main as measure_table
from harness.scale import sweep

ROW = ["--rows", "DEPLM, ridge;event counts, ridge"]
OVER = ["--over", "sparsity=0.2;0.5"]


def values(file):
    records = json.loads(file.read_text())["rows"]
    return {(r["row"], r["metric"]): r["values"] for r in records}


def of_the_table(folder, chips):
    arguments = ["--smoke", *ROW, "--seeds", chips, "--set", "sparsity=0.2"]
    assert measure_table(dvs.TABLE, [*arguments, "--results", str(folder)]) == 0
    return values(folder / "dvs.json")


def swept(folder, *arguments, chips="2"):
    common = ["--smoke", *ROW, *OVER, "--seeds", chips, "--results", str(folder)]
    return sweep.main(["deplm.tables.dvs", *common, *arguments])


def test_every_choice_gets_the_records_of_the_tables_own_command(tmp_path, capsys):
    assert swept(tmp_path, "--workers", "1", chips="1") == 0
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["sparsity=0.2", "sparsity=0.5"]
    first, second = (values(file) for file in sorted(tmp_path.rglob("dvs.json")))
    assert first == of_the_table(tmp_path / "table", "1") != second
    capsys.readouterr()
    assert swept(tmp_path, "--workers", "1", chips="1") == 0
    assert capsys.readouterr().out.startswith("0 tasks:")


@pytest.mark.slow
def test_processes_of_this_machine_give_the_same(tmp_path):
    assert swept(tmp_path, "--workers", "2") == 0
    expected = of_the_table(tmp_path / "table", "2")
    assert values(tmp_path / "sparsity=0.2" / "dvs.json") == expected


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same(tmp_path):
    cluster = pytest.importorskip("distributed").LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    )
    with cluster:
        assert swept(tmp_path, "--cluster", cluster.scheduler_address) == 0
    expected = of_the_table(tmp_path / "table", "2")
    assert values(tmp_path / "sparsity=0.2" / "dvs.json") == expected


def test_combinations_of_constants_have_folders_of_their_own():
    over = ["sparsity=0;0.5", "unseen=8,9;0,1"]
    choices = sweep.choices_of(over, Path("out"), module="m", data="d")
    assert [choice.settings for choice in choices] == [
        ("sparsity=0", "unseen=8,9"),
        ("sparsity=0", "unseen=0,1"),
        ("sparsity=0.5", "unseen=8,9"),
        ("sparsity=0.5", "unseen=0,1"),
    ]
    assert len({choice.results for choice in choices}) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["deplm.nothing"], "is no table"),
        (["deplm.tables.dvs", "--over", "sparsity"], "name=value;value"),
        (["deplm.tables.dvs", "--over", "sparsty=1"], "did you mean sparsity"),
        (["deplm.tables.dvs", "--rows", "nothing"], "no row"),
    ],
)
def test_bad_arguments_give_one_line_before_any_work(tmp_path, capsys, arguments, words):
    assert sweep.main([*arguments, "--results", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1
    assert not list(tmp_path.rglob("*.json"))
