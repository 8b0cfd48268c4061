"""Erase records for good: spark-submit jobs/forget.py --records FILE --output ROOT

FILE is a CSV with the columns source and record_id, as they stand in the tables.
"""

import csv
import io
from pathlib import Path
from typing import Annotated

import typer

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
            for page in Path(tables.root).glob("*report.html*"):  # drafts of killed writers too
                page.unlink()
    print(
        f"{erased.records:,} records with {erased.mentions:,} mentions erased, of {erased.asked:,} asked for; "
        f"{erased.texts:,} texts went with them. The next run writes the report again; matches and skill_map are empty "
        "until their jobs run again."
    )


def read_ids(path: Path) -> list[tuple[str, str]]:
    """Rows of (source, record_id), as they are written. Raises RecordsError that names file and row."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordsError(f"--records {path}: cannot be read ({error.strerror}).") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise RecordsError(f"--records {path}, row {number}: not UTF-8. Save it as UTF-8.") from error
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    ids = []
    try:
        if missing := [column for column in COLUMNS if column not in (rows.fieldnames or ())]:
            raise RecordsError(f"--records {path}, row 1: no column {missing[0]}. The header is source,record_id.")
        for row in rows:
            if None in row or not all((row[column] or "").strip() for column in COLUMNS):
                raise RecordsError(
                    f"--records {path}, row {rows.line_num}: give source and record_id, in quotes where there is a "
                    "comma, and no more fields than the header has."
                )
            ids.append((row["source"], row["record_id"]))
    except csv.Error as error:
        raise RecordsError(f"--records {path}, row {rows.line_num + 1}: not CSV ({error}).") from error
    if not ids:
        raise RecordsError(f"--records {path} names no record: after the header, a row for each.")
    return ids


if __name__ == "__main__":
    run_job(main)
