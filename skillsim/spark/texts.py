"""The distinct texts of all mentions: new ones in, those that no mention holds any more out of every table."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skillsim.schemas import (
    CANDIDATES,
    CLUSTER_HISTORY,
    CLUSTER_MEMBERS,
    EMBEDDINGS,
    LABELS,
    LINK_CHANGES,
    LINKS,
    MENTIONS,
    PAIRS,
    TEXTS,
)
from skillsim.spark.tables import Tables


def add_new_texts(tables: Tables) -> int:
    """How many were new."""
    distinct = _held(tables).dropDuplicates(["text_key"])
    new = distinct.join(tables.read(TEXTS).select("text_key"), on="text_key", how="left_anti")
    staged = tables.stage("texts", new)
    count = staged.count()
    if count:
        tables.insert_new(TEXTS, staged)
    return count


def orphans(tables: Tables) -> DataFrame:
    """text_key of the texts that no mention holds."""
    return tables.read(TEXTS).join(_held(tables), on="text_key", how="left_anti").select("text_key")


def remove_orphans(tables: Tables, kept: DataFrame | None = None) -> int:
    """Remove the texts of no mention, with vectors, candidates, pairs, links and their history; how many those were.

    The vector of a taxonomy's label stays, and of a text_key in `kept`. `clusters` and `duplicates` follow in the
    run. `texts` comes last, so that a crash before it is repeated in full.
    """
    staged = tables.stage("orphans", orphans(tables))
    count = staged.count()
    if count:
        stays = tables.read(LABELS).select("text_key")
        if kept is not None:
            stays = stays.unionByName(kept.select("text_key"))
        tables.delete(EMBEDDINGS, staged.join(stays, on="text_key", how="left_anti"))
        if tables.exists(PAIRS):
            _remove_from_clusters(tables, staged)
        for table in (CANDIDATES, CLUSTER_MEMBERS, LINKS, LINK_CHANGES, TEXTS):
            tables.delete(table, staged)
    return count


def _remove_from_clusters(tables: Tables, orphaned: DataFrame) -> None:
    """Pairs in one commit: of a text that comes back, one left over would stand beside the one found again."""
    sides = [orphaned.withColumnRenamed("text_key", side) for side in ("left_key", "right_key")]
    theirs = [tables.read(PAIRS).join(side, on=side.columns, how="left_semi") for side in sides]
    keys = theirs[0].union(theirs[1]).select("left_key", "right_key").distinct()
    tables.delete(PAIRS, tables.stage("orphan_pairs", keys))
    # What a failed run told of the members as they are now is not true yet, and would be once they differ.
    pending = orphaned.sparkSession.createDataFrame([(tables.state(CLUSTER_MEMBERS),)], "since string")
    tables.delete(CLUSTER_HISTORY, pending)


def _held(tables: Tables) -> DataFrame:
    return tables.read(MENTIONS).where(F.col("text_key").isNotNull()).select("text_key", "text")
