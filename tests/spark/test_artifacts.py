"""The label index under a URI: published by the driver, copied by the workers."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skillsim.artifacts import is_artifact
from skillsim.errors import ArtifactError
from skillsim.schemas import CANDIDATES
from skillsim.spark.retrieval import artifact_address
from tests.spark.conftest import Run
from tests.spark.identity import assert_same_rows, read

pytestmark = [pytest.mark.spark, pytest.mark.delta]


@pytest.mark.slow
def test_an_index_under_a_uri_gives_the_same_candidates(
    spark: SparkSession,
    finished: Run,
    continued: Path,
    job: Callable[..., Run],
    records: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(spark.sparkContext.environment, "XDG_CACHE_HOME", str(tmp_path / "cache"))  # the workers'
    shutil.rmtree(continued / "tables" / "candidates")
    shutil.rmtree(continued / "artifacts")
    job(continued, records[:200], f"output.artifacts_path=file:{tmp_path}/store")
    assert_same_rows(read(continued, "candidates"), read(finished.root, "candidates"), CANDIDATES)
    (published,) = (tmp_path / "store").iterdir()
    assert is_artifact(str(published))
    copies = list((tmp_path / "cache" / "skillsim" / "artifacts").glob("index-*"))
    assert [copy.name.startswith(published.name) for copy in copies] == [True]
    assert not (continued / "artifacts").exists()


def test_an_artifacts_path_that_cannot_be_used_is_refused_before_anything_is_written(
    job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match="output.artifacts_path: dbfs:/x/index-.* cannot be opened"):
        job(tmp_path / "out", records[:2], "output.artifacts_path=dbfs:/x")
    assert not (tmp_path / "out").exists()


def test_one_machine_uses_a_folder_in_place(spark: SparkSession, tmp_path: Path) -> None:
    assert artifact_address(spark, str(tmp_path / "a b"), "i") == f"{tmp_path}/a b/i"
    assert artifact_address(spark, "s3a://bucket/x/", "i") == "s3a://bucket/x/i"
