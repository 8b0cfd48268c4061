"""A list of skills, a customer's own taxonomy, to groups of duplicates: the main job's stages, without a taxonomy.

Texts are compared that share a pivot: some of the texts themselves stand for the concepts that the main job has.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from skillsim.cells import Gathering
from skillsim.config import Config
from skillsim.encoder import unpack_vectors
from skillsim.errors import BalanceError, ConfigError, TablesError
from skillsim.explanation import why_one_skill
from skillsim.model_files import resolve_model
from skillsim.schemas import CLUSTER_MEMBERS, DUPLICATES, EMBEDDINGS, MENTIONS, NORMALISED_SKILLS, PAIRS, TEXTS
from skillsim.spark.cluster_tables import gather, threshold_of
from skillsim.spark.embeddings import embed, missing_embeddings
from skillsim.spark.lease import writer_lease
from skillsim.spark.mentions import store_mentions
from skillsim.spark.migrations import migrate
from skillsim.spark.progress import Progress
from skillsim.spark.records import read_records
from skillsim.spark.runs import new_run_id
from skillsim.spark.slices import run_in_slices
from skillsim.spark.sql import predicate
from skillsim.spark.tables import Tables
from skillsim.spark.texts import add_new_texts, remove_orphans
from skillsim.variants import choose_variants

log = logging.getLogger(__name__)

# Raised whenever the same clusters would be told otherwise.
DUPLICATES_VERSION = 1
TEXTS_PER_PIVOT = 200
MOST_PIVOTS = 4_096
_ROWS = 1_000  # whose cosines with all pivots are held at once
_NEAREST = "text_key string, text string, vector binary, concept_uris array<string>"
_WHY = "text_key string, why string"


@dataclass(frozen=True)
class Deduplicated:
    """What a deduplication says when it ends: skills by what they are, groups of two or more, and from which score on
    two are one."""

    root: str
    statuses: dict[str, int]
    groups: int
    threshold: float


class Deduplication:
    """One deduplication of a list in a namespace of its own. A rerun, and a longer list, do what is not done yet."""

    def __init__(self, spark: SparkSession, config: Config) -> None:
        """Raises ConfigError where no decision tells variants under this encoder, TablesError for the main job's."""
        encoder = config.encoder
        self._model_id = resolve_model(encoder.model, encoder.precision, encoder.prompt, encoder.max_length).model_id
        variants, why_none = choose_variants(config, self._model_id)
        if variants is None:
            raise ConfigError(f"nothing to find duplicates by: {why_none or 'clusters.decision is none'}.")
        self._spark, self._config = spark, config
        self._gathering = Gathering(variants, config.clusters.cells, of="pivots")
        self._records = read_records(spark, config.input)
        self._tables = Tables(spark, config.output.root)
        if self._tables.exists(NORMALISED_SKILLS):
            raise TablesError(f"--output {self._tables.root} holds the main job's tables. Give a folder of its own.")
        self._started = datetime.now(UTC)
        self._run_id = new_run_id(self._started)
        self._progress = Progress()

    def run(self) -> Deduplicated:
        """All stages. Raises LeaseError when another run writes there, BalanceError where a skill is lost."""
        with writer_lease(self._spark, self._tables, self._run_id, self._config.output.wait_minutes):
            migrate(self._tables)
            try:
                self._take_in()
                of = self._gathering, self._config.spark, self._run_id, self._started
                gather(self._tables, self._comparable, *of, self._progress)
                return self._tell()
            finally:
                self._tables.clear_staging()

    def _take_in(self) -> None:
        with self._progress.stage("mentions") as stage:
            store_mentions(self._tables, self._records, self._config, self._run_id, self._started, stage)
        with self._progress.stage("texts") as stage:
            stage.rows_in = stage.rows_out = add_new_texts(self._tables)
            remove_orphans(self._tables)
        with self._progress.stage("embeddings") as stage:
            one_model = {"model_id": self._model_id}
            todo = missing_embeddings(self._tables.read(TEXTS), self._embeddings())
            run_in_slices(
                todo,
                lambda part: embed(part, self._config.encoder, self._model_id),
                self._tables,
                EMBEDDINGS,
                one_model,
                self._config.spark,
                stage,
            )

    def _comparable(self) -> DataFrame:
        vectors = self._embeddings().where(F.col("status") == "embedded").select("text_key", "vector")
        return with_pivots(self._tables.read(TEXTS).join(vectors, on="text_key", how="inner"), self._gathering.cells)

    def _embeddings(self) -> DataFrame:
        return self._tables.read(EMBEDDINGS).where(F.col("model_id") == self._model_id)

    def _tell(self) -> Deduplicated:
        tables = self._tables
        with self._progress.stage("duplicates") as stage:
            states = {table.name: tables.state(table) for table in (MENTIONS, CLUSTER_MEMBERS)}
            built_from = {**states, "rules": str(DUPLICATES_VERSION)}
            stage.rows_in = tables.read(MENTIONS).count()
            if tables.built_from(DUPLICATES) != built_from:
                failed = self._embeddings().where(F.col("status") == "failed")
                if count := failed.count():
                    log.warning("%d texts have no vector and are compared with none: see their reason", count)
                rows = _duplicates(tables, self._gathering, failed.select("text_key", F.col("reason").alias("failure")))
                rows = rows.withColumn("run_id", F.lit(self._run_id))
                tables.sync(DUPLICATES, tables.stage("duplicates", rows), built_from)
            told = tables.read(DUPLICATES)
            statuses = {row["status"]: row["count"] for row in told.groupBy("status").count().collect()}
            stage.rows_out = sum(statuses.values())
        if stage.rows_in != stage.rows_out:
            raise BalanceError(f"mentions holds {stage.rows_in} rows, duplicates {stage.rows_out}.")
        groups = told.where("status = 'duplicate'").select("cluster_id").distinct().count()
        return Deduplicated(tables.root, statuses, groups, threshold_of(tables, self._gathering))


def with_pivots(texts: DataFrame, nearest: int) -> DataFrame:
    """(text_key, text, vector, concept_uris) of (text_key, text, vector), the keys of the nearest pivots as the last.

    Pivots are those texts whose keys, which are hashes, come first: one in TEXTS_PER_PIVOT.
    """
    count = min(MOST_PIVOTS, math.ceil(texts.count() / TEXTS_PER_PIVOT))
    table = texts.select("text_key", "vector").orderBy("text_key").limit(count).toArrow()
    keys = np.array(table["text_key"].to_pylist(), dtype=object)
    pivots = np.asarray(unpack_vectors(table["vector"]), np.float32)

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for start in range(0, batch.num_rows, _ROWS):
                rows = batch.slice(start, _ROWS)
                cosines = np.asarray(unpack_vectors(rows.column("vector")), np.float32) @ pivots.T
                order = np.argsort(-cosines, axis=1, kind="stable")[:, :nearest]
                uris = pa.array(keys[order].tolist(), pa.list_(pa.string()))
                yield pa.RecordBatch.from_arrays([*rows.columns, uris], names=[*rows.schema.names, "concept_uris"])

    return texts.select("text_key", "text", "vector").mapInArrow(run, _NEAREST)


def _duplicates(tables: Tables, gathering: Gathering, failed: DataFrame) -> DataFrame:
    """DUPLICATES' columns but the run's, of every mention; `failed`: (text_key, failure) of texts without a vector."""
    mentions, members = tables.read(MENTIONS), tables.read(CLUSTER_MEMBERS)
    spelled = mentions.groupBy(F.col("text_key").alias("leader_key")).agg(
        F.mode(F.trim("raw"), True).alias("representative")
    )
    sizes = mentions.join(members.select("text_key", "cluster_id"), on="text_key").groupBy("cluster_id")
    joined = (
        mentions.drop("run_id")
        .withColumnsRenamed({"status": "kept", "reason": "rejected"})
        .join(members.select("text_key", "cluster_id", "leader_key", "score"), on="text_key", how="left")
        .join(sizes.agg(F.count("*").alias("skills")), on="cluster_id", how="left")
        .join(spelled, on="leader_key", how="left")
        .join(_cosines(tables, members, gathering), on="text_key", how="left")
        .join(_why(tables, members), on="text_key", how="left")
        .join(failed, on="text_key", how="left")
    )
    told = joined.withColumn("status", _status())
    same = F.when(F.col("status") == "duplicate", F.lit("the same text"))
    failure = F.concat(F.lit("not embedded: "), "failure")
    return told.withColumn("reason", F.coalesce("rejected", "why", same, failure))


def _status() -> Column:
    """Of several rows of the leader's text all are its duplicates but the first that is written as it mostly is."""
    others, otherwise = F.col("text_key") != F.col("leader_key"), F.trim("raw") != F.col("representative")
    together = Window.partitionBy(F.coalesce("cluster_id", "record_id"))  # rejected ones are of no cluster
    first = F.row_number().over(together.orderBy(others, otherwise, "source", "record_id", "position"))
    return (
        F.when(F.col("kept") == "rejected", "rejected")
        .when(F.col("cluster_id").isNull() | (F.col("skills") == 1), "single")
        .when(first == 1, "representative")
        .otherwise("duplicate")
    )


def _cosines(tables: Tables, members: DataFrame, gathering: Gathering) -> DataFrame:
    """(text_key, cosine) of a member and its leader."""
    pairs = tables.read(PAIRS).where(predicate(gathering.key)).select("left_key", "right_key", "cosine")
    joins = members.where("score IS NOT NULL").select(
        "text_key",
        F.least("text_key", "leader_key").alias("left_key"),
        F.greatest("text_key", "leader_key").alias("right_key"),
    )
    return (
        joins.join(pairs, on=["left_key", "right_key"], how="inner")
        .groupBy("text_key")
        .agg(F.max("cosine").alias("cosine"))
    )


def _why(tables: Tables, members: DataFrame) -> DataFrame:
    texts = tables.read(TEXTS)
    leaders = texts.select(F.col("text_key").alias("leader_key"), F.col("text").alias("leader"))
    both = members.where("score IS NOT NULL").join(texts, on="text_key").join(leaders, on="leader_key")

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            sides = batch.column("text").to_pylist(), batch.column("leader").to_pylist()
            why = [why_one_skill(text, leader) for text, leader in zip(*sides, strict=True)]
            yield pa.RecordBatch.from_pydict({"text_key": batch.column("text_key"), "why": pa.array(why, pa.string())})

    return both.select("text_key", "text", "leader").mapInArrow(run, _WHY)
