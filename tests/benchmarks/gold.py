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
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from sklearn.feature_extraction.text import TfidfVectorizer

from skillsim.config import load_config
from skillsim.esco import find_bundle
from skillsim.metrics import (
    ABSTAINED,
    Outcomes,
    Score,
    bootstrap_weights,
    linking_scores,
    paired_difference,
)
from skillsim.normaliser import Normaliser
from skillsim.retrieval import retrieval_id
from skillsim.text import parse_mention, text_key
from tests.benchmarks import RESULTS, SHARED, machine, require, save, show

DEV = "skill2vec_gold_dev.csv"
OURS = "skillsim"
# Four decimals are the project's "same score"; noise below that must not order the baselines' exact hits.
DECIMALS = 4
_BLOCK = 256


@dataclass(frozen=True)
class Answers:
    """A system's answer to n strings. `matched` is None for a system without a threshold of its own."""

    top: list[str | None]
    candidates: list[list[str]]
    confidence: npt.NDArray[np.float64]
    matched: npt.NDArray[np.bool_] | None


def read_gold(path: Path, strata: list[str]) -> pd.DataFrame:
    """The judged strings but the disputed ones; `exact` and `accepted` are sets of URIs."""
    gold = pd.read_csv(path, keep_default_na=False, dtype=str)
    if unknown := set(strata) - set(gold["stratum"]):
        raise typer.BadParameter(f"no stratum {', '.join(sorted(unknown))} in {path.name}", param_hint="--stratum")
    gold = gold[(gold["status"] != "disputed") & (gold["stratum"].isin(strata) | (not strata))].reset_index(drop=True)
    gold["exact"] = gold["exact_uris"].map(lambda uris: frozenset(uris.split()))
    both = gold["exact_uris"] + " " + gold["broad_uris"]
    gold["accepted"] = both.map(lambda uris: frozenset(uris.split()))
    return gold


def ours(links: pd.DataFrame) -> Answers:
    """From `Normaliser.link`: the concept it gives, else the best it found whatever the status."""
    top = []
    for concept, ranked in zip(links["concept_uri"], links["top"], strict=True):
        found = ranked is not None and len(ranked) > 0
        top.append(concept or (ranked[0]["concept_uri"] if found else None))
    candidates = [[c["concept_uri"] for c in found] if found is not None else [] for found in links["candidates"]]
    confidence = links[confidence_column(links)].astype(float).round(DECIMALS).fillna(ABSTAINED).to_numpy(copy=True)
    confidence[links["status"].isin(["not_skill", "rejected"])] = ABSTAINED
    return Answers(top, candidates, confidence, (links["status"] == "matched").to_numpy())


def confidence_column(links: pd.DataFrame) -> str:
    """The probability when every scored link has one, else the score; never a ranking of both."""
    return "probability" if links.loc[links["score"].notna(), "probability"].notna().all() else "score"


def ngram_baseline(normaliser: Normaliser, texts: list[str], top_k: int) -> Answers:
    """Cosine of TF-IDF over 2- to 4-grams of characters to preferred and alternative labels.

    Inside word boundaries and with sublinear counts: within 0.3 points of the best of ten variants (train).
    """
    labels = normaliser.index.labels.to_pandas()
    labels = labels[labels["kind"] != "hidden"]
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32)
    matrix = vectorizer.fit_transform(labels["text"]).T.tocsr()
    queries = vectorizer.transform(texts)
    blocks = ((queries[i : i + _BLOCK] @ matrix).toarray() for i in range(0, len(texts), _BLOCK))
    return nearest(normaliser, blocks, labels["concept"].to_numpy(), top_k)


def dense_baseline(normaliser: Normaliser, texts: list[str], top_k: int) -> Answers:
    """Cosine of the system's own encoder to every label."""
    matrix = normaliser.index.matrix
    vectors = normaliser.encoder.encode(texts).vectors.astype(np.float32)
    lengths = np.linalg.norm(matrix, axis=1)  # float16 storage leaves them 1e-4 off 1
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    blocks = (vectors[i : i + _BLOCK] @ matrix.T / lengths for i in range(0, len(texts), _BLOCK))
    return nearest(normaliser, blocks, normaliser.index.labels["concept"].to_numpy(), top_k)


def nearest(
    normaliser: Normaliser,
    blocks: Iterable[npt.NDArray[np.float32]],
    concept_of_label: npt.NDArray[np.int32],
    top_k: int,
) -> Answers:
    """The concepts of the nearest labels, from (texts, labels) blocks; ties in URI order, as concepts are."""
    starts = np.flatnonzero(np.diff(concept_of_label, prepend=-1))
    uris = np.array(normaliser.index.concepts["concept_uri"].to_pylist(), dtype=object)[concept_of_label[starts]]
    candidates: list[list[str]] = []
    confidence: list[float] = []
    for block in blocks:
        best = np.maximum.reduceat(block, starts, axis=1).round(DECIMALS)
        ranked = np.argsort(-best, axis=1, kind="stable")[:, :top_k]
        candidates += uris[ranked].tolist()
        confidence += best[np.arange(len(best)), ranked[:, 0]].astype(float).round(DECIMALS).tolist()
    return Answers([found[0] for found in candidates], candidates, np.array(confidence), None)


def outcomes(gold: pd.DataFrame, answers: Answers) -> Outcomes:
    """Answers held against the judgements."""
    accepted, exact = gold["accepted"], gold["exact"]
    linked = (gold["status"] == "linked").to_numpy()
    matched = answers.matched if answers.matched is not None else np.ones(len(gold), dtype=bool)
    return Outcomes(
        linked=linked,
        has_exact=linked & np.array([bool(uris) for uris in exact], dtype=bool),
        top_accepted=np.array([top in uris for top, uris in zip(answers.top, accepted, strict=True)], dtype=bool),
        top_exact=np.array([top in uris for top, uris in zip(answers.top, exact, strict=True)], dtype=bool),
        candidate_accepted=np.array(
            [not uris.isdisjoint(found) for found, uris in zip(answers.candidates, accepted, strict=True)],
            dtype=bool,
        ),
        confidence=answers.confidence,
        matched=matched,
        title=(gold["kind"] == "title").to_numpy(),
        junk=(gold["kind"] == "junk").to_numpy(),
    )


def scores_of(
    gold: pd.DataFrame, systems: dict[str, Answers]
) -> tuple[dict[str, dict[str, dict[str, Score]]], dict[str, dict[str, Score]]]:
    """(scores by stratum, system and name; ours minus each baseline in acc@1 by stratum and baseline)."""
    scores: dict[str, dict[str, dict[str, Score]]] = {}
    gains: dict[str, dict[str, Score]] = {}
    for stratum in ["all", *sorted(set(gold["stratum"]))]:
        rows = (gold["stratum"] == stratum).to_numpy() | (stratum == "all")
        weights = bootstrap_weights(int(rows.sum()))
        found = {name: outcomes(gold, answers).take(rows) for name, answers in systems.items()}
        scores[stratum] = {name: linking_scores(of_system, weights) for name, of_system in found.items()}
        for name in scores[stratum]:
            if systems[name].matched is None:
                for own_threshold in ("precision", "recall", "titles linked", "junk linked"):
                    del scores[stratum][name][own_threshold]
        gains[stratum] = {
            name: paired_difference(found[OURS].top_accepted, baseline.top_accepted, baseline.linked, weights)
            for name, baseline in found.items()
            if name != OURS
        }
    return scores, gains


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
    judged = set(read_gold(dev, [])["raw"].map(key)) if dev.exists() else set()
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
    out: Path = typer.Option(RESULTS / "gold.json", help="where the scores go, as JSON"),
    errors: Path = typer.Option(None, help="write a row a string to this CSV; refused for the dev gold"),
) -> None:
    """Score linking on judged strings, overall and by stratum."""
    dev = shared / "gold" / DEV
    path, bundle_path = file or dev, taxonomy or shared / "esco"
    require(path, bundle_path)
    gold = read_gold(path, stratum)
    if errors:
        refuse_errors_of_dev(path, gold, dev)
    config = load_config(None, settings)
    started = time.perf_counter()
    normaliser = Normaliser.from_esco(bundle_path, config.encoder.model, version, config=config)
    # As if they had not been judged: no string is scored by its own entry of the lexicon.
    keys = [text_key(key(raw)) for raw in gold["raw"]]
    normaliser = replace(normaliser, lexicon=normaliser.lexicon.without(keys))
    links = normaliser.link(gold["raw"].tolist())
    texts = [text or raw.casefold() for text, raw in zip(links["text"], gold["raw"], strict=True)]
    systems = {
        OURS: ours(links),
        "char TF-IDF (2-4)": ngram_baseline(normaliser, texts, normaliser.top_k),
        "encoder's cosine": dense_baseline(normaliser, texts, normaliser.top_k),
    }
    scores, gains = scores_of(gold, systems)
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
        "seconds": round(time.perf_counter() - started, 1),
        **machine(),
    }
    report(facts, scores, gains)
    as_json = {
        "facts": facts,
        "scores": {s: {n: {k: asdict(v) for k, v in of.items()} for n, of in by.items()} for s, by in scores.items()},
        "acc@1 gain": {s: {name: asdict(gain) for name, gain in by.items()} for s, by in gains.items()},
    }
    save(out, as_json)
    if errors:
        write_errors(errors, gold, links, systems[OURS], dev)


def report(
    facts: dict[str, object],
    scores: dict[str, dict[str, dict[str, Score]]],
    gains: dict[str, dict[str, Score]],
) -> None:
    """Print what was measured, under which ids."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    for stratum, by_system in scores.items():
        names = list(by_system)
        rows = [
            [name, *(cell(by_system[system].get(name), name.endswith(" linked")) for system in names)]
            for name in by_system[OURS]
        ]
        rows.append(["acc@1, ours minus it", *(cell(gains[stratum].get(system)) for system in names)])
        show(console, f"{facts['file']}, {stratum}", ["score [95%]", *names], rows)
    for name, value in facts.items():
        console.print(f"{name}: {value}", highlight=False)


if __name__ == "__main__":
    typer.run(main)
