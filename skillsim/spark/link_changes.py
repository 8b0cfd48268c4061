"""What became of each text's link from one run to the next: history that survives VACUUM.

`link_changes.reason` is one of: `concept removed` (the taxonomy has it no more), `concept renamed` (the same with
another label), `curator` or `lexicon` (either decided it, before or now), `embedded` (it had no vector before); else
what differs between the two runs: `taxonomy`, `model`, `retrieval`, `decision`, `lexicon` (by its votes), or `none of
these` where all are the same and a near score fell otherwise.
"""

from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skillsim.schemas import LINK_CHANGES
from skillsim.spark.tables import Tables

_COMPARED = ("status", "concept_uri", "concept_label")
_SHOWN = ("status", "concept_uri", "concept_label", "score", "method")
_NAMED = {
    "taxonomy_id": "taxonomy",
    "model_id": "model",
    "retrieval_id": "retrieval",
    "decider_id": "decision",
    "lexicon_id": "lexicon",
}


def what_differs(before: Mapping[str, str | None], now: Mapping[str, str | None]) -> str:
    """Of two runs' ids, in words."""
    named = [name for column, name in _NAMED.items() if before[column] != now[column]]
    return ", ".join(named) or "none of these"


def links_before(links: DataFrame, recorded: DataFrame) -> DataFrame:
    """(text_key, reason, old): the links of the last run that succeeded.

    `links`: as they stand under that run's taxonomy and model; `recorded`: LINK_CHANGES since that run, which one that
    failed may have written before it changed the links. After several failed runs under different settings the old side
    may be one of theirs, and so for a text that a failed run was the first to link.
    """
    now = links.select("text_key", F.coalesce("reason", F.lit("")).alias("reason"), F.struct(*_SHOWN).alias("now"))
    was = recorded.select("text_key", F.struct(*(F.col(f"old_{name}").alias(name) for name in _SHOWN)).alias("was"))
    both = now.join(was, on="text_key", how="full")
    return both.select(
        "text_key", F.coalesce("reason", F.lit("")).alias("reason"), F.coalesce("was", "now").alias("old")
    )


def changed_links(before: DataFrame, new: DataFrame, otherwise: str, concept_uris: DataFrame) -> DataFrame:
    """LINK_CHANGES' columns but those of the runs, of the texts in both.

    `before`: as `links_before` gives it; `concept_uris`: the new taxonomy's.
    """
    after = new.select("text_key", F.struct(*_SHOWN).alias("new"))
    differs = [~F.col(f"old.{name}").eqNullSafe(F.col(f"new.{name}")) for name in _COMPARED]
    is_known = concept_uris.select(F.col("concept_uri").alias("known"))
    both = (
        before.join(after, on="text_key", how="inner")
        .where(differs[0] | differs[1] | differs[2])
        .join(F.broadcast(is_known), on=F.col("old.concept_uri") == F.col("known"), how="left")
    )
    columns = [F.col(f"{side}.{name}").alias(f"{side}_{name}") for side in ("old", "new") for name in _SHOWN]
    return both.select("text_key", _reason(otherwise).alias("reason"), *columns)


def _reason(otherwise: str) -> Column:
    def decided_by(method: str) -> Column:
        return (F.col("old.method") == method) | (F.col("new.method") == method)

    same_concept = F.col("old.concept_uri") == F.col("new.concept_uri")
    return (
        F.when(F.col("old.concept_uri").isNotNull() & F.col("known").isNull(), "concept removed")
        .when(same_concept & (F.col("old.status") == F.col("new.status")), "concept renamed")
        .when(decided_by("override"), "curator")
        .when(decided_by("lexicon"), "lexicon")
        .when(F.col("reason").startswith("not embedded"), "embedded")
        .otherwise(otherwise)
    )


def recorded_since(tables: Tables, run_id: str) -> DataFrame:
    """LINK_CHANGES that a run has written since this one: where it is the last that succeeded, one that failed."""
    return tables.read(LINK_CHANGES).where(F.col("since_run_id") == run_id)


def record_changes(tables: Tables, changes: DataFrame, since_run_id: str, run_id: str, at: datetime) -> int:
    """Write them in place of those that a failed run wrote; how many there are."""
    stamp = {"since_run_id": F.lit(since_run_id), "run_id": F.lit(run_id), "changed_at": F.lit(at).cast("timestamp")}
    staged = tables.stage("link_changes", changes.withColumns(stamp))
    count = staged.count()
    if count or not recorded_since(tables, since_run_id).isEmpty():
        tables.replace(LINK_CHANGES, staged, {"since_run_id": since_run_id})
    return count
