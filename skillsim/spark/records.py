"""Input of every kind to one shape: record_id, cells (array of strings), problem, record_hash.

A row that cannot be read is kept whole, with `problem` saying why: it ends in `mentions` as rejected.
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from skillsim.config import InputConfig
from skillsim.errors import RecordsError, SkillsimError
from skillsim.text import TEXT_RULES_VERSION

_CORRUPT = "_skillsim_corrupt"
_PARSED = "record_id string, cells array<string>, problem string"
_TABLE_NAME = re.compile(r"^[\w-]+(\.[\w-]+){1,2}$")
_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}


def read_records(spark: SparkSession, config: InputConfig) -> DataFrame:
    """All records of the input, one row each, ids unique.

    Columns: record_id, cells, problem (null when readable), record_hash (content and rules). Raises RecordsError
    when the input is missing, empty or lacks a named column.
    """
    if not config.path:
        raise RecordsError("no input: give --input a file, a folder or a table (or set input.path).")
    if not config.source:
        raise RecordsError("input.source is not set. Give this feed a stable name: --set input.source=careers_site.")
    kind = _format(config)
    if kind != "table" and "://" not in config.path:
        _check_file(Path(config.path))
    try:
        parsed = _read(spark, config, kind)
    except SkillsimError:
        raise
    except Exception as error:  # whatever the format's reader raises, in Java's words or Spark's
        raise RecordsError(f"--input {config.path}: cannot be read ({_cause(error)}).") from error
    return _with_unique_ids(_with_hash(parsed, config))


def _cause(error: Exception) -> str:
    """The innermost cause of a Java error, the first line of any other."""
    lines = str(error).splitlines() or [repr(error)]
    return next((line for line in reversed(lines) if line.startswith("Caused by:")), lines[0])


def _format(config: InputConfig) -> str:
    if config.format != "auto":
        return config.format
    path = Path(config.path)
    if "://" not in config.path and not path.exists() and "/" not in config.path and _TABLE_NAME.match(config.path):
        if not any(config.path.endswith(suffix) for suffix in _FORMATS):
            return "table"
        raise RecordsError(f"--input {config.path}: no such file.")
    if path.is_dir():
        if (path / "_delta_log").is_dir():
            return "delta"
        path = next((p for p in sorted(path.rglob("*")) if p.suffix in _FORMATS), path)
    suffixes = [s for s in path.suffixes if s in _FORMATS]
    if not suffixes:
        raise RecordsError(
            f"--input {config.path}: its name does not tell the format. Set input.format to csv, jsonl, parquet, "
            "delta or table."
        )
    return _FORMATS[suffixes[-1]]


def _check_file(path: Path) -> None:
    if not path.exists():
        raise RecordsError(f"--input {path}: no such file or folder.")
    if path.is_file() and path.stat().st_size == 0:
        raise RecordsError(f"--input {path} is empty.")


def _read(spark: SparkSession, config: InputConfig, kind: str) -> DataFrame:
    if kind == "csv" and config.shape == "cells":
        return _read_ragged_csv(spark, config)
    if config.shape == "cells":
        raise RecordsError(f"--input {config.path}: shape 'cells' is for CSV. Set input.shape to text or array.")
    if kind == "csv":
        rows = _read_csv_columns(spark, config)
    elif kind == "jsonl":
        rows = _read_json_lines(spark, config)
    elif kind == "table":
        rows = spark.table(config.path)
    else:
        rows = spark.read.format(kind).load(config.path)
    _check_columns(rows.columns, config)
    _check_rows(rows, config)
    return _select(rows, config)


def _select(rows: DataFrame, config: InputConfig) -> DataFrame:
    """A text column becomes one cell; a row that the reader could not place keeps its raw line."""
    id_column = F.col(_quoted(config.id_column)).cast("string") if config.id_column else F.lit(None).cast("string")
    dtype = dict(rows.dtypes)[config.skills_column]
    column = F.col(_quoted(config.skills_column))
    if config.shape == "array":
        if not dtype.startswith("array"):
            raise RecordsError(
                f"--input {config.path}: column '{config.skills_column}' is {dtype}, not an array. "
                "Set input.shape=text, or name another input.skills_column."
            )
        cells = column.cast("array<string>")
    else:
        if dtype.startswith(("array", "struct", "map", "binary")):
            raise RecordsError(
                f"--input {config.path}: column '{config.skills_column}' is {dtype}, not text. "
                "Set input.shape=array, or name another input.skills_column."
            )
        cells = F.array(column.cast("string"))
    if _CORRUPT not in rows.columns:
        return rows.select(
            id_column.alias("record_id"), cells.alias("cells"), F.lit(None).cast("string").alias("problem")
        )
    corrupt = F.col(_CORRUPT)
    return rows.select(
        id_column.alias("record_id"),
        F.when(corrupt.isNotNull(), F.array(corrupt)).otherwise(cells).alias("cells"),
        F.when(corrupt.isNotNull(), F.lit("malformed_record")).alias("problem"),
    )


def _check_rows(rows: DataFrame, config: InputConfig) -> None:
    if rows.isEmpty():
        raise RecordsError(f"--input {config.path} holds no records.")


def _check_columns(found: list[str], config: InputConfig) -> None:
    for option, name in (("id_column", config.id_column), ("skills_column", config.skills_column)):
        if name and name not in found:
            known = ", ".join(c for c in found if c != _CORRUPT)
            raise RecordsError(f"--input {config.path}: no column '{name}' (input.{option}). Columns there: {known}.")


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _read_csv_columns(spark: SparkSession, config: InputConfig) -> DataFrame:
    options = {"header": "true", "sep": config.delimiter, "quote": '"', "escape": '"', "multiLine": "true"}
    names = spark.read.options(**options).csv(config.path).columns
    schema = ", ".join(f"{_quoted(name)} string" for name in [*names, _CORRUPT])
    return spark.read.options(**options, columnNameOfCorruptRecord=_CORRUPT).schema(schema).csv(config.path)


def _read_json_lines(spark: SparkSession, config: InputConfig) -> DataFrame:
    """JSON has no header: the first 1,000 lines say which columns there are."""
    keys: dict[str, None] = {}
    for row in spark.read.text(config.path).limit(1000).collect():
        try:
            keys.update(dict.fromkeys(json.loads(row["value"])))
        except (ValueError, TypeError):
            continue
    _check_columns(list(keys), config)
    dtype = "array<string>" if config.shape == "array" else "string"
    columns = [f"{_quoted(config.skills_column)} {dtype}", f"{_CORRUPT} string"]
    if config.id_column and config.id_column != config.skills_column:
        columns.insert(0, f"{_quoted(config.id_column)} string")
    return spark.read.schema(", ".join(columns)).option("columnNameOfCorruptRecord", _CORRUPT).json(config.path)


def _read_ragged_csv(spark: SparkSession, config: InputConfig) -> DataFrame:
    """Line by line, so that a broken quote spoils its own record and not the rest of the file."""
    lines = spark.read.text(config.path)
    if config.header:
        first = lines.first()
        lines = lines.where(F.col("value") != F.lit(first["value"] if first else ""))
    lines = lines.where(F.trim("value") != "")
    _check_rows(lines, config)
    delimiter = config.delimiter

    def parse(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield parse_ragged_lines(batch.column(0).to_pylist(), delimiter)

    return lines.mapInArrow(parse, _PARSED)


def parse_ragged_lines(lines: list[str], delimiter: str) -> pa.RecordBatch:
    """`id,skill,skill,...` lines; empty cells are padding. A line with an open quote is kept whole."""
    csv.field_size_limit(2**31 - 1)
    ids: list[str | None] = []
    cells: list[list[str]] = []
    problems: list[str | None] = []
    for line in lines:
        try:
            row = next(csv.reader([line], delimiter=delimiter, strict=True))
            ids.append((row[0].strip() or None) if row else None)
            cells.append([cell for cell in row[1:] if cell])
            problems.append(None)
        except csv.Error:
            ids.append(line.partition(delimiter)[0].strip(' "') or None)
            cells.append([line])
            problems.append("malformed_record")
    schema = pa.schema([("record_id", pa.string()), ("cells", pa.list_(pa.string())), ("problem", pa.string())])
    return pa.RecordBatch.from_pydict({"record_id": ids, "cells": cells, "problem": problems}, schema)


def _with_hash(records: DataFrame, config: InputConfig) -> DataFrame:
    """`record_hash` covers what decides the mentions: the cells, the text rules and how fields are split."""
    rules = json.dumps([TEXT_RULES_VERSION, config.effective_separators, config.max_length])
    content = F.to_json(F.struct(F.col("cells"), F.col("problem")))
    return records.withColumn("record_hash", F.sha2(F.concat(F.lit(rules), content), 256))


def _with_unique_ids(records: DataFrame) -> DataFrame:
    """A row without an id gets one from its content; a repeated id gets `#2`, `#3`, by content and not by place."""
    content_id = F.concat(F.lit("sha-"), F.substring("record_hash", 1, 16))
    named = records.withColumn("record_id", F.coalesce(F.col("record_id"), content_id))
    occurrence = F.row_number().over(Window.partitionBy("record_id").orderBy("record_hash"))
    return named.withColumn("_n", occurrence).select(
        F.when(F.col("_n") == 1, F.col("record_id"))
        .otherwise(F.concat_ws("#", F.col("record_id"), F.col("_n").cast("string")))
        .alias("record_id"),
        "cells",
        "problem",
        "record_hash",
    )
