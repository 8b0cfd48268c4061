"""The main job: noisy skill fields to a governed skills table.

spark-submit jobs/normalise_skills.py --config conf/local.toml --input FILE --taxonomy ESCO --output ROOT
"""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from skillsim.config import load_config
from skillsim.errors import SkillsimError


def main(
    config: Annotated[Path | None, typer.Option(help="TOML file; its keys are in the README")] = None,
    input: Annotated[str | None, typer.Option(help="records: a file, a folder or a table")] = None,
    taxonomy: Annotated[str | None, typer.Option(help="ESCO zips as downloaded, or a folder of them")] = None,
    output: Annotated[str | None, typer.Option(help="a folder, a URI or catalog.schema")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="section.key=value; repeatable")] = None,
) -> None:
    """Normalise skill fields against a taxonomy and write Delta tables."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    for noisy in ("py4j", "httpx", "sentence_transformers", "transformers"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        settings = load_config(config, [*_overrides(input, taxonomy, output), *(set_ or [])])
        from skillsim.spark.pipeline import run_job

        run_job(settings)
    except SkillsimError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _overrides(input: str | None, taxonomy: str | None, output: str | None) -> list[str]:
    named = {"input.path": input, "taxonomy.path": taxonomy, "output.root": output}
    return [f"{key}={value}" for key, value in named.items() if value is not None]


if __name__ == "__main__":
    typer.run(main)
