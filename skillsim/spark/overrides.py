"""Curators' decisions in a table of their own, and as frames that links and mentions are joined with."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.errors import ReviewError
from skillsim.linking import ConceptNames
from skillsim.overrides import Override, active, of_one_decision, scattered
from skillsim.schemas import MENTIONS, NORMALISED_SKILLS, OVERRIDES
from skillsim.spark.sql import spark_schema
from skillsim.spark.tables import Tables

log = logging.getLogger(__name__)

# What stands in a mention's row instead of its text's link.
OF_AN_OVERRIDE = (
    *("status", "reason", "concept_uri", "concept_label", "score", "probability"),
    *("method", "group_uri", "group_label"),
)
_CURATED = (
    "curated struct<status string, reason string, concept_uri string, concept_label string, score double, "
    "probability double, method string, group_uri string, group_label string>"
)


def read_overrides(tables: Tables) -> list[Override]:
    """All of them, revoked ones too. They are people's decisions, so few enough for the driver.

    One that a later text rule makes void is left out with a warning.
    """
    found = []
    for row in tables.read(OVERRIDES).drop("override_id").collect():
        try:
            found.append(Override(**{**row.asDict(), **_in_utc(row.asDict())}))
        except ReviewError as problem:
            log.warning("override by %s: %s", row["decided_by"], problem)
    return found


def _in_utc(row: Mapping[str, object]) -> dict[str, datetime | None]:
    """PySpark collects timestamps in the local zone, without saying so."""
    times = {name: row[name] for name in ("decided_at", "revoked_at")}
    return {name: time.astimezone(UTC) if isinstance(time, datetime) else None for name, time in times.items()}


def store_overrides(spark: SparkSession, tables: Tables, overrides: Sequence[Override]) -> None:
    """Insert what is new, and change what has been revoked."""
    rows = [{"override_id": one.override_id, **asdict(one)} for one in overrides]
    if rows:
        tables.upsert(OVERRIDES, spark.createDataFrame(rows, spark_schema(OVERRIDES)))


def in_force(overrides: Sequence[Override], concept_uris: Mapping[str, object]) -> list[Override]:
    """The active ones whose concept the taxonomy has; of the others a warning each."""
    found = list(active(overrides).values())
    for one in found:
        if one.concept_uri is not None and one.concept_uri not in concept_uris:
            log.warning(
                "override of %r by %s: this taxonomy has no concept %s; decide it again.",
                one.raw,
                one.decided_by,
                one.concept_uri,
            )
    return [one for one in found if one.concept_uri is None or one.concept_uri in concept_uris]


def overrides_by_text(spark: SparkSession, overrides: Sequence[Override]) -> DataFrame:
    """(text_key, override) of those for all feeds."""
    rows = [(one.text_key, (one.verdict, one.concept_uri)) for one in overrides if one.source is None]
    return spark.createDataFrame(rows, "text_key string, override struct<verdict string, concept_uri string>")


def spared(links: DataFrame, by_text: DataFrame, overrides_id: str) -> DataFrame:
    """The `links` that stand under these overrides, though they were decided under others: neither speak of the text.

    `by_text`: as `overrides_by_text` gives it.
    """
    of_text = F.broadcast(by_text.select("text_key", F.lit(True).alias("curated")))
    others = F.col("overrides_id").isNotNull() & (F.col("method") != "override") & F.col("curated").isNull()
    held = links.join(of_text, on="text_key", how="left").where((F.col("overrides_id") == overrides_id) | others)
    return held.withColumn("overrides_id", F.lit(overrides_id)).select(*links.columns)


def overrides_by_source(spark: SparkSession, overrides: Sequence[Override], names: ConceptNames) -> DataFrame | None:
    """(source, text_key, curated) of those for one feed; `curated` has OF_AN_OVERRIDE. None where there are none."""
    status = {"concept": "matched"}
    rows = []
    for one in overrides:
        if one.source is not None:
            label, group, group_label = names.of[one.concept_uri] if one.concept_uri else (None, None, None)
            said = (status.get(one.verdict, one.verdict), "decided by a curator", one.concept_uri, label, None, None)
            rows.append((one.source, one.text_key, (*said, "override", group, group_label)))
    return spark.createDataFrame(rows, f"source string, text_key string, {_CURATED}") if rows else None


def scattered_now(spark: SparkSession, tables: Tables, overrides: Sequence[Override]) -> list[str]:
    """A line of each decision on a cluster that has split since; `overrides`: those in force."""
    keys = [(one.text_key,) for one in overrides if one.representative is not None]
    if not keys:
        return []
    held = tables.read(NORMALISED_SKILLS).where("cluster_id IS NOT NULL").select("text_key", "cluster_id")
    asked = spark.createDataFrame(keys, "text_key string")
    rows = held.join(asked, on="text_key", how="left_semi").distinct().collect()
    return scattered(overrides, {row["text_key"]: row["cluster_id"] for row in rows})


def forget_overrides(spark: SparkSession, tables: Tables, texts: DataFrame) -> None:
    """Delete the decisions on these texts (text_key), and of those on clusters all that names a text of no mention.

    They are what people wrote. Where that was a decision's representative, another of its texts takes its place.
    """
    overrides = read_overrides(tables)
    of_clusters = [one for one in overrides if one.representative is not None]
    named = {key for one in of_clusters for key in (one.text_key, one.representative_key) if key}
    keys = named | {one.text_key for one in overrides}
    if not keys:
        return
    asked = spark.createDataFrame([(key,) for key in sorted(keys)], "text_key string")
    gone = {row["text_key"] for row in asked.join(texts, on="text_key", how="left_semi").collect()}
    gone |= named - {row["text_key"] for row in asked.join(tables.read(MENTIONS), "text_key", "left_semi").collect()}
    if ids := [(one.override_id,) for one in overrides if one.text_key in gone]:
        tables.delete(OVERRIDES, spark.createDataFrame(ids, "override_id string"))
    kept = [one for one in of_clusters if one.text_key not in gone and one.representative_key in gone]
    place: dict[object, str] = {}
    for one in sorted(kept, key=lambda one: one.raw):
        place.setdefault(of_one_decision(one), one.raw)
    store_overrides(spark, tables, [replace(one, representative=place[of_one_decision(one)]) for one in kept])
