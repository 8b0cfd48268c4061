"""What the report shows, aggregated from the tables: nothing below `min_records` leaves the cluster."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skillsim.report import ClusterRow, ConceptRow, ReportData, StatusRow, TextRow
from skillsim.spark.record_ids import id_as_given


def collect_report(
    normalised: DataFrame,
    links: DataFrame,
    clusters: DataFrame | None,
    facts: dict[str, str],
    stages: tuple[dict[str, object], ...],
    min_records: int,
    top: int,
) -> ReportData:
    """`links`: those of the run's taxonomy and model; `clusters`: CLUSTERS, None where the run made none; at most `top`
    rows a list.
    """
    record = F.struct("source", id_as_given())  # a repeated id is one person's
    statuses = (
        normalised.groupBy("status")
        .agg(F.count("*").alias("mentions"), F.countDistinct("text").alias("texts"))
        .orderBy(F.desc("mentions"), "status")
        .collect()
    )
    reasons = (
        normalised.where(F.col("status") == "rejected")
        .groupBy("reason")
        .count()
        .orderBy(F.desc("count"), "reason")
        .collect()
    )
    counted = (F.count("*").alias("mentions"), F.countDistinct(record).alias("records"))
    concepts = (
        normalised.where(F.col("status") == "matched")
        .groupBy("concept_uri")
        .agg(F.first("concept_label").alias("label"), *counted)
        .orderBy(F.desc("mentions"), "concept_uri")
        .limit(top)
        .collect()
    )
    nearest = links.select(
        "text_key", F.coalesce(F.try_element_at("top", F.lit(1))["concept_label"], F.lit("")).alias("nearest")
    )
    unlinked = (
        normalised.where(F.col("status").isin("ambiguous", "nil"))
        .groupBy("text_key", "text", "status")
        .agg(*counted)
        .where(F.col("records") >= min_records)
        .orderBy(F.desc("mentions"), "text")
        .limit(top)
        .join(nearest, on="text_key", how="left")
        .orderBy(F.desc("mentions"), "text")
        .collect()
    )
    return ReportData(
        facts=facts,
        records=normalised.select("source", "record_id").distinct().count(),
        mentions=sum(row["mentions"] for row in statuses),
        statuses=tuple(StatusRow(row["status"], row["mentions"], row["texts"]) for row in statuses),
        reasons=tuple((row["reason"], row["count"]) for row in reasons),
        concepts=tuple(
            ConceptRow(row["label"], row["concept_uri"], row["mentions"], row["records"]) for row in concepts
        ),
        unlinked=tuple(
            TextRow(row["text"], row["status"], row["nearest"] or "", row["mentions"], row["records"])
            for row in unlinked
        ),
        clusters=_without_concept(clusters, min_records, top) if clusters is not None else None,
        stages=stages,
        min_records=min_records,
    )


def _without_concept(clusters: DataFrame, min_records: int, top: int) -> tuple[ClusterRow, ...]:
    """Those whose representative, and of their spellings those that enough records hold."""
    held = F.filter("spellings", lambda one: one["records"] >= min_records).alias("held")
    rows = (
        clusters.where(F.col("status").isin("ambiguous", "nil"))
        .where(F.col("spellings")[0]["records"] >= min_records)
        .orderBy(F.desc("mentions"), "cluster_id")
        .limit(top)
        .select("group_label", "mentions", "mentions_before", "records", held)
        .collect()
    )
    found = []
    for row in rows:
        representative, *others = (one["spelling"] for one in row["held"])
        counts = row["mentions"], row["mentions_before"], row["records"]
        found.append(ClusterRow(representative, row["group_label"] or "", *counts, tuple(others)))
    return tuple(found)
