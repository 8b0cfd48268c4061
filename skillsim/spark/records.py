"""Input of every kind to one shape: record_id, cells (array of strings), problem, record_hash.

A row that cannot be read is kept whole, with `problem` saying why: it ends in `mentions` as rejected.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath
from urllib.parse import unquote

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from skillsim.config import InputConfig
from skillsim.errors import RecordsError, SkillsimError
from skillsim.records import (
    MALFORMED,
    RECORDS,
    Record,
    csv_fields,
    json_object,
    json_type,
    parse_cells,
    parse_columns,
    parse_json,
    parse_lines,
)
from skillsim.spark.paths import is_uri, spark_path
from skillsim.spark.record_ids import identified
from skillsim.spark.sql import quoted

_CORRUPT = "_skillsim_corrupt"
_TABLE_NAME = re.compile(r"^[\w-]+(\.[\w-]+){1,2}$")
_FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
# JSON has no header: so many lines say which columns there are.
_HEAD = 1_000


def read_records(spark: SparkSession, config: InputConfig) -> DataFrame:
    """All records of the input, one row each, ids unique.

    Columns: record_id, cells, problem (null when readable), record_hash (content and rules). Raises RecordsError
    when the input is missing, empty or lacks a named column.
    """
    if not config.path:
        raise RecordsError("no input: give --input a file, a folder or a table (or set input.path).")
    if not config.source:
        raise RecordsError("input.source is not set. Give this feed a stable name: --set input.source=careers_site.")
    kind, delimiter = _format(config)
    try:
        parsed = _read(spark, config, kind, delimiter)
    except SkillsimError:
        raise
    except Exception as error:  # whatever the format's reader raises, in Java's words or Spark's
        raise RecordsError(f"--input {config.path}: cannot be read ({_cause(error)}).{_remedy(error)}") from error
    return identified(parsed, config)


@contextmanager
def read_failures(config: InputConfig, output: str) -> Iterator[None]:
    """A file that proves unreadable midway, as the RecordsError it would have been at the start; none of `output`."""
    try:
        yield
    except Exception as error:
        failed = re.search(r"\[FAILED_READ_FILE\S*\] (.*?)\s*SQLSTATE", str(error))
        if failed is None or output in failed[1]:
            raise
        raise RecordsError(
            f"--input {config.path}: {failed[1]} ({_cause(error)}). Mend that file, or take it away."
        ) from error


def _cause(error: Exception) -> str:
    """The innermost cause of a Java error, the first line of any other."""
    lines = str(error).splitlines() or [repr(error)]
    # py4j's first line names its own call; the Java error is the second, after a colon.
    causes = [line.removeprefix(": ") for line in lines if line.startswith(("Caused by:", ": "))]
    return causes[-1] if causes else lines[0]


def _remedy(error: Exception) -> str:
    """For times as pandas writes them to Parquet."""
    if "TIMESTAMP(NANOS" not in str(error):
        return ""
    return " Let Spark take them for numbers: --set spark.conf.spark.sql.legacy.parquet.nanosAsLong=true."


def _format(config: InputConfig) -> tuple[str, str]:
    """The format and the delimiter, by the settings or else by a name: of a folder, that of its first data file."""
    name: PurePath = PurePath(config.path)
    kind: str | None = None if config.format == "auto" else config.format
    if not is_uri(config.path) and kind != "table":
        local = Path(config.path).expanduser()
        if kind is None and not local.exists() and not _suffix(local) and _TABLE_NAME.match(config.path):
            kind = "table"
        else:
            _check_file(local)
            name = _first_data_file(local)
            if (local / "_delta_log").is_dir():
                kind = kind or "delta"
    suffix = _suffix(name)
    kind = kind or _FORMATS.get(suffix)
    if kind is None:
        raise RecordsError(
            f"--input {config.path}: its name does not tell the format. Set input.format to csv, jsonl, parquet, "
            "delta or table."
        )
    return kind, config.delimiter or ("\t" if suffix == ".tsv" else ",")


def _suffix(path: PurePath) -> str:
    """The last known one, whatever compression follows it; "" where there is none."""
    return next((s for s in map(str.lower, reversed(path.suffixes)) if s in _FORMATS), "")


def _first_data_file(path: Path) -> Path:
    """Spark, too, passes over names that begin with "_" or "."."""
    if not path.is_dir():
        return path
    files = (p for p in sorted(path.rglob("*")) if _suffix(p) and p.is_file())
    return next((p for p in files if not any(part[0] in "._" for part in p.relative_to(path).parts)), path)


def _check_file(path: Path) -> None:
    if not path.exists():
        raise RecordsError(f"--input {path}: no such file or folder.")
    if path.is_file() and path.stat().st_size == 0:
        raise RecordsError(f"--input {path} is empty.")


def _read(spark: SparkSession, config: InputConfig, kind: str, delimiter: str) -> DataFrame:
    if config.shape == "cells" and kind != "csv":
        raise RecordsError(f"--input {config.path}: shape 'cells' is for CSV. Set input.shape to text or array.")
    if config.shape == "cells" and config.multiline:
        raise RecordsError("input.multiline is for shape text: cells are read line by line. Set it to false.")
    if config.shape == "array" and kind == "csv":
        raise _wrong_type(config, "string")
    if kind == "jsonl":
        return _read_json_lines(spark, config)
    if kind == "csv" and not config.multiline:
        return _read_csv_lines(spark, config, delimiter)
    if kind == "csv":
        rows = _read_multiline_csv(spark, config, delimiter)
    elif kind == "table":
        rows = spark.table(quoted(config.path.split(".")) if _TABLE_NAME.match(config.path) else config.path)
    else:
        rows = spark.read.format(kind).load(spark_path(config.path, escape_globs=kind != "delta"))
    _check_columns(rows.columns, config)
    _check_rows(rows, config)
    return _select(rows, config)


def _select(rows: DataFrame, config: InputConfig) -> DataFrame:
    """A text column becomes one cell; a row that the reader could not place keeps its raw line."""
    record_id = F.col(_quoted(config.id_column)) if config.id_column else F.lit(None)
    dtype = dict(rows.dtypes)[config.skills_column]
    column = F.col(_quoted(config.skills_column))
    if _shape(dtype) != config.shape:
        raise _wrong_type(config, dtype)
    cells = column.cast("array<string>") if config.shape == "array" else F.array(column.cast("string"))
    problem = F.lit(None).cast("string")
    if _CORRUPT in rows.columns:
        corrupt = F.col(_CORRUPT)
        cells = F.when(corrupt.isNotNull(), F.array(corrupt)).otherwise(cells)
        problem = F.when(corrupt.isNotNull(), F.lit(MALFORMED))
    return rows.select(
        F.make_valid_utf8(record_id.cast("string")).alias("record_id"),
        F.transform(cells, lambda cell: F.make_valid_utf8(cell)).alias("cells"),
        problem.alias("problem"),
    )


def _shape(dtype: str) -> str | None:
    """The input.shape that takes a column of this type; None for nested ones."""
    item = dtype.removeprefix("array<")
    if re.match("array|struct|map|binary", item):
        return None
    return "text" if item == dtype else "array"


def _wrong_type(config: InputConfig, dtype: str) -> RecordsError:
    wanted = "an array of text" if config.shape == "array" else "text"
    other = _shape(dtype)
    return RecordsError(
        f"--input {config.path}: column '{config.skills_column}' is {dtype}, not {wanted}. "
        + (
            f"Set input.shape={other}, or name another input.skills_column."
            if other
            else "Name another input.skills_column."
        )
    )


def _check_rows(rows: DataFrame, config: InputConfig) -> None:
    if rows.isEmpty():
        raise RecordsError(f"--input {config.path} holds no records.")


def _check_columns(found: list[str], config: InputConfig) -> None:
    for option, name in (("id_column", config.id_column), ("skills_column", config.skills_column)):
        if name and name not in found:
            known = ", ".join(c for c in found if c != _CORRUPT)
            raise RecordsError(f"--input {config.path}: no column '{name}' (input.{option}). Columns there: {known}.")
        if name and found.count(name) > 1:
            raise RecordsError(f"--input {config.path}: several columns are named '{name}'. Rename all but one.")


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _lines(spark: SparkSession, config: InputConfig) -> DataFrame:
    """Lines that are not blank. Arrow takes no invalid UTF-8: a byte of another encoding becomes U+FFFD."""
    lines = spark.read.text(spark_path(config.path)).withColumn("value", F.make_valid_utf8("value"))
    return lines.where(F.trim("value") != "")


def _parsed(lines: DataFrame, parse: Callable[[str], Record]) -> DataFrame:
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield parse_lines(batch.column(0).to_pylist(), parse)

    return lines.select("value").mapInArrow(run, from_arrow_schema(RECORDS))


def _headers(lines: DataFrame) -> dict[str, str]:
    """Each file's first line. One file needs a glance; several a scan, small beside splitting and cleaning."""
    files = lines.inputFiles()
    if len(files) == 1:
        first = lines.first()
        return {files[0]: first["value"]} if first else {}
    starts = lines.where(F.col("_metadata.file_block_start") == 0).select(
        "value", F.col("_metadata.file_path").alias("file"), F.monotonically_increasing_id().alias("place")
    )
    rows = starts.groupBy("file").agg(F.min_by("value", "place").alias("header")).collect()
    return {row["file"]: row["header"] for row in rows}


def _one_header(headers: dict[str, str], config: InputConfig, delimiter: str) -> list[str]:
    """The columns, which all files have in one order."""
    parsed = {file: csv_fields(line, delimiter) or line.split(delimiter) for file, line in sorted(headers.items())}
    if not parsed:
        raise RecordsError(f"--input {config.path} holds no records.")
    first, names = next(iter(parsed.items()))
    for file, others in parsed.items():
        if others != names:
            shown = (
                f"{unquote(PurePath(f).name)} has {', '.join(c)}"[:300] for f, c in ((first, names), (file, others))
            )
            raise RecordsError(
                f"--input {config.path}: its files have different headers: {'; '.join(shown)}. "
                "Give them one header, or give them one by one."
            )
    return names


def _read_csv_lines(spark: SparkSession, config: InputConfig, delimiter: str) -> DataFrame:
    """Line by line, so that a broken quote spoils its own record and not the rest of the file."""
    lines = _lines(spark, config)
    headers = _headers(lines) if config.header or config.shape == "text" else {}
    parse = partial(parse_cells, delimiter=delimiter)
    if config.shape == "text":
        names = _one_header(headers, config, delimiter)
        _check_columns(names, config)
        id_at = names.index(config.id_column) if config.id_column else None
        skills_at = names.index(config.skills_column)
        parse = partial(parse_columns, delimiter=delimiter, width=len(names), id_at=id_at, skills_at=skills_at)
    lines = lines.where(~F.col("value").isin(sorted(set(headers.values()))))
    _check_rows(lines, config)
    return _parsed(lines, parse)


def _read_multiline_csv(spark: SparkSession, config: InputConfig, delimiter: str) -> DataFrame:
    """Spark's own reader, by position: it takes the columns of one file to be those of all."""
    _one_header(_headers(_lines(spark, config)), config, delimiter)
    path = spark_path(config.path)
    options = {"header": "true", "sep": delimiter, "quote": '"', "escape": '"', "multiLine": "true"}
    options["maxColumns"] = "1000000"  # a line of more stops Spark's reader; left alone that is 20,480
    names = spark.read.options(**options).csv(path).columns
    schema = ", ".join(f"{_quoted(name)} string" for name in [*names, _CORRUPT])
    return spark.read.options(**options, columnNameOfCorruptRecord=_CORRUPT).schema(schema).csv(path)


def _read_json_lines(spark: SparkSession, config: InputConfig) -> DataFrame:
    lines = _lines(spark, config)
    _check_rows(lines, config)
    objects = [o for row in lines.limit(_HEAD).collect() if (o := json_object(row["value"])) is not None]
    if not objects:
        raise RecordsError(
            f"--input {config.path}: none of its first lines is a JSON object. JSON lines are one object a line."
        )
    _check_columns(list(dict.fromkeys(key for found in objects for key in found)), config)
    wanted = "array<string>" if config.shape == "array" else "string"
    types = [json_type(o[config.skills_column]) for o in objects if o.get(config.skills_column) is not None]
    if types and wanted not in types:
        raise _wrong_type(config, types[0])
    named = {"skills_column": config.skills_column, "skills_type": wanted}
    return _parsed(lines, partial(parse_json, id_column=config.id_column, **named))
