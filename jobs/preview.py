"""What a change would move, before it does: of taxonomy, model, lexicon, decision, threshold or curators' decisions.

spark-submit jobs/preview.py --config conf/local.toml --taxonomy ESCO --output ROOT --folder preview

The options are those of the main job, but for the input: the texts are those of the tables. Into the folder go
moves.csv (each text that would move), and of another taxonomy concepts.csv (what differs) and vanished.csv (concepts
it lacks, what points to them, what may follow them). Nothing moves until the main job runs, which does not repeat the
model's work.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from skillsim.review import write_sheet
from skillsim.spark.job import Assignments, ConfigFile, Output, held_tables, run_job
from skillsim.spark.plan import plan_run
from skillsim.spark.preview import Preview, preview


def main(
    folder: Annotated[Path, typer.Option(help="where the CSV files go, over those of an earlier preview")],
    taxonomy: Annotated[str | None, typer.Option(help="ESCO zips as downloaded, or a folder of them")] = None,
    rows: Annotated[int, typer.Option(min=1, help="of moves.csv")] = 10_000,
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Compare what the next run would link with what holds now."""
    named = [f"taxonomy.path={taxonomy}"] if taxonomy is not None else []
    with held_tables("preview", output, config, [*named, *(set_ or [])]) as (spark, tables, settings):
        found = preview(spark, tables, plan_run(settings), rows)
    folder.mkdir(parents=True, exist_ok=True)
    for name, sheet in (("moves", found.texts), ("concepts", found.concepts), ("vanished", found.vanished)):
        path = folder / f"{name}.csv"
        path.unlink(missing_ok=True)  # an earlier preview's
        if len(sheet) or name == "moves":
            write_sheet(sheet, path)
    show(found, folder)


def show(found: Preview, folder: Path) -> None:
    console = Console()
    columns = ("reason", "from", "to", "texts", "mentions")
    table = Table(*columns, title=f"what would move since run {found.since_run_id}")
    for _, row in found.moves.iterrows():
        counts = (f"{row[name]:,}" for name in ("texts", "mentions"))
        table.add_row(row["reason"], row["old_status"], row["new_status"], *counts)
    console.print(table)
    if len(found.vanished):
        console.print(f"{len(found.vanished):,} concepts vanish: vanished.csv lists what points to them")
    shown, total = len(found.texts), found.moves["texts"].sum()
    console.print(f"moves.csv: {shown:,} of {total:,} texts (--rows and report.min_records leave others out)")
    console.print(f"files: {folder}", soft_wrap=True)


if __name__ == "__main__":
    run_job(main)
