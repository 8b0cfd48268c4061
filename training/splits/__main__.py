"""Write the splits again: `python -m training.splits judged FOLDER`, `... held-out TAXONOMY`, `... traps TAXONOMY`."""

import json
from pathlib import Path

import typer

from skillsim.esco import find_bundle, read_taxonomy
from training import splits
from training.judged import read_judged
from training.splits import held_out, traps

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.command()
def judged(folder: Path) -> None:
    """Folds of the judged strings in FOLDER: judged.csv."""
    splits.split(read_judged(folder)).to_csv(splits.FILE, index=False)


@app.command("held-out")
def held_out_(taxonomy: Path, version: str = "1.1.1", language: str = "en") -> None:
    """Concepts, occupations and pairs of TAXONOMY that encoders are scored on: held_out.json."""
    found = held_out.manifest(held_out.Concepts(read_taxonomy(find_bundle(taxonomy, language, version))))
    held_out.FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


@app.command("traps")
def traps_(taxonomy: Path, version: str = "1.1.1", language: str = "en") -> None:
    """Pairs of TAXONOMY and the lexicon that clusters must keep apart or join: traps.json."""
    found = traps.manifest(held_out.Concepts(read_taxonomy(find_bundle(taxonomy, language, version))))
    traps.FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


app()
