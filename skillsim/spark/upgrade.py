"""What one version of the taxonomy leaves to the next: candidates and links of the texts that the change spares."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from skillsim.esco import Taxonomy
from skillsim.esco_diff import TaxonomyDiff, diff_taxonomies
from skillsim.linking import ConceptNames
from skillsim.schemas import CONCEPTS, GROUPS, LABELS, OCCUPATIONS, RELATIONS
from skillsim.spark import worker
from skillsim.spark.tables import Tables
from skillsim.spark.taxonomy import taxonomy_rows
from skillsim.upgrade import CARRIED, Touch, carried, relabelled, retitled


@dataclass(frozen=True)
class Upgrade:
    """From one version of a taxonomy to another."""

    old: Taxonomy
    new: Taxonomy
    diff: TaxonomyDiff

    @staticmethod
    def between(tables: Tables, old_id: str, new_id: str) -> "Upgrade | None":
        """None where the two have no language or too few concepts in common to be versions of one taxonomy."""
        old, new = (stored_taxonomy(tables, taxonomy_id) for taxonomy_id in (old_id, new_id))
        if not old.concepts.num_rows or old.language != new.language:
            return None
        diff = diff_taxonomies(old, new)
        return Upgrade(old, new, diff) if len(diff.added) <= new.concepts.num_rows / 2 else None

    def touch(self, keys: Collection[str]) -> Touch:
        """`keys`: of texts that are decided otherwise, whatever their candidates."""
        return Touch.of(self.diff, relabelled(self.old, self.new), retitled(self.old, self.new) | set(keys))


def stored_taxonomy(tables: Tables, taxonomy_id: str) -> Taxonomy:
    """As the tables hold it; without rows where they do not."""
    named = {"concepts": CONCEPTS, "labels": LABELS, "groups": GROUPS, "relations": RELATIONS}
    rows = {
        name: taxonomy_rows(tables, table, taxonomy_id).toArrow()
        for name, table in {**named, "occupations": OCCUPATIONS}.items()
    }
    first = rows["concepts"].slice(0, 1).to_pylist() or [{"language": "", "version": ""}]
    return Taxonomy(taxonomy_id, first[0]["language"], first[0]["version"], **rows, notes=())


def carry_over(
    texts: DataFrame,
    candidates: DataFrame,
    links: DataFrame,
    embeddings: DataFrame,
    touch: Touch,
    top_k: int,
    index_address: str,
    memory_addresses: Sequence[str],
) -> DataFrame:
    """CARRIED; `candidates` and `links`: of the old version. `memory_addresses`: a fitted decision's, old and new."""
    vectors = embeddings.where(F.col("status") == "embedded").select("text_key", "vector")
    rows = (
        texts.select("text_key", "text")
        .join(candidates.select("text_key", "occupation_uri", "candidates"), on="text_key", how="inner")
        .join(vectors, on="text_key", how="inner")
        .join(links.select("text_key", "concept_uri", "group_uri", "group_label", "top"), on="text_key", how="inner")
    )

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        index = worker.label_index(index_address)
        memories = [worker.memory(address, index_address) for address in memory_addresses]
        nearby = index.only(sorted(touch.relabelled))
        names = ConceptNames.from_table(index.concepts)
        for batch in batches:
            found = carried(pa.Table.from_batches([batch]), touch, index, nearby, names, top_k, memories)
            yield from found.to_batches()

    return rows.mapInArrow(run, from_arrow_schema(CARRIED))


def links_carried_over(links: DataFrame, kept: DataFrame, ids: dict[str, str]) -> DataFrame:
    """The old version's `links` of the texts in `kept` (CARRIED), under the new `ids`; the run that decided stays."""
    groups = kept.select("text_key", F.col("group_uri").alias("uri_now"), F.col("group_label").alias("label_now"))
    now = {"group_uri": F.col("uri_now"), "group_label": F.col("label_now")}
    constants = {name: F.lit(value) for name, value in ids.items()}
    return links.join(groups, on="text_key", how="inner").withColumns({**now, **constants}).select(*links.columns)
