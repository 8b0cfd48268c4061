"""What an encoder learns from: pairs of texts, by the kinds that a recipe's sources name.

| pairs | of | licence |
|---|---|---|
| labels | a label of a concept that is not preferred; its preferred label or another | ESCO, CC BY 4.0 |
| seed | alternative and preferred label 1; alternative label and one of a random or a sibling concept 0 | ESCO |
| graded | two labels of one concept 1, of related concepts .6, of siblings .4, of any two 0 | ESCO |
| occupations | an occupation's title; the preferred label of one of its skills | ESCO |
| descriptions | a concept's description; its preferred label | ESCO |
| judged | a judged string or its meaning; the label of its concept or another string of it, else its meaning | ours |
| github_aliases | a technology's name; an alias of it | github/explore, CC BY 4.0 |
| onet_products | a product's name; what kind of software it is | O*NET (US Department of Labor), CC BY 4.0 |
| skillskape | a synthetic sentence of a job advertisement; a skill in it | JobSkape, MIT |

Texts are cleaned as the job cleans them. A row of the first kind (anchor and positive) has a `group` too: two rows of
one group are no negatives of each other, and never in one batch. All draws follow from the recipe's seed.
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

from skillsim.encoder import Encoder
from skillsim.errors import TrainingError
from skillsim.text import parse_mention
from training.noise import noisy
from training.recipe import GRADED, Source
from training.splits.held_out import Concepts, is_held_out

RELATED, SIBLING = 0.6, 0.4
NEAR = 10  # concepts a hard negative is drawn from
_FIRST_WORDS = 30  # of a description or a sentence

Row = tuple[str, str, str]  # anchor, positive, group


@dataclass(frozen=True)
class Material:
    """What may be learnt from. `judged`: the allowed judged strings (training.judged); `extra`: folder of the other
    sources, None where there is none; `everything`: held-out concepts and occupations too."""

    concepts: Concepts
    judged: pd.DataFrame
    extra: Path | None = None
    everything: bool = False
    encoder: Encoder | None = field(default=None, repr=False)  # mines hard negatives

    @cached_property
    def uris(self) -> list[str]:
        """Concepts to learn from, in order."""
        return [uri for uri in sorted(self.concepts.labels) if self.allows(uri)]

    def allows(self, uri: str) -> bool:
        return self.everything or not is_held_out(uri)

    @cached_property
    def near(self) -> dict[str, list[str]]:
        """Of each concept, the NEAR concepts nearest by preferred label that share no label with it."""
        assert self.encoder is not None, "hard negatives need an encoder"
        labels = self.concepts.labels
        vectors = self.encoder.encode([labels[uri][0] for uri in self.uris]).vectors.astype(np.float32)
        found = {}
        for start in range(0, len(self.uris), 1_000):
            block = vectors[start : start + 1_000] @ vectors.T
            best = np.argsort(-block, axis=1, kind="stable")[:, : 3 * NEAR]
            for row, others in enumerate(best, start=start):
                own = set(labels[self.uris[row]])
                unlike = (self.uris[o] for o in others if o != row and own.isdisjoint(labels[self.uris[o]]))
                found[self.uris[row]] = list(islice(unlike, NEAR))
        return found

    @cached_property
    def nil_near(self) -> dict[str, list[str]]:
        """Of each concept, strings judged to have no concept that are nearest to it by preferred label."""
        assert self.encoder is not None, "hard negatives need an encoder"
        nil = self.judged.loc[(self.judged["status"] == "nil") & (self.judged["kind"] == "skill"), "text"].tolist()
        strings, of = (
            self.encoder.encode(texts).vectors.astype(np.float32)
            for texts in (nil, [self.concepts.labels[uri][0] for uri in self.uris])
        )
        found: dict[str, list[str]] = {}
        for text, row in zip(nil, (strings @ of.T).argmax(axis=1).tolist() if nil else [], strict=True):
            found.setdefault(self.uris[row], []).append(text)
        return found

    def extra_file(self, name: str) -> Path:
        if self.extra is None or not (self.extra / name).is_file():
            raise TrainingError(
                f"the recipe asks for {name}, which is not in {self.extra or 'a folder: none is named'}. "
                "Give its folder with --extra, or take that source out of the recipe."
            )
        return self.extra / name


def dataset(material: Material, source: Source, seed: int) -> pd.DataFrame:
    """The rows of a source, shuffled.

    Columns anchor, positive, group, and negative where hard negatives are asked for; or a, b, score. Raises
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
            (noisy(rng, anchor, source.noise), positive, group)
            for _ in range(source.draws)
            for anchor, positive, group in _PAIRED[source.pairs](material, rng)
        ]
        frame = pd.DataFrame(rows, columns=["anchor", "positive", "group"])
        frame = frame[frame["anchor"] != frame["positive"]].drop_duplicates(["anchor", "positive"])
        if source.hard_negatives:
            frame["negative"] = [_negative(material, rng, group) for group in frame["group"]]
    if frame.empty:
        raise TrainingError(f"source {source.pairs} has no pair: its files hold none that may be learnt from.")
    order = rng.sample(range(len(frame)), min(source.rows or len(frame), len(frame)))
    return frame.iloc[order].reset_index(drop=True)


def _negative(material: Material, rng: Random, group: str) -> str:
    """A text near the group's concept that is not of it; of any concept where the group is none."""
    strings = material.nil_near.get(group)
    if strings and rng.random() < 0.5:
        return rng.choice(strings)
    return material.concepts.labels[rng.choice(material.near.get(group) or material.uris)][0]


def _labels(material: Material, rng: Random) -> Iterator[Row]:
    for uri in material.uris:
        labels = material.concepts.labels[uri]
        for text in labels[1:]:
            others = [other for other in labels if other != text]
            yield text, labels[0] if rng.random() < 0.5 else rng.choice(others), uri


def _seed(material: Material, source: Source, rng: Random) -> Iterator[tuple[str, str, float]]:
    labels = material.concepts.labels
    for uri in material.uris:
        siblings = [other for other in material.concepts.siblings[uri] if material.allows(other)]
        for count, text in enumerate(labels[uri][1:]):
            yield noisy(rng, text, source.noise), labels[uri][0], 1.0
            others = siblings if siblings and count % 2 else material.uris
            if (negative := rng.choice(labels[rng.choice(others)])) not in labels[uri]:
                yield noisy(rng, text, source.noise), negative, 0.0


def _graded(material: Material, source: Source, rng: Random) -> Iterator[tuple[str, str, float]]:
    labels, concepts = material.concepts.labels, material.concepts
    for _ in range(source.draws):
        for uri in material.uris:
            own = labels[uri]
            related = [other for other in concepts.related.get(uri, ()) if material.allows(other)]
            siblings = [o for o in concepts.siblings[uri] if material.allows(o) and o not in related]
            of = [(related, RELATED), (siblings, SIBLING), (material.uris, 0.0)]
            if len(own) > 1:
                a, b = rng.sample(own, 2)
                yield noisy(rng, a, source.noise), b, 1.0
            for others, score in of:
                if others and (text := rng.choice(labels[rng.choice(others)])) not in own:
                    yield noisy(rng, rng.choice(own), source.noise), text, score


def _occupations(material: Material, rng: Random) -> Iterator[Row]:
    for uri, titles in material.concepts.titles.items():
        if material.allows(uri):
            for skill in material.concepts.skills.get(uri, ()):
                if material.allows(skill):
                    yield rng.choice(titles).casefold(), material.concepts.labels[skill][0], uri


def _descriptions(material: Material, rng: Random) -> Iterator[Row]:
    rows = material.concepts.taxonomy.concepts.select(["concept_uri", "description"]).to_pylist()
    described = {row["concept_uri"]: row["description"] for row in rows}
    for uri in material.uris:
        if words := described.get(uri, "").casefold().split()[:_FIRST_WORDS]:
            yield " ".join(words), material.concepts.labels[uri][0], uri


def _judged(material: Material, rng: Random) -> Iterator[Row]:
    of_concept: dict[str, list[str]] = {}
    for text, uris in zip(material.judged["text"], material.judged["accepted"], strict=True):
        if uris:
            of_concept.setdefault(uris[0], []).append(text)
    for row in material.judged.to_dict("records"):
        accepted = [uri for uri in row["accepted"] if uri in material.concepts.labels]
        if any(not material.allows(uri) for uri in accepted):
            continue
        text, meaning = str(row["text"]), str(row["meaning"]).casefold()
        if accepted:
            label = material.concepts.labels[accepted[0]][0]
            yield text, label, accepted[0]
            alike = [other for other in of_concept[accepted[0]] if other != text]
            if alike:
                yield text, rng.choice(alike), accepted[0]
            if meaning:
                yield meaning, label, accepted[0]
        elif meaning:
            yield text, meaning, text


def _github_aliases(material: Material, rng: Random) -> Iterator[Row]:
    frame = pd.read_csv(material.extra_file("github_topic_aliases.tsv"), sep="\t", dtype=str, keep_default_na=False)
    for name, alias in _columns(frame, "github_topic_aliases.tsv", "display_name", "alias"):
        yield alias.replace("-", " ").casefold(), name.casefold(), name


def _onet_products(material: Material, rng: Random) -> Iterator[Row]:
    frame = pd.read_csv(
        material.extra_file("onet_technology_skills.txt.gz"), sep="\t", dtype=str, keep_default_na=False
    )
    pairs = _columns(frame, "onet_technology_skills.txt.gz", "Example", "Commodity Title")
    for product, kind in sorted(set(pairs)):
        yield product.casefold(), kind.casefold(), kind


def _skillskape(material: Material, rng: Random) -> Iterator[Row]:
    frame = pd.read_csv(material.extra_file("skillskape_train.csv.gz"), dtype=str, keep_default_na=False)
    by_label = {material.concepts.labels[uri][0]: uri for uri in sorted(material.concepts.labels)}
    for sentence, listed in _columns(frame, "skillskape_train.csv.gz", "sentence", "skills"):
        for skill in ast.literal_eval(listed):
            text = parse_mention(skill).text
            uri = by_label.get(text or "")
            if text and uri and material.allows(uri):
                yield " ".join(sentence.casefold().split()[:_FIRST_WORDS]), text, uri


def _columns(frame: pd.DataFrame, name: str, *columns: str) -> Iterator[tuple[str, ...]]:
    if lacking := [column for column in columns if column not in frame.columns]:
        raise TrainingError(f"{name}: no column {', '.join(lacking)}; it has {', '.join(frame.columns)}.")
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
