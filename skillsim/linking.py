"""Judged candidates to a decision: status, concept, reason. No model runs for it.

Precedence: a curator's override; the lexicon's entry of the very text, unless that is ambiguous or several skills; a
preferred label that only one concept holds (right 205 times in 207 on judged strings); then the decider's confidence
(skillsim.decider). An alternative-label hit is a signal and no verdict (right 199 times in 257). A text that is an
occupation's label and no concept's is a job title, not a skill.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skillsim.decider import Decider, Judgement, Rule
from skillsim.lexicon import NO_LEXICON
from skillsim.memory import Memory
from skillsim.retrieval import LabelIndex
from skillsim.schemas import LINKS

TOP = 3
OF_THE_RUN = ("taxonomy_id", "model_id", "retrieval_id", "overrides_id", "run_id")
SCHEMA = pa.schema([field for field in LINKS.schema if field.name not in OF_THE_RUN])
Group = tuple[str | None, str | None, float | None]  # URI, label, probability
NO_GROUP = (None, None, None)
_OF_GROUP = ("group_uri", "group_label", "group_probability")
Top = Sequence[tuple[str, float | None]]  # concept URI and confidence, best first
# From which the likeliest kind, title or junk, ends as not_skill (training/LOG.md).
NOT_SKILL = 0.6
_NO_SKILL = {"title": "job title", "junk": "no skill"}


@dataclass(frozen=True)
class ConceptNames:
    """Of every concept: label, group URI, group label."""

    of: Mapping[str, tuple[str, str | None, str | None]]

    @staticmethod
    def from_table(concepts: pa.Table) -> "ConceptNames":
        columns = ("concept_uri", "preferred_label", "group_uri", "group_label")
        rows = zip(*(concepts[name].to_pylist() for name in columns), strict=True)
        return ConceptNames({uri: (label, group, group_label) for uri, label, group, group_label in rows})


def decide(
    texts: pa.Table,
    decider: Decider,
    names: ConceptNames,
    lexicon_id: str = NO_LEXICON,
    index: LabelIndex | None = None,
    memory: Memory | None = None,
) -> pa.Table:
    """One link a text.

    `texts`: text_key, candidates (list of CANDIDATE; null when the text has no vector), occupation_uri, failure
    (why it has no vector, else null), override (overrides.OVERRIDE or null) and entry (lexicon.ENTRY of the lexicon of
    `lexicon_id`, else null), both with concepts of `names` alone; for a fitted decider, which needs `index` and
    `memory`, text and vector too. Returns LINKS' columns but those of the run (OF_THE_RUN), in the order of `texts`.
    Ties break by concept_uri.
    """
    return links_of(texts, decider.judge(texts, index, memory), decider, names, lexicon_id)


def best_first(judgement: Judgement, texts: int) -> list[npt.NDArray[np.int64]]:
    """Of each text, its pairs: a sole preferred label, then by confidence, ties by URI."""
    order = np.lexsort((-judgement.confidence, ~judgement.sole_preferred, judgement.text))  # stable, and by URI already
    starts = np.searchsorted(judgement.text, np.arange(texts + 1))
    return [order[starts[row] : starts[row + 1]] for row in range(texts)]


def links_of(
    texts: pa.Table, judgement: Judgement, rule: Rule, names: ConceptNames, lexicon_id: str = NO_LEXICON
) -> pa.Table:
    """As `decide`, of texts that are judged already."""
    ranked = best_first(judgement, texts.num_rows)
    occupations = texts["occupation_uri"].to_pylist()
    failures = texts["failure"].to_pylist()
    entries, overrides = texts["entry"].to_pylist(), texts["override"].to_pylist()
    links = []
    for row, text_key in enumerate(texts["text_key"].to_pylist()):
        pairs = ranked[row]
        top = [(judgement.uri[i], float(judgement.confidence[i])) for i in pairs[:TOP]]
        entry, override = entries[row], overrides[row]
        shown: Top = top
        group: Group = NO_GROUP
        kind, kind_probability = judgement.kind[row], float(judgement.kind_probability[row])
        if override is not None:
            link = _by_override(override)
            shown = _first([override["concept_uri"]] if override["concept_uri"] else [], top)
        elif entry is not None and entry["decides"]:
            link, shown = _by_lexicon(entry), _first(entry["concepts"], top)
        else:
            link = _link(
                top,
                rule,
                preferred=bool(len(pairs) and judgement.sole_preferred[pairs].any()),
                title=occupations[row] is not None and not judgement.is_label[pairs].any(),
                kind=kind if entry is None and kind_probability >= NOT_SKILL else None,
                failure=failures[row],
            )
            if judgement.calibrated and link["status"] in ("matched", "ambiguous"):
                group = _group(link, judgement, pairs, names, rule.threshold)
        if override is not None or entry is not None:
            kind, kind_probability = entry["kind"] if override is None else None, np.nan
        score = link["score"]
        links.append(
            {
                "text_key": text_key,
                "kind": kind,
                "kind_probability": None if np.isnan(kind_probability) else kind_probability,
                "probability": score if judgement.calibrated else None,
                "calibrated": judgement.calibrated and score is not None,
                **link,
                **_names(link["concept_uri"], shown, names),
                **({} if group is NO_GROUP else dict(zip(_OF_GROUP, group, strict=True))),
            }
        )
    constants = {"decider_id": rule.decider_id, "lexicon_id": lexicon_id}
    return pa.Table.from_pylist([{**constants, **link} for link in links], schema=SCHEMA)


def _group(
    link: Mapping[str, object],
    judgement: Judgement,
    pairs: npt.NDArray[np.int64],
    names: ConceptNames,
    threshold: float,
) -> Group:
    """The matched concept's group with its probability; of an ambiguous text the likeliest, if likely enough."""
    total: dict[str, float] = {}
    label: dict[str, str | None] = {}
    for pair in pairs:
        _, uri, name = names.of[judgement.uri[pair]]
        if uri is not None:
            total[uri] = total.get(uri, 0.0) + float(judgement.confidence[pair])
            label[uri] = name
    if link["concept_uri"] is not None:
        uri = names.of[str(link["concept_uri"])][1]
    else:
        uri = min(total, key=lambda one: (-total[one], one), default=None)
        if uri is not None and total[uri] < threshold:
            uri = None
    return NO_GROUP if uri is None else (uri, label[uri], min(total[uri], 1.0))


def _by_override(override: Mapping[str, Any]) -> dict[str, object]:
    status = {"concept": "matched", "nil": "nil", "not_skill": "not_skill"}[override["verdict"]]
    return _decision(status, "decided by a curator", "override", override["concept_uri"], None, None)


def _by_lexicon(entry: Mapping[str, Any]) -> dict[str, object]:
    if entry["concepts"]:
        return _decision("matched", "in the lexicon", "lexicon", entry["concepts"][0], None, None)
    if entry["kind"] == "skill":
        return _decision("nil", "no concept, by the lexicon", "lexicon", None, None, None)
    return _decision("not_skill", f"{_NO_SKILL[entry['kind']]}, by the lexicon", "lexicon", None, None, None)


def _first(concepts: Sequence[str], top: Top) -> Top:
    """The lexicon's concepts, which have no score, before the best of the others."""
    return [*((uri, None) for uri in concepts), *(found for found in top if found[0] not in concepts)][:TOP]


def _link(
    top: Sequence[tuple[str, float]],
    rule: Rule,
    preferred: bool,
    title: bool,
    kind: str | None,
    failure: str | None,
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
    measure = "probability" if rule.calibrated else "score"
    if score >= rule.threshold:
        return _decision("matched", f"{measure} reaches the threshold", "hybrid", uri, score, margin)
    if kind in _NO_SKILL:
        return _decision("not_skill", f"{_NO_SKILL[kind]}, by the model", "hybrid", None, score, margin)
    if score >= rule.nil_threshold:
        return _decision("ambiguous", f"{measure} below the threshold", "hybrid", None, score, margin)
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
    # A concept none of whose labels has a vector may be the lexicon's or a curator's.
    label, group_uri, group_label = names.of.get(str(uri), NO_GROUP) if uri else (None, None, None)
    alternatives = [
        {"concept_uri": concept, "concept_label": names.of.get(concept, NO_GROUP)[0], "score": score}
        for concept, score in top
    ]
    return {
        "concept_label": label,
        "group_uri": group_uri,
        "group_label": group_label,
        "group_probability": None,
        "top": alternatives,
    }
