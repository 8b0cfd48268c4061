"""Write a model as a plain sentence-transformers folder: python jobs/export_model.py DIR [--model MODEL]

For whatever reads such folders; its vectors are those the job writes. It runs on one machine and starts no Spark.
"""

from pathlib import Path
from typing import Annotated

import typer

from skillsim.model_files import BUILTIN, resolve_model
from skillsim.network import export_model
from skillsim.spark.job import run_job


def main(
    folder: Annotated[Path, typer.Argument(help="a new folder, or an empty one")],
    model: Annotated[str, typer.Option(help="as encoder.model of the config")] = BUILTIN,
) -> None:
    """Write the model."""
    files = resolve_model(model)
    export_model(files, folder)
    typer.echo(f"{folder}: {files.model_id}")


if __name__ == "__main__":
    run_job(main)
