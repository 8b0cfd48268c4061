"""Matches of the people of one source with the vacancies of another, over NORMALISED_SKILLS.

What vacancies ask for, and which skills are near to that, is held by every task; people come in batches.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from scipy import sparse

from skillsim.encoder import unpack_vectors
from skillsim.errors import RecordsError
from skillsim.matching import ESSENTIAL, OPTIONAL, Kind, Matrix, nearest, rarity, reasons, top_matches
from skillsim.schemas import CLUSTERS, EMBEDDINGS, LABELS, MATCHES, NORMALISED_SKILLS
from skillsim.spark.record_ids import id_as_given
from skillsim.spark.tables import Tables

# Skills asked for by the vacancies of one pass over the people.
ASKED_AT_ONCE = 500_000
_MATCHES = pa.schema([MATCHES.schema.field(name) for name in MATCHES.schema.names[2:-1]])


@dataclass(frozen=True)
class Asked:
    """What the vacancies of a pass ask for. Columns of all matrices are `skills`."""

    vacancy_ids: list[str]
    skills: list[str]
    labels: list[str]
    matrix: Matrix
    near: Matrix
    rare: np.ndarray


def match(
    tables: Tables, people: str, vacancies: str, optional: str | None, k: int, floor: float, most: int, run_id: str
) -> tuple[int, int]:
    """The `k` best people of each vacancy into MATCHES; (vacancies, matches).

    `optional`: a source whose records, of the same ids as the vacancies, name what is asked for as optional. `floor`
    and `most` as in skillsim.matching.nearness. Raises RecordsError where a source has no skills.
    """
    sources = [people, vacancies, *([optional] if optional else [])]
    skills = tables.stage("matches_skills", _skills(tables).where(F.col("source").isin(sources)))
    held = skills.where(F.col("source") == people).select(F.col("record_id").alias("person_id"), "skill").distinct()
    weight = F.when(F.col("source") == vacancies, ESSENTIAL).when(F.col("source") == F.lit(optional), OPTIONAL)
    asked = (
        skills.withColumn("weight", weight)
        .where("weight IS NOT NULL")
        .groupBy(F.col("record_id").alias("vacancy_id"), "skill")
        .agg(F.max("weight").alias("weight"))
    )
    for source, rows in ((people, held), (vacancies, asked)):
        if rows.isEmpty():
            raise RecordsError(f"source {source} has no skills in {tables.root}: normalise its records there first.")
    known = (
        skills.select("skill", "label", "vector_key", "model_id")
        .distinct()
        .groupBy("skill")
        .agg(*(F.min(name).alias(name) for name in ("label", "vector_key", "model_id")))
    )
    vectors = tables.read(EMBEDDINGS).select("model_id", F.col("text_key").alias("vector_key"), "vector")
    named = known.join(vectors, on=["model_id", "vector_key"], how="left").select("skill", "label", "vector")
    passes = math.ceil(asked.count() / ASKED_AT_ONCE)
    parts = [asked.where(F.pmod(F.xxhash64("vacancy_id"), F.lit(passes)) == one) for one in range(passes)]
    found = [_matches(held, _asked(part, held, named, floor, most), k) for part in parts]
    stamp = {"vacancies": F.lit(vacancies), "people": F.lit(people), "run_id": F.lit(run_id)}
    rows = tables.stage("matches", reduce(DataFrame.unionByName, found).withColumns(stamp))
    tables.replace(MATCHES, rows, {"vacancies": vacancies, "people": people})
    return asked.select("vacancy_id").distinct().count(), rows.count()


def _skills(tables: Tables) -> DataFrame:
    """(source, record_id, skill, label, vector_key, model_id); a skill is a concept, else a cluster, else a text.

    The vector that stands for it is that of the preferred label, the leader, the text.
    """
    mentions = tables.read(NORMALISED_SKILLS).where(~F.col("status").isin("rejected", "not_skill"))
    preferred = tables.read(LABELS).where("kind = 'preferred'")
    labels = preferred.select("taxonomy_id", "concept_uri", F.col("text_key").alias("label_key"))
    leaders = tables.read(CLUSTERS).select("cluster_id", "representative", "leader_key")
    joined = mentions.join(labels, on=["taxonomy_id", "concept_uri"], how="left").join(
        leaders, on="cluster_id", how="left"
    )
    return joined.select(
        "source",
        id_as_given().alias("record_id"),
        F.coalesce("concept_uri", "cluster_id", "text_key").alias("skill"),
        F.coalesce("concept_label", "representative", "text").alias("label"),
        F.coalesce("label_key", "leader_key", "text_key").alias("vector_key"),
        "model_id",
    )


def _asked(part: DataFrame, held: DataFrame, named: DataFrame, floor: float, most: int) -> Asked:
    """Of the (vacancy_id, skill, weight) rows of `part`."""
    rows = part.toPandas()
    asked = part.select("skill").distinct().join(named, on="skill", how="inner").orderBy("skill").toArrow()
    near = _near(asked, held.select("skill").distinct().join(named, on="skill", how="inner"), floor, most).toPandas()
    labels = pd.concat([asked.select(["skill", "label"]).to_pandas(), near[["skill", "label"]]])
    labels = labels.drop_duplicates("skill").set_index("skill")["label"].sort_index()
    skills, n = labels.index, len(labels)
    counts = held.join(part.select("skill").distinct(), on="skill").groupBy("skill").count().toPandas()
    frequency = counts.set_index("skill")["count"].reindex(skills, fill_value=0).to_numpy(np.float32)
    vacancy, vacancy_ids = pd.factorize(rows["vacancy_id"], sort=True)
    weights = (rows["weight"].to_numpy(np.float32), (vacancy, skills.get_indexer(rows["skill"])))
    edges = (near["near"].to_numpy(np.float32), (skills.get_indexer(near["asked"]), skills.get_indexer(near["skill"])))
    return Asked(
        vacancy_ids.tolist(),
        skills.tolist(),
        labels.tolist(),
        sparse.csr_matrix(weights, shape=(len(vacancy_ids), n)),
        sparse.csr_matrix(edges, shape=(n, n)),
        rarity(held.select("person_id").distinct().count(), frequency),
    )


def _near(asked: pa.Table, skills: DataFrame, floor: float, most: int) -> DataFrame:
    """(asked, skill, label, near) of the `most` skills that are nearest to each of those asked for, itself left out."""
    asked = asked.filter(asked["vector"].is_valid())
    names, matrix = asked["skill"].to_pylist(), np.asarray(unpack_vectors(asked["vector"]), np.float32)

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            vectors = np.asarray(unpack_vectors(batch.column("vector")), np.float32)
            left, right, near = nearest(matrix, vectors, floor, most + 1)
            of = batch.select(["skill", "label"]).take(pa.array(right))
            asked_for = pa.array([names[row] for row in left], pa.string())
            columns = [asked_for, of.column(0), of.column(1), pa.array(near, pa.float32())]
            yield pa.RecordBatch.from_arrays(columns, names=["asked", "skill", "label", "near"])

    held = skills.where("vector IS NOT NULL").select("skill", "label", "vector")
    found = held.mapInArrow(run, "asked string, skill string, label string, near float").where("asked != skill")
    best = Window.partitionBy("asked").orderBy(F.desc("near"), "skill")
    return found.withColumn("place", F.row_number().over(best)).where(F.col("place") <= most).drop("place")


def _matches(held: DataFrame, asked: Asked, k: int) -> DataFrame:
    """MATCHES' columns from vacancy_id to missing."""
    places = dict(zip(asked.skills, range(len(asked.skills)), strict=True))

    def best(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            batch = batch.sort_by("person_id")  # of equals the first are kept
            skills = [[places[one] for one in of if one in places] for of in batch.column("skills").to_pylist()]
            found = top_matches(asked.matrix, _people(skills, len(places)), asked.near, asked.rare, k).tocoo()
            yield pa.RecordBatch.from_pydict(
                {
                    "vacancy": pa.array(found.row, pa.int32()),
                    "person_id": batch.column("person_id").take(pa.array(found.col)),
                    "score": pa.array(found.data, pa.float64()),
                    "skills": pa.array([skills[person] for person in found.col], pa.list_(pa.int32())),
                }
            )

    def why(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = zip(batch.column("vacancy").to_pylist(), batch.column("skills").to_pylist(), strict=True)
            told = [_in_words(asked, vacancy, skills) for vacancy, skills in rows]
            matched, near, missing = zip(*told, strict=True) if told else ((), (), ())
            ids = [asked.vacancy_ids[row] for row in batch.column("vacancy").to_pylist()]
            kept = {name: batch.column(name) for name in ("rank", "person_id", "score")}
            lists = {"matched": matched, "near": near, "missing": missing}
            columns = {"vacancy_id": ids} | kept | lists
            yield pa.RecordBatch.from_arrays(
                [pa.array(columns[field.name], field.type) for field in _MATCHES], schema=_MATCHES
            )

    lists = held.groupBy("person_id").agg(F.sort_array(F.collect_list("skill")).alias("skills"))
    scored = lists.mapInArrow(best, "vacancy int, person_id string, score double, skills array<int>")
    order = Window.partitionBy("vacancy").orderBy(F.desc("score"), "person_id")
    ranked = scored.withColumn("rank", F.row_number().over(order)).where(F.col("rank") <= k)
    return ranked.mapInArrow(why, from_arrow_schema(_MATCHES))


def _people(skills: list[list[int]], n: int) -> Matrix:
    ends = np.cumsum([0, *map(len, skills)])
    places = np.fromiter((one for of in skills for one in of), np.int64, int(ends[-1]))
    return sparse.csr_matrix((np.ones(len(places), np.float32), places, ends), shape=(len(skills), n))


def _in_words(asked: Asked, vacancy: int, skills: list[int]) -> tuple[list[str], list[dict[str, str]], list[str]]:
    """Labels of what is matched, near and missing."""
    told = reasons(asked.matrix[vacancy], _people([skills], len(asked.skills)), asked.near, asked.rare)
    labels = asked.labels
    near = [{"asked": labels[one.skill], "has": labels[one.by]} for one in told if one.by not in (None, one.skill)]
    alike = [[labels[one.skill] for one in told if one.kind is kind] for kind in (Kind.MATCHED, Kind.MISSING)]
    return alike[0], near, alike[1]
