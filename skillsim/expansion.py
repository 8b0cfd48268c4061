"""A recruiter's query and what else it may be called: concepts, their labels, what is broader and narrower, spellings.

`expand` ranks concepts by the decision that links texts, so that a query means what the same words mean in a record.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from skillsim.esco import Taxonomy
from skillsim.normaliser import Normaliser
from skillsim.text import text_key


class Kind(StrEnum):
    """What a term is to the concept, the surest to find the same people first."""

    LABEL = "label"
    ALTERNATIVE = "alternative"
    SPELLING = "spelling"  # of a cluster of texts that are linked to the concept, or hold the query
    NARROWER = "narrower"
    BROADER = "broader"
    RELATED = "related"  # essential or optional to it, or it to them


@dataclass(frozen=True)
class Term:
    """`score`: of the concept for the query, 0..1; 1 of a spelling of the query's own cluster, which has no concept."""

    term: str
    kind: Kind
    concept_uri: str | None
    concept_label: str
    score: float


@dataclass(frozen=True)
class Expander:
    """`spellings`: by concept URI, and by text_key of what a cluster without a concept holds, most frequent first."""

    normaliser: Normaliser
    labels: Mapping[str, Sequence[tuple[str, str]]]  # by concept: (kind, label)
    narrower: Mapping[str, Sequence[str]]
    broader: Mapping[str, Sequence[str]]
    related: Mapping[str, Sequence[str]]
    names: Mapping[str, str]  # preferred labels of concepts and groups
    spellings: Mapping[str, Sequence[str]]

    @staticmethod
    def of(
        normaliser: Normaliser, taxonomy: Taxonomy, spellings: Mapping[str, Sequence[str]] | None = None
    ) -> "Expander":
        labels: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in taxonomy.labels.select(["concept_uri", "kind", "label"]).to_pylist():
            if row["kind"] != "hidden":
                labels[row["concept_uri"]].append((row["kind"], row["label"]))
        concepts = taxonomy.concepts.select(["concept_uri", "preferred_label"]).to_pylist()
        groups = taxonomy.groups.select(["group_uri", "label"]).to_pylist()
        names = {row["concept_uri"]: row["preferred_label"] for row in concepts}
        names |= {row["group_uri"]: row["label"] for row in groups}
        ways: dict[str, dict[str, list[str]]] = {name: defaultdict(list) for name in ("narrower", "broader", "related")}
        for row in taxonomy.relations.select(["subject_uri", "predicate", "object_uri"]).to_pylist():
            subject, target = row["subject_uri"], row["object_uri"]
            if row["predicate"] == "broader":
                ways["broader"][subject].append(target)
                ways["narrower"][target].append(subject)
            elif subject in labels and target in labels:
                ways["related"][subject].append(target)
                ways["related"][target].append(subject)
        return Expander(normaliser, labels, **ways, names=names, spellings=spellings or {})

    def expand(self, query: str, k: int = 3, each: int = 10) -> list[Term]:
        """Terms of the `k` concepts that the query most probably means, at most `each` of a kind, the best one first.

        A term stands once, by the first concept that has it; the query itself does not. None where it holds no skill.
        """
        link = self.normaliser.link_table([query]).to_pylist()[0]
        if link["text"] is None:
            return []
        own = [
            Term(spelling, Kind.SPELLING, None, "", 1.0) for spelling in self.spellings.get(text_key(link["text"]), ())
        ]
        found = own[:each]
        for uri, score in _meant(link)[:k]:
            found += self._terms(uri, score, each)
        seen, kept = {link["text"], query.casefold()}, []
        for term in found:
            if term.term.casefold() not in seen:
                seen.add(term.term.casefold())
                kept.append(term)
        return kept

    def concepts(self, query: str, k: int = 3) -> list[str]:
        """URIs of the concepts whose terms `expand` gives."""
        return [uri for uri, _ in _meant(self.normaliser.link_table([query]).to_pylist()[0])[:k]]

    def _terms(self, uri: str, score: float, each: int) -> Iterable[Term]:
        label = self.names[uri]
        named = {
            Kind.LABEL: [label],
            Kind.ALTERNATIVE: [name for kind, name in self.labels.get(uri, ()) if kind == "alternative"],
            Kind.SPELLING: self.spellings.get(uri, ()),
            Kind.NARROWER: [self.names[one] for one in self.narrower.get(uri, ())],
            Kind.BROADER: [self.names[one] for one in self.broader.get(uri, ())],
            Kind.RELATED: [self.names[one] for one in self.related.get(uri, ())],
        }
        return [Term(term, kind, uri, label, score) for kind, terms in named.items() for term in terms[:each]]


def _meant(link: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(concept, score) that a link may mean: what it is linked to, for certain, then by the decision."""
    ranked = [(one["concept_uri"], float(one["score"])) for one in link["candidates"] or ()]
    if link["status"] != "matched":
        return ranked
    linked = link["concept_uri"]
    return [(linked, 1.0), *((uri, score) for uri, score in ranked if uri != linked)]


def boolean_query(query: str, terms: Sequence[Term], least: float = 0.5, most: int = 30) -> str:
    """The query OR its terms, each in quotes, as job boards and search engines take it.

    Of concepts with a score of `least`, and of the query's own spellings. What is broader or related finds other
    people, and is left out.
    """
    kinds = {Kind.LABEL, Kind.ALTERNATIVE, Kind.SPELLING, Kind.NARROWER}
    chosen = [query, *(one.term for one in terms if one.kind in kinds and one.score >= least)]
    quoted = dict.fromkeys(" ".join(term.replace('"', " ").split()) for term in chosen)
    return " OR ".join(f'"{term}"' for term in list(quoted)[:most] if term)
