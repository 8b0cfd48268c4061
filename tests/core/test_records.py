"""A line is a record, whatever it holds."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.records import MALFORMED, RECORDS, Record, parse_cells, parse_columns, parse_json, parse_lines

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
