"""Runs that were killed, cut in slices or found tables broken: what they end in is what one whole run gives."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skillsim.schemas import NORMALISED_SKILLS, RUNS, Table
from skillsim.spark.tables import Tables
from tests.spark.conftest import Run, stage_rows
from tests.spark.identity import assert_same_rows, assert_same_tables, read

pytestmark = [pytest.mark.spark, pytest.mark.delta]


@pytest.mark.slow
def test_what_is_broken_or_missing_is_mended_without_new_records(
    spark: SparkSession, finished: Run, continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    key = read(continued, "texts")["text_key"][0]
    spark.sql(f"DELETE FROM delta.`{continued}/tables/normalised_skills` WHERE position = 0")
    spark.sql(
        f"UPDATE delta.`{continued}/tables/embeddings` SET status = 'failed', vector = NULL, attempts = 1, "
        f"reason = 'device: out of memory' WHERE text_key = '{key}'"
    )
    (continued / "report.html").unlink()
    again = job(continued, records[:200])
    assert stage_rows(again, "embeddings") == 1
    row = read(continued, "embeddings").set_index("text_key").loc[key]
    assert (row["status"], row["attempts"]) == ("embedded", 2)
    assert_same_rows(*(read(root, "normalised_skills") for root in (continued, finished.root)), NORMALISED_SKILLS)
    assert (continued / "report.html").is_file()


@pytest.mark.slow
def test_a_failed_text_that_nothing_holds_is_no_work(
    spark: SparkSession, continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    """A label of a taxonomy of the past, say."""
    embeddings = f"delta.`{continued}/tables/embeddings`"
    model_id = read(continued, "embeddings")["model_id"][0]
    spark.sql(f"INSERT INTO {embeddings} VALUES ('{model_id}', 'gone', NULL, 'failed', 'device: lost', 1)")
    job(continued, records[:200], "report.min_records=3")
    assert job(continued, records[:200], "report.min_records=3").summary.unchanged_since


@pytest.mark.slow
def test_a_run_killed_before_each_commit_in_turn_ends_in_the_same_tables(
    fresh: Run,
    continued: Path,
    job: Callable[..., Run],
    changed_records: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every attempt makes one commit and dies before its next: also the state after each commit is gone on from."""
    killed: list[str] = []
    committed: list[str] = []

    def before_commit(self: Tables, table: Table) -> None:
        if table is RUNS:
            return
        if committed:
            killed.append(table.name)
            raise RuntimeError("pulled plug")
        committed.append(table.name)

    with monkeypatch.context() as patch:
        patch.setattr(Tables, "_before_commit", before_commit)
        for _ in range(20):
            committed.clear()
            try:
                rerun = job(continued, changed_records)
            except RuntimeError as error:
                assert str(error) == "pulled plug"  # noqa: PT017
            else:
                break
    removed = ["embeddings", "candidates", "links", "texts"]
    assert killed == ["texts", *removed, "embeddings", "candidates", "links", "normalised_skills"]
    assert rerun.summary.statuses == fresh.summary.statuses
    assert_same_tables(continued, fresh.root)
    outcomes = read(continued, "runs").sort_values("started_at")[["outcome", "error"]].values.tolist()
    assert outcomes[-2:] == [["failed", "RuntimeError: pulled plug"], ["succeeded", None]]


@pytest.mark.slow
def test_slices_give_the_tables_of_one_slice(
    fresh: Run, job: Callable[..., Run], changed_records: list[str], tmp_path: Path
) -> None:
    job(tmp_path / "many", changed_records, "spark.rows_per_slice=900", "spark.rows_per_task=300")
    assert_same_tables(tmp_path / "many", fresh.root)
