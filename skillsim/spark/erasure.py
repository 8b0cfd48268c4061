"""Records that must be forgotten: out of every table, file and older version, and not taken in again."""

import secrets
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skillsim.schemas import CANDIDATES, EMBEDDINGS, FORGOTTEN, LINKS, MENTIONS, NORMALISED_SKILLS, TEXTS
from skillsim.spark.record_ids import id_as_given
from skillsim.spark.tables import Tables
from skillsim.spark.texts import remove_orphans


@dataclass(frozen=True)
class Erased:
    """What one erasure took out."""

    asked: int
    records: int
    mentions: int
    texts: int


def forget(tables: Tables, asked: DataFrame) -> Erased:
    """Erase records, given as rows of (source, record_id); an id stands for its repeats too.

    The steps can be repeated: after a crash the same call finishes the work. The last removes old versions and
    files, so whoever reads the tables meanwhile may fail once.
    """
    asked = tables.stage("asked", asked.distinct())
    _remember(tables, asked)
    held = tables.read(MENTIONS).select("source", "record_id", "position")
    base = id_as_given()
    named = asked.withColumnRenamed("record_id", "asked_id")
    same = (held["source"] == named["source"]) & (
        (held["record_id"] == F.col("asked_id")) | (base == F.col("asked_id"))
    )
    gone = tables.stage("forgotten_mentions", held.join(named, on=same, how="left_semi"))
    records = gone.select("source", "record_id")
    erased = Erased(asked.count(), records.distinct().count(), gone.count(), 0)
    for table in (NORMALISED_SKILLS, MENTIONS):
        tables.delete(table, records)
    texts = remove_orphans(tables)
    tables.clear_staging()
    for table in (NORMALISED_SKILLS, MENTIONS, LINKS, CANDIDATES, EMBEDDINGS, TEXTS):
        if tables.exists(table):
            tables.vacuum(table, 0)
    return Erased(erased.asked, erased.records, erased.mentions, texts)


def without_forgotten(records: DataFrame, tables: Tables, source: str) -> DataFrame:
    """The records of a feed that nobody asked to forget."""
    salt = _salt(tables)
    if salt is None:
        return records
    hashes = tables.read(FORGOTTEN).select("id_hash")
    for record_id in (F.col("record_id"), id_as_given()):
        hashed = records.withColumn("id_hash", _hash(salt, F.lit(source), record_id))
        records = hashed.join(hashes, on="id_hash", how="left_anti").drop("id_hash")
    return records


def _remember(tables: Tables, asked: DataFrame) -> None:
    salt = _salt(tables) or secrets.token_hex(16)
    hashed = asked.select(
        _hash(salt, F.col("source"), F.col("record_id")).alias("id_hash"),
        F.lit(salt).alias("salt"),
        F.current_timestamp().alias("forgotten_at"),
    )
    tables.insert_new(FORGOTTEN, tables.stage("tombstones", hashed))


def _salt(tables: Tables) -> str | None:
    row = tables.read(FORGOTTEN).select("salt").first()
    return row["salt"] if row else None


def _hash(salt: str, source: Column, record_id: Column) -> Column:
    return F.sha2(F.to_json(F.array(F.lit(salt), source, record_id)), 256)
