"""What an encoder learns from: pairs of texts, by the kinds that a recipe's sources name.

| pairs | of |
|---|---|
| labels | a label of a concept that is not preferred; its preferred label or another |
| seed | alternative and preferred label 1; alternative label and one of a random or a sibling concept 0 |
| graded | two labels of one concept 1, of related concepts .6, of siblings .4, of any two 0 |
| occupations | an occupation's title; the preferred label of one of its skills |
| descriptions | a concept's description; its preferred label |
| judged | a judged string or its meaning; the label of its concept or another string of it, else its meaning |
| github_aliases | a technology's name; an alias of it |
| onet_products | a product's name; what kind of software it is |
| skillskape | a synthetic sentence of a job advertisement; a skill in it |

Labels, judged strings and what noise makes of them are cleaned as the job cleans them; other texts are case-folded. A
row of an anchor and a positive also has `answers`, all texts that are right for its anchor: none of them may stand in
its batch as another row's (training.batches). All draws follow from the recipe's seed.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd

from skillsim.encoder import Encoder, vectors_of
from skillsim.errors import TrainingError
from skillsim.text import parse_mention
from training.noise import noisy
from training.recipe import GRADED, Pairs, Source
from training.splits.held_out import Concepts, is_held_out

_ESCO = "ESCO, CC BY 4.0"
LICENCES: dict[Pairs, str] = {
    "labels": _ESCO,
    "seed": _ESCO,
    "graded": _ESCO,
    "occupations": _ESCO,
    "descriptions": _ESCO,
    "judged": "ours, Apache-2.0",
    "github_aliases": "github/explore, CC BY 4.0",
    "onet_products": "O*NET (US Department of Labor), CC BY 4.0",
    "skillskape": "JobSkape, MIT",
}
RELATED, SIBLING = 0.6, 0.4
NEAR = 10  # concepts a hard negative is drawn from
_FIRST_WORDS = 30  # of a description or a sentence

Row = tuple[str, str, tuple[str, ...], str]  # anchor, positive, answers, the anchor's concept or ""


@dataclass(frozen=True)
class Material:
    """What may be learnt from. `judged`: the allowed judged strings (training.judged); `extra`: folder of the other
    sources, None where there is none; `everything`: held-out concepts and occupations too."""

    concepts: Concepts
    judged: pd.DataFrame
    extra: Path | None = None
    everything: bool = False
    encoder: Encoder | None = field(default=None, repr=False)  # mines hard negatives

    def allows(self, uri: str) -> bool:
        return self.everything or not is_held_out(uri)

    @cached_property
    def kept_back(self) -> frozenset[str]:
        """Texts of held-out concepts."""
        every = self.concepts.labels
        return frozenset(text for uri, texts in every.items() if not self.allows(uri) for text in texts)

    @cached_property
    def labels(self) -> dict[str, list[str]]:
        """Of each concept to learn from, in order; without texts that a held-out concept has too."""
        every, kept_back = self.concepts.labels, self.kept_back
        found = {uri: [t for t in every[uri] if t not in kept_back] for uri in sorted(every) if self.allows(uri)}
        return {uri: texts for uri, texts in found.items() if texts}

    @cached_property
    def uris(self) -> list[str]:
        return list(self.labels)

    @cached_property
    def near(self) -> dict[str, list[str]]:
        """Of each concept, the NEAR concepts nearest by preferred label that share no label with it."""
        vectors = self._preferred
        found = {}
        for start in range(0, len(self.uris), 1_000):
            block = vectors[start : start + 1_000] @ vectors.T
            best = np.argsort(-block, axis=1, kind="stable")[:, : 3 * NEAR]
            for row, others in enumerate(best, start=start):
                own = set(self.labels[self.uris[row]])
                unlike = (self.uris[o] for o in others if o != row and own.isdisjoint(self.labels[self.uris[o]]))
                found[self.uris[row]] = list(islice(unlike, NEAR))
        return found

    @cached_property
    def nil_near(self) -> dict[str, list[str]]:
        """Of each concept, strings judged to have no concept that are nearest to it by preferred label."""
        nil = self.judged.loc[(self.judged["status"] == "nil") & (self.judged["kind"] == "skill"), "text"].tolist()
        if not nil:
            return {}
        nearest = (self._embed(nil) @ self._preferred.T).argmax(axis=1)
        found: dict[str, list[str]] = {}
        for text, row in zip(nil, nearest.tolist(), strict=True):
            found.setdefault(self.uris[row], []).append(text)
        return found

    @cached_property
    def _preferred(self) -> np.ndarray:
        return self._embed([texts[0] for texts in self.labels.values()])

    def _embed(self, texts: list[str]) -> np.ndarray:
        assert self.encoder is not None, "hard negatives need an encoder"
        return vectors_of(self.encoder, texts)

    def extra_file(self, name: str) -> Path:
        if self.extra is None or not (self.extra / name).is_file():
            raise TrainingError(
                f"the recipe asks for {name}, which is not in {self.extra or 'a folder: none is named'}. "
                "Give its folder with --extra, or take that source out of the recipe."
            )
        return self.extra / name


def dataset(material: Material, source: Source, seed: int) -> pd.DataFrame:
    """The rows of a source, shuffled.

    Columns anchor, positive, answers, and negative where hard negatives are asked for; or a, b, score. Raises
    TrainingError where a source has no row, or graded pairs of one score alone.
    """
    rng = Random(f"{seed} {source.pairs}")
    if source.pairs in GRADED:
        scored = list(_SCORED[source.pairs](material, source, rng))
        frame = pd.DataFrame(scored, columns=["a", "b", "score"])
        if frame["score"].nunique() < 2:
            raise TrainingError(
                f"source {source.pairs}: all of its {len(frame)} pairs have one score. Name a larger taxonomy."
            )
    else:
        rows = [
            (_spelled(rng, anchor, source.noise), positive, answers, concept)
            for _ in range(source.draws)
            for anchor, positive, answers, concept in _PAIRED[source.pairs](material, rng)
        ]
        frame = pd.DataFrame(rows, columns=["anchor", "positive", "answers", "concept"])
        frame = frame[frame["anchor"] != frame["positive"]].drop_duplicates(["anchor", "positive"])
        if source.hard_negatives:
            asked = zip(frame["concept"], frame["answers"], strict=True)
            frame["negative"] = [_negative(material, rng, concept, answers) for concept, answers in asked]
        frame = frame.drop(columns="concept")
    if frame.empty:
        raise TrainingError(f"source {source.pairs} has no pair: its files hold none that may be learnt from.")
    order = rng.sample(range(len(frame)), min(source.rows or len(frame), len(frame)))
    return frame.iloc[order].reset_index(drop=True)


def _spelled(rng: Random, text: str, share: float) -> str:
    """With noise, cleaned as the job cleans what it embeds."""
    spelled = noisy(rng, text, share)
    return text if spelled == text else parse_mention(spelled).text or text


def _negative(material: Material, rng: Random, concept: str, answers: tuple[str, ...]) -> str:
    """A text near the concept that is no answer; of any concept where there is none."""
    strings = material.nil_near.get(concept)
    if strings and rng.random() < 0.5:
        return rng.choice(strings)
    near = [label for uri in material.near.get(concept, ()) if (label := material.labels[uri][0]) not in answers]
    if near:
        return rng.choice(near)
    return next(label for _ in range(1_000) if (label := material.labels[rng.choice(material.uris)][0]) not in answers)


def _labels(material: Material, rng: Random) -> Iterator[Row]:
    for uri, labels in material.labels.items():
        for text in labels[1:]:
            others = [other for other in labels if other != text]
            yield text, labels[0] if rng.random() < 0.5 else rng.choice(others), tuple(labels), uri


def _seed(material: Material, source: Source, rng: Random) -> Iterator[tuple[str, str, float]]:
    labels = material.labels
    for uri in material.uris:
        siblings = [other for other in material.concepts.siblings[uri] if other in labels]
        for count, text in enumerate(labels[uri][1:]):
            yield _spelled(rng, text, source.noise), labels[uri][0], 1.0
            others = siblings if siblings and count % 2 else material.uris
            if (negative := rng.choice(labels[rng.choice(others)])) not in labels[uri]:
                yield _spelled(rng, text, source.noise), negative, 0.0


def _graded(material: Material, source: Source, rng: Random) -> Iterator[tuple[str, str, float]]:
    labels, concepts = material.labels, material.concepts
    for _ in range(source.draws):
        for uri in material.uris:
            own = labels[uri]
            related = [other for other in concepts.related.get(uri, ()) if other in labels]
            siblings = [o for o in concepts.siblings[uri] if o in labels and o not in related]
            of = [(related, RELATED), (siblings, SIBLING), (material.uris, 0.0)]
            if len(own) > 1:
                a, b = rng.sample(own, 2)
                yield _spelled(rng, a, source.noise), b, 1.0
            for others, score in of:
                if others and (text := rng.choice(labels[rng.choice(others)])) not in own:
                    yield _spelled(rng, rng.choice(own), source.noise), text, score


def _occupations(material: Material, rng: Random) -> Iterator[Row]:
    for uri, titles in material.concepts.titles.items():
        if material.allows(uri):
            skills = [s for s in material.concepts.skills.get(uri, ()) if s in material.labels]
            answers = tuple(material.labels[skill][0] for skill in skills)
            for label in answers:
                yield rng.choice(titles).casefold(), label, answers, ""


def _descriptions(material: Material, rng: Random) -> Iterator[Row]:
    rows = material.concepts.taxonomy.concepts.select(["concept_uri", "description"]).to_pylist()
    described = {row["concept_uri"]: row["description"] for row in rows}
    for uri, labels in material.labels.items():
        if words := described.get(uri, "").casefold().split()[:_FIRST_WORDS]:
            yield " ".join(words), labels[0], tuple(labels), uri


def _judged(material: Material, rng: Random) -> Iterator[Row]:
    """A string that is accepted for a held-out concept is left out with all that is said of it."""
    rows = []
    of_concept: dict[str, list[str]] = {}
    for row in material.judged.to_dict("records"):
        accepted = [uri for uri in row["accepted"] if uri in material.concepts.labels]
        if all(uri in material.labels for uri in accepted):
            rows.append((str(row["text"]), str(row["meaning"]).casefold(), accepted))
            if accepted:
                of_concept.setdefault(accepted[0], []).append(str(row["text"]))
    for text, meaning, accepted in rows:
        if not accepted:
            if meaning:
                yield text, meaning, (meaning,), ""
            continue
        uri, label = accepted[0], material.labels[accepted[0]][0]
        alike = [other for other in of_concept[uri] if other != text]
        answers = (*(t for one in accepted for t in (*material.labels[one], *of_concept.get(one, ()))), meaning)
        yield text, label, answers, uri
        if alike:
            yield text, rng.choice(alike), answers, uri
        if meaning:
            yield meaning, label, answers, uri


def _github_aliases(material: Material, rng: Random) -> Iterator[Row]:
    for name, alias in _columns(material.extra_file("github_topic_aliases.tsv"), "display_name", "alias"):
        spelled, meant = alias.replace("-", " ").casefold(), name.casefold()
        if material.kept_back.isdisjoint((spelled, meant)):
            yield spelled, meant, (meant,), ""


def _onet_products(material: Material, rng: Random) -> Iterator[Row]:
    kinds: dict[str, set[str]] = {}
    for product, kind in _columns(material.extra_file("onet_technology_skills.txt.gz"), "Example", "Commodity Title"):
        kinds.setdefault(product.casefold(), set()).add(kind.casefold())
    for product in sorted(kinds.keys() - material.kept_back):
        for kind in sorted(kinds[product] - material.kept_back):
            yield product, kind, tuple(sorted(kinds[product])), ""


def _skillskape(material: Material, rng: Random) -> Iterator[Row]:
    file = material.extra_file("skillskape_train.csv.gz")
    by_label = {texts[0]: uri for uri, texts in material.labels.items()}
    for number, (sentence, listed) in enumerate(_columns(file, "sentence", "skills"), start=2):
        try:
            skills = [parse_mention(skill).text or "" for skill in ast.literal_eval(listed)]
        except (SyntaxError, ValueError, TypeError) as error:
            raise TrainingError(f"{file}, row {number}: skills is no list of strings ({error}).") from error
        known = tuple(skill for skill in skills if skill in by_label)
        for skill in known:
            yield " ".join(sentence.casefold().split()[:_FIRST_WORDS]), skill, known, by_label[skill]


def _columns(file: Path, *columns: str) -> Iterator[tuple[str, ...]]:
    try:
        frame = pd.read_csv(file, sep="," if ".csv" in file.suffixes else "\t", dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file} cannot be read as a table in UTF-8: {error}.") from error
    if lacking := [column for column in columns if column not in frame.columns]:
        raise TrainingError(f"{file}: no column {', '.join(lacking)}; it has {', '.join(frame.columns)}.")
    return zip(*(frame[column] for column in columns), strict=True)


_PAIRED: dict[str, Callable[[Material, Random], Iterator[Row]]] = {
    "labels": _labels,
    "occupations": _occupations,
    "descriptions": _descriptions,
    "judged": _judged,
    "github_aliases": _github_aliases,
    "onet_products": _onet_products,
    "skillskape": _skillskape,
}
_SCORED: dict[str, Callable[[Material, Source, Random], Iterator[tuple[str, str, float]]]] = {
    "seed": _seed,
    "graded": _graded,
}
