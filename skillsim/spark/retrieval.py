"""The label index of a taxonomy under a model, and candidates for texts from it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from skillsim.artifacts import is_artifact, make
from skillsim.encoder import unpack_vectors
from skillsim.retrieval import LabelIndex
from skillsim.schemas import CANDIDATES
from skillsim.spark import worker
from skillsim.spark.paths import is_uri
from skillsim.spark.session import is_local, is_remote

_COLUMNS = ("text_key", "occupation_uri", "candidates")
_ARROW = pa.schema([CANDIDATES.schema.field(name) for name in _COLUMNS])


def artifact_address(spark: SparkSession, base: str, name: str) -> str:
    """Of an artefact under a folder or URI: a URI, to copy it from, unless all runs on this machine's folder."""
    if is_uri(base):
        return f"{base.rstrip('/')}/{name}"
    path = Path(base).expanduser().resolve() / name
    one_machine = not is_remote(spark) and is_local(spark.sparkContext.master or "")
    return str(path) if one_machine else f"file:{path}"


def build_label_index(
    address: str,
    concepts: DataFrame,
    labels: DataFrame,
    relations: DataFrame,
    occupations: DataFrame,
    embeddings: DataFrame,
) -> None:
    """Write the index once; its size is the taxonomy's, so the driver holds it.

    Each frame is one taxonomy's, `embeddings` one model's. A label without a vector is left out.
    """
    if is_artifact(address):
        return
    vectors = embeddings.where(F.col("status") == "embedded").select("text_key", "vector")
    table = labels.join(vectors, on="text_key", how="inner").toArrow()
    matrix = unpack_vectors(table["vector"])
    index = LabelIndex.build(
        concepts.toArrow(), table.drop_columns(["vector"]), relations.toArrow(), occupations.toArrow(), matrix
    )
    make(address, index.save)


def missing_candidates(texts: DataFrame, embeddings: DataFrame, candidates: DataFrame) -> DataFrame:
    """(text_key, text, vector) of embedded texts without candidates; frames of one model, taxonomy, retrieval."""
    vectors = embeddings.where(F.col("status") == "embedded").select("text_key", "vector")
    return texts.join(candidates.select("text_key"), on="text_key", how="left_anti").join(
        vectors, on="text_key", how="inner"
    )


def retrieve(texts: DataFrame, address: str, top_k: int) -> DataFrame:
    """CANDIDATES' text_key, occupation_uri and candidates, for (text_key, text, vector) rows."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        index = worker.label_index(address)
        for batch in batches:
            yield retrieve_batch(batch, index, top_k)

    return texts.select("text_key", "text", "vector").mapInArrow(run, from_arrow_schema(_ARROW))


def retrieve_batch(batch: pa.RecordBatch, index: LabelIndex, top_k: int) -> pa.RecordBatch:
    keys = batch.column("text_key").to_pylist()
    vectors = unpack_vectors(batch.column("vector"))
    found = index.candidates(batch.column("text").to_pylist(), keys, np.asarray(vectors), top_k)
    return pa.RecordBatch.from_arrays([batch.column("text_key"), found.occupation_uri, found.candidates], schema=_ARROW)
