"""Ranking ESCO concepts for skill spans of job advertisements, beside two baselines in the same run.

The validation parts of House and Tech (jensjorisdecorte/Skill-Extraction-benchmark).
A span counts once, with all preferred labels that it was given anywhere; one that was given none is left out. acc@1:
the first concept is one of them; MRR: 1 / place of the first that is, 0 beyond DEPTH; RP@5: of the first five those
that are, over the lesser of five and their number (Decorte et al. 2022). Intervals are 95% bootstraps over spans,
differences paired.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.config import load_config
from skillsim.judged import answers_of
from skillsim.metrics import Score, bootstrap_weights
from skillsim.normaliser import Normaliser
from skillsim.text import parse_mention
from tests.benchmarks import RESULTS, SHARED, machine, require, save, show
from tests.benchmarks.linking_baselines import dense_baseline, ngram_baseline

SETS = ("house", "tech")
OURS = "skillsim"
DEPTH = 30
NONE = {"LABEL NOT PRESENT", "UNDERSPECIFIED", ""}

NAMES = ("preferred_label", "concept_uri")

Floats = npt.NDArray[np.float64]


def read_spans(path: Path, normaliser: Normaliser) -> pd.DataFrame:
    """(span, uris): distinct spans with the concepts that have their labels as preferred ones."""
    rows = pd.read_csv(path, keep_default_na=False, dtype=str)
    rows["span"] = rows["sub_span"].where(rows["sub_span"] != "", rows["span"]).str.strip()
    concepts = normaliser.index.concepts
    uri_of = {label.casefold(): uri for label, uri in zip(*(concepts[c].to_pylist() for c in NAMES), strict=True)}
    rows = rows[~rows["label"].isin(NONE)]
    unknown = sorted(set(rows["label"]) - {label for label in rows["label"] if label.casefold() in uri_of})
    if unknown:
        print(f"{path.name}: no concept is called {', '.join(unknown)}: left out", file=sys.stderr)
    rows = rows.assign(uri=rows["label"].str.casefold().map(uri_of)).dropna(subset="uri")
    return (
        rows.groupby(rows["span"].str.casefold())["uri"].agg(frozenset).rename("uris").rename_axis("span").reset_index()
    )


NAMES = ("preferred_label", "concept_uri")


def ranks(ranked: list[list[str]], uris: pd.Series) -> dict[str, Floats]:
    """Each measure of each span."""
    first = [
        next((place for place, uri in enumerate(found[:DEPTH], 1) if uri in right), 0)
        for found, right in zip(ranked, uris, strict=True)
    ]
    place = np.array(first, dtype=float)
    hits = [len(set(found[:5]) & right) / min(5, len(right)) for found, right in zip(ranked, uris, strict=True)]
    reciprocal = np.divide(1.0, place, out=np.zeros(len(place)), where=place > 0)
    return {"acc@1": (place == 1).astype(float), "MRR": reciprocal, "RP@5": np.array(hits)}


def mean(values: Floats, weights: npt.NDArray[np.int64]) -> Score:
    return Score.of((weights @ values) / weights.sum(axis=1), len(values))


def systems_of(normaliser: Normaliser, spans: list[str]) -> dict[str, list[list[str]]]:
    texts = [parse_mention(span).text or span.casefold() for span in spans]
    answers = {
        OURS: answers_of(normaliser.link(spans), DEPTH),
        "skillsim, these strings not in its lexicon": answers_of(normaliser.without(spans).link(spans), DEPTH),
        "char TF-IDF (2-4)": ngram_baseline(normaliser, texts, DEPTH),
        "encoder's cosine": dense_baseline(normaliser, texts, DEPTH),
    }
    return {name: _first_its_top(answer.top, answer.candidates) for name, answer in answers.items()}


def _first_its_top(top: list[str | None], candidates: list[list[str]]) -> list[list[str]]:
    """What is matched, by the lexicon too, stands first."""
    return [
        [*([one] if one else []), *(uri for uri in found if uri != one)]
        for one, found in zip(top, candidates, strict=True)
    ]


def main(
    shared: Path = SHARED,
    version: str = "1.1.1",
    settings: Annotated[list[str] | None, typer.Option("--set", help="section.key=value; repeatable")] = None,
    result: Path = RESULTS / "spans.json",
) -> None:
    """Measure, print and save."""
    files = {name: shared / "gold" / f"{name}_validation_annotations.csv" for name in SETS}
    require(*files.values(), shared / "esco")
    config = load_config(None, settings or [])
    normaliser = Normaliser.from_esco(shared / "esco", config.encoder.model, version, config=config)
    console = Console(width=None if sys.stdout.isatty() else 120)
    facts: dict[str, Any] = {"machine": machine(), "decider_id": normaliser.decider.decider_id}
    for name, path in files.items():
        spans = read_spans(path, normaliser)
        weights = bootstrap_weights(len(spans))
        measured = {
            system: ranks(ranked, spans["uris"])
            for system, ranked in systems_of(normaliser, spans["span"].tolist()).items()
        }
        rows = []
        for system, values in measured.items():
            cells = [mean(one, weights) for one in values.values()]
            gains = [mean(measured[OURS][measure] - values[measure], weights) for measure in values]
            rows.append([system, *map(_cell, cells)])
            if system != OURS:
                rows.append(["  skillsim less it", *map(_cell, gains)])
            facts[f"{name}, {system}"] = {m: vars(cell) for m, cell in zip(values, cells, strict=True)}
        show(console, f"{name}, {len(spans)} spans", ["system [95%]", *measured[OURS]], rows)
    save(result, facts)


def _cell(score: Score) -> str:
    return (
        f"{score.value:+.3f} [{score.low:+.2f}, {score.high:+.2f}]"
        if score.low < 0
        else (f"{score.value:.3f} [{score.low:.2f}, {score.high:.2f}]")
    )


if __name__ == "__main__":
    typer.run(main)
