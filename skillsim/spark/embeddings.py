"""Distinct texts to vectors, on executors: `mapInArrow`, the Arrow form of a pandas UDF."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from skillsim.config import EncoderConfig
from skillsim.encoder import Encoder, pack_vectors
from skillsim.model_files import resolve_model
from skillsim.spark import worker
from skillsim.text import parse_mention

MAX_ATTEMPTS = 3

EMBEDDED = "text_key string, vector binary, status string, reason string, attempts int"


def missing_embeddings(texts: DataFrame, embeddings: DataFrame) -> DataFrame:
    """(text_key, text, attempts so far) of the texts without a vector that may still get one.

    `embeddings`: those of the model. A device's failure is tried again `MAX_ATTEMPTS` times, a bad text is not.
    """
    past = embeddings.select("text_key", "attempts", (~_retryable()).alias("settled"))
    return (
        texts.join(past, on="text_key", how="left")
        .where(~F.coalesce(F.col("settled"), F.lit(False)))
        .select("text_key", "text", F.coalesce(F.col("attempts"), F.lit(0)).alias("attempts"))
    )


def retryable(embeddings: DataFrame, texts: DataFrame) -> int:
    """How many of these texts a device failed on fewer than `MAX_ATTEMPTS` times; `embeddings`: those of the model."""
    failed = embeddings.where(_retryable())
    if failed.isEmpty():  # as nearly always
        return 0
    return failed.join(texts.select("text_key"), on="text_key", how="left_semi").count()


def _retryable() -> Column:
    failed = (F.col("status") == "failed") & (F.col("attempts") < MAX_ATTEMPTS)
    return failed & ~F.coalesce(F.col("reason"), F.lit("")).startswith("text:")


def embed(texts: DataFrame, config: EncoderConfig, model_id: str) -> DataFrame:
    """EMBEDDINGS' columns but model_id, for (text_key, text, attempts) rows."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        encoder = worker.encoder(config, model_id)
        for batch in batches:
            yield embed_batch(batch, encoder)

    return texts.select("text_key", "text", "attempts").mapInArrow(run, EMBEDDED)


def embed_batch(batch: pa.RecordBatch, encoder: Encoder) -> pa.RecordBatch:
    encoded = encoder.encode(batch.column("text").to_pylist())
    reasons = [encoded.failures.get(row) for row in range(batch.num_rows)]
    columns = {
        "text_key": batch.column("text_key"),
        "vector": pack_vectors(encoded),
        "status": pa.array(["failed" if reason else "embedded" for reason in reasons], pa.string()),
        "reason": pa.array(reasons, pa.string()),
        "attempts": pa.array([attempts + 1 for attempts in batch.column("attempts").to_pylist()], pa.int32()),
    }
    return pa.RecordBatch.from_pydict(columns)


def vectors_as_array(column: str = "vector") -> Column:
    """A stored vector as `array<float>`: `embeddings.select("text_key", vectors_as_array())`."""

    @pandas_udf("array<float>")  # type: ignore[call-overload]
    def unpack(blobs: pd.Series) -> pd.Series:
        vectors = [None if pd.isna(blob) else np.frombuffer(blob, "<f2").astype("float32") for blob in blobs]
        return pd.Series(vectors, dtype=object)

    return unpack(F.col(column)).alias(column)


def embed_udf(model: str = "builtin", **settings: object) -> Callable[..., Column]:
    """An iterator pandas UDF for notebooks: raw skill string to `array<float>`, null where text rules reject it.

    `settings` are those of the config's [encoder] section. The vectors are the job's own.
    """
    config = EncoderConfig.model_validate({"model": model, **settings})
    model_id = resolve_model(config.model, config.precision, config.prompt, config.max_length).model_id

    @pandas_udf("array<float>")  # type: ignore[call-overload]
    def embed(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        encoder = worker.encoder(config, model_id)
        for raws in batches:
            texts = [parse_mention(raw).text if isinstance(raw, str) else None for raw in raws]
            kept = [row for row, text in enumerate(texts) if text]
            encoded = encoder.encode([texts[row] or "" for row in kept])
            vectors: list[object] = [None] * len(texts)
            for place, row in enumerate(kept):
                if place not in encoded.failures:
                    vectors[row] = encoded.vectors[place].astype("float32")
            yield pd.Series(vectors, dtype=object)

    return embed.asNondeterministic()  # else a filter on it runs the model twice
