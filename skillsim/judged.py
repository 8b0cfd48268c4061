"""Judged strings, and a linking system's answers held against them.

A judged string has a row of `raw`, `kind` (skill, title, junk, multi), `status` (linked, nil; a disputed one is left
out), `exact_uris` and `broad_uris` (separated by spaces), and perhaps `stratum`, the part it was drawn for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skillsim.errors import JudgedError
from skillsim.lexicon import KINDS
from skillsim.metrics import ABSTAINED, Outcomes

COLUMNS = ("raw", "kind", "status", "exact_uris", "broad_uris")
STATUSES = ("linked", "nil", "disputed")
# Four decimals are the project's "same score"; noise below that must not order a baseline's exact hits.
DECIMALS = 4


@dataclass(frozen=True)
class Answers:
    """A system's answer to n strings. `matched` is None for a system without a threshold of its own."""

    top: list[str | None]
    candidates: list[list[str]]
    confidence: npt.NDArray[np.float64]
    matched: npt.NDArray[np.bool_] | None


def read_judged_strings(path: Path, strata: Sequence[str] = ()) -> pd.DataFrame:
    """All but the disputed; `exact` and `accepted` are sets of URIs. Raises JudgedError that names column and row."""
    try:
        rows = pd.read_csv(path, keep_default_na=False, dtype=str)
    except (OSError, ValueError) as problem:
        raise JudgedError(f"{path} cannot be read as CSV in UTF-8: {problem}.") from problem
    if lacking := [column for column in COLUMNS if column not in rows.columns]:
        raise JudgedError(f"{path}: no column {', '.join(lacking)}. It needs {', '.join(COLUMNS)}.")
    rows = rows.assign(stratum=rows.get("stratum", "all"))
    both = rows["exact_uris"] + " " + rows["broad_uris"]
    rows["exact"], rows["accepted"] = (
        of.map(lambda uris: frozenset(uris.split())) for of in (rows["exact_uris"], both)
    )
    for number, row in enumerate(rows.to_dict("records"), start=2):
        if row["status"] not in STATUSES:
            raise JudgedError(f"{path}, row {number}: status {row['status']!r} is none of {', '.join(STATUSES)}.")
        if unknown := set(row["kind"].split("/")) - set(KINDS):
            raise JudgedError(f"{path}, row {number}: kind {unknown.pop()!r} is none of {', '.join(KINDS)}.")
        if bool(row["accepted"]) != (row["status"] == "linked") and row["status"] != "disputed":
            raise JudgedError(f"{path}, row {number}: {row['status']}, and {len(row['accepted'])} concepts: mend one.")
    if unknown := set(strata) - set(rows["stratum"]):
        raise JudgedError(f"{path}: no stratum {', '.join(sorted(unknown))}.")
    kept = (rows["status"] != "disputed") & (rows["stratum"].isin(list(strata)) | (not strata))
    return rows[kept].reset_index(drop=True)


def answers_of(links: pd.DataFrame, top_k: int) -> Answers:
    """From `Normaliser.link`: the concept it gives, else the best it found whatever the status; `top_k` candidates."""
    top = []
    for concept, ranked in zip(links["concept_uri"], links["top"], strict=True):
        found = ranked is not None and len(ranked) > 0
        top.append(concept or (ranked[0]["concept_uri"] if found else None))
    candidates = [
        [candidate["concept_uri"] for candidate in found[:top_k]] if found is not None else []
        for found in links["candidates"]
    ]
    shown = links[confidence_column(links)].astype(float).round(DECIMALS).fillna(ABSTAINED)
    confidence = np.array(shown, dtype=np.float64)
    confidence[links["status"].isin(["not_skill", "rejected"])] = ABSTAINED
    return Answers(top, candidates, confidence, (links["status"] == "matched").to_numpy())


def confidence_column(links: pd.DataFrame) -> str:
    """The probability when every scored link has one, else the score; never a ranking of both."""
    return "probability" if links.loc[links["score"].notna(), "probability"].notna().all() else "score"


def outcomes(judged: pd.DataFrame, answers: Answers) -> Outcomes:
    """Answers held against the judgements."""
    accepted, exact = judged["accepted"], judged["exact"]
    linked = (judged["status"] == "linked").to_numpy()
    matched = answers.matched if answers.matched is not None else np.ones(len(judged), dtype=bool)
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
        title=(judged["kind"] == "title").to_numpy(),
        junk=(judged["kind"] == "junk").to_numpy(),
    )
