"""The notebook forms give what the job gives."""

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from skillsim.encoder import unpack_vectors
from skillsim.spark.embeddings import embed_udf, vectors_as_array
from skillsim.spark.linking import link_udf
from tests.spark.conftest import SAMPLE, Run
from tests.spark.identity import read

pytestmark = [pytest.mark.spark, pytest.mark.delta]


def test_embed_udf_gives_the_vectors_of_the_job(spark: SparkSession, finished: Run) -> None:
    skills = read(finished.root, "mentions").head(60)
    stored = read(finished.root, "embeddings").set_index("text_key")["vector"]
    frame = spark.createDataFrame(skills[["raw", "text_key"]])
    for row in frame.select("text_key", embed_udf()("raw").alias("vector")).collect():
        if row["text_key"] is None:
            assert row["vector"] is None
        else:
            expected = unpack_vectors(pa.array([stored[row["text_key"]]], pa.binary()))[0]
            np.testing.assert_allclose(row["vector"], expected, atol=1e-3)


def test_link_udf_gives_the_links_of_the_job(
    spark: SparkSession, finished: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    skills = read(finished.root, "normalised_skills").drop_duplicates("raw").head(80)
    frame = spark.createDataFrame(skills[["raw"]])
    link = link_udf(str(SAMPLE / "taxonomy"))
    linked = {row["raw"]: row["link"] for row in frame.select("raw", link("raw").alias("link")).collect()}
    for expected in skills.to_dict("records"):
        found = linked[expected["raw"]]
        for name in ("status", "reason", "concept_uri", "method"):
            assert found[name] == expected[name], expected["raw"]


def test_stored_vectors_read_as_array_of_float(spark: SparkSession, finished: Run) -> None:
    path = str(finished.root / "tables" / "embeddings")
    frame = spark.read.format("delta").load(path).limit(5)
    with_null = frame.select("text_key", "vector").union(frame.limit(1).select(F.lit("failed"), F.lit(None)))
    rows = with_null.select("text_key", vectors_as_array()).collect()
    assert {len(row["vector"]) for row in rows if row["text_key"] != "failed"} == {384}
    assert [row["vector"] for row in rows if row["text_key"] == "failed"] == [None]
