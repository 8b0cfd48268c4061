"""What people would write instead of skillsim, on the same records, labels and model, to Delta as well.

first      the job a user writes first: `predict_batch_udf` over every mention, cosine to all labels, argmax
competent  the job of who knows better: distinct texts, `encode` in batches of 128, numpy argmax, joined back

Both embed the taxonomy's labels on the driver, unless a file has their vectors. Run by end_to_end.py.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, LongType, StructField, StructType

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.config import SparkConfig
from skillsim.esco import find_bundle, read_taxonomy
from skillsim.model_files import resolve_model
from skillsim.spark.session import get_session

TASKS = 8
_FOUND = StructType([StructField("position", LongType()), StructField("score", DoubleType())])
SIMILAR = 0.65  # the model card's "definitely related"


def first(mentions: DataFrame, model: str, labels: Path) -> DataFrame:
    """(record_id, skill, position, score) of every mention."""

    def make() -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        from sentence_transformers import SentenceTransformer

        encoder = SentenceTransformer(model)
        matrix = np.load(labels)

        def predict(skills: np.ndarray) -> dict[str, np.ndarray]:
            scores = encoder.encode([str(skill) for skill in skills], normalize_embeddings=True) @ matrix.T
            return {"position": scores.argmax(axis=1), "score": scores.max(axis=1).astype(np.float64)}

        return predict

    nearest = predict_batch_udf(make, return_type=_FOUND, batch_size=256)
    return mentions.withColumn("found", nearest("skill")).select("record_id", "skill", "found.position", "found.score")


def competent(mentions: DataFrame, model: str, labels: Path) -> DataFrame:
    """(record_id, skill, position, score) of every mention."""

    def nearest(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from sentence_transformers import SentenceTransformer

        encoder = SentenceTransformer(model)
        matrix = np.load(labels)
        for frame in frames:
            skills = frame["skill"].tolist()
            for start in range(0, len(skills), 512):
                part = skills[start : start + 512]
                scores = encoder.encode(part, batch_size=128, normalize_embeddings=True) @ matrix.T
                yield pd.DataFrame({"skill": part, "position": scores.argmax(axis=1), "score": scores.max(axis=1)})

    texts = mentions.select("skill").distinct().repartition(TASKS)
    return mentions.join(texts.mapInPandas(nearest, "skill string, position long, score double"), on="skill")


def read_mentions(spark: SparkSession, path: str) -> DataFrame:
    """(record_id, skill) of each cell of `id,skill,skill,...` lines."""
    cells = F.split("value", ",")
    return (
        spark.read.text(path)
        .repartition(TASKS)
        .select(F.element_at(cells, 1).alias("record_id"), F.explode(F.slice(cells, 2, 10_000)).alias("skill"))
        .where(F.trim("skill") != "")
    )


def main(
    job: str,
    records: Annotated[Path, typer.Option("--input")],
    taxonomy: Annotated[str, typer.Option()],
    version: Annotated[str, typer.Option()],
    output: Annotated[Path, typer.Option()],
    vectors: Annotated[Path, typer.Option("--labels", help="of all labels; made where it is not there")],
) -> None:
    """Run one of the jobs; the seconds of its parts go to OUTPUT/seconds.json."""
    from sentence_transformers import SentenceTransformer

    spark = get_session(SparkConfig(master="local[*]"))
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    labels = read_taxonomy(find_bundle(taxonomy, "en", version)).labels.select(["concept_uri", "label"]).to_pandas()
    model = resolve_model("builtin").path
    if not vectors.exists():
        encoder = SentenceTransformer(str(model))
        np.save(vectors, encoder.encode(labels["label"].tolist(), batch_size=128, normalize_embeddings=True))
    seconds["labels"] = time.perf_counter() - started
    started = time.perf_counter()
    jobs: dict[str, Any] = {"first": first, "competent": competent}
    found = jobs[job](read_mentions(spark, str(records)), str(model), vectors)
    concepts = spark.createDataFrame(labels.rename_axis("position").reset_index())
    status = F.when(F.col("score") >= SIMILAR, "matched").otherwise("nil").alias("status")
    # Left: an inner join would let Spark filter on the model's output, and so run the model twice.
    found.join(concepts, on="position", how="left").select("*", status).write.format("delta").save(
        str(output / "skills")
    )
    seconds["skills"] = time.perf_counter() - started
    (output / "seconds.json").write_text(json.dumps(seconds), encoding="utf-8")
    spark.stop()


if __name__ == "__main__":
    typer.run(main)
