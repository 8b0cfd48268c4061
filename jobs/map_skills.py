"""A map of the skills of an output: python jobs/map_skills.py --output ROOT [--page map.html]

The table `skill_map` has a row for each cluster: its place on a map that keeps neighbours together and by PCA, its
mentions and its group, for any dashboard. --page draws it.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from skillsim.skill_map import draw_map
from skillsim.spark.job import Assignments, ConfigFile, Output, held_tables, run_job
from skillsim.spark.projection import LEAST, map_skills, mapped_clusters
from skillsim.spark.runs import new_run_id


def main(
    sample: Annotated[int, typer.Option(min=LEAST, help="clusters that the map is fitted on")] = 5_000,
    page: Annotated[Path | None, typer.Option(help="draw the map here (HTML)")] = None,
    points: Annotated[int, typer.Option(min=1, help="clusters on the page, those with the most mentions")] = 3_000,
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Fit, place, draw."""
    with held_tables("map", output, config, set_) as (_, tables, settings):
        run_id = new_run_id(datetime.now(UTC))
        try:
            count = map_skills(tables, sample, settings.report.min_records, run_id)
        finally:
            tables.clear_staging()
        print(f"{count:,} clusters in table skill_map of {tables.root}")
        if page is not None:
            rows = mapped_clusters(tables, settings.report.min_records, points).toPandas().dropna(subset="x")
            draw_map(rows, page)
            print(f"{page}: {len(rows):,} of them drawn")


if __name__ == "__main__":
    run_job(main)
