"""docs/robustness.md shows what the scripts recorded, and nothing that was not tried."""

import json

from tests.fuzz.parsers import PARSERS
from tests.tried import HEADS, PAGE, RECORDS, filled


def test_the_page_is_in_step_with_the_records():
    page, records = PAGE.read_text(), json.loads(RECORDS.read_text())
    assert filled(page, records) == page
    assert set(records) <= set(HEADS)
    for name, record in records.items():
        assert all(len(line) == len(HEADS[name]) for line in record["lines"])
    assert {line[0] for line in records["fuzz"]["lines"]} == {parser.name for parser in PARSERS}


def test_tables_replace_their_like_and_sum_up():
    record = {"day": "2025-01-01", "lines": [["IDX", 1000, 900, 100, 0], ["WAV", 1, 0, 0, 1]]}
    page = filled("a\n<!-- fuzz -->\nold\n<!-- end fuzz -->\nz", {"fuzz": record})
    assert "| IDX | 1,000 | 900 | 100 | 0 |" in page and "| all | 1,001 | 900 | 100 | 1 |" in page
    assert page.startswith("a\n<!-- fuzz -->") and page.endswith("<!-- end fuzz -->\nz")
    assert "old" not in page and "Tried on 2025-01-01." in page
