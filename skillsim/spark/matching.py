"""Matches of the people of one source with the vacancies of another, over NORMALISED_SKILLS.

What vacancies ask for, and which skills are near to that, is held by every task; people come in batches, each with the
vectors of his or her skills.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from scipy import sparse

from skillsim.encoder import Encoded, pack_vectors, unpack_vectors
from skillsim.errors import RecordsError
from skillsim.matching import (
    BROADER,
    COVERAGE,
    ESSENTIAL,
    NARROWER,
    OPTIONAL,
    Kind,
    Matrix,
    Side,
    nearest,
    rarity,
    reasons,
    top_matches,
)
from skillsim.schemas import CLUSTERS, EMBEDDINGS, LABELS, MATCHES, NORMALISED_SKILLS, RELATIONS
from skillsim.skill_vectors import profiles
from skillsim.spark.record_ids import id_as_given
from skillsim.spark.skill_vectors import learn
from skillsim.spark.tables import Tables

# Skills asked for by the vacancies of one pass over the people; they are in each task.
ASKED_AT_ONCE = 100_000
_MATCHES = pa.schema([MATCHES.schema.field(name) for name in MATCHES.schema.names[2:-1]])
_REASONS = pa.schema([MATCHES.schema.field(name) for name in ("coverage", "matched", "near", "missing")])


@dataclass(frozen=True)
class Told:
    """Of Asked, what the reasons are told from."""

    vacancy_ids: list[str]
    labels: list[str]
    matrix: Matrix
    near: Matrix
    rare: np.ndarray


@dataclass(frozen=True)
class Asked:
    """What the vacancies of a pass ask for. Columns of its matrices are `skills`."""

    vacancy_ids: list[str]
    skills: list[str]
    labels: list[str]
    side: Side
    near: Matrix
    rare: np.ndarray


def match(
    tables: Tables, people: str, vacancies: str, optional: str | None, k: int, floor: float, most: int, run_id: str
) -> tuple[int, int]:
    """The `k` best people of each vacancy into MATCHES; (vacancies, matches).

    `optional`: a source whose records, of the same ids as the vacancies, name what is asked for as optional. `floor`
    and `most` as in skillsim.matching.nearness. Raises RecordsError where a source has no skills.
    """
    skills = tables.stage("matches_skills", _skills(tables))
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
    named = tables.stage("matches_vectors", _with_vectors(tables, skills, held))
    broader = (
        tables.read(RELATIONS)
        .where("predicate = 'broader'")
        .join(tables.read(NORMALISED_SKILLS).select("taxonomy_id").distinct(), on="taxonomy_id", how="left_semi")
    )
    profiled = tables.stage("matches_people", _profiled(held, named))
    passes = math.ceil(asked.count() / ASKED_AT_ONCE)
    stamp = {"vacancies": F.lit(vacancies), "people": F.lit(people), "run_id": F.lit(run_id)}
    count = 0
    for one in range(passes):
        part = asked.where(F.pmod(F.xxhash64("vacancy_id"), F.lit(passes)) == one)
        found = _matches(profiled, _asked(part, held, named, broader, floor, most), k)
        rows = tables.stage("matches", found.withColumns(stamp))
        if one == 0:
            tables.replace(MATCHES, rows, {"vacancies": vacancies, "people": people})
        else:
            tables.append(MATCHES, rows)
        count += rows.count()
    return asked.select("vacancy_id").distinct().count(), count


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


def _with_vectors(tables: Tables, skills: DataFrame, held: DataFrame) -> DataFrame:
    """(skill, label, rare, vector): how rare a skill is among the people, and its vector of skillsim.skill_vectors."""
    known = skills.groupBy("skill").agg(*(F.min(name).alias(name) for name in ("label", "vector_key", "model_id")))
    vectors = tables.read(EMBEDDINGS).select("model_id", F.col("text_key").alias("vector_key"), "vector")
    named = known.join(vectors, on=["model_id", "vector_key"], how="left").select("skill", "label", "vector")
    learnt = learn(skills.select("source", "record_id", "skill").distinct(), named.where("vector IS NOT NULL"))
    people = held.select("person_id").distinct().count()

    def describe(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            skill, label, vector, count = batch.columns
            rare = rarity(people, np.asarray(count.fill_null(0), np.float32))
            own = _packed(learnt.skill_vectors(skill, vector))
            yield pa.RecordBatch.from_arrays([skill, label, pa.array(rare), own], ["skill", "label", "rare", "vector"])

    counted = named.join(held.groupBy("skill").count(), on="skill", how="left")
    return counted.mapInArrow(describe, "skill string, label string, rare float, vector binary")


def _asked(part: DataFrame, held: DataFrame, named: DataFrame, broader: DataFrame, floor: float, most: int) -> Asked:
    """Of the (vacancy_id, skill, weight) rows of `part`."""
    rows = part.toPandas()
    ids = part.select("skill").distinct()
    others = named.join(held.select("skill").distinct(), on="skill", how="left_semi")
    asked = named.join(ids, on="skill", how="left_semi").orderBy("skill").toArrow()
    near = _near(asked, others, floor, most).unionByName(_by_hierarchy(ids, others, broader))
    edges = near.groupBy("asked", "skill").agg(F.max("near").alias("near"), F.min("label").alias("label")).toPandas()
    labels = pd.concat([asked.select(["skill", "label"]).to_pandas(), edges[["skill", "label"]]])
    labels = labels.drop_duplicates("skill").set_index("skill")["label"].sort_index()
    skills, n = labels.index, len(labels)
    vacancy, vacancy_ids = pd.factorize(rows["vacancy_id"], sort=True)
    places = skills.get_indexer(asked["skill"].to_pylist())
    rare = np.ones(n, np.float32)
    rare[places] = asked["rare"]
    of_skills = np.asarray(unpack_vectors(asked["vector"]), np.float32)
    vectors = np.zeros((n, of_skills.shape[1]), np.float32)
    vectors[places] = of_skills
    weights = (rows["weight"].to_numpy(np.float32), (vacancy, skills.get_indexer(rows["skill"])))
    matrix = sparse.csr_matrix(weights, shape=(len(vacancy_ids), n))
    close = (
        edges["near"].to_numpy(np.float32),
        (skills.get_indexer(edges["asked"]), skills.get_indexer(edges["skill"])),
    )
    return Asked(
        vacancy_ids.tolist(),
        skills.tolist(),
        labels.tolist(),
        Side(matrix, profiles(matrix.multiply(rare).tocsr(), vectors).astype(np.float16)),
        sparse.csr_matrix(close, shape=(n, n)),
        rare,
    )


def _near(asked: pa.Table, others: DataFrame, floor: float, most: int) -> DataFrame:
    """(asked, skill, label, near) of the `most` skills that are nearest to each of those asked for, itself left out."""
    names, matrix = asked["skill"].to_pylist(), unpack_vectors(asked["vector"])

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            vectors = np.asarray(unpack_vectors(batch.column("vector")), np.float32)
            left, right, near = nearest(matrix, vectors, floor, most + 1)
            of = batch.select(["skill", "label"]).take(pa.array(right))
            asked_for = pa.array([names[row] for row in left], pa.string())
            columns = [asked_for, of.column(0), of.column(1), pa.array(near, pa.float32())]
            yield pa.RecordBatch.from_arrays(columns, names=["asked", "skill", "label", "near"])

    found = others.mapInArrow(run, "asked string, skill string, label string, near float").where("asked != skill")
    best = Window.partitionBy("asked").orderBy(F.desc("near"), "skill")
    return found.withColumn("place", F.row_number().over(best)).where(F.col("place") <= most).drop("place")


def _by_hierarchy(asked: DataFrame, others: DataFrame, broader: DataFrame) -> DataFrame:
    """As `_near`, of what the taxonomy says is narrower than a skill that is asked for, or broader."""
    pairs = [("object_uri", "subject_uri", NARROWER), ("subject_uri", "object_uri", BROADER)]
    edges = [
        broader.select(F.col(of).alias("asked"), F.col(has).alias("skill"), F.lit(near).cast("float").alias("near"))
        for of, has, near in pairs
    ]
    wanted = asked.withColumnRenamed("skill", "asked")
    labels = others.select("skill", "label")
    return edges[0].unionByName(edges[1]).join(wanted, on="asked", how="left_semi").join(labels, on="skill")


def _profiled(held: DataFrame, named: DataFrame) -> DataFrame:
    """(person_id, skills, profile) of each person."""

    def profile(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            lists = batch.column("skills")
            skills, rare, vectors = lists.flatten().flatten()
            ends = np.cumsum([0, *lists.value_lengths().to_pylist()])
            weights = sparse.csr_matrix((np.asarray(rare), np.arange(len(rare)), ends), shape=(len(lists), len(rare)))
            found = _packed(profiles(weights, np.asarray(unpack_vectors(vectors), np.float32)))
            names = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), skills)
            yield pa.RecordBatch.from_arrays(
                [batch.column("person_id"), names, found], ["person_id", "skills", "profile"]
            )

    skills = F.sort_array(F.collect_list(F.struct("skill", "rare", "vector"))).alias("skills")
    lists = held.join(named, on="skill").groupBy("person_id").agg(skills)
    return lists.mapInArrow(profile, "person_id string, skills array<string>, profile binary")


def _packed(vectors: np.ndarray) -> pa.BinaryArray:
    return pack_vectors(Encoded(vectors.astype(np.float16), {}))


def _matches(profiled: DataFrame, asked: Asked, k: int) -> DataFrame:
    """MATCHES' columns from vacancy_id to missing, of `_profiled` people."""
    places = dict(zip(asked.skills, range(len(asked.skills)), strict=True))
    told = Told(asked.vacancy_ids, asked.labels, asked.side.skills, asked.near, asked.rare)

    def best(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            batch = batch.sort_by("person_id")  # of equals the first are kept
            matrix = _people(batch.column("skills"), places)
            side = Side(matrix, np.asarray(unpack_vectors(batch.column("profile")), np.float32))
            found = top_matches(asked.side, side, asked.near, asked.rare, k).tocoo()
            rows = np.split(matrix.indices, matrix.indptr[1:-1])
            yield pa.RecordBatch.from_pydict(
                {
                    "vacancy": pa.array(found.row, pa.int32()),
                    "person_id": batch.column("person_id").take(pa.array(found.col)),
                    "score": pa.array(found.data, pa.float64()),
                    "skills": pa.array([rows[person] for person in found.col], pa.list_(pa.int32())),
                }
            )

    def why(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = zip(batch.column("vacancy").to_pylist(), batch.column("skills").to_pylist(), strict=True)
            words = pa.Table.from_pylist([_in_words(told, vacancy, skills) for vacancy, skills in rows], _REASONS)
            score, coverage = batch.column("score").to_numpy(), words["coverage"].to_numpy()
            ids = [told.vacancy_ids[row] for row in batch.column("vacancy").to_pylist()]
            kept = {name: batch.column(name) for name in ("rank", "person_id", "score")}
            lists = {name: words[name].combine_chunks() for name in _REASONS.names}
            profile = np.clip((score - COVERAGE * coverage) / (1 - COVERAGE), 0, 1)
            columns = {"vacancy_id": ids, **kept, **lists, "profile": profile}
            yield pa.RecordBatch.from_pydict({name: columns[name] for name in _MATCHES.names}, schema=_MATCHES)

    scored = profiled.mapInArrow(best, "vacancy int, person_id string, score double, skills array<int>")
    order = Window.partitionBy("vacancy").orderBy(F.desc("score"), "person_id")
    ranked = scored.withColumn("rank", F.row_number().over(order)).where(F.col("rank") <= k)
    return ranked.mapInArrow(why, from_arrow_schema(_MATCHES))


def _people(lists: pa.ListArray, places: dict[str, int]) -> Matrix:
    """1 where a person has a skill of `places`."""
    place = np.array([places.get(skill, -1) for skill in lists.flatten().to_pylist()], np.int64)
    row = np.repeat(np.arange(len(lists)), lists.value_lengths().to_numpy())
    row, column = row[place >= 0], place[place >= 0]
    return sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(len(lists), len(places)))


def _in_words(asked: Told, vacancy: int, skills: list[int]) -> dict[str, object]:
    """How much is covered, and the labels of what is matched, near and missing."""
    person = sparse.csr_matrix((np.ones(len(skills)), skills, [0, len(skills)]), shape=(1, asked.matrix.shape[1]))
    told = reasons(asked.matrix[vacancy], person, asked.near, asked.rare)
    labels = asked.labels
    alike = {kind: [labels[one.skill] for one in told if one.kind is kind] for kind in (Kind.MATCHED, Kind.MISSING)}
    near = [{"asked": labels[one.skill], "has": labels[one.by]} for one in told if one.by not in (None, one.skill)]
    coverage = min(sum(one.weight * one.share for one in told), 1.0)
    return {"coverage": coverage, "matched": alike[Kind.MATCHED], "near": near, "missing": alike[Kind.MISSING]}
