"""The ESCO reader: what the tables hold of small bundles made here, and of the real one where it lies beside."""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pytest

from skillsim import esco_bundle, esco_hierarchy, schemas
from skillsim.esco import Taxonomy, find_bundle, read_taxonomy
from skillsim.text import text_key
from tests.core.bundles import (
    EN_ZIP,
    FREE_ZIP,
    SKILL_COLUMNS,
    broader,
    concept,
    edges,
    sheet,
    skill,
    small_files,
    taxonomy_of,
)

REAL = Path(__file__).parents[3] / "shared" / "data" / "esco"

# --- the tables -------------------------------------------------------------------------------------------


def test_tables_have_the_contract_schemas_and_are_sorted_by_key(tmp_path: Path) -> None:
    taxonomy = taxonomy_of(tmp_path, small_files())
    for name in ("concepts", "labels", "groups", "relations", "occupations"):
        table, contract = getattr(taxonomy, name), schemas.TABLES[f"taxonomy_{name}"]
        keys = list(zip(*(table[column].to_pylist() for column in contract.key), strict=True))
        assert table.schema == contract.schema
        assert keys == sorted(set(keys))
    assert set(taxonomy.concepts["taxonomy_id"].to_pylist()) == {taxonomy.taxonomy_id}


def test_a_label_is_kept_once_per_concept_as_its_strongest_kind(tmp_path: Path) -> None:
    alternatives = " JAVA \nCore Java\ncore  java\nCo\u200bre Java\n\nJava SE"
    files = small_files() | {
        "skills_en.csv": sheet(
            SKILL_COLUMNS,
            skill("u:java", "Java", alternatives, "java\nJava SE\njvaa\n\u200b"),
            skill("u:coffee", "coffee", "Java"),
        )
    }
    taxonomy = taxonomy_of(tmp_path, files)
    labels = {(row["label"], row["concept_uri"], row["kind"]) for row in taxonomy.labels.to_pylist()}
    assert labels == {
        ("Java", "u:java", "preferred"),
        ("Core Java", "u:java", "alternative"),
        ("Java SE", "u:java", "alternative"),
        ("jvaa", "u:java", "hidden"),
        ("coffee", "u:coffee", "preferred"),
        ("Java", "u:coffee", "alternative"),
    }
    assert all(row["text_key"] == text_key(row["text"]) for row in taxonomy.labels.to_pylist())
    assert "skills: dropped 1 labels that clean to nothing" in taxonomy.notes
    assert "skills: dropped 5 labels that repeat another of their concept once cleaned" in taxonomy.notes


def test_labels_joined_by_bars_are_split_like_lines(tmp_path: Path) -> None:
    files = small_files() | {
        "skills_en.csv": sheet(SKILL_COLUMNS, skill("u:a", "A|B testing", "split test | bucket test"))
    }
    labels = taxonomy_of(tmp_path, files).labels["label"].to_pylist()
    assert sorted(labels) == ["A|B testing", "bucket test", "split test"]


def test_withdrawn_repeated_and_unlabelled_rows_are_dropped_with_a_note(tmp_path: Path) -> None:
    skills = sheet(
        SKILL_COLUMNS,
        skill("u:a", "", "first alternative"),
        skill("u:b", "old", status="Obsolete"),
        skill("u:a", "again"),
        skill("u:c", " "),
        skill("u:d", "draft", status="in review"),
    )
    taxonomy = taxonomy_of(tmp_path, small_files() | {"skills_en.csv": skills})
    labels = dict(zip(*(taxonomy.concepts[c].to_pylist() for c in ("concept_uri", "preferred_label")), strict=True))
    assert labels == {"u:a": "first alternative", "u:d": "draft"}
    assert (
        "skills: dropped 1 rows that have no label, 1 rows that have the status obsolete, "
        "1 rows that repeat the conceptUri of another"
    ) in taxonomy.notes
    assert "skills: 1 rows have no preferred label, their first other label stands in" in taxonomy.notes


def test_occupations_list_their_labels_preferred_first_without_repeats(tmp_path: Path) -> None:
    (row,) = taxonomy_of(tmp_path, small_files()).occupations.to_pylist()
    assert row["labels"] == ["developer", "coder", "hacker"]
    assert (row["preferred_label"], row["isco_group"], row["description"]) == ("developer", "2512", "Codes.")


def test_relations_hold_the_three_kinds_and_no_loose_end(tmp_path: Path) -> None:
    files = small_files()
    files["occupationSkillRelations.csv"] += "u:dev,optional,,u:languages\r\nu:gone,essential,,u:java\r\n"
    files["skillSkillRelations.csv"] += "u:java,,optional,,u:java\r\nu:java,,optional,,u:languages\r\n"
    files["skillSkillRelations.csv"] += "u:java,,sideways,,u:welsh\r\n"
    taxonomy = taxonomy_of(tmp_path, files)
    assert edges(taxonomy, "essential") == {("u:dev", "u:java")}
    assert edges(taxonomy, "optional") == {("u:dev", "u:languages"), ("u:java", "u:languages")}
    assert ("u:java", "u:languages") in edges(taxonomy, "broader")
    assert ("u:S5.1", "u:S5") in edges(taxonomy, "broader")
    assert any("1 rows that have an end" in note and "u:gone" in note for note in taxonomy.notes)
    assert (
        "skillSkillRelations: dropped 1 rows that have the relation type 'sideways', "
        "1 rows that relate a URI to itself, 1 rows that repeat another"
    ) in taxonomy.notes


# --- the hierarchy ----------------------------------------------------------------------------------------


def test_ragged_hierarchy_rows_give_groups_codes_and_levels(tmp_path: Path) -> None:
    taxonomy = taxonomy_of(tmp_path, small_files())
    groups = {row["group_uri"]: row for row in taxonomy.groups.to_pylist()}
    assert {uri: row["level"] for uri, row in groups.items()} == {
        "u:S": 0, "u:S5": 1, "u:S9": 1, "u:S5.1": 2, "u:K": 0, "http://x/isced-f/0613": 1
    }  # fmt: skip
    only_there = groups["u:S9"]
    assert (only_there["label"], only_there["code"], only_there["description"]) == (
        "only here",
        "S9",
        "All of S9.",
    )
    assert only_there["broader_uris"] == ["u:S"]
    assert groups["u:S"]["description"] == "About skills."
    assert groups["http://x/isced-f/0613"]["code"] == "0613"
    assert any("3 rows have fewer or more cells" in note for note in taxonomy.notes)
    assert any("1 groups not in skillGroups" in note for note in taxonomy.notes)


def test_paths_are_every_way_up_shortest_first(tmp_path: Path) -> None:
    assert concept(taxonomy_of(tmp_path, small_files()), "u:java")["paths"] == [
        ["u:languages", "http://x/isced-f/0613", "u:K"],
        ["u:languages", "u:S5.1", "u:S5", "u:S"],
    ]


def test_a_cycle_is_cut_where_another_way_up_remains(tmp_path: Path) -> None:
    files = small_files()
    files["broaderRelationsSkillPillar.csv"] += "\n,u:languages,,u:java\n,u:S,,u:S\n"
    taxonomy = taxonomy_of(tmp_path, files)
    assert concept(taxonomy, "u:java")["paths"][0] == ["u:languages", "http://x/isced-f/0613", "u:K"]
    assert ("u:languages", "u:java") not in edges(taxonomy, "broader")
    assert any("cut the cycle at u:languages, broader u:java" in note for note in taxonomy.notes)
    assert any("relate a URI to itself" in note for note in taxonomy.notes)


def test_ways_up_that_multiply_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esco_hierarchy, "MAX_PATHS", 8)
    rows = [skill(f"u:{level}{side}", f"node {level}{side}") for level in range(9) for side in "ab"]
    pairs = [(f"u:{n}{x}", f"u:{n + 1}{y}") for n in range(8) for x in "ab" for y in "ab"]
    files = small_files() | {
        "skills_en.csv": sheet(SKILL_COLUMNS, *rows), "broaderRelationsSkillPillar.csv": broader(*pairs)
    }  # fmt: skip
    taxonomy = taxonomy_of(tmp_path, files)
    assert len(concept(taxonomy, "u:0a")["paths"]) == 8
    assert any("8 shortest ways" in note for note in taxonomy.notes)


@pytest.mark.parametrize(
    ("parents", "group_uri"),
    [
        (["u:S5.1"], "u:S5.1"),
        (["u:S5.1", "u:S5"], "u:S5"),  # equally near: the lower code
        (["http://x/isced-f/0613", "u:S5.1"], "u:S5.1"),  # a pillar before a field
        (["http://x/isced-f/0613", "u:plain"], "http://x/isced-f/0613"),  # a code before none
        (["u:languages", "http://x/isced-f/0613"], "http://x/isced-f/0613"),  # the nearest before a pillar
        (["u:languages"], "u:S5.1"),  # through a broader concept
        ([], None),
    ],
)
def test_the_group_rule(tmp_path: Path, parents: list[str], group_uri: str | None) -> None:
    files = small_files()
    files["skillGroups_en.csv"] += "SkillGroup,u:plain,no code,,,released,,\r\n"
    files["broaderRelationsSkillPillar.csv"] += "".join(f",u:welsh,,{parent}\r\n" for parent in parents)
    taxonomy = taxonomy_of(tmp_path, files)
    row = concept(taxonomy, "u:welsh")
    assert row["group_uri"] == group_uri
    assert (row["group_label"] is None) == (group_uri is None)
    assert ("skills: 1 concepts are in no group" in taxonomy.notes) == (group_uri is None)


# --- the real bundle --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def real() -> Taxonomy:
    if not REAL.is_dir():
        pytest.skip(f"the real ESCO bundle is not at {REAL}")
    return read_taxonomy(find_bundle(REAL, version="1.1.1"))


def test_real_counts_of_v1_1_1(real: Taxonomy) -> None:
    assert real.version == "1.1.1"
    assert real.concepts.num_rows == 13_896
    assert real.occupations.num_rows == 3_007
    assert real.groups.num_rows == 640 + 7
    predicates = Counter(real.relations["predicate"].to_pylist())
    assert predicates["broader"] == 20_656
    # One occupation with 67 rows dangles, one skill relates to itself.
    assert predicates["essential"] + predicates["optional"] == 123_855 - 67 + 5_899 - 1
    notes = "\n".join(real.notes)
    assert "67 rows that have an end that the bundle does not hold; 1 URIs" in notes
    assert "7 groups not in skillGroups" in notes
    assert "189 rows have fewer or more cells" in notes


def test_real_labels_hold_each_concept_once_as_preferred(real: Taxonomy) -> None:
    kinds = Counter(real.labels["kind"].to_pylist())
    assert kinds["preferred"] == 13_896
    assert 84_000 < kinds["alternative"] < 97_483
    assert 300 < kinds["hidden"] < 919
    per_concept = set(zip(real.labels["text_key"].to_pylist(), real.labels["concept_uri"].to_pylist(), strict=True))
    assert len(per_concept) == real.labels.num_rows
    holders = Counter(real.labels["text_key"].to_pylist())
    assert 500 < sum(count > 1 for count in holders.values()) < 1_000


def test_real_concepts_all_have_a_group_and_a_way_to_a_pillar(real: Taxonomy) -> None:
    roots = {row["group_uri"]: row["code"] for row in real.groups.to_pylist() if row["level"] == 0}
    assert sorted(roots.values()) == ["K", "L", "S", "T"]
    assert real.concepts["group_uri"].null_count == 0
    paths = real.concepts["paths"].to_pylist()
    assert all(path[-1] in roots for ways in paths for path in ways)
    assert max(len(ways) for ways in paths) == 31


def test_real_concepts_stand_in_sensible_groups(real: Taxonomy) -> None:
    code = {row["group_uri"]: row["code"] for row in real.groups.to_pylist()}
    group_of = {row["preferred_label"]: code[row["group_uri"]] for row in real.concepts.to_pylist()}
    assert group_of["Java (computer programming)"] == "0613"
    assert group_of["write Hungarian"] == "L1"
    assert group_of["Latin"] == "L2"
    pillars = Counter(code[:1] if code[:1].isalpha() else "K" for code in group_of.values())
    assert pillars["S"] > pillars["K"] > pillars["L"] > pillars["T"] > 200


def test_real_labels_are_free_of_invisible_characters(real: Taxonomy) -> None:
    labels = real.labels["label"]
    assert pc.any(pc.match_substring_regex(labels, r"[\x00-\x1f\x7f-\x9f\x{200b}\x{feff}]")).as_py() is False
    assert pc.all(pc.equal(pc.utf8_trim_whitespace(labels), labels)).as_py()


def test_real_previous_version_is_found_beside_it(real: Taxonomy) -> None:
    previous = find_bundle(REAL, version="1.1.0")
    assert previous.taxonomy_id != real.taxonomy_id
    uris = {
        role: {cells[0] for _, cells in esco_bundle.read_rows(previous, role, ("conceptUri",), (), [])}
        for role in ("skills", "skillGroups", "occupations")
    }
    assert {role: len(of_role) for role, of_role in uris.items()} == {
        "skills": 13_891, "skillGroups": 643, "occupations": 3_008
    }  # fmt: skip
    # v1.1.1 keeps every skill and turns five digital groups into skills.
    now = set(real.concepts["concept_uri"].to_pylist())
    assert uris["skills"] < now
    assert len(uris["skillGroups"] & now) == len(now) - len(uris["skills"]) == 5


def test_real_bundle_unpacked_has_the_id_of_the_zips(real: Taxonomy, tmp_path: Path) -> None:
    for name in (EN_ZIP, FREE_ZIP):
        archive = REAL / name.format("1.1.1")
        shutil.unpack_archive(archive, tmp_path / archive.stem)
    assert find_bundle(tmp_path).taxonomy_id == real.taxonomy_id
    assert find_bundle(tmp_path).version == "1.1.1"
