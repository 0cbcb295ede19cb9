"""What the figures of the three DEPLM tables share."""

from harness.protocol import Run


def where(run: Run) -> str:
    """Which data a figure is of."""
    return f"{run.data.record.name} ({run.data.record.kind})"


def of_these_data(run: Run, rows: list[dict]) -> list[dict]:
    """The records that were measured on the data of this run."""
    return [row for row in rows if row["data"]["sha256"] == run.data.record.sha256]
