"""What was tried on the package, and with what result: kept by the scripts, shown in docs.

`python -m tests.tried` writes the tables of docs/robustness.md from docs/robustness.json.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
RECORDS, PAGE = DOCS / "robustness.json", DOCS / "robustness.md"
HEADS = {
    "fuzz": ("file", "mutations", "loaded, and plausible", "refused in one line", "escaped"),
    "kills": ("what", "kills", "runs to the end after them, same digits", "left over", "wrong"),
    "runs at once": ("what", "times", "all rows there, same digits", "otherwise"),
    "full disk": ("what", "times", "one line, then whole", "otherwise"),
}


def keep(name: str, lines: list[list]) -> None:
    """Keep the lines of one script, with the day; write the page anew.

    Args:
        name: of the trial, one of `HEADS`.
        lines: as its head says; the first entry names the line, and replaces one of that name.
    """
    records = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
    old = {line[0]: line for line in records.get(name, {"lines": []})["lines"]}
    old |= {line[0]: line for line in lines}
    records[name] = {"day": datetime.now(UTC).strftime("%Y-%m-%d"), "lines": list(old.values())}
    RECORDS.write_text(json.dumps(records, indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), records))


def filled(page: str, records: dict) -> str:
    """The page with the tables between its marks `<!-- name -->` and `<!-- end name -->`."""
    for name, record in records.items():
        start, end = f"<!-- {name} -->", f"<!-- end {name} -->"
        before, _, rest = page.partition(start)
        _, _, after = rest.partition(end)
        page = f"{before}{start}\n\n{_table(name, record)}\n\n{end}{after}"
    return page


def _table(name: str, record: dict) -> str:
    rows = [HEADS[name], ["---", *["--:"] * (len(HEADS[name]) - 1)]]
    rows += [[f"{c:,}" if isinstance(c, int) else c for c in line] for line in record["lines"]]
    rows += [["all", *(f"{sum(c):,}" for c in zip(*(r[1:] for r in record["lines"]), strict=True))]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + f"\n\nTried on {record['day']}."


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(), json.loads(RECORDS.read_text())))
