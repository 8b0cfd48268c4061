"""The lexicon's vectors as an artefact, from the embeddings that the job makes of its texts as of all others."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.artifacts import is_artifact, make
from skillsim.encoder import unpack_vectors
from skillsim.lexicon import Lexicon
from skillsim.memory import Memory, memory_entries


def lexicon_texts(spark: SparkSession, lexicon: Lexicon) -> DataFrame:
    """(text_key, text) of its entries."""
    rows = [(key, entry.text) for key, entry in lexicon.entries.items()]
    return spark.createDataFrame(rows, "text_key string, text string")


def build_memory(spark: SparkSession, address: str, lexicon: Lexicon, embeddings: DataFrame) -> None:
    """Write it once; its size is the lexicon's, so the driver holds it.

    `embeddings`: one model's. An entry without a vector is left out.
    """
    if is_artifact(address):
        return
    vectors = embeddings.where(F.col("status") == "embedded").select("text_key", "vector")
    keys = F.broadcast(lexicon_texts(spark, lexicon).select("text_key"))
    embedded = vectors.join(keys, on="text_key", how="left_semi").toArrow()
    entries = memory_entries(lexicon).join(embedded, "text_key", join_type="inner").sort_by("text_key")
    matrix = unpack_vectors(entries["vector"]).astype("float32")
    make(address, Memory(entries.drop_columns(["vector"]), matrix, {}).save)
