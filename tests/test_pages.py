"""The pages for people: what they name is there, and the README is short."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#]+)\)")
CODE = re.compile(r"`([^`]+)`")
POINTER = re.compile(r"`((?:rram|harness|deplm|lsm)/[\w/]+\.py)(?::(\w+)(?:\.(\w+))?)?")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ANNOUNCED = PROJECT["entry-points"]["random_resistive_memory.tables"]
COMMAND = re.compile(r"(?:bash|python) ([\w./]+\.(?:sh|py))")


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1500


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    missing = [x for x in links if "://" not in x and not (page.parent / x).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_name_files_that_are_there(page):
    missing = [
        f for f in COMMAND.findall(page.read_text(encoding="utf-8")) if not (ROOT / f).exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pointers_into_the_code_are_right(page):
    for file, name, method in POINTER.findall(page.read_text(encoding="utf-8")):
        source = ROOT / file
        assert source.is_file(), file
        text = source.read_text(encoding="utf-8")
        for wanted in filter(None, (name, method)):
            assert re.search(rf"^\s*(?:class|def) {wanted}\b|^{wanted}\b", text, re.M), (
                file,
                wanted,
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_rows_in_commands_are_rows_of_the_table(page):
    """Every `--rows "name"` is a row that the script has."""
    for code in CODE.findall(page.read_text(encoding="utf-8")):
        script, rows = COMMAND.search(code), re.search(r'--rows ((?:"[^"]+" ?)+)', code)
        if not script or not rows:
            continue
        (name,) = re.findall(
            r"harness\.run\.rrm (\w+)", (ROOT / script[1]).read_text(encoding="utf-8")
        )
        module, _, attribute = ANNOUNCED[name].partition(":")
        table = vars(import_module(module))[attribute]
        wanted = re.findall(r'"([^"]+)"', rows[1])
        assert set(wanted) <= {row.name for row in table.rows} | {"your row"}, code
