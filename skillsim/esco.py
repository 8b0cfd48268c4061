"""Read an ESCO bundle into the taxonomy tables: concepts, labels, groups, relations, occupations.

Everything the matcher trusts is made here once: labels cleaned by the same rules as the users' texts, the
hierarchy without cycles or loose ends, and what was dropped said in `notes` with counts. How a concept gets
its one group is stated in `skillsim.esco_hierarchy`.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa

from skillsim import schemas
from skillsim.errors import TaxonomyError
from skillsim.esco_bundle import ESCO_RULES_VERSION, WITHDRAWN, Bundle, find_bundle, read_rows
from skillsim.esco_hierarchy import Edge, Paths, acyclic_parents, group_of, ways_up
from skillsim.text import clean, repair, text_key

__all__ = ["ESCO_RULES_VERSION", "Bundle", "Taxonomy", "find_bundle", "read_taxonomy"]

PREDICATES = {"essential", "optional"}

# Labels stand one a line; some exports join them by " | " instead, which no label of v1.1.1 contains.
_BETWEEN_LABELS = re.compile(r"[\r\n]+|\s\|\s")
_ISCED_F = re.compile(r"/isced-f/(\d+)$")
_ENTRY_COLUMNS = (
    *("conceptUri", "preferredLabel", "altLabels", "hiddenLabels", "status"),
    *("description", "code", "iscoGroup", "skillType", "reuseLevel"),
)
_LEVELS = range(4)
_RELATION_COLUMNS = {
    "broaderRelationsSkillPillar": ("conceptUri", "broaderUri"),
    "skillSkillRelations": ("originalSkillUri", "relatedSkillUri", "relationType"),
    "occupationSkillRelations": ("occupationUri", "skillUri", "relationType"),
}
_LOST = {
    "skillGroups": "groups come from skillsHierarchy alone",
    "skillsHierarchy": "groups come from skillGroups alone",
    "occupations": "there are no occupations and none of their relations",
    "broaderRelationsSkillPillar": "concepts have no group and no paths",
    "skillSkillRelations": "there are no relations between skills",
    "occupationSkillRelations": "there are no relations between occupations and skills",
}


@dataclass(frozen=True)
class Taxonomy:
    """The five taxonomy tables of `skillsim.schemas`, sorted by key, and what was dropped or odd."""

    taxonomy_id: str
    language: str
    version: str
    concepts: pa.Table
    labels: pa.Table
    groups: pa.Table
    relations: pa.Table
    occupations: pa.Table
    notes: tuple[str, ...]


@dataclass
class _Entry:
    """A concept, a group or an occupation as its row says: label and description repaired, `labels` raw."""

    label: str
    description: str = ""
    code: str = ""
    isco_group: str = ""
    skill_type: str = ""
    reuse_level: str = ""
    labels: tuple[tuple[str, str], ...] = ()  # (kind, raw label), preferred first


def read_taxonomy(bundle: Bundle) -> Taxonomy:
    """Parse and clean a located bundle."""
    notes = [f"no {role} file: {lost}" for role, lost in _LOST.items() if bundle.member(role) is None]
    concepts = _entries(bundle, "skills", notes)
    if not concepts:
        raise TaxonomyError(f"{bundle.member('skills')} holds no skills: use the file as downloaded")
    occupations = _entries(bundle, "occupations", notes)
    groups, nesting = _groups(bundle, notes)
    nodes = sorted(concepts.keys() | groups.keys())
    known = frozenset(nodes)
    broader = nesting | _edges(bundle, "broaderRelationsSkillPillar", known, known, notes)
    parents = acyclic_parents(nodes, broader, notes)
    paths = ways_up(parents, notes)

    relations = {(child, "broader", parent) for child in nodes for parent in parents[child]}
    relations |= _edges(bundle, "skillSkillRelations", concepts, concepts, notes)
    if occupations:
        relations |= _edges(bundle, "occupationSkillRelations", occupations, concepts, notes)

    stamp = {"taxonomy_id": bundle.taxonomy_id}
    in_clear = {"language": bundle.language, "version": bundle.version}
    return Taxonomy(
        **stamp,
        **in_clear,
        concepts=_table(schemas.CONCEPTS, stamp | in_clear, _concept_rows(concepts, groups, paths, notes)),
        labels=_table(schemas.LABELS, stamp, _label_rows(concepts, notes)),
        groups=_table(schemas.GROUPS, stamp, _group_rows(groups, parents, paths)),
        relations=_table(schemas.RELATIONS, stamp, relations),
        occupations=_table(schemas.OCCUPATIONS, stamp, _occupation_rows(occupations)),
        notes=tuple(notes),
    )


def _table(table: schemas.Table, constant: Mapping[str, str], rows: Collection[tuple[Any, ...]]) -> pa.Table:
    """Rows without the constant columns, sorted by the table's key, as Arrow."""
    names = [name for name in table.schema.names if name not in constant]
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    arrays = [
        pa.repeat(pa.scalar(constant[name], field.type), len(rows))
        if (name := field.name) in constant
        else pa.array(columns[name], field.type)
        for field in table.schema
    ]
    keys = [(name, "ascending") for name in table.key]
    return pa.Table.from_arrays(arrays, schema=table.schema).sort_by(keys)


def _entries(bundle: Bundle, role: str, notes: list[str]) -> dict[str, _Entry]:
    """The rows of skills, skillGroups or occupations by URI, without the withdrawn ones.

    A skill without a URI is an error and not a note, since every link points at that URI.
    """
    entries: dict[str, _Entry] = {}
    dropped: Counter[str] = Counter()
    stand_ins = 0
    n = 2 if role == "skillGroups" else 3  # alternative labels are most of what the matcher knows
    for number, cells in read_rows(bundle, role, _ENTRY_COLUMNS[:n], _ENTRY_COLUMNS[n:], notes):
        uri, preferred, alternatives, hidden, status, description, code, isco_group, skill_type, reuse = (
            cell.strip() for cell in cells
        )
        if not uri and role == "skills":
            raise TaxonomyError(
                f"{bundle.member(role)} has no conceptUri in row {number} (the header is row 1): "
                f"use the file as downloaded"
            )
        labels = [("preferred", preferred)] if preferred else []
        labels += [("alternative", raw) for raw in _BETWEEN_LABELS.split(alternatives) if raw]
        labels += [("hidden", raw) for raw in _BETWEEN_LABELS.split(hidden) if raw]
        label = next((shown for _, raw in labels if (shown := repair(raw))), "")
        if not uri:
            dropped["have no conceptUri"] += 1
        elif status.casefold() in WITHDRAWN:
            dropped[f"have the status {status.casefold()}"] += 1
        elif not label:
            dropped["have no label"] += 1
        elif uri in entries:
            dropped["repeat the conceptUri of another"] += 1
        else:
            description = repair(description)
            entries[uri] = _Entry(label, description, code, isco_group, skill_type, reuse, tuple(labels))
            stand_ins += not preferred
    _note_dropped(role, dropped, notes)
    if stand_ins:
        notes.append(f"{role}: {stand_ins} rows have no preferred label, their first other label stands in")
    return entries


def _groups(bundle: Bundle, notes: list[str]) -> tuple[dict[str, _Entry], set[Edge]]:
    """The skill groups and how skillsHierarchy nests them.

    A group is what either file names: 7 of v1.1.1's 647 stand in skillsHierarchy alone, 5 of v1.1.0's 643 in
    skillGroups alone. An ISCED-F field says its code in its URI only.
    """
    groups = _entries(bundle, "skillGroups", notes)
    stated = len(groups)
    nesting: set[Edge] = set()
    columns = [f"Level {i} {what}" for i in _LEVELS for what in ("URI", "preferred term", "code")]
    for _, cells in read_rows(bundle, "skillsHierarchy", columns[:2], [*columns[2:], "Description"], notes):
        levels = [[cell.strip() for cell in cells[3 * i : 3 * i + 3]] for i in _LEVELS]
        levels = [level for level in levels if level[0] and level[1]]
        for uri, term, code in levels:
            group = groups.setdefault(uri, _Entry(term))
            group.code = group.code or code
        if levels and not group.description:  # the row describes its deepest level
            group.description = repair(cells[-1])
        uris = [uri for uri, _, _ in levels]
        nesting |= {(child, "broader", parent) for parent, child in pairwise(uris)}
    for uri, group in groups.items():
        group.label = repair(group.label)
        if not group.code and (said := _ISCED_F.search(uri)):
            group.code = said.group(1)
    if stated and len(groups) > stated:
        notes.append(f"skillsHierarchy: {len(groups) - stated} groups not in skillGroups, taken from here")
    return groups, nesting


def _edges(
    bundle: Bundle, role: str, subjects: Collection[str], objects: Collection[str], notes: list[str]
) -> set[Edge]:
    """The rows of a relation file whose two ends exist."""
    edges: set[Edge] = set()
    dropped: Counter[str] = Counter()
    loose: set[str] = set()
    for _, cells in read_rows(bundle, role, _RELATION_COLUMNS[role], (), notes):
        subject, object_, predicate, *_ = (*(cell.strip() for cell in cells), "broader")
        if subject not in subjects or object_ not in objects:
            loose |= {uri for uri in (subject, object_) if uri not in subjects and uri not in objects}
            dropped["have an end that the bundle does not hold"] += 1
        elif subject == object_:
            dropped["relate a URI to itself"] += 1
        elif len(cells) == 3 and predicate.casefold() not in PREDICATES:
            dropped[f"have the relation type {predicate!r}"] += 1
        elif (edge := (subject, predicate.casefold(), object_)) in edges:
            dropped["repeat another"] += 1
        else:
            edges.add(edge)
    _note_dropped(role, dropped, notes)
    if loose:
        notes[-1] += f"; {len(loose)} URIs are not in the bundle, as {min(loose)}"
    return edges


def _note_dropped(role: str, dropped: Counter[str], notes: list[str]) -> None:
    if dropped:
        counts = ", ".join(f"{n} rows that {why}" for why, n in sorted(dropped.items()))
        notes.append(f"{role}: dropped {counts}")


def _concept_rows(
    concepts: Mapping[str, _Entry], groups: Mapping[str, _Entry], paths: Paths, notes: list[str]
) -> list[tuple[Any, ...]]:
    codes = {uri: group.code for uri, group in groups.items()}
    rows, without = [], 0
    for uri, concept in concepts.items():
        group = group_of(paths[uri], codes)
        without += group is None
        own = (uri, concept.label, concept.description, concept.skill_type, concept.reuse_level)
        rows.append((*own, group, groups[group].label if group else None, paths[uri]))
    if without:
        notes.append(f"skills: {without} concepts are in no group")
    return rows


def _label_rows(concepts: Mapping[str, _Entry], notes: list[str]) -> list[tuple[str, ...]]:
    """One row per concept and text: a label that cleans to the same text as an earlier one adds nothing.

    Preferred comes before alternative before hidden, so the strongest kind is the one that stays.
    """
    rows: list[tuple[str, ...]] = []
    empty = repeated = 0
    for uri, concept in concepts.items():
        seen: set[str] = set()
        for kind, raw in concept.labels:
            text = clean(raw).text
            if not text:
                empty += 1
            elif text in seen:
                repeated += 1
            else:
                seen.add(text)
                rows.append((text_key(text), uri, kind, repair(raw), text))
    if empty:
        notes.append(f"skills: dropped {empty} labels that clean to nothing")
    if repeated:
        notes.append(f"skills: dropped {repeated} labels that repeat another of their concept once cleaned")
    return rows


def _group_rows(groups: Mapping[str, _Entry], parents: Mapping[str, list[str]], paths: Paths) -> list[tuple[Any, ...]]:
    return [
        (uri, group.label, group.code, group.description, len((paths[uri] or [[]])[0]), parents[uri])
        for uri, group in groups.items()
    ]


def _occupation_rows(occupations: Mapping[str, _Entry]) -> list[tuple[Any, ...]]:
    rows = []
    for uri, occupation in occupations.items():
        labels: dict[str, str] = {}
        for shown in (repair(raw) for _, raw in occupation.labels):
            if shown:
                labels.setdefault(shown.casefold(), shown)
        own = (list(labels.values()), occupation.isco_group, occupation.description)
        rows.append((uri, occupation.label, *own))
    return rows
