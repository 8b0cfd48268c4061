"""Find the duplicates in a list of skills: a taxonomy of one's own, the skills of an HR system.

spark-submit jobs/deduplicate_skills.py --input LIST.csv --column name --output ROOT
"""

from typing import Annotated

import typer
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from skillsim.config import load_config
from skillsim.schemas import DUPLICATES
from skillsim.spark.deduplication import Deduplication
from skillsim.spark.job import Assignments, ConfigFile, Output, run_job
from skillsim.spark.session import get_session
from skillsim.spark.tables import Tables

_SHOWN, _OTHERS = 20, 10  # groups, and of each
_LIST = (
    *("input.shape=text", "input.separators=[]", "input.source=list", "input.skills_column=skill"),
    "input.mode=snapshot",  # the list as it is now
)
_OTHERWISE = ("clusters.decision=auto", "clusters.texts=labels")


def main(
    input: Annotated[
        str, typer.Option(help="a list of skills, one a row: CSV with a header, JSON lines, Parquet, table")
    ],
    column: Annotated[str | None, typer.Option(help="the column that holds the skill; unset: skill")] = None,
    id_column: Annotated[str | None, typer.Option(help="the column that holds its id; unset: made of the row")] = None,
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Write the table `duplicates`: of each skill its group, the group's representative, and why it is in it.

    The section `input` of --config is the main job's feed, and is not read; --set input... is.
    """
    named = {"input.path": input, "input.skills_column": column, "input.id_column": id_column, "output.root": output}
    given = [*(f"{key}={value}" for key, value in named.items() if value is not None), *(set_ or [])]
    of_list = load_config(None, given, _LIST).input
    settings = load_config(config, given, _OTHERWISE).model_copy(update={"input": of_list})
    spark = get_session(settings.spark)
    found = Deduplication(spark, settings).run()
    console = Console()
    table = Table("skills", "of which", title=f"{found.groups:,} groups of duplicates, from {found.threshold:.2f}")
    for status, count in sorted(found.statuses.items()):
        table.add_row(f"{count:,}", status)
    console.print(table)
    rows = Tables(spark, found.root).read(DUPLICATES).where("status = 'duplicate'")
    others = F.sort_array(F.collect_set("raw"))
    largest = rows.groupBy("cluster_id", "representative").agg(
        F.size(others).alias("count"), F.slice(others, 1, _OTHERS).alias("others")
    )
    for row in largest.orderBy(F.desc("count"), "representative").limit(_SHOWN).collect():
        more = f" and {row['count'] - _OTHERS:,} more" if row["count"] > _OTHERS else ""
        console.print(f"{row['representative']}: {', '.join(row['others'])}{more}", markup=False, soft_wrap=True)
    console.print(f"table: {found.root} duplicates", soft_wrap=True)


if __name__ == "__main__":
    run_job(main)
