"""Score encoders by the protocol (training.protocol), side by side:

    python -m training.evaluate TAXONOMY builtin out/skillsim/model ... --judged FOLDER --out out/encoders.json

Every score has a 95% interval by a bootstrap over concepts, occupations, or strings; the second table is each model
less the first, drawn together. With --judged also how often cosine alone links the strings of V: nothing else takes
part. A model is what encoder.model of the job may be, or TITLE=MODEL; with --known one whose scores an earlier call
saved (--out) is not run again, and is named by its title alone where its files are gone.
"""

import json
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from skillsim.encoder import load_encoder
from skillsim.errors import ModelError, TrainingError
from skillsim.metrics import Score
from skillsim.model_files import ModelFiles, resolve_model
from training.command import one_line_errors, titled
from training.judged import MEASURED, read_judged
from training.noise import noisy
from training.protocol import AllLabels, Floats, Protocol, gains, measure, scores_of
from training.splits import with_folds
from training.splits.held_out import read_checked
from training.trained import knows_everything, warn_of_everything

DRAWS = 500
_TIMED = 4_000  # strings


@dataclass(frozen=True)
class Evaluated:
    """`drawn`: by score, (the score, then its bootstrap draws; the number of units)."""

    model_id: str
    everything: bool
    strings_a_second: float
    megabytes: float
    drawn: dict[str, tuple[Floats, int]]

    def scores(self) -> dict[str, Score]:
        return {name: Score.of(values, n) for name, (values, n) in self.drawn.items()}


def validation(folder: Path) -> dict[str, pd.DataFrame]:
    """V's distinct strings, by stratum."""
    judged = with_folds(read_judged(folder))
    of_v = judged[judged["validation"]]
    return {stratum: of_v[of_v["stratum"] == stratum] for stratum in MEASURED}


def evaluate(model: ModelFiles, protocol: Protocol, judged: dict[str, pd.DataFrame], draws: int) -> Evaluated:
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
    return Evaluated(model.model_id, knows_everything(model), speed, size, scores_of(measured, draws))


def digest(protocol: Protocol, judged: dict[str, pd.DataFrame], draws: int) -> str:
    """Of all that is asked: scores are only compared where it is the same."""
    queries = (protocol.synonyms, protocol.synonyms.noised(noisy), protocol.jobs, protocol.skills)
    asked = [
        sorted(protocol.concepts.labels.items()),
        protocol.occupations,
        protocol.pairs[["a", "b", "kind"]].to_numpy().tolist(),
        [[one.texts, one.right, one.unit] for one in queries],
        {part: [rows["text"].tolist(), list(map(sorted, rows["accepted"]))] for part, rows in judged.items()},
        draws,
    ]
    return sha256(json.dumps(asked).encode()).hexdigest()


def save(out: Path, found: dict[str, Evaluated], asked: str) -> None:
    """Scores for readers, and beside them, as NAME.npz, the draws that a later call compares with."""
    first = next(iter(found.values()))
    told = {
        title: {
            "model_id": one.model_id,
            "everything": one.everything,
            "strings a second": one.strings_a_second,
            "megabytes": one.megabytes,
            "scores": {key: asdict(score) for key, score in one.scores().items()},
            "less the first": {} if one is first else {k: asdict(s) for k, s in gains(one.drawn, first.drawn).items()},
        }
        for title, one in found.items()
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    draws: dict[str, Any] = {
        f"{one.model_id}\n{key}": values for one in found.values() for key, (values, _) in one.drawn.items()
    }
    np.savez_compressed(out.with_suffix(".npz"), asked=np.array(asked), **draws)
    out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def read_known(file: Path, asked: str | None = None) -> dict[str, Evaluated]:
    """What `save` saved, by title. Raises TrainingError where it is not to be read, or not of what is `asked`."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        with np.load(file.with_suffix(".npz"), allow_pickle=False) as draws:
            if asked and str(draws["asked"]) != asked:
                raise TrainingError(
                    f"{file} holds scores of another taxonomy, other judged strings or other --draws: they cannot "
                    "stand beside these. Run its models again."
                )
            return {
                title: Evaluated(
                    one["model_id"],
                    one["everything"],
                    one["strings a second"],
                    one["megabytes"],
                    {key: (draws[f"{one['model_id']}\n{key}"], score["n"]) for key, score in one["scores"].items()},
                )
                for title, one in told.items()
            }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, BadZipFile) as error:
        raise TrainingError(f"{file} and its .npz cannot be read as scores of this command ({error!r}).") from error


def show(console: Console, title: str, columns: dict[str, dict[str, Score]]) -> None:
    table = Table("", *columns, title=title)
    names = list(dict.fromkeys(name for of in columns.values() for name in of))
    for name in names:
        cells = (
            f"{s.value:.3f} [{s.low:.3f}, {s.high:.3f}]" if (s := of.get(name)) else "-" for of in columns.values()
        )
        table.add_row(name, *cells)
    console.print(table)


def _to_run(argument: str, known: dict[str, Evaluated]) -> tuple[str, ModelFiles | None]:
    """Its title, and its files unless its scores are known: of the same weights, or named by the title alone."""
    title, name = titled(argument)
    try:
        model = resolve_model(name)
    except ModelError:
        if title in known and title == name:
            return title, None
        raise
    return title, None if title in known and known[title].model_id == model.model_id else model


def main(
    taxonomy: Path,
    models: list[str] = typer.Argument(..., help="the first is what others are held to"),
    judged: Path = typer.Option(None, help="folder of the judged strings"),
    known: Path = typer.Option(None, help="scores of an earlier call, whose models are not run again"),
    out: Path = typer.Option(None, help="where the scores go, as JSON"),
    draws: int = typer.Option(DRAWS, help="of the bootstrap"),
    version: str = typer.Option(None, help="of the taxonomy, where the folder holds several"),
    language: str = typer.Option("en", help="of its labels"),
) -> None:
    """Print and save a table."""
    console = Console(width=max(100, 34 * (len(models) + 1)))
    with one_line_errors(console):
        concepts = read_checked(taxonomy, language, version)
        protocol, strings = Protocol(concepts), validation(judged) if judged else {}
        asked = digest(protocol, strings, draws)
        earlier = read_known(known, asked) if known else {}
        files = dict(_to_run(argument, earlier) for argument in models)
        if len(files) < len(models):
            raise TrainingError("two models have one title: name them TITLE=MODEL.")
        found = {
            title: evaluate(model, protocol, strings, draws) if model else earlier[title]
            for title, model in files.items()
        }
    for title, one in found.items():
        if one.everything:
            warn_of_everything(console, title)
    first = next(iter(found))
    show(console, f"{concepts.taxonomy.version} {language}, held-out", {t: one.scores() for t, one in found.items()})
    less = {title: gains(one.drawn, found[first].drawn) for title, one in found.items() if title != first}
    if less:
        show(console, f"less {first}", less)
    for title, one in found.items():
        when = "" if files[title] else " (in an earlier call)"
        console.print(f"{title}: {one.strings_a_second:.0f} strings/s{when}, {one.megabytes:.0f} MB")
    if out:
        save(out, found | {title: one for title, one in earlier.items() if title not in found}, asked)


if __name__ == "__main__":
    typer.run(main)
