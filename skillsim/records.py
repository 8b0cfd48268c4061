"""Lines of text to records: id, cells and, where a line cannot be read, the problem. One line is one record."""

import csv
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

MALFORMED = "malformed_record"
RECORDS = pa.schema([("record_id", pa.string()), ("cells", pa.list_(pa.string())), ("problem", pa.string())])

Record = tuple[str | None, list[str | None], str | None]

# Numbers stay as written: 1.10 is an id of its own. Control characters in strings do no harm.
_JSON = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_lines(lines: Iterable[str], parse: Callable[[str], Record]) -> pa.RecordBatch:
    """One record for each line, with the columns of RECORDS."""
    columns = list(zip(*map(parse, lines), strict=True)) or [(), (), ()]
    return pa.RecordBatch.from_arrays(
        [pa.array(c, f.type) for c, f in zip(columns, RECORDS, strict=True)], schema=RECORDS
    )


def csv_fields(line: str, delimiter: str) -> list[str] | None:
    """None where a quote is open or out of place."""
    csv.field_size_limit(2**31 - 1)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def parse_cells(line: str, delimiter: str) -> Record:
    """`id,skill,skill,...`; empty cells are padding."""
    fields = csv_fields(line, delimiter)
    if fields is None:
        return _malformed(line, delimiter, 0)
    return (fields[0].strip() if fields else None), [cell for cell in fields[1:] if cell], None


def parse_columns(line: str, delimiter: str, width: int, id_at: int | None, skills_at: int) -> Record:
    """A line of a CSV with `width` named columns."""
    fields = csv_fields(line, delimiter)
    if fields is None or len(fields) != width:
        return _malformed(line, delimiter, id_at)
    return (None if id_at is None else fields[id_at]), [fields[skills_at] or None], None


def _malformed(line: str, delimiter: str, id_at: int | None) -> Record:
    """The whole line, under what stands where the id should."""
    pieces = [] if id_at is None else line.split(delimiter)[id_at : id_at + 1]
    return (pieces[0].strip(' "') if pieces else None), [line], MALFORMED


def json_object(line: str) -> dict[str, Any] | None:
    """None where the line is not one object, or more than that."""
    try:
        value = _JSON.decode(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def json_type(value: Any) -> str:
    """In Spark's words; every scalar is a string."""
    if isinstance(value, list):
        return "array<struct>" if any(isinstance(item, list | dict) for item in value) else "array<string>"
    return "struct" if isinstance(value, dict) else "string"


def parse_json(line: str, id_column: str | None, skills_column: str, skills_type: str) -> Record:
    """A line of JSON; skills that are not of `skills_type`, as `json_type` says it, spoil it."""
    found = json_object(line)
    if found is None:
        return None, [_whole(line)], MALFORMED
    record_id = _text(found.get(id_column)) if id_column else None
    skills = found.get(skills_column)
    if skills is not None and json_type(skills) != skills_type:
        return record_id, [_whole(line)], MALFORMED
    if skills_type == "string":
        return record_id, [_text(skills)], None
    return record_id, [_text(item) for item in skills or ()], None


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return _whole(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _whole(text: str) -> str:
    """JSON's escapes can spell half a surrogate pair, which UTF-8 cannot."""
    return _SURROGATE.sub("\ufffd", text)
