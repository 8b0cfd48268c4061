"""The main job: noisy skill fields to a governed skills table.

spark-submit jobs/normalise_skills.py --config conf/local.toml --input FILE --taxonomy ESCO --output ROOT
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from skillsim.config import Config, load_config
from skillsim.spark.job import Assignments, ConfigFile, Output, run_job
from skillsim.spark.pipeline import Pipeline
from skillsim.spark.plan import plan_run
from skillsim.spark.runs import Summary
from skillsim.spark.session import get_session


def main(
    config: ConfigFile = None,
    input: Annotated[str | None, typer.Option(help="records: a file, a folder or a table")] = None,
    taxonomy: Annotated[str | None, typer.Option(help="ESCO zips as downloaded, or a folder of them")] = None,
    output: Output = None,
    set_: Assignments = None,
) -> None:
    """Normalise skill fields against a taxonomy and write Delta tables."""
    named = {"input.path": input, "taxonomy.path": taxonomy, "output.root": output}
    overrides = [f"{key}={value}" for key, value in named.items() if value is not None]
    print_summary(run(load_config(config, [*overrides, *(set_ or [])])))


def run(settings: Config) -> Summary:
    """For notebooks and schedulers that call Python: one run with these settings."""
    plan = plan_run(settings)
    return Pipeline(get_session(settings.spark), plan).run()


def print_summary(summary: Summary) -> None:
    console = Console()
    table = Table("status", "mentions", "share", title=f"run {summary.run_id}")
    total = sum(summary.statuses.values())
    for status, mentions in sorted(summary.statuses.items(), key=lambda item: -item[1]):
        table.add_row(status, f"{mentions:,}", f"{mentions / total:.1%}")
    console.print(table)
    if summary.unchanged_since:
        console.print(f"nothing changed since run {summary.unchanged_since}")
    local = Path(summary.root)
    console.print(f"tables: {local / 'tables' if local.is_dir() else summary.root}", soft_wrap=True)
    if (local / "report.html").is_file():
        console.print(f"report: {local / 'report.html'}", soft_wrap=True)


if __name__ == "__main__":
    run_job(main)
