"""What every job shares: its log, its error line, its exit code."""

import logging
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pyspark.sql import SparkSession

from skillsim.config import Config, load_config
from skillsim.errors import BalanceError, ConfigError, SkillsimError, TablesError
from skillsim.schemas import TABLES
from skillsim.spark.lease import writer_lease
from skillsim.spark.migrations import migrate
from skillsim.spark.session import explained, get_session
from skillsim.spark.tables import Tables

ConfigFile = Annotated[Path | None, typer.Option(help="TOML file; the README explains its keys")]
Output = Annotated[str | None, typer.Option(help="a folder, a URI or catalog.schema")]
Assignments = Annotated[list[str] | None, typer.Option("--set", help="section.key=value; repeatable")]


def run_job(main: Callable[..., None] | typer.Typer) -> None:
    """Run `main`, or an app of several commands, with the options of the command line.

    Exit codes: 0 done; 1 an unforeseen error, with its traceback; 2 an error that the user can mend, on one line;
    3 rows went missing, which is a bug.
    """
    start_logging()
    try:
        with explained():
            main() if isinstance(main, typer.Typer) else typer.run(main)
    except SystemExit as end:
        if end.code:  # Databricks takes any exit for a failure, of 0 too
            raise
    except BalanceError as error:
        print(f"error: {error} This is a bug of skillsim: please report it with this log.", file=sys.stderr)
        sys.exit(3)
    except SkillsimError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


@contextmanager
def held_tables(
    name: str, output: str | None, config: Path | None, assignments: list[str] | None
) -> Iterator[tuple[SparkSession, Tables, Config]]:
    """Session, tables and settings of an output, migrated, that no one else writes to meanwhile.

    Raises TablesError where no run has written yet: a mistyped output is not made.
    """
    named = [f"output.root={output}"] if output is not None else []
    settings = load_config(config, [*named, *(assignments or [])])
    spark = get_session(settings.spark)
    tables = Tables(spark, settings.output.root)
    if not any(map(tables.exists, TABLES.values())):
        raise TablesError(f"--output {tables.root} holds no tables. Give the folder or schema that a run wrote.")
    with writer_lease(spark, tables, f"{name}-{uuid.uuid4().hex[:8]}", settings.output.wait_minutes):
        migrate(tables)
        yield spark, tables, settings


def taxonomy_settings(taxonomy: str | None, config: Path | None, assignments: list[str] | None) -> Config:
    """Settings of a job that links on one machine. Raises ConfigError where they name no taxonomy."""
    named = [f"taxonomy.path={taxonomy}"] if taxonomy is not None else []
    settings = load_config(config, [*named, *(assignments or [])])
    if not settings.taxonomy.path:
        raise ConfigError("no taxonomy: give --taxonomy the ESCO zips or their folder (or set taxonomy.path).")
    return settings


def start_logging() -> None:
    """Log lines with date, time and level to standard error."""
    # Some library has configured logging on import by now.
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S", force=True
    )
    logging.getLogger("py4j").setLevel(logging.WARNING)
