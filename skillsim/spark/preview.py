"""What another taxonomy, model, lexicon, decision or curators' decision would move, before it does.

All is computed that a run would compute, and kept but for the links: the run that follows finds vectors and candidates.
"""

from dataclasses import dataclass

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.encoder import unpack_vectors
from skillsim.errors import TablesError
from skillsim.overrides import active
from skillsim.schemas import LINKS, MENTIONS, TEXTS
from skillsim.spark import worker
from skillsim.spark.linkage import Linkage
from skillsim.spark.plan import Plan
from skillsim.spark.progress import Progress
from skillsim.spark.record_ids import id_as_given
from skillsim.spark.tables import Tables
from skillsim.spark.upgrade import Upgrade

SUGGESTED = 3


@dataclass(frozen=True)
class Preview:
    """Frames for people.

    `moves`: (reason, old_status, new_status, texts, mentions). `texts`: of each text that would move its mentions,
    records, and link before and after. `concepts`: skillsim.esco_diff's sheet. `vanished`: of each concept that the new
    taxonomy lacks what points to it, and what is nearest to it, where its label has a vector under the new model. The
    last two are empty where the taxonomy is the same, or no version of the same.
    """

    since_run_id: str
    moves: pd.DataFrame
    texts: pd.DataFrame
    concepts: pd.DataFrame
    vanished: pd.DataFrame


def preview(spark: SparkSession, tables: Tables, plan: Plan, rows: int) -> Preview:
    """At most `rows` texts, those of most mentions first. Raises TablesError where no run has succeeded yet."""
    linkage = Linkage(spark, tables, plan, "preview", Progress())
    if linkage.last is None:
        raise TablesError(f"{tables.root}: no run has succeeded here, so there is nothing to move. Run the main job.")
    try:
        linkage.store_taxonomy()
        linkage.retrieve()
        _, links = linkage.decide()
        changes = linkage.changes(links if links is not None else linkage.links())
        assert changes is not None
        moved = tables.stage("link_changes", changes.join(_counts(tables), on="text_key", how="inner"))
        upgrade = linkage.upgrade
        return Preview(
            linkage.last["run_id"],
            _moves(moved),
            _texts(moved.join(tables.read(TEXTS), on="text_key"), plan.config.report.min_records, rows),
            upgrade.diff.sheet() if upgrade else pd.DataFrame(),
            _vanished(tables, linkage, plan, upgrade) if upgrade else pd.DataFrame(),
        )
    finally:
        tables.clear_staging()


def _counts(tables: Tables) -> DataFrame:
    """(text_key, mentions, records)."""
    record = F.struct("source", id_as_given())  # a repeated id is one person's
    of_text = tables.read(MENTIONS).where(F.col("text_key").isNotNull()).groupBy("text_key")
    return of_text.agg(F.count("*").alias("mentions"), F.countDistinct(record).alias("records"))


def _moves(moved: DataFrame) -> pd.DataFrame:
    counts = (F.count("*").alias("texts"), F.sum("mentions").alias("mentions"))
    by = moved.groupBy("reason", "old_status", "new_status").agg(*counts)
    return by.orderBy(F.desc("mentions"), "reason", "old_status", "new_status").toArrow().to_pandas()


def _texts(moved: DataFrame, min_records: int, rows: int) -> pd.DataFrame:
    sides = (f"{side}_{name}" for side in ("old", "new") for name in ("status", "concept_label", "concept_uri"))
    shown = moved.where(F.col("records") >= min_records).select("text", "mentions", "records", "reason", *sides)
    return shown.orderBy(F.desc("mentions"), "text").limit(rows).toArrow().to_pandas()


def _vanished(tables: Tables, linkage: Linkage, plan: Plan, upgrade: Upgrade) -> pd.DataFrame:
    gone = upgrade.diff.removed
    if not gone:
        return pd.DataFrame()
    assert linkage.last is not None
    old = tables.read(LINKS).where(F.col("taxonomy_id") == upgrade.old.taxonomy_id)
    linked = old.where((F.col("model_id") == linkage.last["model_id"]) & F.col("concept_uri").isin(list(gone)))
    counts = linked.join(_counts(tables), on="text_key").groupBy("concept_uri")
    counted = {
        row["concept_uri"]: (row["texts"], row["mentions"])
        for row in counts.agg(F.count("*").alias("texts"), F.sum("mentions").alias("mentions")).collect()
    }
    suggested, kept = _suggested(linkage, upgrade), active(linkage.kept_overrides).values()
    rows = []
    for uri, label in gone.items():
        strings = [entry.string for entry in plan.configured_lexicon.entries.values() if uri in entry.concepts]
        decided = [one.raw for one in kept if one.concept_uri == uri]
        texts, mentions = counted.get(uri, (0, 0))
        rows.append(
            {
                "concept_uri": uri,
                "preferred_label": label,
                "texts": texts,
                "mentions": mentions,
                "lexicon": "\n".join(strings),
                "curators": "\n".join(decided),
                "successors": "\n".join(plan.named_successors.get(uri, ())),
                **suggested.get(uri, {}),
            }
        )
    return pd.DataFrame(rows).sort_values(["mentions", "preferred_label"], ascending=[False, True])


def _suggested(linkage: Linkage, upgrade: Upgrade) -> dict[str, dict[str, object]]:
    """By vanished concept: the concepts nearest to its preferred label, and the cosines."""
    labels = [
        label
        for label in upgrade.old.labels.select(["concept_uri", "kind", "text", "text_key"]).to_pylist()
        if label["kind"] == "preferred" and label["concept_uri"] in upgrade.diff.removed
    ]
    keys = [label["text_key"] for label in labels]
    found = linkage.embeddings().where(F.col("text_key").isin(keys) & F.col("vector").isNotNull())
    table = found.select("text_key", "vector").toArrow()
    vector = dict(zip(table["text_key"].to_pylist(), unpack_vectors(table["vector"]), strict=True))
    index = worker.label_index(linkage.index_address)
    suggested: dict[str, dict[str, object]] = {}
    for label in labels:
        if (one := vector.get(label["text_key"])) is not None:
            near = index.candidates([label["text"]], [label["text_key"]], one[None, :], SUGGESTED)
            row = suggested[label["concept_uri"]] = {}
            for place, candidate in enumerate(near.candidates[0].as_py(), start=1):
                uri = candidate["concept_uri"]
                row[f"suggestion_{place}"] = index.concepts["preferred_label"][index.concept_row[uri]].as_py()
                row[f"uri_{place}"], row[f"cosine_{place}"] = uri, round(candidate["cosine"], 3)
    return suggested
