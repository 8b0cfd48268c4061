"""What decided a link, and what makes two texts one skill, in words that a curator reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from skillsim.pairing import Pairing, form, initials_side

_SHOWN = 3


def in_words(link: Mapping[str, Any]) -> str:
    """One sentence of a row of `links`, or of what `Normaliser.link` gives: method, status, reason, top, ..."""
    method, status, label = link["method"], link["status"], link["concept_label"]
    if status == "rejected":
        return f"Rejected by the text rules: {link['reason']}."
    if method in ("override", "lexicon"):
        who = "A curator decided" if method == "override" else "The skill lexicon holds this very text"
        return f"{who}: {label or _without_concept(link)}."
    if method == "exact":
        if status == "matched":
            return f"It is the preferred label of {label}, and of no other concept."
        return "It is the label of an occupation and of no concept: a job title."
    top = [one for one in link["top"] or () if one["score"] is not None]
    if not top:
        return f"Undecided: {link['reason']}."
    if status == "matched":
        others = f", before {_listed(top[1:])}" if len(top) > 1 else ""
        return f"Most likely {label} ({_confidence(top[0], link)}){others}."
    if status == "ambiguous":
        group = f" The group {link['group_label']} is likely enough." if link.get("group_uri") else ""
        return f"Undecided between {_listed(top)}.{group}"
    if status == "not_skill":
        return f"It reads like a {'job title' if 'job title' in link['reason'] else 'text that is no skill'}."
    return f"No concept is likely: the best is {_listed(top[:1])}."


def _without_concept(link: Mapping[str, Any]) -> str:
    if link["status"] == "nil":
        return "a skill without a concept"
    return "a job title" if "job title" in link["reason"] else "no skill"


def _confidence(one: Mapping[str, Any], link: Mapping[str, Any]) -> str:
    return f"probability {one['score']:.2f}" if link.get("probability") is not None else f"score {one['score']:.2f}"


def _listed(top: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['concept_label']} ({one['score']:.2f})" for one in top)


def evidence(candidate: Mapping[str, Any], concept_label: str, text: str) -> str:
    """One line of a candidate that `Normaliser.link` lists: what makes it one."""
    if candidate["exact"]:
        shared = f", which {candidate['sharers']} concepts have" if candidate["sharers"] > 1 else ""
        hit = f"{text!r} is its {candidate['exact']} label{shared}"
    elif candidate["cosine"] is not None:
        hit = f"its label {candidate['label']!r} is near (cosine {candidate['cosine']:.2f})"
    else:
        hit = "judged strings near the text have it"
    return f"{candidate['score']:.2f} {concept_label}: {hit}"


def remembered(neighbours: Sequence[tuple[str, str, float]]) -> str:
    """One line of the judged strings that voted: (string, what it was judged to be, cosine) of each."""
    shown = ", ".join(f"{string!r} = {judged} ({cosine:.2f})" for string, judged, cosine in neighbours[:_SHOWN])
    return f"judged strings near it: {shown}"


def why_one_skill(text: str, leader: str) -> str:
    """In what a text differs from another one of its skill, both cleaned."""
    one, other = form(text), form(leader)
    if one.compact == other.compact:
        return "the same letters"
    if initials_side(one, other) is not None:
        return "the initials"
    pairing = Pairing.of(one, other)
    ours = " ".join(one.words[place] for place in sorted(pairing.left))
    theirs = " ".join(other.words[place] for place in sorted(pairing.right))
    found = [name for name, is_so in (("misspelt", pairing.typos), ("shortened", pairing.short_forms)) if is_so]
    if ours and theirs:
        found.append(f"{ours} for {theirs}")
    elif ours or theirs:
        found.append(f"with {ours}" if ours else f"without {theirs}")
    return ", ".join(found) or "the same words"
