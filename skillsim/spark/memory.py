"""The lexicon's vectors as an artefact, from the embeddings that the job makes of its texts as of all others."""

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.artifacts import is_artifact, make
from skillsim.encoder import unpack_vectors
from skillsim.errors import PlatformError
from skillsim.lexicon import Lexicon
from skillsim.memory import Memory, memory_entries
from skillsim.spark.embeddings import retryable


def lexicon_texts(spark: SparkSession, lexicon: Lexicon) -> DataFrame:
    """(text_key, text) of its entries."""
    rows = [(key, entry.text) for key, entry in lexicon.entries.items()]
    return spark.createDataFrame(rows, "text_key string, text string")


def build_memory(spark: SparkSession, address: str, lexicon: Lexicon, embeddings: DataFrame) -> None:
    """Write it once; its size is the lexicon's, so the driver holds it.

    `embeddings`: one model's. An entry without a vector is left out; raises PlatformError where a device failed on one.
    """
    if is_artifact(address):
        return
    lacking = retryable(embeddings, lexicon_texts(spark, lexicon))
    if lacking:
        raise PlatformError(
            f"{lacking} strings of the lexicon have no vector, as the device failed: run again, with a smaller "
            "encoder.batch_tokens if its memory is short."
        )
    vectors = embeddings.where(F.col("status") == "embedded").select("text_key", "vector")
    keys = F.broadcast(lexicon_texts(spark, lexicon).select("text_key"))
    embedded = vectors.join(keys, on="text_key", how="left_semi").toArrow().sort_by("text_key")
    row_of = {key: row for row, key in enumerate(lexicon.entries)}
    rows = [row_of[key] for key in embedded["text_key"].to_pylist()]
    entries = memory_entries(lexicon).take(pa.array(rows, pa.int64()))
    make(address, Memory(entries, unpack_vectors(embedded["vector"]).astype("float32"), {}).save)
