"""What the report shows, aggregated from the tables: nothing below `min_records` leaves the cluster."""

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skillsim.audit import Audit
from skillsim.clusters import CREATED, MERGED, SPLIT
from skillsim.config import ReportConfig
from skillsim.report import ClusterRow, ConceptRow, ReportData, RunRow, SourceRow, StatusRow, TextRow
from skillsim.schemas import CLUSTER_HISTORY, CLUSTERS, CONCEPTS, FORGOTTEN, LINKS, MENTIONS, NORMALISED_SKILLS
from skillsim.spark.projection import mapped_clusters
from skillsim.spark.record_ids import id_as_given
from skillsim.spark.runs import NO_CLUSTERS, MadeRun, runs_before
from skillsim.spark.sql import predicate
from skillsim.spark.tables import Tables

POINTS = 3_000  # of the map


def collect_report(tables: Tables, run: MadeRun, config: ReportConfig, audit: Audit | None = None) -> ReportData:
    """Of the tables as `run` left them."""
    normalised, least, top = tables.read(NORMALISED_SKILLS), config.min_records, config.top
    statuses, reasons = _statuses(normalised)
    clustered = run.ids.clusters_id != NO_CLUSTERS
    clusters = tables.read(CLUSTERS)
    missing = clusters.where(F.col("status").isin("ambiguous", "nil")).orderBy(F.desc("mentions"), "cluster_id")
    points = mapped_clusters(tables, least, POINTS).toPandas() if clustered else pd.DataFrame({"x": []})
    has_place = points["x"].notna()
    return ReportData(
        run_id=run.run_id,
        at=run.started_at,
        facts=_facts(tables, run),
        sources=_sources(normalised),
        statuses=statuses,
        reasons=reasons,
        earlier=tuple(RunRow(*row) for row in runs_before(tables, run.run_id)),
        concepts=_concepts(normalised, least, top),
        emerging=_emerging(tables, least, top) if clustered else None,
        clusters=_cluster_rows(missing, least, top) if clustered else None,
        unlinked=None if clustered else _texts(normalised, _links(tables, run), "nil", least, top),
        review=_texts(normalised, _links(tables, run), "ambiguous", least, top),
        points=points[has_place],
        unplaced=int((~has_place).sum()),
        audit=audit,
        stages=run.stages,
        min_records=least,
    )


def _facts(tables: Tables, run: MadeRun) -> dict[str, str]:
    of_run = predicate({"taxonomy_id": run.ids.taxonomy_id})
    taxonomy = tables.read(CONCEPTS).where(of_run).select("version", "language").first()
    threshold = "" if run.threshold is None else f", threshold {run.threshold:g}"
    return {
        "run": run.run_id,
        "taxonomy": f"{taxonomy['version']} ({taxonomy['language']})" if taxonomy else run.ids.taxonomy_id,
        "model": run.ids.model_id,
        "decision": f"{run.ids.decider_id}{threshold}",
    }


def _links(tables: Tables, run: MadeRun) -> DataFrame:
    return tables.read(LINKS).where(predicate({"taxonomy_id": run.ids.taxonomy_id, "model_id": run.ids.model_id}))


def _statuses(normalised: DataFrame) -> tuple[tuple[StatusRow, ...], tuple[tuple[str, int], ...]]:
    """Mentions by status; those rejected, which have no text, by reason."""
    rejected = F.col("status") == "rejected"
    counts = (F.count("*").alias("mentions"), F.countDistinct("text").alias("texts"))
    found = normalised.groupBy("status", F.when(rejected, F.col("reason")).alias("reason")).agg(*counts).collect()
    found.sort(key=lambda row: (-row["mentions"], row["reason"] or ""))
    by_reason = [(row["reason"], row["mentions"]) for row in found if row["status"] == "rejected"]
    rows = [StatusRow(row["status"], row["mentions"], row["texts"]) for row in found if row["status"] != "rejected"]
    if by_reason:
        rows.append(StatusRow("rejected", sum(count for _, count in by_reason), 0))
    return tuple(sorted(rows, key=lambda row: (-row.mentions, row.status))), tuple(by_reason)


def _sources(normalised: DataFrame) -> tuple[SourceRow, ...]:
    of_status = [F.count_if(F.col("status") == status).alias(status) for status in ("matched", "rejected")]
    counts = (F.countDistinct(id_as_given()).alias("records"), F.count("*").alias("mentions"), *of_status)
    rows = normalised.groupBy("source").agg(*counts).orderBy(F.desc("mentions"), "source").collect()
    return tuple(SourceRow(*row) for row in rows)


def _counted() -> tuple[Column, Column]:
    """A repeated id is one person's."""
    return F.count("*").alias("mentions"), F.countDistinct(F.struct("source", id_as_given())).alias("records")


def _concepts(normalised: DataFrame, least: int, top: int) -> tuple[ConceptRow, ...]:
    rows = (
        normalised.where(F.col("status") == "matched")
        .groupBy("concept_uri", "concept_label")  # F.first of a text would sort the rows
        .agg(*_counted())
        .where(F.col("records") >= least)
        .orderBy(F.desc("mentions"), "concept_uri")
        .limit(top)
        .collect()
    )
    return tuple(ConceptRow(row["concept_label"], row["concept_uri"], row["mentions"], row["records"]) for row in rows)


def _texts(normalised: DataFrame, links: DataFrame, status: str, least: int, top: int) -> tuple[TextRow, ...]:
    """The most frequent of a status."""
    labels = F.transform("top", lambda one: one["concept_label"])
    rows = (
        normalised.where(F.col("status") == status)
        .groupBy("text_key", "text")
        .agg(*_counted())
        .where(F.col("records") >= least)
        .orderBy(F.desc("mentions"), "text")
        .limit(top)
        .join(links.select("text_key", labels.alias("nearest")), on="text_key", how="left")
        .orderBy(F.desc("mentions"), "text")
        .collect()
    )
    return tuple(TextRow(row["text"], tuple(row["nearest"] or ()), row["mentions"], row["records"]) for row in rows)


def _emerging(tables: Tables, least: int, top: int) -> tuple[ClusterRow, ...] | None:
    """Clusters that have more mentions than if all had grown alike, those with the most above that first.

    None where no cluster has been there before.
    """
    told = tables.read(CLUSTERS).where("status != 'not_skill'").join(_begun(tables), on="cluster_id", how="left")
    clusters = told.where("mentions_before IS NOT NULL OR begun")
    all_of_them = clusters.agg(F.sum("mentions").alias("now"), F.sum("mentions_before").alias("before")).first()
    if not all_of_them or not all_of_them["before"]:
        return None
    before = F.coalesce("mentions_before", F.lit(0))
    beyond = F.col("mentions") - before * (all_of_them["now"] / all_of_them["before"])
    grown = clusters.where((F.col("mentions") > before) & (beyond > 0))
    by_itself = grown.join(_regrouped(tables), on="cluster_id", how="left_anti")
    return _cluster_rows(by_itself.orderBy(F.desc(beyond), "cluster_id"), least, top)


def _since(tables: Tables) -> DataFrame:
    """CLUSTER_HISTORY since mentions last changed, by what came in or by what was forgotten."""
    came = tables.read(MENTIONS).select(F.col("ingested_at").alias("at"))
    changes = came.unionByName(tables.read(FORGOTTEN).select(F.col("forgotten_at").alias("at")))
    last = F.broadcast(changes.agg(F.max("at").alias("last")))
    return tables.read(CLUSTER_HISTORY).join(last, on=F.col("changed_at") >= F.col("last"), how="left_semi")


def _begun(tables: Tables) -> DataFrame:
    """(cluster_id, begun) of those that were not there when mentions last changed.

    Of any other without a number from then, that went with what was forgotten: it may not have grown at all.
    """
    begun = _since(tables).where(F.col("event").isin(CREATED, SPLIT))
    return begun.select("cluster_id", F.lit(True).alias("begun")).distinct()


def _regrouped(tables: Tables) -> DataFrame:
    """cluster_id of those that took texts from others, or began with texts of others, since mentions last changed."""
    since = _since(tables)
    grown = F.when(F.col("event") == SPLIT, F.col("cluster_id")).when(F.col("event") == MERGED, F.col("other_id"))
    return since.select(grown.alias("cluster_id")).where("cluster_id IS NOT NULL").distinct()


def _cluster_rows(clusters: DataFrame, least: int, top: int) -> tuple[ClusterRow, ...]:
    """Those whose representative, and of their spellings those that enough records hold."""
    held = F.filter("spellings", lambda one: one["records"] >= least).alias("held")
    columns = ("concept_label", "group_label", "mentions", "mentions_before", "records")
    known = clusters.where(F.col("spellings")[0]["records"] >= least)
    found = []
    for row in known.limit(top).select(held, *columns).collect():
        representative, *others = (one["spelling"] for one in row["held"])
        counts = row["mentions"], row["mentions_before"], row["records"]
        labels = row["concept_label"] or "", row["group_label"] or ""
        found.append(ClusterRow(representative, tuple(others), *labels, *counts))
    return tuple(found)
