"""Curators' round trip: undecided texts out to a spreadsheet, decisions back in.

spark-submit jobs/review.py export --output ROOT --sheet review.xlsx
spark-submit jobs/review.py import --output ROOT --sheet review.xlsx --by NAME
spark-submit jobs/review.py revoke --output ROOT --text "core java" --by NAME
spark-submit jobs/review.py promote --output ROOT --lexicon ours.csv

A row's `for_cluster` decides for all texts of its cluster. The decisions are in force from the next run of the main job
on; nothing is embedded or retrieved again for them.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pyspark.sql import functions as F

from skillsim.errors import ReviewError
from skillsim.overrides import active, key_of, of_one_decision, succeeded
from skillsim.promotion import add_rows, own_lexicon
from skillsim.promotion import promote as promoted
from skillsim.review import keys_of_clusters, read_sheet, review_sheet, take_decisions, write_sheet
from skillsim.schemas import CLUSTERS, CONCEPTS, LINKS, NORMALISED_SKILLS
from skillsim.spark.job import Assignments, ConfigFile, Output, held_tables, run_job
from skillsim.spark.overrides import read_overrides, scattered_now, store_overrides
from skillsim.spark.review import clusters_of, collect_undecided
from skillsim.spark.runs import last_success
from skillsim.successors import read_successors, sole_successors

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
Sheet = Annotated[Path, typer.Option(help="a CSV file, or .xlsx")]
By = Annotated[str, typer.Option(help="who decides")]


@app.command()
def export(
    sheet: Sheet,
    rows: Annotated[int, typer.Option(min=1, help="how many texts")] = 500,
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Write the texts whose decision is worth most: mentions times uncertainty."""
    with held_tables("review", output, config, set_) as (spark, tables, settings):
        normalised, links, clusters = (tables.read(table) for table in (NORMALISED_SKILLS, LINKS, CLUSTERS))
        texts = collect_undecided(normalised, links, clusters, settings.report.min_records, rows)
        for line in scattered_now(spark, tables, list(active(read_overrides(tables)).values())):
            print(line)
    write_sheet(review_sheet(texts, rows), sheet)
    print(f"{sheet}: {len(texts):,} texts; fill in `decision` (1, 2, 3, concept, nil, not a skill) and take it back")


@app.command("import")
def take(sheet: Sheet, by: By, output: Output = None, config: ConfigFile = None, set_: Assignments = None) -> None:
    """Take the decisions of a sheet; where a row cannot be taken, none is."""
    filled = read_sheet(sheet)
    with held_tables("review", output, config, set_) as (spark, tables, _):
        of_this = tables.read(NORMALISED_SKILLS).select("taxonomy_id").distinct()
        concepts = tables.read(CONCEPTS).join(of_this, on="taxonomy_id", how="left_semi")
        rows = concepts.select("concept_uri", "preferred_label").collect()
        labels = {row["concept_uri"]: row["preferred_label"] for row in rows}
        clusters = clusters_of(spark, tables, keys_of_clusters(filled))
        taken = take_decisions(filled, labels, clusters, by, datetime.now(UTC))
        if taken.problems:
            raise ReviewError(f"{sheet}: {' '.join(taken.problems)} Correct these rows; nothing was taken.")
        before = active(read_overrides(tables))
        new = []
        for override in taken.overrides:
            old = before.get((override.text_key, override.source))
            if old is None:
                new.append(override)
                continue
            held = f"{override.raw!r}: {old.concept_uri or old.verdict} by {old.decided_by}"
            if (old.verdict, old.concept_uri) == (override.verdict, override.concept_uri):
                continue
            if override.representative is not None and old.representative is None:
                print(f"{held} was decided for it alone, and still holds")
                continue
            print(f"{held} no longer holds")
            new.append(override)
        store_overrides(spark, tables, new)
    old_ones = len(taken.overrides) - len(new)
    print(f"{len(new):,} decisions of {by} taken, {old_ones:,} stand as they were; the next run applies them")


@app.command()
def revoke(
    text: Annotated[str, typer.Option(help="as it was decided on")],
    by: By,
    source: Annotated[str | None, typer.Option(help="the feed it was decided for, if for one")] = None,
    for_cluster: Annotated[
        bool, typer.Option("--for-cluster", help="all that was decided with it for a cluster")
    ] = False,
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Take a decision back: the one before it holds again, or the model."""
    key = key_of(text)
    with held_tables("review", output, config, set_) as (spark, tables, _):
        decided = active(read_overrides(tables))
        found = decided.get((key or "", source))
        if found is None:
            of = f" for {source}" if source else ""
            raise ReviewError(
                f"--text {text!r}: no decision on it{of} is in force. Give --source where it was for one."
            )
        if for_cluster and found.representative is None:
            raise ReviewError(f"--text {text!r}: decided for it alone, not for a cluster. Leave out --for-cluster.")
        of_all = [one for one in decided.values() if of_one_decision(one) == of_one_decision(found)]
        taken = of_all if for_cluster else [found]
        now = datetime.now(UTC)
        store_overrides(spark, tables, [replace(one, revoked_by=by, revoked_at=now) for one in taken])
    for one in taken:
        print(f"{one.raw!r}: {one.concept_uri or one.verdict} by {one.decided_by} is revoked")


@app.command()
def promote(
    lexicon: Annotated[Path, typer.Option(help="a lexicon of your own, made where there is none")],
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Add the decisions for all feeds to a lexicon; what contradicts it, or has lost its concept, is listed."""
    with held_tables("review", output, config, set_) as (_, tables, settings):
        last = last_success(tables, "taxonomy_id")
        if last is None:
            raise ReviewError(f"{tables.root}: no run has succeeded here. Run the main job, which applies decisions.")
        taxonomy = tables.read(CONCEPTS).where(F.col("taxonomy_id") == last["taxonomy_id"])
        version_of = {row["concept_uri"]: row["version"] for row in taxonomy.select("concept_uri", "version").collect()}
        decided = list(active(read_overrides(tables)).values())
    successors = sole_successors(read_successors(settings.taxonomy.successors), version_of)
    own = own_lexicon(lexicon, settings.taxonomy.language).succeeded(successors)
    found = promoted(succeeded(decided, successors), own, version_of, next(iter(version_of.values()), ""))
    if found.rows:
        add_rows(lexicon, found.rows)
    for line in found.left_out:
        print(f"left out: {line}")
    print(
        f"{lexicon}: {len(found.rows):,} decisions added, {found.known:,} were there, {len(found.left_out):,} left out"
    )


if __name__ == "__main__":
    run_job(app)
