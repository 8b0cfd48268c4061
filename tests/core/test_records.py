"""A line is a record, whatever it holds."""

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.records import MALFORMED, RECORDS, Record, parse_cells, parse_columns, parse_json, parse_lines
from skillsim.text import TEXT_SEPARATORS, parse_field

LINES = st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r")), max_size=20)


def cells(line: str) -> Record:
    return parse_cells(line, ",")


def columns(line: str) -> Record:
    """Of a CSV with the header `name,id,skills`."""
    return parse_columns(line, ",", 3, 1, 2)


def texts(line: str) -> Record:
    return parse_json(line, "id", "skills", "string")


def arrays(line: str) -> Record:
    return parse_json(line, "id", "skills", "array<string>")


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ("x,1,Java", ("1", ["Java"], None)),
        ('x,1,"Java, ""SQL"""', ("1", ['Java, "SQL"'], None)),
        ("x,,", ("", [None], None)),
        ('x,1,say "hi"', ("1", ['say "hi"'], None)),
        ("x,1,a\0b", ("1", ["a\0b"], None)),
        ('x,1,"open,SQL', ("1", ['x,1,"open,SQL'], MALFORMED)),
        ('x,"1,Java', ("1", ['x,"1,Java'], MALFORMED)),
        ('SQL"', (None, ['SQL"'], MALFORMED)),
        ("x,1", ("1", ["x,1"], MALFORMED)),
        ("x,1,Java,more", ("1", ["x,1,Java,more"], MALFORMED)),
    ],
)
def test_a_line_with_named_columns(line: str, record: Record) -> None:
    assert columns(line) == record


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ('{"id": "a", "skills": "Java"}', ("a", ["Java"], None)),
        ('{"id": 1.10, "skills": 5}', ("1.10", ["5"], None)),
        ('{"id": {"oid": "x"}, "skills": true}', ('{"oid": "x"}', ["true"], None)),
        ('{"skills": null}', (None, [None], None)),
        (r'{"id": "\ud800", "skills": "a\udfffb"}', ("\ufffd", ["a\ufffdb"], None)),
        (r'{"id": 1, "skills": "\ud83d\ude00\u0000"}', ("1", ["😀\0"], None)),
        ('{"id": 1, "skills": "a\0b"}', ("1", ["a\0b"], None)),
        ("{broken", (None, ["{broken"], MALFORMED)),
        ('{"id": 1}{"id": 2}', (None, ['{"id": 1}{"id": 2}'], MALFORMED)),
        ('[{"id": 1}]', (None, ['[{"id": 1}]'], MALFORMED)),
        ('{"id": 1, "skills": ["Java"]}', ("1", ['{"id": 1, "skills": ["Java"]}'], MALFORMED)),
    ],
)
def test_a_line_of_json(line: str, record: Record) -> None:
    assert texts(line) == record


@pytest.mark.parametrize(
    ("skills", "expected"),
    [
        (["Java", None, 5], (["Java", None, "5"], None)),
        ([], ([], None)),
        (None, ([], None)),
        ("Java", (None, MALFORMED)),
        ([{"name": "Java"}], (None, MALFORMED)),
    ],
)
def test_a_line_of_json_with_an_array(skills: object, expected: tuple[list[str] | None, str | None]) -> None:
    line = json.dumps({"id": 1, "skills": skills})
    assert arrays(line) == ("1", expected[0] or ([line] if expected[1] else []), expected[1])


def test_no_line_is_too_long_or_too_deep() -> None:
    assert columns("," * 30_000)[2] == MALFORMED
    assert texts("[" * 100_000)[2] == MALFORMED
    assert cells("1," + "x" * 200_000)[2] is None


@pytest.mark.parametrize("parse", [cells, columns, texts, arrays])
@given(lines=LINES)
def test_every_line_is_one_record(parse: Callable[[str], Record], lines: list[str]) -> None:
    parsed = parse_lines(lines, parse)
    assert parsed.num_rows == len(lines)
    assert parsed.schema == RECORDS


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(st.characters()), st.lists))
def test_every_value_of_json_is_stored(value: object) -> None:
    line = json.dumps({"id": value, "skills": value})
    assert parse_lines([line, line], texts).num_rows == 2


SCRAPS = [b"1", b"x", b"Java", b"SQL; C", b",", b";", b'"', b'""', b'","', b"\t", b" ", b"\n", b"\r", b"\r\n", b"\0"]
SCRAPS += [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b'{"id":',
    b'"skills":',
    b"NaN",
    b"1e999",
    b"null",
    b"\\ud800",
    b"\\",
    b"&amp;",
]
SCRAPS += [
    b"caf\xe9",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    *map(str.encode, ("\u200b", "\u202e", "\ufeff", "\u2028", "é")),
]
FILES = st.lists(st.sampled_from(SCRAPS) | st.binary(max_size=3), max_size=60).map(b"".join)


def lines_of(content: bytes) -> list[str]:
    """As Spark hands them on: cut at line breaks, made valid, those of spaces alone left out."""
    lines = re.split(r"\r\n|\n|\r", content.decode("utf-8", "replace"))
    return [line for line in lines if line.strip(" ")]


def written(text: str) -> str:
    """What CSV itself adds and takes away does not count."""
    return re.sub(r'[",\s]', "", text)


@given(FILES)
def test_no_character_of_a_file_is_lost(content: bytes) -> None:
    for line in lines_of(content):
        record_id, kept, problem = cells(line)
        assert written(line) == written("".join(c or "" for c in ([] if problem else [record_id]) + kept))
        for parse in (columns, texts, arrays):
            _, kept, problem = parse(line)
            assert problem is None or kept == [line]


@given(FILES)
def test_every_record_of_a_file_gives_mentions_kept_or_rejected_with_a_reason(content: bytes) -> None:
    for line in lines_of(content):
        for parse in (cells, columns, texts, arrays):
            record_id, kept, problem = parse(line)
            assert parse_lines([line], parse).num_rows == 1
            for mention in (m for cell in kept if cell for m in parse_field(cell, TEXT_SEPARATORS)):
                assert mention.raw in line or parse in (texts, arrays)
                assert (mention.text_key is None) == (mention.reason is not None)


def test_json_of_the_wrong_types_is_text_or_malformed() -> None:
    assert texts('{"id": NaN, "skills": 1e999}') == ("NaN", ["1e999"], None)
    assert texts('{"id": [], "skills": -Infinity}') == ("[]", ["-Infinity"], None)
    huge = "9" * 10_000
    assert texts(f'{{"id": {huge}, "skills": {huge}}}') == (huge, [huge], None)
    # As every reader of JSON has it, the last of two counts.
    assert texts('{"id": 1, "id": 2, "skills": "Java", "skills": "SQL"}') == ("2", ["SQL"], None)
    nested = '{"id": 1, "skills": [[["Java"]]]}'
    assert arrays(nested) == ("1", [nested], MALFORMED)


@pytest.mark.parametrize("depth", [*range(900, 1_100, 9), 100_000])
@pytest.mark.parametrize("pair", ["[]", ('{"a":', "}")])
def test_no_depth_of_nesting_stops_a_run(depth: int, pair: tuple[str, str]) -> None:
    line = f'{{"id": {pair[0] * depth}1{pair[1] * depth}, "skills": "Java"}}'
    assert texts(line)[1:] in ((["Java"], None), ([line], MALFORMED))
