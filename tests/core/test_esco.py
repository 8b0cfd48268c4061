"""The ESCO reader on small bundles made here, and on the real one where it lies beside the repository."""

import csv
import io
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pytest

from skillsim import esco_bundle, esco_hierarchy, schemas
from skillsim.errors import TaxonomyError
from skillsim.esco import Taxonomy, find_bundle, read_taxonomy
from skillsim.text import text_key

EN_ZIP = "ESCO dataset - v{} - classification - en - csv.zip"
FREE_ZIP = "ESCO dataset - v{} - classification -  - csv.zip"
REAL = Path(__file__).parents[3] / "shared" / "data" / "esco"

SKILL_COLUMNS = "conceptType,conceptUri,skillType,reuseLevel,preferredLabel,altLabels,hiddenLabels,status,description"
GROUP_COLUMNS = "conceptType,conceptUri,preferredLabel,altLabels,hiddenLabels,status,description,code"
OCCUPATION_COLUMNS = "conceptType,conceptUri,iscoGroup,preferredLabel,altLabels,hiddenLabels,status,description"
HIERARCHY_COLUMNS = (
    "Level 0 URI,Level 0 preferred term,Level 1 URI,Level 1 preferred term,"
    "Level 2 URI,Level 2 preferred term,Level 3 URI,Level 3 preferred term,"
    "Description,Scope note,Level 0 code,Level 1 code,Level 2 code,Level 3 code"
)

Files = dict[str, str]


def sheet(columns: str, *rows: list[str] | tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([columns.split(","), *rows])
    return out.getvalue()


def skill(uri: str, label: str, alternatives: str = "", hidden: str = "", status: str = "released") -> list[str]:
    about = f"About {label}."
    return [
        "KnowledgeSkillCompetence",
        uri,
        "knowledge",
        "cross-sector",
        label,
        alternatives,
        hidden,
        status,
        about,
    ]


def group(uri: str, label: str, code: str = "") -> list[str]:
    return ["SkillGroup", uri, label, "", "", "released", f"About {label}.", code]


def broader(*pairs: tuple[str, str]) -> str:
    rows = [("", child, "", parent) for child, parent in pairs]
    return sheet("conceptType,conceptUri,broaderType,broaderUri", *rows)


def small_files() -> Files:
    """Java below programming languages below the groups S5.1 and, as a field, isced-f/0613; a lone Welsh."""
    return {
        "skills_en.csv": sheet(
            SKILL_COLUMNS,
            skill("u:java", "Java", "Core Java\nJava SE", "jvaa"),
            skill("u:languages", "programming languages", "coding languages"),
            skill("u:welsh", "Welsh"),
        ),
        "skillGroups_en.csv": sheet(
            GROUP_COLUMNS,
            group("u:S", "skills", "S"),
            group("u:S5", "computers", "S5"),
            group("u:S5.1", "programming", "S5.1"),
            group("u:K", "knowledge", "K"),
            group("http://x/isced-f/0613", "software development"),
        ),
        "skillsHierarchy_en.csv": sheet(
            HIERARCHY_COLUMNS,
            ["u:S", "skills", *[""] * 8, "S"],
            ["u:S", "skills", "u:S5", "computers", *[""] * 6, "S", "S5"],
            ["u:S", "skills", "u:S9", "only here", "", "", "", "", "All of S9.", "", "S", "S9"],
        ),
        "occupations_en.csv": sheet(
            OCCUPATION_COLUMNS,
            [
                "Occupation",
                "u:dev",
                "2512",
                "developer",
                "coder\nDeveloper\n coder ",
                "hacker",
                "released",
                "Codes.",
            ],
        ),
        "broaderRelationsSkillPillar.csv": broader(
            ("u:S5", "u:S"),
            ("u:S5.1", "u:S5"),
            ("http://x/isced-f/0613", "u:K"),
            ("u:java", "u:languages"),
            ("u:languages", "u:S5.1"),
            ("u:languages", "http://x/isced-f/0613"),
        ),
        "skillSkillRelations.csv": sheet(
            "originalSkillUri,originalSkillType,relationType,relatedSkillType,relatedSkillUri",
            ["u:java", "", "optional", "", "u:languages"],
        ),
        "occupationSkillRelations.csv": sheet(
            "occupationUri,relationType,skillType,skillUri", ["u:dev", "essential", "", "u:java"]
        ),
    }


def as_folder(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode("utf-8-sig"))
    return folder


def as_zip(path: Path, files: Files) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text.encode("utf-8-sig"))
    return path


def as_downloaded(folder: Path, files: Files, version: str = "1.1.1") -> Path:
    """The two official zips."""
    free = {name: text for name, text in files.items() if "Relations" in name}
    as_zip(folder / FREE_ZIP.format(version), free)
    as_zip(folder / EN_ZIP.format(version), {n: t for n, t in files.items() if n not in free})
    return folder


def taxonomy_of(folder: Path, files: Files, language: str = "en") -> Taxonomy:
    return read_taxonomy(find_bundle(as_folder(folder, files), language))


def concept(taxonomy: Taxonomy, uri: str) -> dict:
    return next(row for row in taxonomy.concepts.to_pylist() if row["concept_uri"] == uri)


def edges(taxonomy: Taxonomy, predicate: str) -> set[tuple[str, str]]:
    rows = taxonomy.relations.to_pylist()
    return {(row["subject_uri"], row["object_uri"]) for row in rows if row["predicate"] == predicate}


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


# --- finding a bundle -------------------------------------------------------------------------------------


def test_every_form_of_the_same_bundle_has_the_same_id_and_tables(tmp_path: Path) -> None:
    files = small_files()
    suffixed = {name.replace("Relations.csv", "Relations_en.csv"): text for name, text in files.items()}
    nested = as_folder(tmp_path / "nested" / "labels", {n: t for n, t in files.items() if "Relations" not in n})
    as_folder(nested.parent / "relations", {n: t for n, t in files.items() if "Relations" in n})
    downloaded = as_downloaded(tmp_path / "downloaded", files)
    forms = [
        as_folder(tmp_path / "flat", files),
        nested.parent,
        downloaded,
        downloaded / EN_ZIP.format("1.1.1"),
        downloaded / FREE_ZIP.format("1.1.1"),
        as_zip(tmp_path / "all" / "esco.zip", files),
        as_zip(tmp_path / "all_suffixed" / "esco.zip", suffixed),
        as_zip(tmp_path / "inner" / "esco.zip", {f"some/folder/{name}": text for name, text in files.items()}),
    ]
    bundles = [find_bundle(form) for form in forms]
    assert len({bundle.taxonomy_id for bundle in bundles}) == 1
    assert len(bundles[0].taxonomy_id) == 16
    assert int(bundles[0].taxonomy_id, 16) > 0
    assert [bundle.version for bundle in bundles] == [*["unknown"] * 2, *["1.1.1"] * 3, *["unknown"] * 3]
    relations = [read_taxonomy(bundle).relations for bundle in bundles]
    assert all(table.equals(relations[0]) for table in relations)


def test_the_id_depends_on_content_and_language_and_nothing_else(tmp_path: Path) -> None:
    files = small_files()
    plain = find_bundle(as_folder(tmp_path / "plain", files)).taxonomy_id
    more = files | {"greenSkillsCollection_en.csv": "conceptUri\nu:java\n", "readme.txt": "hello"}
    assert find_bundle(as_folder(tmp_path / "more", more)).taxonomy_id == plain
    changed = files | {"skills_en.csv": files["skills_en.csv"].replace("Core Java", "Kernel Java")}
    assert find_bundle(as_folder(tmp_path / "changed", changed)).taxonomy_id != plain
    less = {name: text for name, text in files.items() if name != "skillSkillRelations.csv"}
    assert find_bundle(as_folder(tmp_path / "less", less)).taxonomy_id != plain
    french = {name.replace("_en", "_fr"): text for name, text in files.items()}
    assert find_bundle(as_folder(tmp_path / "french", french), "fr").taxonomy_id != plain


@pytest.mark.parametrize("rules", ["ESCO_RULES_VERSION", "TEXT_RULES_VERSION"])
def test_the_id_changes_with_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: str) -> None:
    folder = as_folder(tmp_path, small_files())
    before = find_bundle(folder).taxonomy_id
    monkeypatch.setattr(esco_bundle, rules, 10_000)
    assert find_bundle(folder).taxonomy_id != before


def test_languages_share_uris_and_keep_their_letters(tmp_path: Path) -> None:
    files = small_files()
    greek = {name.replace("_en", "_el"): text for name, text in files.items() if "_en" in name}
    greek["skills_el.csv"] = sheet(SKILL_COLUMNS, skill("u:java", "γλώσσα Java", "プログラミング\nбазы данных"))
    folder = as_folder(tmp_path, files | greek)
    english, hellenic = (read_taxonomy(find_bundle(folder, language)) for language in ("en", "el"))
    assert concept(english, "u:java")["paths"] != []
    assert concept(hellenic, "u:java")["preferred_label"] == "γλώσσα Java"
    assert sorted(hellenic.labels["label"].to_pylist()) == ["γλώσσα Java", "базы данных", "プログラミング"]
    assert hellenic.language == "el"
    assert hellenic.taxonomy_id != english.taxonomy_id


def test_a_version_can_be_chosen_among_several(tmp_path: Path) -> None:
    old = small_files()
    new = small_files() | {"skills_en.csv": sheet(SKILL_COLUMNS, skill("u:new", "new"))}
    as_downloaded(as_downloaded(tmp_path, old, "1.1.0"), new, "1.1.1")
    with pytest.raises(TaxonomyError, match=r"several versions \(1.1.0, 1.1.1\).*--set taxonomy.version=1.1.1"):
        find_bundle(tmp_path)
    with pytest.raises(TaxonomyError, match=r"holds version 1.1.0, 1.1.1, not 1.2.0"):
        find_bundle(tmp_path, version="1.2.0")
    chosen = find_bundle(tmp_path, version="v1.1.1")
    assert chosen.version == "1.1.1"
    assert read_taxonomy(chosen).concepts["concept_uri"].to_pylist() == ["u:new"]
    assert find_bundle(tmp_path, version="1.1.0").taxonomy_id == find_bundle(
        tmp_path / EN_ZIP.format("1.1.0")
    ).taxonomy_id  # fmt: skip


def test_a_version_can_be_stated_where_no_name_says_it(tmp_path: Path) -> None:
    assert find_bundle(as_folder(tmp_path / "flat", small_files()), version="1.2.0").version == "1.2.0"
    assert find_bundle(as_folder(tmp_path / "esco_v1.2.0", small_files())).version == "1.2.0"


def test_only_skills_are_required_and_the_rest_is_noted(tmp_path: Path) -> None:
    files = {"skills_en.csv": small_files()["skills_en.csv"]}
    taxonomy = taxonomy_of(tmp_path, files)
    assert taxonomy.concepts.num_rows == 3
    assert taxonomy.groups.num_rows == taxonomy.relations.num_rows == taxonomy.occupations.num_rows == 0
    for role in set(esco_bundle.ROLES) - {"skills"}:
        assert any(note.startswith(f"no {role} file: ") for note in taxonomy.notes)


# --- what a user gets wrong -------------------------------------------------------------------------------


def refused(path: Path, language: str = "en") -> str:
    """The error a path is refused with, found or read."""
    with pytest.raises(TaxonomyError) as error:
        read_taxonomy(find_bundle(path, language))
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_path_that_is_missing_or_no_bundle(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "nowhere")
    assert "found: nothing" in refused(as_folder(tmp_path / "empty", {}))
    assert "found: a.txt, b.txt" in refused(as_folder(tmp_path / "texts", {"b.txt": "", "a.txt": ""}))
    assert "found: a.txt" in refused(as_zip(tmp_path / "z" / "texts.zip", {"a.txt": ""}))
    relations = {name: text for name, text in small_files().items() if "Relations" in name}
    assert "only broaderRelationsSkillPillar.csv" in refused(as_folder(tmp_path / "free", relations))


def test_a_file_that_is_no_zip_or_a_broken_one(tmp_path: Path) -> None:
    text = tmp_path / "skills_en.csv"
    text.write_text("conceptUri\n")
    assert "not a zip archive" in refused(text)
    whole = as_zip(tmp_path / "whole.zip", small_files()).read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "cut.zip").write_bytes(whole[: len(whole) // 2])
    assert "not a zip archive or is a broken one" in refused(tmp_path / "cut")
    hurt = tmp_path / "hurt.zip"
    hurt.write_bytes(whole[:60] + bytes(40) + whole[100:])
    assert "hurt.zip: skills_en.csv cannot be read" in refused(hurt)


def test_another_language_than_asked_is_named(tmp_path: Path) -> None:
    message = refused(as_folder(tmp_path, small_files()), "fr")
    assert "no skills_fr.csv" in message
    assert "set taxonomy.language=en" in message


def test_a_required_column_that_is_missing(tmp_path: Path) -> None:
    files = small_files()
    files["skills_en.csv"] = files["skills_en.csv"].replace("preferredLabel", "label")
    message = refused(as_folder(tmp_path, files))
    assert "skills_en.csv has no column preferredLabel" in message
    assert "altLabels" in message
    assert "the file is empty" in refused(as_folder(tmp_path / "e", files | {"skills_en.csv": ""}))


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, small_files())
    (folder / "skills_en.csv").write_bytes(
        small_files()["skills_en.csv"].replace("Welsh", "Fran\xe7ais").encode("cp1252")
    )
    assert "skills_en.csv is not UTF-8 (line 5," in refused(folder)


def test_a_quote_left_open(tmp_path: Path) -> None:
    files = small_files()
    files["skills_en.csv"] += 'KnowledgeSkillCompetence,u:open,,,"open\r\n'
    assert "not a readable CSV file" in refused(as_folder(tmp_path, files))


def test_skills_without_rows_or_without_a_uri(tmp_path: Path) -> None:
    files = small_files() | {"skills_en.csv": sheet(SKILL_COLUMNS)}
    assert "holds no skills" in refused(as_folder(tmp_path / "none", files))
    files["skills_en.csv"] = sheet(SKILL_COLUMNS, skill("u:a", "a", "b\nc"), skill(" ", "b"))
    assert "no conceptUri in row 3" in refused(as_folder(tmp_path / "blank", files))


def test_different_copies_of_one_file_are_refused_and_equal_ones_are_one(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, small_files())
    as_zip(tmp_path / "copy.zip", small_files())
    assert find_bundle(folder).taxonomy_id
    as_zip(tmp_path / "copy.zip", {"skills_en.csv": sheet(SKILL_COLUMNS, skill("u:x", "x"))})
    assert "skills is there more than once" in refused(folder)


def test_a_zip_bomb_is_refused_by_what_it_unpacks_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(esco_bundle, "MAX_MEMBER_BYTES", 1 << 20)
    files = small_files() | {"skills_en.csv": "x" * (2 << 20)}
    assert "larger than 1 MiB" in refused(as_zip(tmp_path / "bomb.zip", files))


def test_a_file_that_changes_between_finding_and_reading_is_refused(tmp_path: Path) -> None:
    bundle = find_bundle(as_folder(tmp_path, small_files()))
    as_folder(tmp_path, {"skills_en.csv": sheet(SKILL_COLUMNS, skill("u:x", "x"))})
    with pytest.raises(TaxonomyError, match="changed while it was being read"):
        read_taxonomy(bundle)


def test_a_member_that_climbs_out_of_its_zip_stays_inside(tmp_path: Path) -> None:
    files = {f"../../{name}": text for name, text in small_files().items()}
    archive = as_zip(tmp_path / "deep" / "in" / "climb.zip", files)
    assert read_taxonomy(find_bundle(archive)).concepts.num_rows == 3
    assert [path.name for path in tmp_path.rglob("*.csv")] == []


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
