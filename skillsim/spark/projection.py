"""The map of skills: fitted on the clusters with the most mentions, applied to all others on the executors."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skillsim.encoder import unpack_vectors
from skillsim.errors import TablesError
from skillsim.projection import Projection
from skillsim.schemas import CLUSTERS, EMBEDDINGS, NORMALISED_SKILLS, SKILL_MAP
from skillsim.skill_map import SHOWN
from skillsim.spark.tables import Tables

LEAST = 8  # clusters that a map is made of
_PLACES = "cluster_id string, x float, y float, pca_x float, pca_y float"


def map_skills(tables: Tables, sample: int, min_records: int, run_id: str) -> int:
    """SKILL_MAP of the clusters that are skills and that `min_records` records hold; how many.

    `sample`: clusters, those with the most mentions, that it is fitted on. Raises TablesError where there are too few.
    """
    models = tables.read(NORMALISED_SKILLS).where("model_id IS NOT NULL").select("model_id").limit(1)
    clusters = _skills(tables, min_records)
    vectors = tables.read(EMBEDDINGS).where("status = 'embedded'").join(models, on="model_id", how="left_semi")
    rows = clusters.join(vectors.select(F.col("text_key").alias("leader_key"), "vector"), on="leader_key", how="inner")
    chosen = rows.orderBy(F.desc("mentions"), "cluster_id").limit(sample).select("vector").toArrow()
    if chosen.num_rows < LEAST:
        raise TablesError(
            f"{tables.root} has {chosen.num_rows} clusters that {min_records} records hold; a map takes {LEAST}. Run "
            "the main job with --set clusters.decision=auto, or lower report.min_records."
        )
    projection = Projection.fit(np.asarray(unpack_vectors(chosen["vector"]), np.float32))

    def place(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            vectors = np.asarray(unpack_vectors(batch.column("vector")), np.float32)
            columns = np.hstack([projection.neighbours(vectors), projection.pca(vectors)]).astype(np.float32)
            arrays = [batch.column("cluster_id"), *map(pa.array, columns.T)]
            yield pa.RecordBatch.from_arrays(arrays, names=["cluster_id", "x", "y", "pca_x", "pca_y"])

    placed = rows.select("cluster_id", "vector").mapInArrow(place, _PLACES)
    named = clusters.select("cluster_id", *SHOWN).join(placed, on="cluster_id", how="inner")
    staged = tables.stage("skill_map", named.withColumn("run_id", F.lit(run_id)))
    tables.replace(SKILL_MAP, staged, {})
    return staged.count()


def mapped_clusters(tables: Tables, min_records: int, points: int) -> DataFrame:
    """The clusters with the most mentions as they are now, and their place in SKILL_MAP, null where it lacks them."""
    places = tables.read(SKILL_MAP).select("cluster_id", "x", "y")
    largest = _skills(tables, min_records).orderBy(F.desc("mentions"), "cluster_id").limit(points)
    return (
        largest.select("cluster_id", *SHOWN)
        .join(places, on="cluster_id", how="left")
        .orderBy(F.desc("mentions"), "cluster_id")
    )


def _skills(tables: Tables, min_records: int) -> DataFrame:
    clusters = tables.read(CLUSTERS).where("status != 'not_skill'")
    return clusters.where(F.col("spellings")[0]["records"] >= min_records)
