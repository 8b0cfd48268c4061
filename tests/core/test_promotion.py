"""Curators' decisions become rows of a lexicon."""

from dataclasses import replace
from pathlib import Path

import pytest

from skillsim.lexicon import COLUMNS, read_lexicon
from skillsim.promotion import add_rows, own_lexicon, promote
from tests.core.test_overrides import JAVA

JAVA_URI = "http://c/java"
KNOWN = {JAVA_URI}
DECIDED = [
    replace(JAVA, concept_uri=JAVA_URI),
    replace(JAVA, raw="Careers Day", verdict="not_skill", concept_uri=None),
    replace(JAVA, raw="juggling", verdict="nil", concept_uri=None, why=""),
    replace(JAVA, raw="here alone", source="feed", concept_uri=JAVA_URI),
]


def test_decisions_for_all_feeds_are_added_once_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    for rows, known in ((3, 0), (0, 3)):
        found = promote(DECIDED, own_lexicon(path, "en"), KNOWN, "1.1.1")
        assert (len(found.rows), found.known, found.left_out) == (rows, known, ())
        add_rows(path, found.rows)
    said = {
        entry.text: (entry.kind, entry.exact, entry.meaning, entry.origin)
        for entry in own_lexicon(path, "en").entries.values()
    }
    assert said == {
        "core java": ("skill", (JAVA_URI,), "it is Java", "curator"),
        "careers day": ("junk", (), "it is Java", "curator"),
        "juggling": ("skill", (), "", "curator"),
    }


@pytest.mark.parametrize(
    "row",
    [
        "core java,en,http://c/other,exact,skill",
        "core java,en,,,skill",
        "core java,en,,,title",
        "juggling,en,http://c/other,broad,skill",
        "careers day,en,,,skill",
    ],
)
def test_what_the_lexicon_says_otherwise_is_listed_and_left(tmp_path: Path, row: str) -> None:
    path = tmp_path / "ours.csv"
    path.write_text(f"string,language,concept_uri,match,kind\n{row}\n", encoding="utf-8")
    found = promote(DECIDED, own_lexicon(path, "en"), KNOWN, "1.1.1")
    (line,) = found.left_out
    assert row.split(",")[0] in line.casefold().replace("_", " ")
    assert len(found.rows) == 2


def test_an_ambiguous_entry_says_otherwise_and_a_title_is_no_skill(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    rows = [f"core java,en,{JAVA_URI},exact,skill,,,,yes", "careers day,en,,,title,,,,"]
    path.write_text("\n".join([",".join(COLUMNS), *rows, ""]), encoding="utf-8")
    found = promote(DECIDED, own_lexicon(path, "en"), KNOWN, "1.1.1")
    assert (len(found.rows), found.known, len(found.left_out)) == (1, 1, 1)


def test_what_no_lexicon_holds_is_listed(tmp_path: Path) -> None:
    lost = replace(JAVA, raw="cobol", concept_uri="http://c/gone")
    long = replace(JAVA, raw="a very long skill " * 10, verdict="nil", concept_uri=None)
    found = promote([lost, long], own_lexicon(tmp_path / "none.csv", "en"), KNOWN, "1.1.1")
    assert (found.rows, found.known) == ((), 0)
    assert sorted(line.rpartition(", ")[2] for line in found.left_out) == [
        "a concept that the taxonomy lacks",
        "and too long for a lexicon",
    ]


@pytest.mark.parametrize(("mark", "end"), [("", "\n"), ("\ufeff", "\r\n")])
def test_rows_go_into_the_files_own_columns_and_what_is_there_stays(tmp_path: Path, mark: str, end: str) -> None:
    path = tmp_path / "ours.csv"
    there = f"{mark}kind,string,match,concept_uri,language,note{end}skill,Java EE,exact,{JAVA_URI},en,mine"
    path.write_bytes(there.encode())
    add_rows(path, promote(DECIDED, own_lexicon(path, "en"), KNOWN, "1.1.1").rows)
    content = path.read_bytes().decode()
    assert content.startswith(there + end)
    lines = content.split(end)
    assert not any("\n" in line for line in lines)
    assert f"skill,Core_Java,exact,{JAVA_URI},en," in lines
    assert len(read_lexicon(path).entries) == 4
    assert [file.name for file in tmp_path.iterdir()] == ["ours.csv"]
