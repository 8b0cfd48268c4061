"""The texts that a curator is asked about, aggregated from the tables."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.explanation import in_words
from skillsim.review import Cluster
from skillsim.schemas import CLUSTER_MEMBERS, NORMALISED_SKILLS
from skillsim.spark.record_ids import id_as_given
from skillsim.spark.tables import Tables

SPELLINGS = 5  # of a cluster that a row shows

_OF_THE_LINK = (
    *("text_key", "status", "reason", "method", "concept_label", "probability", "group_uri", "group_label", "top"),
)


def collect_undecided(
    normalised: DataFrame, links: DataFrame, clusters: DataFrame, min_records: int, rows: int
) -> pd.DataFrame:
    """At most `rows` ambiguous texts of `min_records` records or more, those first that skillsim.review values most.

    Columns: as skillsim.review.review_sheet wants them.
    """
    record = F.struct("source", id_as_given())  # a repeated id is one person's
    counted = (
        normalised.where(F.col("status") == "ambiguous")
        .groupBy("taxonomy_id", "model_id", "text_key", "text")
        .agg(
            F.count("*").alias("mentions"),
            F.countDistinct(record).alias("records"),
            F.any_value("cluster_id").alias("cluster_id"),
        )
        .where(F.col("records") >= min_records)
    )
    confidence = F.coalesce(F.col("probability"), F.col("score"))
    decided = links.select("taxonomy_id", "model_id", *_OF_THE_LINK, confidence.alias("confidence"))
    uncertain = F.coalesce(1 - F.abs(2 * F.col("confidence") - 1), F.lit(1.0))
    found = (
        counted.join(decided, on=["taxonomy_id", "model_id", "text_key"], how="inner")
        .join(clusters.select("cluster_id", "texts", "spellings"), on="cluster_id", how="left")
        .orderBy(F.desc(F.col("mentions") * uncertain), "text")
        .limit(rows)
    )
    undecided = found.toArrow().to_pylist()
    told = {
        "explanation": [in_words(row) for row in undecided],
        "cluster": [_told(row, min_records) for row in undecided],
    }
    return pd.DataFrame(undecided, columns=found.columns).assign(**told)


def _told(row: Mapping[str, Any], min_records: int) -> str:
    """The first spellings of a text's cluster that enough records hold, where others than the text are in it."""
    if not row["texts"] or row["texts"] == 1:
        return ""
    spellings = [one["spelling"] for one in row["spellings"] if one["records"] >= min_records]
    return f"{', '.join(spellings[:SPELLINGS])} ({row['texts']} texts)"


def clusters_of(spark: SparkSession, tables: Tables, text_keys: Collection[str]) -> dict[str, Cluster]:
    """By text_key, the cluster that it was in when the last run ended; texts of none are not there."""
    if not text_keys:
        return {}
    asked = spark.createDataFrame([(key,) for key in sorted(text_keys)], "text_key string")
    members = tables.read(NORMALISED_SKILLS).select("cluster_id", "text_key", "text").distinct()
    of_asked = members.join(asked, on="text_key", how="left_semi").select("text_key", "cluster_id")
    leaders = tables.read(CLUSTER_MEMBERS).select(F.col("leader_key").alias("text_key"), F.lit(True).alias("leads"))
    leading = F.max(F.when(F.col("leads"), F.col("text")))
    told = (
        members.join(of_asked.select("cluster_id").distinct(), on="cluster_id", how="left_semi")
        .join(leaders.distinct(), on="text_key", how="left")
        .groupBy("cluster_id")
        .agg(
            F.sort_array(F.collect_list("text")).alias("texts"),
            F.coalesce(leading, F.min("text")).alias("representative"),  # a leader may have been forgotten
        )
    )
    rows = of_asked.join(told, on="cluster_id", how="inner").collect()
    return {row["text_key"]: Cluster(row["representative"], tuple(row["texts"])) for row in rows}
