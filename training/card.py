"""Write the model card of what is shipped, of what the trainings and the evaluations left behind:

    python -m training.card out/everything training/measured SCORES --workrb SCORES --out README.md

The first folder is the training that is shipped, the second the one by the same recipe that held concepts out; it is
one of the models in training.evaluate's SCORES (and training.workrb_tasks').
"""

import json
from pathlib import Path
from typing import Any

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError
from rich.console import Console

from skillsim.errors import TrainingError
from skillsim.model_files import BUILTIN, SMALL
from skillsim.network import ADAPTER_FILE
from training.command import one_line_errors
from training.pairs import LICENCES
from training.protocol import CUT
from training.splits import held_out
from training.trained import FILE

Told = dict[str, Any]
OURS = f"{SMALL}, held-out training"
SAME = ("recipe", "base", "taxonomy", "without_folds")


def card(shipped: Told, measured: Told, scores: Told, workrb: Told, megabytes: float) -> str:
    """`shipped`, `measured`: training.json of both; `scores`, `workrb`: as saved, by the models' titles, ours OURS.

    Raises TrainingError where the figures would be of another model.
    """
    if differ := [key for key in SAME if shipped[key] != measured[key]]:
        raise TrainingError(f"the two trainings differ in {', '.join(differ)}: the figures would be of another model.")
    if measured["everything"] or not shipped["everything"]:
        raise TrainingError("name the training on everything first, and the one that held concepts out second.")
    first = next(iter(scores))
    keys = [key for key in scores[first]["scores"] if not key.startswith(CUT)]
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
        ours=OURS,
        shipped=shipped,
        recipe={key: value for key, value in shipped["recipe"].items() if key != "sources" and value is not None},
        licences=LICENCES,
        held_out=json.loads(held_out.FILE.read_text(encoding="utf-8")),
        first=first,
        scores=scores,
        keys=[key for key in keys if not key.startswith("V ")],
        judged=[key for key in keys if key.startswith("V ")],
        cut=CUT,
        workrb={key: values for key, values in workrb.items() if ", held-out (" in key},
        megabytes=megabytes,
    )


def titled(by_model: Told, measured: Path) -> Told:
    """With titles for the names that models have on the command line. Raises TrainingError where ours is missing."""
    ours = {str(measured / "model"), str(measured / ADAPTER_FILE)}
    if not ours & by_model.keys():
        raise TrainingError(f"the scores are of {', '.join(by_model)}: none is of {measured}.")
    return {
        OURS if name in ours else "all-MiniLM-L6-v2" if name == BUILTIN else name: one for name, one in by_model.items()
    }


def _read(file: Path) -> Told:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file} cannot be read as JSON ({error}).") from error


def main(
    shipped: Path,
    measured: Path,
    scores: Path,
    out: Path = typer.Option(..., help="the card"),
    workrb: Path = typer.Option(None, help="training.workrb_tasks' scores"),
) -> None:
    """Write the card."""
    with one_line_errors(Console()):
        of_shipped, of_measured = _read(shipped / FILE), _read(measured / FILE)
        tasks = {key: titled(one, measured) for key, one in _read(workrb).items()} if workrb else {}
        try:
            megabytes = (shipped / ADAPTER_FILE).stat().st_size / 1e6
            text = card(of_shipped, of_measured, titled(_read(scores), measured), tasks, megabytes)
        except (OSError, KeyError, StopIteration, UndefinedError) as error:
            raise TrainingError(f"not all that the commands write is here ({error!r}): run them again.") from error
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
