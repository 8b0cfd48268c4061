"""Records that must be forgotten: out of every table, file and older version, and not taken in again."""

import secrets
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skillsim.schemas import (
    CANDIDATES,
    CLUSTER_MEMBERS,
    CLUSTERS,
    DUPLICATES,
    EMBEDDINGS,
    FORGOTTEN,
    LINK_CHANGES,
    LINKS,
    MATCHES,
    MENTIONS,
    NORMALISED_SKILLS,
    OVERRIDES,
    PAIRS,
    SKILL_MAP,
    TEXTS,
)
from skillsim.spark.overrides import forget_overrides
from skillsim.spark.record_ids import id_as_given
from skillsim.spark.tables import Tables
from skillsim.spark.texts import orphans, remove_orphans

# Tables that hold texts or what is known of them.
_HOLDERS = (
    NORMALISED_SKILLS,
    MENTIONS,
    OVERRIDES,
    CLUSTERS,
    DUPLICATES,
    CLUSTER_MEMBERS,
    PAIRS,
    LINKS,
    LINK_CHANGES,
    MATCHES,
    SKILL_MAP,
    CANDIDATES,
    EMBEDDINGS,
    TEXTS,
)


@dataclass(frozen=True)
class Erased:
    """What one erasure took out."""

    asked: int
    records: int
    mentions: int
    texts: int


def forget(tables: Tables, asked: DataFrame) -> Erased:
    """Erase records, given as rows of (source, record_id); an id, or one of its repeats, stands for all of them.

    The steps can be repeated: after a crash the same call finishes the work. The last removes old versions and
    files, so whoever reads the tables meanwhile may fail once.
    """
    asked = tables.stage("asked", asked.distinct())
    held = _held(tables)
    named = tables.stage("named", asked.union(_ids_of_repeats(asked, held)).distinct())
    _remember(tables, named)
    named = named.withColumnRenamed("record_id", "asked_id")
    is_named = F.col("asked_id").isin(held["record_id"], id_as_given(held["record_id"]))
    same = (held["source"] == named["source"]) & is_named
    gone = tables.stage("forgotten_mentions", held.join(named, on=same, how="left_semi"))
    records = gone.select("source", "record_id")
    erased = Erased(asked.count(), records.distinct().count(), gone.count(), 0)
    _forget_clusters(tables, gone)
    for table in (MATCHES, SKILL_MAP):  # of others too: spellings of the records may name their skills
        tables.clear(table)
    for table in (NORMALISED_SKILLS, DUPLICATES, MENTIONS):
        tables.delete(table, records)
    forget_overrides(asked.sparkSession, tables, orphans(tables))
    texts = remove_orphans(tables)
    tables.clear_staging()
    for table in _HOLDERS:
        if tables.exists(table):
            tables.vacuum(table, 0)
    return Erased(erased.asked, erased.records, erased.mentions, texts)


def _forget_clusters(tables: Tables, gone: DataFrame) -> None:
    """Rows that may name a cluster as these mentions alone wrote it: the next run makes them again."""
    if not any(map(tables.exists, (CLUSTERS, DUPLICATES))):
        return
    key, written = list(MENTIONS.key), F.trim("raw").alias("written")
    mentions = tables.read(MENTIONS)
    theirs = mentions.join(gone, on=key, how="left_semi").select("text_key", written)
    others = mentions.join(gone, on=key, how="left_anti").select("text_key", written)
    texts = theirs.join(others, on=["text_key", "written"], how="left_anti").select("text_key")
    members = tables.read(CLUSTER_MEMBERS)
    clusters = members.join(texts.union(orphans(tables)), on="text_key", how="left_semi").select("cluster_id")
    # What a failed run took out of mentions, the results still hold.
    for table in (NORMALISED_SKILLS, DUPLICATES):
        left = tables.read(table).join(gone, on=key, how="left_semi").join(mentions, on=[*key, "raw"], how="left_anti")
        clusters = clusters.union(left.select("cluster_id"))
    staged = tables.stage("forgotten_clusters", clusters.distinct())
    for table in (CLUSTERS, DUPLICATES):
        tables.delete(table, staged)


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


def _held(tables: Tables) -> DataFrame:
    """Keys of all mentions; the results still hold those that a failed run took out of mentions alone."""
    keys = [tables.read(table).select(*MENTIONS.key) for table in (MENTIONS, NORMALISED_SKILLS, DUPLICATES)]
    return keys[0].union(keys[1]).union(keys[2]).distinct()


def _ids_of_repeats(asked: DataFrame, held: DataFrame) -> DataFrame:
    """`7` for `7##2` where the tables hold that: the next input may number the rows of `7` otherwise."""
    found = asked.join(held, on=["source", "record_id"], how="left_semi")
    return found.select("source", id_as_given().alias("record_id"))


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
