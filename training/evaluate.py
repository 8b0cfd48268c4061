"""Score encoders by the protocol (training.protocol), side by side:

    python -m training.evaluate TAXONOMY builtin out/skillsim/model ... --judged FOLDER --out out/encoders.json

Every score has a 95% interval by a bootstrap over concepts, occupations, or strings; the second table is each model
less the first, drawn together. With --judged also how often cosine alone links the strings of V: nothing else takes
part.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from skillsim.encoder import load_encoder
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.metrics import Score
from skillsim.model_files import ModelFiles, resolve_model
from training.command import one_line_errors
from training.judged import MEASURED, read_judged
from training.protocol import AllLabels, Floats, Protocol, gains, measure, scores_of
from training.splits import with_folds
from training.splits.held_out import Concepts, check
from training.trained import warn_of_everything

DRAWS = 500
_TIMED = 4_000  # strings

Scores = dict[str, tuple[Floats, int]]


def validation(folder: Path) -> dict[str, pd.DataFrame]:
    """V's distinct strings, by stratum."""
    judged = with_folds(read_judged(folder))
    of_v = judged[judged["validation"]]
    return {stratum: of_v[of_v["stratum"] == stratum] for stratum in MEASURED}


def evaluate(model: ModelFiles, protocol: Protocol, judged: dict[str, pd.DataFrame], draws: int) -> dict[str, Any]:
    """`scores` by name, and strings a second and megabytes."""
    encoder = load_encoder(model)
    strings = protocol.synonyms.texts[:_TIMED]
    encoder.encode(strings[:200])
    started = time.perf_counter()
    encoder.encode(strings)
    speed = len(strings) / (time.perf_counter() - started)
    measured = measure(protocol, encoder)
    every = AllLabels.of(protocol, encoder)
    measured["synonym mrr, all labels indexed"] = every.synonyms()
    for part, rows in judged.items():
        measured |= {f"V {part}: {name}": one for name, one in every.judged(encoder, rows).items()}
    weights = [*model.path.rglob("*.safetensors"), *([model.adapter] if model.adapter else [])]
    size = sum(file.stat().st_size for file in weights) / 1e6
    return {"scores": scores_of(measured, draws), "strings a second": speed, "megabytes": size}


def show(console: Console, title: str, columns: dict[str, dict[str, Score]]) -> None:
    table = Table("", *columns, title=title)
    names = list(dict.fromkeys(name for of in columns.values() for name in of))
    for name in names:
        cells = (
            f"{s.value:.3f} [{s.low:.3f}, {s.high:.3f}]" if (s := of.get(name)) else "-" for of in columns.values()
        )
        table.add_row(name, *cells)
    console.print(table)


def main(
    taxonomy: Path,
    models: list[str] = typer.Argument(..., help="as encoder.model of the job; the first is what others are held to"),
    judged: Path = typer.Option(None, help="folder of the judged strings"),
    out: Path = typer.Option(None, help="where the scores go, as JSON"),
    draws: int = typer.Option(DRAWS, help="of the bootstrap"),
    version: str = typer.Option(None, help="of the taxonomy, where the folder holds several"),
    language: str = typer.Option("en", help="of its labels"),
) -> None:
    """Print and save a table."""
    console = Console(width=max(100, 34 * (len(models) + 1)))
    with one_line_errors(console):
        concepts = Concepts(read_taxonomy(find_bundle(taxonomy, language, version)))
        check(concepts)
        protocol, strings = Protocol(concepts), validation(judged) if judged else {}
        files = {name: resolve_model(name) for name in models}
        found = {name: evaluate(model, protocol, strings, draws) for name, model in files.items()}
    drawn: dict[str, Scores] = {name: one["scores"] for name, one in found.items()}
    scores = {name: {key: Score.of(*pair) for key, pair in of.items()} for name, of in drawn.items()}
    for model in files.values():
        warn_of_everything(console, model)
    show(console, f"{concepts.taxonomy.version} {language}, held-out", scores)
    less = {name: gains(of, drawn[models[0]]) for name, of in drawn.items() if name != models[0]}
    if less:
        show(console, f"less {models[0]}", less)
    for name, one in found.items():
        console.print(f"{name}: {one['strings a second']:.0f} strings/s, {one['megabytes']:.0f} MB")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        told = {
            name: {
                "strings a second": one["strings a second"],
                "megabytes": one["megabytes"],
                "scores": {key: asdict(score) for key, score in scores[name].items()},
                "less the first": {key: asdict(score) for key, score in less.get(name, {}).items()},
            }
            for name, one in found.items()
        }
        out.write_text(json.dumps(told, indent=1, default=np.ndarray.tolist) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
