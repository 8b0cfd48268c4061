"""Write the model card of what is shipped, of what its trainings and evaluations left behind:

    python -m training.card

`shipped` holds the weights of the training on everything and its training.json; `measured` holds the training by the
same recipe that held concepts out (adapter.safetensors, training.json), encoders.json by training.evaluate, in which
it is called "skillsim-small, held-out training" (and the seed's, where it is there, "seed's recipe"), and workrb.json
by training.workrb_tasks.
"""

import json
from pathlib import Path
from typing import Any

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError
from rich.console import Console

from skillsim.errors import TrainingError
from skillsim.model_files import SMALL, SMALL_ADAPTER, resolve_model
from skillsim.network import ADAPTER_FILE
from training.command import one_line_errors, read_json
from training.evaluate import Evaluated, read_known
from training.pairs import LICENCES
from training.protocol import CUT, gains
from training.splits import held_out
from training.trained import FILE

Told = dict[str, Any]
OURS, SEED = f"{SMALL}, held-out training", "seed's recipe"  # titles of models in the scores
MEASURED = Path(__file__).parent / "measured"
SAME = ("recipe", "base", "taxonomy", "without_folds")


def card(
    shipped: Told, measured: Told, model_id: str, found: dict[str, Evaluated], workrb: Told, megabytes: float
) -> str:
    """`shipped`, `measured`: training.json of both; `model_id`: of the second; `found`, `workrb`: scores, by title.

    Raises TrainingError where the figures would be of another model.
    """
    if differ := [key for key in SAME if shipped[key] != measured[key]]:
        raise TrainingError(f"the two trainings differ in {', '.join(differ)}: the figures would be of another model.")
    if measured["everything"] or not shipped["everything"]:
        raise TrainingError("name the training on everything first, and the one that held concepts out second.")
    if OURS not in found or found[OURS].model_id != model_id:
        raise TrainingError(f"the scores are of {', '.join(found)}: none is of {model_id}, called '{OURS}'.")
    first = next(iter(found))
    scores = {title: one.scores() for title, one in found.items()}
    keys = [key for key in scores[first] if not key.startswith(CUT)]
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
        found=found,
        scores=scores,
        gains={title: gains(one.drawn, found[first].drawn) for title, one in found.items()},
        over_seed=gains(found[OURS].drawn, found[SEED].drawn) if SEED in found else {},
        keys=[key for key in keys if not key.startswith("V ")],
        judged=[key for key in keys if key.startswith("V ")],
        cut=CUT,
        workrb={key: values for key, values in workrb.items() if ", held-out (" in key},
        megabytes=megabytes,
    )


def main(
    shipped: Path = typer.Option(SMALL_ADAPTER.parent, help="folder of what is shipped"),
    measured: Path = typer.Option(MEASURED, help="folder of what was measured"),
    out: Path = typer.Option(SMALL_ADAPTER.parent / "README.md", help="the card"),
) -> None:
    """Write the card."""
    with one_line_errors(Console()):
        told = [read_json(file) for file in (shipped / FILE, measured / FILE)]
        found, workrb = read_known(measured / "encoders.json"), read_json(measured / "workrb.json")
        model_id = resolve_model(str(measured / ADAPTER_FILE)).model_id
        try:
            megabytes = (shipped / SMALL_ADAPTER.name).stat().st_size / 1e6
            text = card(told[0], told[1], model_id, found, workrb, megabytes)
        except (OSError, KeyError, UndefinedError) as error:
            raise TrainingError(f"not all that the commands write is here ({error!r}): run them again.") from error
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
