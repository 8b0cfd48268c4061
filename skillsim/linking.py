"""Candidates to a decision: status, concept, reason. Cheap, so it is remade for all texts at once.

This first decision is plain: a weighted mean of the raw signals and two thresholds. It is not calibrated, so
`probability` is null and `calibrated` false. Precedence: the lexicon's entry of the very text, unless that is ambiguous
or several skills; a preferred label that only one concept holds (right 205 times in 207 on judged strings); then the
score. An alternative-label hit is a signal and no verdict (right 199 times in 257). A text that is an occupation's
label and no concept's is a job title, not a skill.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from skillsim.lexicon import NO_LEXICON
from skillsim.schemas import LINKS

DECIDER_VERSION = 1
TOP = 3
Top = Sequence[tuple[str, float | None]]  # concept URI and score, best first


@dataclass(frozen=True)
class Weights:
    """Of the plain score, a weighted mean of signals in 0..1; chosen as retrieval.FUSION was (training/LOG.md)."""

    cosine: float = 1.0
    preferred_cosine: float = 0.3
    ngram: float = 0.2
    occupations: float = 0.2  # log(1 + occupations) / log(1 + MANY_OCCUPATIONS), at most 1


MANY_OCCUPATIONS = 2_000


@dataclass(frozen=True)
class PlainDecider:
    """`matched` from `threshold`, `nil` below `nil_threshold`, `ambiguous` between them."""

    threshold: float
    nil_threshold: float
    weights: Weights = Weights()

    @property
    def decider_id(self) -> str:
        parts = [DECIDER_VERSION, self.threshold, self.nil_threshold]
        parts += [getattr(self.weights, field.name) for field in fields(self.weights)]
        return f"plain{DECIDER_VERSION}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]}"

    def score(self, candidates: pa.StructArray) -> npt.NDArray[np.float64]:
        """Score in 0..1 of each candidate (flat CANDIDATE structs)."""
        signal = {
            name: pc.struct_field(candidates, name).to_numpy(zero_copy_only=False).astype(np.float64)
            for name in ("cosine", "preferred_cosine", "ngram", "occupations")
        }
        signal["occupations"] = np.minimum(1.0, np.log1p(signal["occupations"]) / np.log1p(MANY_OCCUPATIONS))
        weight = {name: getattr(self.weights, name) for name in signal}
        total = sum(weight[name] * np.clip(signal[name], 0.0, 1.0) for name in signal)
        score = np.asarray(total / sum(weight.values()))
        score[_is_sole_preferred(candidates)] = 1.0
        return score


def _is_sole_preferred(candidates: pa.StructArray) -> npt.NDArray[np.bool_]:
    exact = pc.struct_field(candidates, "exact")
    sole = pc.and_(pc.equal(exact, "preferred"), pc.equal(pc.struct_field(candidates, "sharers"), 1))
    return pc.fill_null(sole, False).to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class ConceptNames:
    """Of every concept: label, group URI, group label."""

    of: Mapping[str, tuple[str, str | None, str | None]]

    @staticmethod
    def from_table(concepts: pa.Table) -> "ConceptNames":
        columns = ("concept_uri", "preferred_label", "group_uri", "group_label")
        rows = zip(*(concepts[name].to_pylist() for name in columns), strict=True)
        return ConceptNames({uri: (label, group, group_label) for uri, label, group, group_label in rows})


def decide(texts: pa.Table, decider: PlainDecider, names: ConceptNames, lexicon_id: str = NO_LEXICON) -> pa.Table:
    """One link a text.

    `texts`: text_key, candidates (list of CANDIDATE; null when the text has no vector), occupation_uri, failure
    (why it has no vector, else null), entry (lexicon.ENTRY of the lexicon of `lexicon_id`, else null; with concepts of
    `names` alone). Returns LINKS' columns but taxonomy_id, model_id, retrieval_id and run_id, in the order of `texts`.
    Ties break by concept_uri.
    """
    lists = texts["candidates"].combine_chunks()
    flat = lists.flatten()
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    score = decider.score(flat)
    uris = np.array(pc.struct_field(flat, "concept_uri").to_pylist(), dtype=object)
    text_of = np.repeat(np.arange(len(lengths)), lengths)
    sole_preferred = _is_sole_preferred(flat)
    order = np.lexsort((uris, ~sole_preferred, -score, text_of))
    is_label = pc.is_valid(pc.struct_field(flat, "exact")).to_numpy(zero_copy_only=False)

    occupations = texts["occupation_uri"].to_pylist()
    failures = texts["failure"].to_pylist()
    entries = texts["entry"].to_pylist()
    links = []
    for row, text_key in enumerate(texts["text_key"].to_pylist()):
        ranked = order[starts[row] : starts[row + 1]]
        top = [(uris[i], float(score[i])) for i in ranked[:TOP]]
        entry = entries[row]
        shown: Top = top
        if entry is not None and entry["decides"]:
            link, shown = _by_lexicon(entry), _first(entry["concepts"], top)
        else:
            link = _link(
                top,
                decider,
                preferred=bool(len(ranked) and sole_preferred[ranked[0]]),
                title=occupations[row] is not None and not is_label[ranked].any(),
                failure=failures[row],
            )
        kind = entry["kind"] if entry is not None else None
        links.append({"text_key": text_key, "kind": kind, **link, **_names(link["concept_uri"], shown, names)})
    constants = {
        "kind_probability": None,
        "probability": None,
        "calibrated": False,
        "decider_id": decider.decider_id,
        "lexicon_id": lexicon_id,
    }
    schema = pa.schema([f for f in LINKS.schema if f.name not in ("taxonomy_id", "model_id", "retrieval_id", "run_id")])
    return pa.Table.from_pylist([{**constants, **link} for link in links], schema=schema)


def _by_lexicon(entry: Mapping[str, Any]) -> dict[str, object]:
    if entry["concepts"]:
        return _decision("matched", "in the lexicon", "lexicon", entry["concepts"][0], None, None)
    if entry["kind"] == "skill":
        return _decision("nil", "no concept, by the lexicon", "lexicon", None, None, None)
    reason = "job title, by the lexicon" if entry["kind"] == "title" else "no skill, by the lexicon"
    return _decision("not_skill", reason, "lexicon", None, None, None)


def _first(concepts: Sequence[str], top: Top) -> Top:
    """The lexicon's concepts, which have no score, before the best of the others."""
    return [*((uri, None) for uri in concepts), *(found for found in top if found[0] not in concepts)][:TOP]


def _link(
    top: Sequence[tuple[str, float]], decider: PlainDecider, preferred: bool, title: bool, failure: str | None
) -> dict[str, object]:
    if not top:
        reason = f"not embedded: {failure}" if failure else "no candidates"
        return _decision("ambiguous", reason, "hybrid", None, None, None)
    uri, score = top[0]
    margin = score - top[1][1] if len(top) > 1 else score
    if preferred:
        return _decision("matched", "preferred label", "exact", uri, score, margin)
    if title:
        return _decision("not_skill", "job title", "exact", None, score, margin)
    if score >= decider.threshold:
        return _decision("matched", "score reaches the threshold", "hybrid", uri, score, margin)
    if score >= decider.nil_threshold:
        return _decision("ambiguous", "score below the threshold", "hybrid", None, score, margin)
    return _decision("nil", "no concept is near", "hybrid", None, score, margin)


def _decision(
    status: str, reason: str, method: str, uri: str | None, score: float | None, margin: float | None
) -> dict[str, object]:
    return {
        "status": status,
        "reason": reason,
        "method": method,
        "concept_uri": uri,
        "score": score,
        "margin": margin,
    }


def _names(uri: object, top: Top, names: ConceptNames) -> dict[str, object]:
    label, group_uri, group_label = names.of[str(uri)] if uri else (None, None, None)
    alternatives = [
        {"concept_uri": concept, "concept_label": names.of[concept][0], "score": score} for concept, score in top
    ]
    return {"concept_label": label, "group_uri": group_uri, "group_label": group_label, "top": alternatives}
