"""People to vacancies: spark-submit jobs/match_candidates.py --output ROOT --people SOURCE --vacancies SOURCE

Both are feeds that the main job has normalised into ROOT under these names (input.source). The table `matches` has the
best people of each vacancy, and of each pair what is matched, near and missing: the gap that training would close.
--optional names a third feed, with the vacancies' ids, of what is asked for as optional.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from skillsim.matching import FLOOR, NEAR_SKILLS
from skillsim.spark.job import Assignments, ConfigFile, Output, held_tables, run_job
from skillsim.spark.matching import match
from skillsim.spark.runs import new_run_id


def main(
    people: Annotated[str, typer.Option(help="source of the people")],
    vacancies: Annotated[str, typer.Option(help="source of the vacancies")],
    optional: Annotated[str | None, typer.Option(help="source of what the vacancies ask for as optional")] = None,
    best: Annotated[int, typer.Option(min=1, help="people of a vacancy")] = 10,
    floor: Annotated[float, typer.Option(min=0, max=0.99, help="cosine from which two skills are near")] = FLOOR,
    near: Annotated[int, typer.Option(min=1, help="skills that are near to one")] = NEAR_SKILLS,
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Match, and say how many."""
    with held_tables("match", output, config, set_) as (spark, tables, _):
        run_id = new_run_id(datetime.now(UTC))
        try:
            asked, found = match(tables, people, vacancies, optional, best, floor, near, run_id)
        finally:
            tables.clear_staging()
    print(f"{found:,} matches of {asked:,} vacancies in table matches of {tables.root}")


if __name__ == "__main__":
    run_job(main)
