"""The lexicon: what a file may say, what is refused with its lines, and how two lexicons and a taxonomy meet."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.errors import LexiconError
from skillsim.lexicon import BUILTIN, COLUMNS, KINDS, NO_LEXICON, Entry, Lexicon, builtin_lexicon, read_lexicon
from skillsim.text import text_key

HEADER = ",".join(COLUMNS)


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def lexicon(path: Path, *rows: str, language: str = "en") -> Lexicon:
    return read_lexicon(write(path / "lexicon.csv", *rows), language)


def test_rows_of_one_text_are_one_entry_with_exact_concepts_first(tmp_path: Path) -> None:
    found = lexicon(
        tmp_path,
        "F & B,en,http://c/1,broad,skill,food and beverage,judged,1.1.1,",
        "f&b,en,http://c/2,exact,skill,,judged,1.1.1,",
        "Staff Nurse,en,,,title,,judged,1.1.1,",
    )
    assert set(found.entries) == {text_key("f&b"), text_key("staff nurse")}
    entry = found.entries[text_key("f&b")]
    assert (entry.string, entry.text, entry.exact, entry.broad) == ("F & B", "f&b", ("http://c/2",), ("http://c/1",))
    assert (entry.kind, entry.meaning, entry.decides) == ("skill", "food and beverage", True)


def test_what_has_several_senses_or_skills_does_not_decide(tmp_path: Path) -> None:
    found = lexicon(
        tmp_path, "ip,en,http://c/1,exact,skill,,,,yes", "sales and marketing,en,http://c/1,exact,multi,,,,"
    )
    assert [entry.decides for entry in found.entries.values()] == [False, False]


def test_other_languages_are_checked_and_left_out(tmp_path: Path) -> None:
    rows = ("gestion,fr,http://c/1,exact,skill,,,,", "sales,en,http://c/2,exact,skill,,,,")
    assert set(lexicon(tmp_path, *rows).entries) == {text_key("sales")}
    assert set(lexicon(tmp_path, *rows, language="fr").entries) == {text_key("gestion")}
    with pytest.raises(LexiconError, match="line 2"):
        lexicon(tmp_path, "gestion,fr,c1,exact,skill,,,,")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["12345,en,,,junk,,,,"], "line 2: '12345' is no skill text (number)"),
        (["sales,en,c:1,exact,skill,,,,"], "line 2: 'sales' points to 'c:1', which is no concept's URI"),
        (
            ["sales,en,http://c/1,close,skill,,,,"],
            "line 2: 'sales' has match 'close', which is neither exact nor broad",
        ),
        (["sales,en,,exact,skill,,,,"], "line 2: 'sales' has match 'exact' and no concept"),
        (["sales,en,,,hobby,,,,"], "line 2: 'sales' has kind 'hobby', which is none of skill, title, junk, multi"),
        (["nurse,en,http://c/1,exact,title,,,,"], "line 2: 'nurse' is of kind title and has a concept"),
        (["sales,en,,,skill,,,,maybe"], "line 2: 'sales' has ambiguous 'maybe': write yes or leave it empty"),
        (["sales,en,,,skill,,,,", "SALES,en,,,skill,,,,"], "lines 2, 3: 'sales' stands there twice"),
        (["sales,en,http://c/1,exact,skill,,,,"] * 2, "lines 2, 3: 'sales' stands there twice"),
        (
            ["sales,en,http://c/1,exact,skill,,,,", "Sales,en,,,skill,,,,"],
            "lines 2, 3: 'sales' has a concept and has none",
        ),
        (
            ["sales,en,,,skill,,,,", "Sales,en,http://c/1,broad,multi,,,,"],
            "lines 2, 3: 'sales' has a concept and has none",
        ),
        (["sales,en,http://c/1,exact,skill,,,,", "Sales,en,http://c/2,broad,multi,,,,"], "is of several kinds"),
        (["sales,en,http://c/1,exact,skill,,,,", "Sales,en,http://c/2,broad,skill,,,,yes"], "is ambiguous and is not"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, rows: list[str], said: str) -> None:
    with pytest.raises(LexiconError) as caught:
        lexicon(tmp_path, *rows)
    assert str(caught.value).startswith(str(tmp_path / "lexicon.csv"))
    assert said in str(caught.value)


def test_many_problems_are_counted(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match=r"line 6: .*; and 3 more\. Correct these lines\.$"):
        lexicon(tmp_path, *["sales,en,,exact,skill,,,,"] * 8)


def test_a_file_that_is_none_or_lacks_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match="no column concept_uri, match, kind"):
        read_lexicon(write(tmp_path / "some.csv", header="string,language"))
    with pytest.raises(LexiconError, match="cannot be read"):
        read_lexicon(tmp_path / "absent.csv")
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + "\nCafé,en,,,junk,,,,\n".encode("latin-1"))
    with pytest.raises(LexiconError, match="UTF-8"):
        read_lexicon(tmp_path / "latin.csv")


def test_the_id_is_of_what_is_decided(tmp_path: Path) -> None:
    one = lexicon(tmp_path, "sales,en,http://c/1,exact,skill,,,,", "staff nurse,en,,,title,,,,")
    same = lexicon(tmp_path, "Staff nurse,en,,,title,a nurse,,1.2,", "SALES,en,http://c/1,exact,skill,,,,")
    other = lexicon(tmp_path, "sales,en,http://c/1,broad,skill,,,,", "staff nurse,en,,,title,,,,")
    assert one.lexicon_id == same.lexicon_id != other.lexicon_id
    elsewhere = lexicon(tmp_path, "sales,en,http://c/1,exact,skill,,mine,,", "staff nurse,en,,,title,,,,")
    assert elsewhere.lexicon_id != one.lexicon_id  # Lexicon.within goes by origins
    assert Lexicon.of("en", {}).lexicon_id == NO_LEXICON


def test_the_customers_lexicon_stands_above_ours(tmp_path: Path) -> None:
    ours = lexicon(tmp_path, "sales,en,http://c/1,exact,skill,,,,", "java,en,http://c/2,exact,skill,,,,")
    own = lexicon(
        tmp_path, "Sales,en,http://c/3,exact,skill,,,,", "java,en,http://c/2,exact,skill,,,,", "odd,en,,,junk,,,,"
    )
    both, differing = own.above(ours)
    assert {entry.text: entry.concepts for entry in both.entries.values()} == {
        "sales": ("http://c/3",),
        "java": ("http://c/2",),
        "odd": (),
    }
    assert differing == ["'Sales': http://c/3 here, http://c/1 there"]


def test_concepts_that_a_taxonomy_lacks_are_left_out_and_listed(tmp_path: Path) -> None:
    rows = (
        "sales,en,http://c/1,exact,skill,,,,",
        "sales,en,http://c/9,broad,skill,,,,",
        "java,en,http://c/8,exact,skill,,,,",
        "rust,en,http://c/2,exact,skill,,,,",
        "teamwork,en,,,skill,,,,",
        "nurse,en,,,title,,,,",
    )
    whole = lexicon(tmp_path, *rows)
    most, missing = whole.within({"http://c/1", "http://c/2"})
    assert {entry.text: entry.concepts for entry in most.entries.values()} == {
        "sales": ("http://c/1",),
        "rust": ("http://c/2",),
        "teamwork": (),
        "nurse": (),
    }
    assert {(entry.text, uri) for entry, uri in missing} == {("sales", "http://c/9"), ("java", "http://c/8")}
    another, _ = whole.within({"http://other"})
    assert {entry.text for entry in another.entries.values()} == {"nurse"}


def test_no_concept_in_another_taxonomy_says_nothing_of_this_one_whoever_judged_it(tmp_path: Path) -> None:
    rows = ("java,en,http://esco/1,exact,skill,,ours,,", "teamwork,en,,,skill,,ours,,")
    own = ("cobol,en,http://c/1,exact,skill,,mine,,", "odd skill,en,,,skill,,mine,,")
    both, _ = lexicon(tmp_path, *rows, *own).within({"http://c/1"})
    assert {entry.text for entry in both.entries.values()} == {"cobol", "odd skill"}


@given(st.text(max_size=200))
def test_any_file_is_read_or_refused(content: str) -> None:
    """Never with another error than ours, whatever a spreadsheet wrote; and what is read has a key and a kind."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "any.csv")
        path.write_bytes(f"{HEADER}\n{content}".encode("utf-8", "replace"))
        entries: dict[str, Entry] = {}
        with suppress(LexiconError):
            entries = dict(read_lexicon(path).entries)
        assert all(text_key(entry.text) == key and entry.kind in KINDS for key, entry in entries.items())


def test_our_own_lexicon_is_whole() -> None:
    found = builtin_lexicon()
    assert len(found.entries) > 6_000
    assert {entry.kind for entry in found.entries.values()} == {"skill", "title", "junk", "multi"}
    header = BUILTIN.read_text(encoding="utf-8").splitlines()[0]
    assert header == HEADER


def test_a_successor_stands_in_for_its_concept(tmp_path: Path) -> None:
    rows = [
        f"sales,en,http://c/{uri},{match},skill,,,," for uri, match in (("1", "exact"), ("2", "broad"), ("3", "broad"))
    ]
    found = lexicon(tmp_path, *rows, "java,en,http://c/4,exact,skill,,,,")
    assert found.succeeded({}) is found
    later = found.succeeded({"http://c/1": "http://c/9", "http://c/2": "http://c/9", "http://c/7": "http://c/8"})
    assert later.lexicon_id != found.lexicon_id
    entry = later.entries[text_key("sales")]
    assert (entry.exact, entry.broad) == (("http://c/9",), ("http://c/3",))
    assert later.entries[text_key("java")] == found.entries[text_key("java")]
