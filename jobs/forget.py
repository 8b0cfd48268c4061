"""Erase records for good: spark-submit jobs/forget.py --records FILE --output ROOT

FILE is a CSV with the columns source and record_id, as they stand in the tables.
"""

import csv
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from skillsim.errors import RecordsError
from skillsim.spark.erasure import forget
from skillsim.spark.job import Assignments, ConfigFile, Output, held_tables, run_job

COLUMNS = ("source", "record_id")


def main(
    records: Annotated[Path, typer.Option(help="CSV with the columns source and record_id")],
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Delete records from every table and older version, and keep them out of later runs."""
    asked = read_ids(records)
    with held_tables("forget", output, config, set_) as (spark, tables, _):
        erased = forget(tables, spark.createDataFrame(asked, "source string, record_id string"))
        if tables.is_local:
            (Path(tables.root) / "report.html").unlink(missing_ok=True)
    Console().print(
        f"{erased.records:,} records with {erased.mentions:,} mentions erased, of {erased.asked:,} asked for; "
        f"{erased.texts:,} texts went with them. The next run writes the report again."
    )


def read_ids(path: Path) -> list[tuple[str, str]]:
    """Rows of (source, record_id). Raises RecordsError that names file and row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordsError(f"--records {path}: cannot be read ({error}).") from error
    if not rows:
        raise RecordsError(f"--records {path} names no record: one header, source,record_id, and a row for each.")
    for number, row in enumerate(rows, start=2):
        if not all((row.get(column) or "").strip() for column in COLUMNS):
            raise RecordsError(f"--records {path}, row {number}: source and record_id are both needed.")
    return [(row["source"].strip(), row["record_id"].strip()) for row in rows]


if __name__ == "__main__":
    run_job(main)
