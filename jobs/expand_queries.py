"""What else a query may be called: python jobs/expand_queries.py "forklift operation" --taxonomy ESCO [--output ROOT]

Prints, of each query, the terms and a boolean query for a search engine or a job board. With --output also spellings
that people used, from the clusters of the main job's tables there. --queries names a file with a query a line.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skillsim.errors import ConfigError
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.expansion import Expander, Term, boolean_query
from skillsim.normaliser import Normaliser
from skillsim.review import write_sheet
from skillsim.spark.expansion import observed_spellings
from skillsim.spark.job import Assignments, ConfigFile, Output, held_tables, run_job, taxonomy_settings
from skillsim.text import parse_mention


def main(
    query: Annotated[list[str] | None, typer.Argument(help="skills, each in quotes")] = None,
    queries: Annotated[Path | None, typer.Option(help="file with a query a line")] = None,
    taxonomy: Annotated[str | None, typer.Option(help="ESCO zips as downloaded, or a folder of them")] = None,
    concepts: Annotated[int, typer.Option(min=1, help="how many a query may mean")] = 3,
    each: Annotated[int, typer.Option(min=1, help="terms of a kind")] = 10,
    least: Annotated[float, typer.Option(min=0, max=1, help="score of a concept whose terms the boolean has")] = 0.5,
    out: Annotated[Path | None, typer.Option(help="write all terms here as CSV")] = None,
    output: Output = None,
    config: ConfigFile = None,
    set_: Assignments = None,
) -> None:
    """Expand queries."""
    settings = taxonomy_settings(taxonomy, config, set_)
    asked = [*(query or []), *(_lines(queries) if queries is not None else [])]
    if not asked:
        raise ConfigError('no query: give one or more in quotes ("forklift operation"), or a file with --queries.')
    bundle = find_bundle(settings.taxonomy.path, settings.taxonomy.language, settings.taxonomy.version)
    expander = Expander.of(Normaliser.from_esco(settings.taxonomy.path, config=settings), read_taxonomy(bundle))
    found = {one: expander.expand(one, concepts, each) for one in asked}
    if output is not None:
        spellings = _observed(expander, asked, concepts, output, config, set_)
        expander = replace(expander, spellings=spellings)
        found = {one: expander.expand(one, concepts, each) for one in asked}
    console = Console(width=130)
    for one, terms in found.items():
        _show(console, one, terms, least)
    if out is not None:
        rows = [{"query": one, **asdict(term)} for one, terms in found.items() for term in terms]
        write_sheet(pd.DataFrame(rows, columns=["query", *(field.name for field in fields(Term))]), out)


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--queries {path}: cannot be read as UTF-8 text ({error}).") from error


def _observed(
    expander: Expander, asked: list[str], k: int, output: str, config: Path | None, set_: list[str] | None
) -> dict[str, list[str]]:
    uris = sorted({uri for one in asked for uri in expander.concepts(one, k)})
    longest = expander.normaliser.max_length
    keys = sorted({key for one in asked if (key := parse_mention(one, longest).text_key)})
    with held_tables("expand", output, config, set_) as (_, tables, settings):
        return observed_spellings(tables, uris, keys, settings.report.min_records)


def _show(console: Console, query: str, terms: Sequence[Term], least: float) -> None:
    table = Table("concept", "score", "kind", "terms", title=escape(query))
    groups: dict[tuple[str, str], list[Term]] = {}
    for term in terms:
        groups.setdefault((term.concept_label, term.kind), []).append(term)
    for (label, kind), of_kind in groups.items():
        table.add_row(escape(label), f"{of_kind[0].score:.2f}", kind, escape(", ".join(one.term for one in of_kind)))
    console.print(table)
    console.print(boolean_query(query, terms, least), markup=False, soft_wrap=True)


if __name__ == "__main__":
    run_job(main)
