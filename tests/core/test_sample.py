"""The sample data: whole in itself, varied, and what the generator writes."""

import csv
import re
from pathlib import Path

import pytest

from skillsim import sample

DATA = Path(sample.__file__).parent / "data" / "sample"

HEADERS = {
    "skills_en": "conceptType conceptUri skillType reuseLevel preferredLabel altLabels hiddenLabels status "
    "modifiedDate scopeNote definition inScheme description",
    "skillGroups_en": "conceptType conceptUri preferredLabel altLabels hiddenLabels status modifiedDate "
    "scopeNote inScheme description code",
    "occupations_en": "conceptType conceptUri iscoGroup preferredLabel altLabels hiddenLabels status "
    "modifiedDate regulatedProfessionNote scopeNote definition inScheme description code",
    "broaderRelationsSkillPillar": "conceptType conceptUri broaderType broaderUri",
    "skillSkillRelations": "originalSkillUri originalSkillType relationType relatedSkillType relatedSkillUri",
    "occupationSkillRelations": "occupationUri relationType skillType skillUri",
}
HIERARCHY_HEADER = [
    *(f"Level {level} {what}" for level in range(4) for what in ("URI", "preferred term")),
    "Description",
    "Scope note",
    *(f"Level {level} code" for level in range(4)),
]

# What at least ten cells of the records must look like, family by family.
FAMILIES = {
    "lower case": r"^[a-z ]{8,}$",
    "upper case": r"^[A-Z ]{8,}$",
    "title case": r"^([A-Z][a-z]+ ){2,}[A-Z][a-z]+$",
    "underscores": r"\w_\w",
    "entities": r"&amp;|&nbsp;",
    "mojibake": r"â€|Ã",
    "bullets": r"^[•·»–*-] ",
    "zero-width characters": "[\u200b\ufeff\u200d\u00ad]",
    "no-break spaces": "\u00a0",
    "stray spaces": r"^ |  ",
    "levels": r"\((expert|basic)\)| - advanced",
    "years": r"\d\+? ?(years|yrs)",
    "several skills": r" / |; | \| |, .* and ",
    "cut off": r"\w(\.\.\.|…)$",
    "British spelling": r"behaviour|organis|prioritis|optimis|colour|analyse",
    "American spelling": r"behavior|organiz|prioritiz|optimiz|color|analyze",
    "acronyms": r"^[A-Z]{2,5}$",
    "job titles": r"(?i)^(senior|trainee|junior|lead) ",
    "mail addresses": r"(?i)@\w+\.example",
    "telephone numbers": r"\+44",
    "links": r"(?i)https://",
    "numbers": r"^\d+$",
    "junk": r"(?i)^(n/a|asap|etc\.|-)$",
    "sentences": r"(\w+[ _]){12,}",
}


def rows(name: str) -> list[dict[str, str]]:
    with open(DATA / "taxonomy" / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def uris(name: str) -> list[str]:
    return [row["conceptUri"] for row in rows(name)]


@pytest.fixture(scope="module")
def records() -> list[list[str]]:
    with open(DATA / "records.csv", encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def cells(records: list[list[str]]) -> list[str]:
    return [cell for record in records for cell in record[1:] if cell]


def test_the_committed_records_are_what_the_generator_writes(tmp_path: Path) -> None:
    sample.write_records(tmp_path / "records.csv")
    assert (tmp_path / "records.csv").read_bytes() == (DATA / "records.csv").read_bytes()


def test_another_seed_writes_other_records(tmp_path: Path) -> None:
    sample.write_records(tmp_path / "a.csv", records=20, seed=1)
    sample.write_records(tmp_path / "b.csv", records=20, seed=2)
    assert (tmp_path / "a.csv").read_bytes() != (tmp_path / "b.csv").read_bytes()


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_those_of_the_bundle(name: str) -> None:
    with open(DATA / "taxonomy" / f"{name}.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert lines[0] == HEADERS[name].split()
    assert {len(line) for line in lines} == {len(lines[0])}


def test_the_hierarchy_is_ragged_as_in_the_bundle() -> None:
    with open(DATA / "taxonomy" / "skillsHierarchy_en.csv", encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == HIERARCHY_HEADER
    assert {len(line) for line in lines} == {11, 12, 13}
    deepest = {[uri for uri in line[0:8:2] if uri][-1] for line in lines}
    assert deepest == set(uris("skillGroups_en"))


def test_every_uri_is_unique_and_our_own() -> None:
    every = uris("skills_en") + uris("skillGroups_en") + uris("occupations_en")
    assert len(every) == len(set(every))
    assert all(uri.startswith("https://skillsim.example/") for uri in every)


@pytest.mark.parametrize("name", ["skills_en", "skillGroups_en", "occupations_en"])
def test_labels_are_not_empty(name: str) -> None:
    for row in rows(name):
        assert row["preferredLabel"].strip()
        assert row["description"].strip()
        labels = "\n".join(cell for cell in (row["altLabels"], row["hiddenLabels"]) if cell)
        assert not labels or all(label.strip() for label in labels.split("\n"))


def test_every_relation_has_both_ends() -> None:
    skills, groups, jobs = (set(uris(f"{name}_en")) for name in ("skills", "skillGroups", "occupations"))
    for row in rows("broaderRelationsSkillPillar"):
        assert row["conceptUri"] in (groups if row["conceptType"] == "SkillGroup" else skills)
        assert row["broaderUri"] in (groups if row["broaderType"] == "SkillGroup" else skills)
    for row in rows("skillSkillRelations"):
        assert {row["originalSkillUri"], row["relatedSkillUri"]} <= skills
    for row in rows("occupationSkillRelations"):
        assert row["occupationUri"] in jobs
        assert row["skillUri"] in skills
    assert {row["occupationUri"] for row in rows("occupationSkillRelations")} == jobs


def test_relations_repeat_the_type_of_the_skill() -> None:
    types = {row["conceptUri"]: row["skillType"] for row in rows("skills_en")}
    assert set(types.values()) == {"skill/competence", "knowledge"}
    assert all(types[row["skillUri"]] == row["skillType"] for row in rows("occupationSkillRelations"))
    for row in rows("skillSkillRelations"):
        assert types[row["originalSkillUri"]] == row["originalSkillType"]
        assert types[row["relatedSkillUri"]] == row["relatedSkillType"]


def test_every_concept_has_a_group_and_a_fifth_have_two() -> None:
    concepts = sample.load_concepts()
    assert list(concepts) == uris("skills_en")
    assert all(concept.codes for concept in concepts.values())
    assert 0.1 < sum(len(concept.codes) > 1 for concept in concepts.values()) / len(concepts) < 0.3


def test_there_are_many_fields_of_work_and_each_has_a_job() -> None:
    fields = sample.load_fields()
    assert len(fields) >= 8
    assert all(len(field.concepts) >= 5 and field.occupations for field in fields)


def test_the_quirks_of_real_bundles_are_there() -> None:
    held: dict[str, set[str]] = {}
    duplicates = strays = 0
    for row in rows("skills_en"):
        labels = row["altLabels"].split("\n")
        duplicates += len(labels) != len(set(labels))
        strays += any(label != " ".join(label.split()) for label in labels)
        for label in labels:
            held.setdefault(label.strip().casefold(), set()).add(row["conceptUri"])
    assert len(held["plating"]) == 2
    assert duplicates
    assert strays


def test_records_have_their_shape(records: list[list[str]]) -> None:
    lengths = [sum(cell != "" for cell in record[1:]) for record in records]
    assert len(records) == len({record[0] for record in records}) == 2400
    assert min(lengths) == 1
    assert max(lengths) == 15
    assert 6 < sum(lengths) / len(lengths) < 8
    assert any(record[-1] == "" for record in records)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_noise_occurs(cells: list[str], family: str) -> None:
    assert sum(bool(re.search(FAMILIES[family], cell)) for cell in cells) >= 10


def test_typos_occur(cells: list[str]) -> None:
    labels = {label for concept in sample.load_concepts().values() for label in concept.labels}
    spots = [(label, i) for label in labels if len(label) > 7 for i in range(1, len(label) - 1)]
    dropped = {label[:i] + label[i + 1 :] for label, i in spots}
    swapped = {label[:i] + label[i + 1] + label[i] + label[i + 2 :] for label, i in spots}
    assert len((dropped - labels).intersection(cells)) >= 30
    assert len((swapped - labels).intersection(cells)) >= 30


def test_skills_that_the_taxonomy_lacks_occur(cells: list[str]) -> None:
    labels = {label.casefold() for concept in sample.load_concepts().values() for label in concept.labels}
    unlisted = {name for field in sample.load_fields() for name in field.lists["unlisted"]}
    assert not {name.casefold() for name in unlisted} & labels
    assert len(unlisted.intersection(cells)) >= 60
