"""The pages of results: every figure, its marks, and how to measure it again."""

import json
from dataclasses import replace

import pytest

from harness.report import pages as report
from tests.harness.test_table import run, toy


def test_the_page_of_results_has_every_figure_and_says_how_to_repeat_it(tmp_path, capsys):
    run(tmp_path, "--seeds", "5")
    capsys.readouterr()
    assert report.main([str(tmp_path)]) == 0
    text = capsys.readouterr().out
    line = "| first, of two | accuracy | 77.20 | 52.00 ± 1.58 | 60.00 ± 0.00 |  | 5 | real |"
    assert line in text
    assert '- `bash run_toy.sh --rows "first, of two"`, 20' in text
    assert "- real data: Toy, 4 to train, 2 to test (sha256 abc)" in text
    assert "**published**: the rule of the published scripts" in text
    assert f"![Toy: table]({tmp_path.name}/toy_table.png)" in text
    assert report.main([str(tmp_path / "empty")]) == 2


def test_both_pages_are_brought_up_to_date(tmp_path, capsys):
    run(tmp_path)
    page = tmp_path / "README.md"
    page.write_text("a <!-- results -->old<!-- /results --> b")
    arguments = [str(tmp_path), "--write", "--pages", str(tmp_path)]
    assert report.main(arguments) == 0
    text = page.read_text()
    assert "|**Toy**||||||`bash run_toy.sh`|" in text
    assert "|first, of two|77.20|52.00 ± 1.58|60.00 ± 0.00||real||" in text
    assert "old" not in text and text.startswith("a ") and text.endswith(" b")
    assert (tmp_path / "RESULTS.md").read_text().startswith("# Results")
    assert report.main(arguments) == 0
    assert page.read_text() == text
    page.write_text("no marks")
    assert report.main(arguments) == 2
    assert "<!-- results -->" in capsys.readouterr().err


def test_headlines_are_the_rows_that_the_table_names(tmp_path):
    _, results = run(tmp_path, "--rows", "all", table=replace(toy(), headlines=("once",)))
    assert results["headlines"] == ["once"]
    (first, *_), *others = report.headlines(results)
    assert (first, others) == ("once", [])


def test_a_headline_shows_the_papers_figures_and_plain_ridge(tmp_path):
    _, results = run(tmp_path)
    (record, *_) = results["rows"]
    metrics = [("first", None), ("seen", 60.0), ("unseen", 70.0), ("back", 80.0)]
    rows = [record | {"metric": m, "paper": paper} for m, paper in metrics]
    rows.append(record | {"metric": "seen, plain ridge", "paper": None, "mean": 51.0})
    lines = [line[:5] for line in report.headlines(results | {"rows": rows})]
    assert lines == [
        ("first, of two: seen", "60.00", "52.00 ± 1.58", "", "51.00 ± 1.58"),
        ("first, of two: unseen", "70.00", "52.00 ± 1.58", "", ""),
    ]


def two_directions(tmp_path, above, **record):
    """A row of two pools, of whose chips' epochs `above` pass the floors."""
    _, results = run(tmp_path, "--seeds", "2")
    validation, published, *_ = results["rows"]
    pools = ["there, seen top-1", "there, unseen top-1"]
    rows = [r | record | {"metric": m} for m in pools for r in (validation, published)]
    counts = {"metric": "there, epochs above the floors", "paper": None, "values": above}
    return results | {"rows": [*rows, published | record | counts]}


@pytest.mark.parametrize(
    ("above", "shown"),
    [
        ([0.0, 0.0], "none passes"),
        ([0.0, 7.0], "60.00 ± 0.00 (1 of 2 chips pass)"),
        ([1.0, 7.0], "60.00 ± 0.00"),
    ],
)
def test_a_headline_says_how_many_chips_pass_the_published_floors(tmp_path, above, shown):
    lines = list(report.headlines(two_directions(tmp_path, above)))
    assert [line[3] for line in lines] == [shown, shown]


@pytest.mark.parametrize(
    ("kind", "name", "note", "row", "paper", "lines"),
    [
        ("real", "Toy", "", "first, of two", "77.20", []),
        ("real", "Other", "", "first, of two", "77.20*", ["*"]),
        ("synthetic", "Toy", "", "first, of two", "77.20*", ["*"]),
        ("real", "Toy", "earlier recipe; rates", "first, of two†", "77.20", ["†"]),
        ("synthetic", "Toy", "earlier recipe", "first, of two†", "77.20*", ["*", "†"]),
    ],
)
def test_marks_of_a_headline_are_explained_under_it(tmp_path, kind, name, note, row, paper, lines):
    _, results = run(tmp_path, table=toy(kind, name))
    for record in results["rows"]:
        record["note"] = note
    (tmp_path / "toy.json").write_text(json.dumps(results))
    table, _, below = report.headline_table(tmp_path).partition("\n\n")
    assert f"\n|{row}|{paper}|52.00" in table
    assert [line.lstrip("\\")[0] for line in below.splitlines()] == lines
    assert ("not comparable" in below) == ("*" in lines)


def test_the_page_does_not_say_that_test_data_are_seen_once():
    words = " ".join(report.ABOUT.split())
    assert "used once" not in words and "score the test data after every epoch" in words
