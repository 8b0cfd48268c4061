"""Write the model card of what is shipped, of what the trainings and the evaluations left behind:

    python -m training.card out/everything out/held_out SCORES --workrb SCORES --out skillsim/data/encoder/README.md

`out/everything` is the training that is shipped, `out/held_out` the one by the same recipe that the figures are of, the
last model in training.evaluate's SCORES (and training.workrb_tasks').
"""

import json
from pathlib import Path
from typing import Any

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console

from skillsim.errors import TrainingError
from skillsim.model_files import SMALL
from skillsim.network import ADAPTER_FILE
from training.command import one_line_errors
from training.pairs import LICENCES
from training.splits import held_out
from training.trained import FILE

Told = dict[str, Any]


def card(shipped: Told, measured: Told, scores: Told, workrb: dict[str, dict[str, float]], size: int) -> str:
    """`shipped`, `measured`: training.json of both; `scores`, `workrb`: as saved; `size`: bytes of what is shipped.

    Raises TrainingError where the figures are not of this recipe, or of a model that held nothing out.
    """
    if shipped["recipe"] != measured["recipe"] or shipped["base"] != measured["base"]:
        raise TrainingError("the two trainings differ in recipe or base: the figures would be of another model.")
    if measured["everything"] or not shipped["everything"]:
        raise TrainingError("name the training on everything first, and the one that held concepts out second.")
    recipe = shipped["recipe"]
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown of our own figures
    )
    return pages.get_template("card.md.j2").render(
        name=SMALL,
        shipped=shipped,
        recipe={key: value for key, value in recipe.items() if key != "sources" and value is not None},
        sources=recipe["sources"],
        licences=LICENCES,
        held_out=json.loads(held_out.FILE.read_text(encoding="utf-8")),
        scores=scores,
        first=next(iter(scores)),
        ours=list(scores)[-1],
        workrb=workrb,
        megabytes=size / 1e6,
    )


def _read(file: Path) -> Told:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file} cannot be read ({error}).") from error


def main(
    shipped: Path,
    measured: Path,
    scores: Path,
    out: Path = typer.Option(..., help="the card"),
    workrb: Path = typer.Option(None, help="training.workrb_tasks' scores"),
) -> None:
    """Write the card."""
    with one_line_errors(Console()):
        size = (shipped / ADAPTER_FILE).stat().st_size
        told = [_read(folder / FILE) for folder in (shipped, measured)]
        text = card(*told, _read(scores), _read(workrb) if workrb else {}, size)
    out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
