"""Spellings that clusters hold, of the concepts and texts that queries are about."""

from collections import defaultdict
from collections.abc import Sequence

from pyspark.sql import functions as F

from skillsim.schemas import CLUSTER_MEMBERS, CLUSTERS
from skillsim.spark.tables import Tables


def observed_spellings(
    tables: Tables, concept_uris: Sequence[str], text_keys: Sequence[str], min_records: int
) -> dict[str, list[str]]:
    """As skillsim.expansion.Expander takes them, of what `min_records` records hold; none without clusters."""
    if not tables.exists(CLUSTERS):
        return {}
    clusters, members = tables.read(CLUSTERS), tables.read(CLUSTER_MEMBERS)
    of_concepts = clusters.where(F.col("concept_uri").isin(list(concept_uris))).withColumn("key", F.col("concept_uri"))
    asked = members.where(F.col("text_key").isin(list(text_keys))).select("cluster_id", F.col("text_key").alias("key"))
    of_texts = clusters.where("concept_uri IS NULL").join(asked, on="cluster_id", how="inner")
    held = F.filter("spellings", lambda one: one["records"] >= min_records)["spelling"].alias("held")
    rows = [of.select("key", "mentions", held) for of in (of_concepts, of_texts)]
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows[0].unionByName(rows[1]).orderBy(F.desc("mentions"), "key").collect():
        found[row["key"]] += row["held"]
    return dict(found)
