"""Disparate impact on groups of people, and on ways to word a skill:

    spark-submit jobs/audit_fairness.py groups --output ROOT --groups FILE --group COLUMN [--selected FILE]
    python jobs/audit_fairness.py wordings --taxonomy ESCO

`groups`: FILE is a CSV with the columns source and record_id, as the input has them, and a column of groups
(gender, age band, region); that of --selected names in the same two columns who was chosen in the end, by whatever
means. Only counts and means of groups leave the cluster, none of fewer people than --smallest; who knows totals, or
compares two columns, may still work out what is not told.

`wordings`: links pairs of wordings that mean one skill, British and American, gender-marked and not, on one machine.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skillsim.audit import SMALLEST_GROUP, Comparison
from skillsim.normaliser import Normaliser
from skillsim.review import write_sheet
from skillsim.spark.audit import audit_groups
from skillsim.spark.job import Assignments, ConfigFile, Output, held_tables, run_job, taxonomy_settings
from skillsim.wordings import OURS, compare_wordings, read_wordings, share_alike

app = typer.Typer(pretty_exceptions_enable=False)


@app.command("groups")
def compare_groups(
    groups: Annotated[str, typer.Option(help="CSV with source, record_id and a column of groups")],
    group: Annotated[list[str], typer.Option(help="column of groups; repeatable")],
    selected: Annotated[str | None, typer.Option(help="CSV with source and record_id of those chosen")] = None,
    smallest: Annotated[int, typer.Option(min=10, help="people of a group of which anything is told")] = SMALLEST_GROUP,
    out: Annotated[Path | None, typer.Option(help="write the figures here as JSON")] = None,
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Compare outcomes of groups: linked at all, share and confidence of links, matched to a vacancy, and selected."""
    console = Console(width=130)
    with held_tables("audit", output, config, set_) as (spark, tables, _):
        try:
            audit = audit_groups(spark, tables, groups, group, selected, smallest)
        finally:
            tables.clear_staging()
    for note in audit.notes:
        console.print(note)
    for column, of_column in audit.found.items():
        show(console, column, of_column)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        told_of = {column: {name: asdict(one) for name, one in of.items()} for column, of in audit.found.items()}
        out.write_text(json.dumps(told_of, indent=1, allow_nan=False) + "\n", encoding="utf-8")


@app.command("wordings")
def audit_wordings(
    taxonomy: Annotated[str | None, typer.Option(help="ESCO zips as downloaded, or a folder of them")] = None,
    wordings: Annotated[Path, typer.Option(help="CSV with kind, one, other; unset: the project's own pairs")] = OURS,
    out: Annotated[Path | None, typer.Option(help="write every pair and its outcomes here as CSV")] = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Compare what two wordings of one skill are linked to."""
    settings = taxonomy_settings(taxonomy, config, set_)
    pairs = read_wordings(wordings)
    found = compare_wordings(Normaliser.from_esco(settings.taxonomy.path, config=settings), pairs)
    console = Console(width=130)
    table = Table("kind", "one", "", "other", "", title="wordings that are not linked alike")
    for _, row in found[~found["alike"]].iterrows():
        table.add_row(*(escape(row[name]) for name in ("kind", "one", "one_outcome", "other", "other_outcome")))
    console.print(table)
    for kind, share in share_alike(found).items():
        console.print(f"{kind}: {share.value:.0%} [{share.low:.0%}, {share.high:.0%}] of {share.n} linked alike")
    console.print(f"of {len(found)} pairs {int((~found['linked']).sum())} are linked on neither side")
    if out is not None:
        write_sheet(found, out)


def show(console: Console, column: str, found: dict[str, Comparison]) -> None:
    table = Table("outcome", "group", "people", "mean", "ratio to the highest", "", title=column)
    for outcome, one in found.items():
        for place, row in enumerate(one.groups):
            high = "" if row.high is None else f"{row.high:.2f}"
            interval = f"{row.ratio:.2f} [{row.low:.2f}, {high}]" if place else ""
            cells = (outcome if not place else "", row.group, f"{row.n:,}", f"{row.mean:.3f}", interval, row.verdict)
            table.add_row(*map(escape, cells))
        if one.untold[1]:
            table.add_row("", f"({one.untold[0]} groups too small)", str(one.untold[1]), "", "", "")
    console.print(table)
    level = next(iter(found.values())).level
    console.print(f"intervals hold for all pairs of groups of an outcome at once, {level:.0%}")


if __name__ == "__main__":
    run_job(app)
