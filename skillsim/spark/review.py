"""The texts that a curator is asked about, aggregated from the tables."""

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skillsim.explanation import in_words
from skillsim.spark.record_ids import id_as_given

_OF_THE_LINK = (
    *("text_key", "status", "reason", "method", "concept_label", "probability", "group_uri", "group_label", "top"),
)


def collect_undecided(normalised: DataFrame, links: DataFrame, min_records: int, rows: int) -> pd.DataFrame:
    """At most `rows` ambiguous texts of `min_records` records or more, those first that skillsim.review values most.

    Columns: as skillsim.review.review_sheet wants them.
    """
    record = F.struct("source", id_as_given())  # a repeated id is one person's
    counted = (
        normalised.where(F.col("status") == "ambiguous")
        .groupBy("taxonomy_id", "model_id", "text_key", "text")
        .agg(F.count("*").alias("mentions"), F.countDistinct(record).alias("records"))
        .where(F.col("records") >= min_records)
    )
    confidence = F.coalesce(F.col("probability"), F.col("score"))
    decided = links.select("taxonomy_id", "model_id", *_OF_THE_LINK, confidence.alias("confidence"))
    uncertain = F.coalesce(1 - F.abs(2 * F.col("confidence") - 1), F.lit(1.0))
    found = (
        counted.join(decided, on=["taxonomy_id", "model_id", "text_key"], how="inner")
        .orderBy(F.desc(F.col("mentions") * uncertain), "text")
        .limit(rows)
    )
    undecided = found.toArrow().to_pylist()
    return pd.DataFrame(undecided, columns=found.columns).assign(explanation=[in_words(row) for row in undecided])
