"""Keep the tables quick and small: spark-submit jobs/maintain.py --output ROOT

Small files are joined and the files of old versions removed, for a weekly schedule.
"""

from skillsim.schemas import TABLES
from skillsim.spark.job import Assignments, ConfigFile, Output, held_tables, run_job


def main(
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """OPTIMIZE and VACUUM every table of an output."""
    with held_tables("maintain", output, config, set_) as (_, tables, settings):
        there = [table for table in TABLES.values() if tables.exists(table)]
        for table in there:
            tables.optimize(table)
            tables.vacuum(table, settings.maintain.retention_hours)
    print(
        f"{len(there)} tables of {tables.root} optimised, versions older than "
        f"{settings.maintain.retention_hours:g} hours removed"
    )


if __name__ == "__main__":
    run_job(main)
