"""Keep the tables quick and small: spark-submit jobs/maintain.py --output ROOT

Small files are joined and the files of old versions removed, for a weekly schedule.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from skillsim.config import load_config
from skillsim.schemas import TABLES
from skillsim.spark.job import run_job
from skillsim.spark.lease import writer_lease
from skillsim.spark.session import get_session
from skillsim.spark.tables import Tables


def main(
    output: Annotated[str | None, typer.Option(help="a folder, a URI or catalog.schema")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file; the README explains its keys")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="section.key=value; repeatable")] = None,
) -> None:
    """OPTIMIZE and VACUUM every table of an output."""
    named = [f"output.root={output}"] if output is not None else []
    settings = load_config(config, [*named, *(set_ or [])])
    spark = get_session(settings.spark)
    tables = Tables(spark, settings.output.root)
    with writer_lease(spark, tables, "maintain", settings.output.wait_minutes):
        there = [table for table in TABLES.values() if tables.exists(table)]
        for table in there:
            tables.optimize(table)
            tables.vacuum(table, settings.maintain.retention_hours)
    Console().print(
        f"{len(there)} tables of {tables.root} optimised, versions older than "
        f"{settings.maintain.retention_hours:g} hours removed"
    )


if __name__ == "__main__":
    run_job(main)
