"""Records to mentions: which records are new or changed, and their fields split and cleaned."""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from skillsim.config import Config, InputConfig
from skillsim.errors import BalanceError, RecordsError
from skillsim.schemas import MENTIONS
from skillsim.spark.erasure import without_forgotten
from skillsim.spark.progress import Stage
from skillsim.spark.records import read_failures
from skillsim.spark.tables import Tables
from skillsim.text import TEXT_RULES_VERSION, parse_field, parse_mention

log = logging.getLogger(__name__)

# Half of the mentions longer than this: sentences, not skill fields.
FREE_TEXT_WORDS = 8
# Records split at a time: Arrow's batches bound what comes in (64 MB), not the mentions, which take 20 times as much.
_ROWS = 100

_ARROW = pa.schema([f for f in MENTIONS.schema if f.name not in ("source", "run_id", "ingested_at")])


def store_mentions(
    tables: Tables,
    records: DataFrame,
    settings: Config,
    run_id: str,
    at: datetime,
    account: Stage,
) -> int:
    """New and changed records to mentions, absent ones out of it, in one commit; how many records those are."""
    mentions, config = tables.read(MENTIONS), settings.input
    seen = Observation("records")
    records = without_forgotten(records.observe(seen, F.count(F.lit(1)).alias("rows")), tables, config.source)
    with read_failures(config, tables.root):
        if config.mode == "snapshot":
            records = tables.stage("input", records)
        fresh = tables.stage("records", new_or_changed(records, mentions, config.source))
    changed = fresh.count()
    account.rows_in = seen.get["rows"]
    absent, removed = None, 0
    if config.mode == "snapshot":
        absent = tables.stage("absent", absent_records(records, mentions, config.source))
        removed = _checked_count(absent, mentions, config)
    counts = (f"{count:,}" for count in (account.rows_in, changed, removed))
    log.info("mentions: %s records, %s of them new or changed; %s removed", *counts)
    if not changed + removed:
        return 0
    tasks = max(2, changed // settings.spark.rows_per_task)
    split = tables.stage("mentions", split_records(fresh.repartition(tasks), config))
    came_out = split.where(F.col("position") == 0).count()
    if came_out != changed:
        raise BalanceError(f"mentions: {changed} records went in, {came_out} came out.")
    gone = leftover_positions(mentions, split, absent, config.source)
    stamp = {"source": F.lit(config.source), "run_id": F.lit(run_id), "ingested_at": F.lit(at).cast("timestamp")}
    tables.upsert(MENTIONS, split.withColumns(stamp), gone=gone)
    warn_of_free_text(split)
    account.rows_out = split.count()
    return changed + removed


def _checked_count(absent: DataFrame, mentions: DataFrame, config: InputConfig) -> int:
    """Raises RecordsError where a snapshot would remove more than it may."""
    known = mentions.where((F.col("source") == config.source) & (F.col("position") == 0)).count()
    removed = absent.count()
    if removed > config.max_removed * known:
        raise RecordsError(
            f"--input {config.path}: {removed:,} of the {known:,} records of '{config.source}' are not in this "
            "snapshot. If that is right, raise input.max_removed; if the file is a part, use input.mode=append."
        )
    return removed


def new_or_changed(records: DataFrame, mentions: DataFrame, source: str) -> DataFrame:
    """Records whose (record_id, record_hash) `mentions` does not hold yet for this source."""
    # Every record has a first mention, so one row a record is enough to know its hash.
    known = mentions.where((F.col("source") == source) & (F.col("position") == 0)).select("record_id", "record_hash")
    return records.join(known, on=["record_id", "record_hash"], how="left_anti")


def absent_records(records: DataFrame, mentions: DataFrame, source: str) -> DataFrame:
    """Ids that `mentions` holds for this source and `records` does not."""
    known = mentions.where((F.col("source") == source) & (F.col("position") == 0)).select("record_id")
    return known.join(records.select("record_id"), on="record_id", how="left_anti")


def leftover_positions(mentions: DataFrame, split: DataFrame, absent: DataFrame | None, source: str) -> DataFrame:
    """Keys of old mentions: of absent records, and of those in `split` at positions they no longer reach."""
    touched = split.select("record_id").distinct()
    if absent is not None:
        touched = touched.union(absent)
    old = mentions.where(F.col("source") == source).join(touched, on="record_id", how="left_semi")
    return old.select("source", "record_id", "position").join(
        split.select("record_id", "position"), on=["record_id", "position"], how="left_anti"
    )


def split_records(records: DataFrame, config: InputConfig) -> DataFrame:
    """One row a mention: MENTIONS' columns but source, run_id and ingested_at."""
    separators, max_length = config.effective_separators, config.max_length

    def split(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for start in range(0, batch.num_rows, _ROWS):
                yield split_batch(batch.slice(start, _ROWS), separators, max_length)

    return records.select("record_id", "cells", "problem", "record_hash").mapInArrow(split, from_arrow_schema(_ARROW))


def split_batch(batch: pa.RecordBatch, separators: tuple[str, ...], max_length: int) -> pa.RecordBatch:
    """A record without any skill, or one that cannot be read, still gives one mention, rejected."""
    rows: list[tuple[Any, ...]] = []
    columns = (batch.column(name).to_pylist() for name in ("record_id", "cells", "problem", "record_hash"))
    for record_id, cells, problem, record_hash in zip(*columns, strict=True):
        position = 0
        for cell in cells or ():
            if cell is None:
                continue
            if problem:
                mentions: list[tuple[Any, ...]] = [(cell, None, None, None, None, "rejected", problem)]
            else:
                parsed = parse_field(cell, separators, max_length) if separators else [parse_mention(cell, max_length)]
                mentions = [
                    (
                        m.raw,
                        m.text,
                        m.text_key,
                        m.proficiency,
                        m.years,
                        "rejected" if m.reason else "kept",
                        m.reason,
                    )
                    for m in parsed
                ]
            for mention in mentions:
                rows.append((record_id, position, *mention, record_hash, TEXT_RULES_VERSION))
                position += 1
        if position == 0:
            only_separators = next((cell for cell in cells or () if cell), "")
            rejected = (only_separators, None, None, None, None, "rejected", "empty")
            rows.append((record_id, 0, *rejected, record_hash, TEXT_RULES_VERSION))
    columns_out: list[Any] = list(zip(*rows, strict=True)) if rows else [[] for _ in _ARROW]
    arrays = [pa.array(column, field.type) for column, field in zip(columns_out, _ARROW, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_ARROW)


def warn_of_free_text(mentions: DataFrame) -> None:
    """Say so when the input looks like running text, which is out of scope."""
    words = F.size(F.split(F.trim("raw"), r"\s+"))
    median = mentions.select(F.percentile_approx(words, 0.5).alias("median")).first()
    if median and median["median"] is not None and median["median"] > FREE_TEXT_WORDS:
        log.warning(
            "mentions: half of them have %d words or more. This looks like free text, which is out of scope: name the "
            "column that holds skills, or set input.separators.",
            median["median"],
        )


def warn_of_old_rules(mentions: DataFrame, source: str) -> None:
    """Say so when records of the source were split by older text rules, and were not in the input to be split anew."""
    rules = F.coalesce("text_rules", F.lit(0))
    old = mentions.where((F.col("source") == source) & (F.col("position") == 0) & (rules < TEXT_RULES_VERSION))
    records = {row["rules"]: row["count"] for row in old.groupBy(rules.alias("rules")).count().collect()}
    if records:
        log.warning(
            "mentions: %s records of '%s' are split by older text rules than version %d (%s). Feed them again: records "
            "of older rules alone are split anew.",
            f"{sum(records.values()):,}",
            source,
            TEXT_RULES_VERSION,
            ", ".join(f"{records[rule]:,} by version {rule or 'unknown'}" for rule in sorted(records)),
        )
