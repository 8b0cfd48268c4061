"""Finding an ESCO bundle in whatever form it lies, and what a user gets wrong about it."""

import lzma
import zipfile
from pathlib import Path

import pytest

from skillsim import esco_bundle, esco_files
from skillsim.errors import TaxonomyError
from skillsim.esco import find_bundle, read_taxonomy
from tests.core.bundles import (
    EN_ZIP,
    FREE_ZIP,
    SKILL_COLUMNS,
    as_downloaded,
    as_folder,
    as_zip,
    concept,
    sheet,
    skill,
    small_files,
    taxonomy_of,
)

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


def test_a_folder_per_version_may_hold_zips(tmp_path: Path) -> None:
    old, new = small_files(), small_files() | {"skills_en.csv": sheet(SKILL_COLUMNS, skill("u:new", "new"))}
    as_downloaded(tmp_path / "first" / "v1.1.0", old, "1.1.0")
    whole = find_bundle(tmp_path / "first")
    assert (whole.version, whole.taxonomy_id) == ("1.1.0", find_bundle(tmp_path / "first" / "v1.1.0").taxonomy_id)
    as_zip(tmp_path / "both" / "v1.1.0" / "all.zip", old)
    as_zip(tmp_path / "both" / "v1.1.1" / "all.zip", new)
    with pytest.raises(TaxonomyError, match=r"several versions \(1.1.0, 1.1.1\)"):
        find_bundle(tmp_path / "both")
    assert find_bundle(tmp_path / "both", version="1.1.0").taxonomy_id == whole.taxonomy_id


def test_zips_that_name_no_version_complete_each_other(tmp_path: Path) -> None:
    files = small_files()
    relations = {name: text for name, text in files.items() if "Relations" in name}
    labels = {name: text for name, text in files.items() if name not in relations}
    whole = find_bundle(as_folder(tmp_path / "flat", files)).taxonomy_id
    english = as_zip(tmp_path / "esco" / "en.zip", labels)
    free = as_zip(tmp_path / "esco" / "rel.zip", relations)
    (tmp_path / "esco" / "other.zip").write_bytes(_hurt(free.read_bytes(), version=99))
    assert find_bundle(english).taxonomy_id == find_bundle(free).taxonomy_id == whole
    complete = as_zip(tmp_path / "esco" / "all.zip", files | {"skillSkillRelations.csv": "conceptUri\n"})
    assert len(find_bundle(complete).members) == 7  # it lacks nothing, so rel.zip is none of its own


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
    monkeypatch.setattr(esco_files, "MAX_MEMBER_BYTES", 1 << 20)
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


def _hurt(whole: bytes, version: int | None = None, name: int | None = None) -> bytes:
    """A zip with another byte in its first directory entry."""
    entry = whole.index(b"PK\x01\x02")
    broken = bytearray(whole)
    if version is not None:
        broken[entry + 6] = version  # needed to extract
    if name is not None:
        broken[entry + 9] |= 8  # the name is UTF-8
        broken[entry + 46] = name
    return bytes(broken)


@pytest.mark.parametrize(
    ("damage", "cause"), [({"version": 99}, "zip file version 9.9"), ({"name": 255}, "invalid start byte")]
)
def test_a_zip_that_python_cannot_open_is_one_line(tmp_path: Path, damage: dict[str, int], cause: str) -> None:
    whole = as_zip(tmp_path / "esco.zip", small_files()).read_bytes()
    (tmp_path / "esco.zip").write_bytes(_hurt(whole, **damage))
    message = refused(tmp_path / "esco.zip")
    assert cause in message
    assert "download it again" in message
    assert refused(tmp_path).replace("esco.zip", "") == message.replace("esco.zip", "")
    (tmp_path / "v1").mkdir()
    english = as_zip(tmp_path / "v1" / EN_ZIP.format("1.1.1"), {"skills_en.csv": small_files()["skills_en.csv"]})
    (tmp_path / "v1" / FREE_ZIP.format("1.1.1")).write_bytes(_hurt(whole, **damage))
    with pytest.raises(TaxonomyError, match="classification -  - csv.zip is not a zip archive or is a broken one"):
        find_bundle(english)


@pytest.mark.parametrize(
    "error", [lzma.LZMAError("corrupt\ninput"), EOFError(), NotImplementedError("compression type 97")]
)
def test_a_member_that_cannot_be_unpacked_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    archive = as_zip(tmp_path / "esco.zip", small_files())
    monkeypatch.setattr(zipfile.ZipExtFile, "read", fail)
    assert "skills_en.csv cannot be read (" in refused(archive)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", forbid)
    assert "Permission denied" in refused(as_folder(tmp_path, {}))
