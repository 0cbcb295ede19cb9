"""Which rows of a table are measured already: with these constants, chips, data, and this code."""

import dataclasses

from harness.run.chips import identity
from harness.run.code_key import code_key
from harness.run.protocol import Row, Run, Table
from harness.run.records import read_results, recorded


def missing_rows(table: Table, run: Run, rows: list[Row]) -> list[str]:
    """Names of those of `rows` that the results folder has not, or has of something else.

    A row is there when constants, data and code (`harness.run.code_key`) of its record are those of
    this run, and it was measured on as many chips, or more.

    Args:
        table: whose results file is looked at.
        run: with its constants, chips and data.
        rows: asked for.
    """
    path = run.results / f"{table.name}.json"
    from_a_file = identity(run.config) != dataclasses.asdict(run.config)
    if not path.exists() or from_a_file:  # of a measured array, results keep the name alone
        return [row.name for row in rows]
    wanted = {
        "config": recorded(run.config),
        "data": run.data.record._asdict(),
        "code": code_key(table.package),
    }
    chips = {
        record["row"]: len(record["values"])
        for record in read_results(path)["rows"]
        if all(record.get(name) == value for name, value in wanted.items())
    }
    count = len(run.seeds)
    return [row.name for row in rows if chips.get(row.name, 0) < min(count, row.chips or count)]
