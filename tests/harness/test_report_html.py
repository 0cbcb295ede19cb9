"""The page that stands alone: it has every figure that README and RESULTS.md have."""

import base64
import html
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.report import html as report_html
from harness.report import pages as report
from harness.report.html import Figure
from tests.harness.test_table import run, toy

ROOT = Path(__file__).resolve().parent.parent.parent


class Cells(HTMLParser):
    """Collects tables as lists of rows of cells, and every address that is used."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.addresses, self.ids, self._cell = [], [], set(), None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.addresses += [attributes[n] for n in ("src", "href") if n in attributes]
        self.ids.add(attributes.get("id"))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            words = self._cell if tag == "td" else self._cell[:1]  # without the phone's mark
            self.tables[-1][-1].append("".join(words).strip())
            self._cell = None


def shown(folder):
    text = report_html.page(folder)
    return text, Cells(text)


@pytest.fixture(scope="module")
def committed():
    """The page of the committed results; packing their figures would take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_html, "embedded", lambda file, name: Figure(name, "data:,", 4, 3))
        return shown(ROOT / "results")


def test_the_readme_and_results_are_of_the_committed_records():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = report.headline_table(ROOT / "results")
    assert f"<!-- results -->\n{table}\n<!-- /results -->" in readme
    results = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    assert results == report.results_page(ROOT / "results")


def test_every_headline_of_the_readme_stands_on_the_page(committed):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.partition("<!-- results -->")[2].partition("<!-- /results -->")[0]
    lines = [x[1:-1].split("|") for x in block.splitlines() if x.startswith("|")][2:]
    wanted = [[cell.strip("`") for cell in x] for x in lines if not x[0].startswith("**")]
    there = [row for row in committed[1].tables[0][1:] if len(row) > 1]
    assert len(wanted) > 20 and [row[:-1] for row in there] == [row[:-1] for row in wanted]
    # The README has the options alone, behind the table's script; the page whole commands.
    assert all(page[-1].endswith(options[-1]) for page, options in zip(there, wanted, strict=True))


def test_every_line_of_results_stands_on_the_page(committed):
    text = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    lines = [x.strip("| ").split(" | ") for x in text.splitlines() if x.startswith("| ")]
    figures = {cell for x in lines for cell in x if " ± " in cell}
    there = {cell for table in committed[1].tables for row in table for cell in row}
    assert figures <= there and len(figures) > 100


def test_the_page_stands_alone_and_its_contents_lead_somewhere(committed):
    text, cells = committed
    assert {address.partition(":")[0] for address in cells.addresses if address[0] != "#"} == {
        "data"
    }
    assert {address[1:] for address in cells.addresses if address[0] == "#"} <= cells.ids
    assert "url(" not in text and "@import" not in text and "<link" not in text


def test_a_line_says_paper_published_way_here_kind_protocol_command_and_seconds(tmp_path):
    run(tmp_path, table=toy("synthetic"))
    _, cells = shown(tmp_path)
    head, first, *_ = cells.tables[1]
    assert dict(zip(head, first, strict=True)) == {
        "row": "first, of two", "metric": "accuracy", "paper": "77.20 (on real Toy)",
        "published way": "60.00 ± 0.00", "here": "52.00 ± 1.58", "chips": "5",
        "data kind": "synthetic", "protocol": "validation, published", "weights": "10 + 5",
        "seconds": "0", "command": 'bash run_toy.sh --rows "first, of two"',
    }  # fmt: skip


def reasons(folder):
    text = report_html.page(folder).partition('id="apart"')[2].partition("<section")[0]
    return html.unescape(re.sub(r"<[^>]+>", "", text)).split("\n")


def test_what_is_not_comparable_is_said_with_its_reason(tmp_path):
    _, results = run(tmp_path, table=toy("synthetic"))
    assert any(
        "synthetic data, Toy, where the paper has the real Toy" in x for x in reasons(tmp_path)
    )
    run(tmp_path, "--rows", "all")
    assert any("on its data, by its recipe" in x for x in reasons(tmp_path))
    results = json.loads((tmp_path / "toy.json").read_text())
    results["rows"][0]["note"] = "earlier recipe; 3 of the paper's 300 epochs"
    (tmp_path / "toy.json").write_text(json.dumps(results))
    assert "first, of two: 3 of the paper's 300 epochs, earlier recipe." in reasons(tmp_path)


def test_names_and_notes_are_text_and_no_markup(tmp_path):
    _, results = run(tmp_path)
    results["rows"][0]["note"] = "<script>alert(1)</script>"
    (tmp_path / "toy.json").write_text(json.dumps(results))
    assert "<script>alert" not in report_html.page(tmp_path)


def test_figures_belong_to_the_table_of_the_longest_name(tmp_path):
    for name in ("toy_a.png", "toy_real_a.png", "chip_b.png"):
        Image.new("RGB", (4, 3), "white").save(tmp_path / name)
    files = report_html.figure_files(tmp_path, ["toy", "toy_real"])
    assert {name: [f.name for f in of] for name, of in files.items()} == {
        "": ["chip_b.png"], "toy": ["toy_a.png"], "toy_real": ["toy_real_a.png"],
    }  # fmt: skip


def test_a_figure_is_inside_the_page_dot_by_dot(tmp_path):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8))
    picture.save(tmp_path / "toy_real_a.png")
    figure = report_html.embedded(tmp_path / "toy_real_a.png", "real_a")
    head, _, content = figure.address.partition(",")
    assert (figure.name, figure.width, figure.height, head) == (
        "real a", 7, 5, "data:image/webp;base64",
    )  # fmt: skip
    with Image.open(io.BytesIO(base64.b64decode(content))) as packed:
        assert np.array_equal(np.array(packed), np.array(picture))


def test_a_folder_without_results_or_with_a_broken_figure_gives_one_line(tmp_path, capsys):
    assert report_html.main([str(tmp_path)]) == 2
    run(tmp_path)
    capsys.readouterr()
    assert report_html.main([str(tmp_path)]) == 0
    (tmp_path / "toy_table.png").write_bytes(b"no picture")
    assert report_html.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
