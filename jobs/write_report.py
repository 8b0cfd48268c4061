"""The report of an output, written anew: python jobs/write_report.py --output ROOT [--groups FILE --group COLUMN]

The main job writes it too; this shows what came since, a map (jobs/map_skills.py) above all, and with --groups
disparate impact, as jobs/audit_fairness.py has it.
"""

from pathlib import Path
from typing import Annotated

import typer

from skillsim.audit import SMALLEST_GROUP
from skillsim.errors import AuditError, ConfigError
from skillsim.report import write_report
from skillsim.spark.audit import audit_groups
from skillsim.spark.job import Assignments, ConfigFile, Output, held_tables, run_job
from skillsim.spark.report import collect_report
from skillsim.spark.runs import last_made


def main(
    page: Annotated[Path | None, typer.Option(help="write it here; unset: report.html beside the tables")] = None,
    groups: Annotated[str | None, typer.Option(help="CSV with source, record_id and a column of groups")] = None,
    group: Annotated[list[str] | None, typer.Option(help="column of groups; repeatable")] = None,
    selected: Annotated[str | None, typer.Option(help="CSV with source and record_id of those chosen")] = None,
    smallest: Annotated[int, typer.Option(min=10, help="people of a group of which anything is told")] = SMALLEST_GROUP,
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Aggregate, audit, draw."""
    if bool(groups) != bool(group) or (selected and not groups):
        raise AuditError("name --groups FILE and a --group COLUMN of it, or neither; --selected goes with both.")
    with held_tables("report", output, config, set_) as (spark, tables, settings):
        if page is None and not tables.is_local:
            raise ConfigError(f"{tables.root} is not a local folder: say by --page where the report goes.")
        audit = None
        try:
            if groups and group:
                audit = audit_groups(spark, tables, groups, group, selected, smallest)
            data = collect_report(tables, last_made(tables), settings.report, audit)
        finally:
            tables.clear_staging()
        target = page or Path(tables.root) / "report.html"
        write_report(data, target)
    print(f"report: {target}, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_job(main)
