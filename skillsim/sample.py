"""Writes the sample records: seeded, noisy skill fields over the sample taxonomy.

Standard library only. Weights are whole numbers and nothing depends on hash order, so that a seed gives the
same bytes on every platform. `python -m skillsim.sample OUT.csv` runs it.
"""

import argparse
import csv
import html
import io
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")
Noise = Callable[[Random, str], str]

# How often a record has 1, 2, ... 15 skill cells; the mean is near 7.
LENGTHS = (2, 4, 7, 10, 13, 14, 13, 11, 9, 7, 5, 3, 2, 2, 1)
KINDS = (
    (54, "concept"),
    (9, "personal"),
    (5, "office"),
    (3, "languages"),
    (1, "spoken"),
    (10, "unlisted"),
    (2, "acronyms"),
    (5, "title"),
    (5, "together"),
    (5, "junk"),
    (1, "sentences"),
)


@dataclass(frozen=True)
class Concept:
    """A skill of the sample taxonomy: its labels, preferred first, and its groups' codes, main one first."""

    labels: tuple[str, ...]
    hidden: tuple[str, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Occupation:
    """A job: its titles and the weights of the concepts it asks for."""

    titles: tuple[str, ...]
    weights: dict[str, int]


@dataclass(frozen=True)
class FieldOfWork:
    """A field's concepts and occupations, and its lists of noise.toml: the strings that no concept covers."""

    lists: dict[str, Any]
    concepts: tuple[str, ...]
    occupations: list[Occupation] = field(default_factory=list)


def _sample_text(name: str) -> str:
    return (files("skillsim") / "data" / "sample" / name).read_text(encoding="utf-8")


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_sample_text(f"taxonomy/{name}"), newline="")))


def _split(cell: str) -> tuple[str, ...]:
    return tuple(label.strip() for label in cell.split("\n") if label.strip())


@cache
def noise_lists() -> dict[str, Any]:
    """The word lists of noise.toml."""
    return tomllib.loads(_sample_text("noise.toml"))


@cache
def load_concepts() -> dict[str, Concept]:
    """The concepts by URI, in the order of the file, which is the order of their frequency."""
    codes = {row["conceptUri"]: row["code"] for row in _rows("skillGroups_en.csv")}
    groups: dict[str, list[str]] = {}
    for row in _rows("broaderRelationsSkillPillar.csv"):
        if row["broaderUri"] in codes:
            groups.setdefault(row["conceptUri"], []).append(codes[row["broaderUri"]])
    concepts = {}
    for row in _rows("skills_en.csv"):
        labels = (row["preferredLabel"], *_split(row["altLabels"]))
        hidden, uri = _split(row["hiddenLabels"]), row["conceptUri"]
        concepts[uri] = Concept(labels, hidden, tuple(groups[uri]))
    return concepts


def concepts_of(groups: Sequence[str]) -> tuple[str, ...]:
    """The concepts below these groups, given by code: those mainly there first, then those also there."""

    def within(code: str) -> bool:
        # "S1" holds "S1.2" but not "S12"; the root "T" holds "T1".
        return any(code == g or code.startswith(g + ".") or (len(g) == 1 and code[0] == g) for g in groups)

    reached = {uri: c for uri, c in load_concepts().items() if any(map(within, c.codes))}
    return tuple(sorted(reached, key=lambda uri: not within(reached[uri].codes[0])))


@cache
def load_fields() -> tuple[FieldOfWork, ...]:
    """The fields of work that noise.toml names, each with the occupations whose first skill is its own."""
    fields = tuple(FieldOfWork(lists, concepts_of(lists["groups"])) for lists in noise_lists()["fields"].values())
    weights: dict[str, dict[str, int]] = {}
    for row in _rows("occupationSkillRelations.csv"):
        weight = 4 if row["relationType"] == "essential" else 2
        weights.setdefault(row["occupationUri"], {})[row["skillUri"]] = weight
    for row in _rows("occupations_en.csv"):
        asked = weights[row["conceptUri"]]
        core = next(iter(asked))
        home = max(fields, key=lambda f: (core in f.concepts, sum(asked.get(uri, 0) for uri in f.concepts)))
        home.occupations.append(Occupation((row["preferredLabel"], *_split(row["altLabels"])), asked))
    return fields


def pick(rng: Random, weighted: Sequence[tuple[int, T]]) -> T:
    """One item by whole-number weight."""
    return rng.choices([item for _, item in weighted], [weight for weight, _ in weighted])[0]


def zipf(rng: Random, items: Sequence[T]) -> T:
    """One item, the earlier ones more often: the weight falls as one over the rank."""
    return pick(rng, [(840 // (rank + 2), item) for rank, item in enumerate(items)])


def listed(rng: Random, name: str) -> str:
    """One entry of a list of noise.toml."""
    return str(zipf(rng, noise_lists()[name]))


def typo(rng: Random, text: str) -> str:
    """One slip of the fingers: two letters swapped, one dropped, doubled or hit next to its key."""
    spots = [i for i in range(1, len(text) - 1) if text[i : i + 2].isalpha()]
    if len(text) < 5 or not spots:
        return text
    i = rng.choice(spots)
    here, after = text[i], text[i + 1]
    near = rng.choice(noise_lists()["neighbours"].get(here, after))
    return text[:i] + rng.choice((after + here, after, here + here + after, near + after)) + text[i + 2 :]


def truncate(rng: Random, text: str) -> str:
    """Cut off as a narrow column cuts, sometimes with dots."""
    if len(text) < 12:
        return text
    return text[: len(text) * rng.randrange(55, 85) // 100].rstrip() + rng.choice(("", "", "...", "…"))


def entities(rng: Random, text: str) -> str:
    """With HTML left in: "and" or "&" as an entity, else a space as one."""
    escaped = html.escape(text.replace(" and ", " & "))
    return escaped if "&" in escaped else text.replace(" ", "&nbsp;", 1)


def mojibake(rng: Random, text: str) -> str:
    """UTF-8 read as Windows-1252; plain ASCII text gets a dash that breaks."""
    if text.isascii():
        text = f"{text} – {rng.choice(('advanced', 'good', 'basic', '2 yrs'))}"
    return text.encode("utf-8").decode("cp1252", errors="replace")


def invisible(rng: Random, text: str) -> str:
    """With a character nobody sees: in place of a space, or anywhere."""
    mark = listed(rng, "invisible")
    if " " in text and mark == "\u00a0":
        return text.replace(" ", mark, 1)
    i = rng.randrange(len(text) + 1)
    return text[:i] + mark + text[i:]


CELL_NOISE: tuple[tuple[int, Noise], ...] = (
    (50, lambda rng, text: text),
    (7, typo),
    (5, lambda rng, text: listed(rng, "levels").format(text)),
    (4, lambda rng, text: listed(rng, "years").format(text, n=rng.randrange(2, 9))),
    (4, lambda rng, text: text.replace(" ", "_")),
    (4, lambda rng, text: text.lower()),
    (3, lambda rng, text: text.title()),
    (3, lambda rng, text: text.upper()),
    (3, lambda rng, text: listed(rng, "bullets") + text),
    (3, truncate),
    (2, entities),
    (2, invisible),
    (2, lambda rng, text: rng.choice((f" {text}", f"{text}  ", text.replace(" ", "  ")))),
    (1, mojibake),
)

# A system or a person writes all of a record in one way.
RECORD_STYLE: tuple[tuple[int, Noise], ...] = (
    (62, lambda rng, text: text),
    (18, lambda rng, text: text.lower()),
    (8, lambda rng, text: text.lower().replace(" ", "_")),
    (7, lambda rng, text: text.title()),
    (3, lambda rng, text: text.upper()),
    (2, lambda rng, text: f"• {text}"),
)


def noisy(rng: Random, text: str) -> str:
    """The text with one kind of noise, seldom two, and in American spelling at times."""
    if rng.random() < 0.2:
        for british, american in noise_lists()["spelling"]:
            text = text.replace(british, american)
    for _ in range(pick(rng, ((92, 1), (8, 2)))):
        text = pick(rng, CELL_NOISE)(rng, text)
    return text


class Person:
    """One person or vacancy: a job in a field of work, and the concepts named so far."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.field = pick(rng, [(f.lists["weight"], f) for f in load_fields()])
        self.job = zipf(rng, self.field.occupations)
        self.seen: set[str] = set()

    def cells(self) -> list[str]:
        """All raw skill cells of the record."""
        style = pick(self.rng, RECORD_STYLE)
        length = pick(self.rng, [(weight, n) for n, weight in enumerate(LENGTHS, start=1)])
        return [style(self.rng, self.cell()) for _ in range(length)]

    def cell(self) -> str:
        """One raw skill cell."""
        rng, lists, kind = self.rng, self.field.lists, pick(self.rng, KINDS)
        if kind in ("spoken", "junk", "sentences"):
            return listed(rng, kind)
        if kind == "title":
            title = zipf(rng, self.job.titles if rng.random() < 0.6 else lists["titles"])
            return noisy(rng, listed(rng, "titles").format(title))
        if kind == "together" and rng.random() < 0.4:
            labels = [self.label("concept") for _ in range(rng.choice((2, 2, 3)))]
            return listed(rng, "separators").join(labels)
        text = zipf(rng, lists[kind]) if kind in lists else self.label(kind)
        return text if kind == "together" else noisy(rng, text)

    def label(self, kind: str) -> str:
        """A label of a concept drawn for `kind`: the preferred one often, a hidden one seldom."""
        concept, draw = load_concepts()[self.concept(kind)], self.rng.random()
        if draw < 0.06 and concept.hidden:
            return zipf(self.rng, concept.hidden)
        return concept.labels[0] if draw < 0.26 else zipf(self.rng, concept.labels[1:])

    def concept(self, kind: str) -> str:
        """A concept's URI, one not named yet where two draws find one."""
        shared = noise_lists()["shared"].get(kind)
        uris = concepts_of(shared) if shared else self.field.concepts
        weights = {uri: 840 // (rank + 2) for rank, uri in enumerate(uris)}
        if not shared:
            for uri, weight in self.job.weights.items():
                weights[uri] = weights.get(uri, 60) * weight
        pool = [(weight, uri) for uri, weight in weights.items()]
        uri = pick(self.rng, pool)
        if uri in self.seen:
            uri = pick(self.rng, pool)
        self.seen.add(uri)
        return uri


def write_records(path: Path, records: int = 2400, seed: int = 7) -> None:
    """Writes `records` lines "id,skill,skill,..." to `path`, the same bytes for the same seed."""
    rng, number = Random(seed), 1000
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        for _ in range(records):
            number += rng.randrange(1, 5)
            cells = Person(rng).cells()
            if rng.random() < 0.04:
                cells.insert(rng.randrange(len(cells)), "")
            if rng.random() < 0.35:
                cells += [""] * rng.randrange(1, 16)
            lines.writerow([f"{rng.choice(('cv', 'job'))}-{number}", *cells])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write noisy sample records.")
    parser.add_argument("out", type=Path, help="the CSV file to write")
    parser.add_argument("--records", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    write_records(arguments.out, arguments.records, arguments.seed)
