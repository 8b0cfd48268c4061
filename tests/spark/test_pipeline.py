"""The whole job on real Spark, real Delta and the real model."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skillsim.errors import RecordsError
from skillsim.normaliser import Normaliser
from skillsim.schemas import NORMALISED_SKILLS, RUNS, Table
from skillsim.spark.pipeline import Pipeline
from skillsim.spark.tables import Tables
from skillsim.text import TEXT_SEPARATORS, parse_field
from tests.spark.conftest import SAMPLE, Run
from tests.spark.identity import assert_same_rows, assert_same_tables, read

pytestmark = [pytest.mark.spark, pytest.mark.delta]


def test_every_mention_of_the_input_is_in_the_output_once(finished: Run, records: list[str]) -> None:
    expected = Counter()
    for row in csv.reader(records[:200]):
        mentions = [m for cell in row[1:] if cell for m in parse_field(cell, TEXT_SEPARATORS)]
        expected[row[0]] = max(1, len(mentions))
    skills = read(finished.root, "normalised_skills")
    assert Counter(skills["record_id"]) == expected
    assert not skills.duplicated(["source", "record_id", "position"]).any()
    assert finished.summary.statuses == dict(Counter(skills["status"]))


def test_every_row_has_a_status_and_a_reason(finished: Run) -> None:
    skills = read(finished.root, "normalised_skills")
    assert set(skills["status"]) <= {"matched", "ambiguous", "nil", "not_skill", "rejected"}
    assert {"matched", "rejected"} <= set(skills["status"])
    assert skills["reason"].notna().all()
    matched = skills["status"] == "matched"
    assert (skills["concept_uri"].notna() == matched).all()
    assert skills.loc[skills["status"] == "rejected", "text"].isna().all()


def test_the_job_and_the_one_machine_api_give_the_same_links(finished: Run, tmp_path: Path) -> None:
    skills = read(finished.root, "normalised_skills").drop_duplicates("raw").reset_index(drop=True)
    normaliser = Normaliser.from_esco(SAMPLE / "taxonomy", cache=tmp_path)
    alone = normaliser.link(skills["raw"].tolist())
    # A record without any readable field has an empty raw, which no one would link.
    for column in ("text", "status", "reason", "concept_uri", "concept_label", "method", "group_uri"):
        assert alone[column].fillna("").tolist() == skills[column].fillna("").tolist(), column
    assert (alone["score"] - skills["score"]).abs().max() < 1e-4


def test_a_rerun_changes_nothing_but_its_own_row(
    finished: Run, continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    before = data_files(continued)
    again = job(continued, records[:200])
    assert again.summary.unchanged_since == finished.summary.run_id
    assert again.summary.statuses == finished.summary.statuses
    after = data_files(continued)
    assert {name for name in after if before.get(name) != after[name]} == {"runs"}


def data_files(root: Path) -> dict[str, list[str]]:
    return {t.name: sorted(file.name for file in t.rglob("*.parquet")) for t in (root / "tables").iterdir()}


def test_threshold_a_b_a_ends_in_a_and_embeds_nothing(
    finished: Run, continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    b = job(continued, records[:200], "linking.threshold=0.95")
    assert b.summary.statuses != finished.summary.statuses
    a = job(continued, records[:200])
    assert_same_tables(continued, finished.root)
    assert [stage_rows(run, "embeddings") for run in (b, a)] == [0, 0]
    assert [stage_rows(run, "candidates") for run in (b, a)] == [0, 0]


def test_other_candidates_are_decided_on_again(continued: Path, job: Callable[..., Run], records: list[str]) -> None:
    run = job(continued, records[:200], "retrieval.top_k=3")
    assert stage_rows(run, "links") == len(read(continued, "texts"))
    assert set(read(continued, "links")["retrieval_id"]) == {run.summary.ids.retrieval_id}


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


def test_another_report_is_a_change(continued: Path, job: Callable[..., Run], records: list[str]) -> None:
    assert job(continued, records[:200], "report.min_records=3").summary.unchanged_since is None
    assert job(continued, records[:200], "report.min_records=3").summary.unchanged_since


def test_no_secret_of_the_session_is_recorded(continued: Path, job: Callable[..., Run], records: list[str]) -> None:
    job(continued, records[:200], "spark.conf.spark.hadoop.fs.s3a.secret.key=hunter2")
    assert not read(continued, "runs")["config"].str.contains("hunter2").any()


def stage_rows(run: Run, name: str) -> int:
    return next(stage["rows_in"] for stage in run.summary.stages if stage["stage"] == name)


def test_new_edited_shrunk_and_reordered_records_end_as_in_a_fresh_run(
    fresh: Run, continued: Path, job: Callable[..., Run], changed_records: list[str]
) -> None:
    known = set(read(continued, "embeddings")["text_key"])
    grown = job(continued, changed_records)
    assert_same_tables(continued, fresh.root)
    new = set(read(fresh.root, "embeddings")["text_key"]) - known
    assert stage_rows(grown, "embeddings") == len(new) > 0


def test_a_snapshot_removes_what_it_lacks_and_nothing_of_other_sources(
    job: Callable[..., Run], records: list[str], continued: Path, tmp_path: Path
) -> None:
    job(continued, records[200:220], "input.source=other")
    kept = records[10:200]
    run = job(continued, kept, "input.mode=snapshot")
    assert stage_rows(run, "embeddings") == 0
    expected = job(tmp_path / "expected", kept)
    job(expected.root, records[200:220], "input.source=other")
    assert_same_tables(continued, expected.root)
    assert job(continued, kept, "input.mode=snapshot").summary.unchanged_since == run.summary.run_id


def test_a_snapshot_that_would_empty_the_feed_is_refused(
    finished: Run, job: Callable[..., Run], records: list[str], continued: Path
) -> None:
    with pytest.raises(RecordsError, match=r"150 of the 200 records of 'test'.*input\.max_removed"):
        job(continued, records[:50], "input.mode=snapshot")
    assert_same_tables(continued, finished.root)
    run = job(continued, records[:50], "input.mode=snapshot", "input.max_removed=1")
    assert set(read(run.root, "mentions")["record_id"]) == {next(csv.reader([line]))[0] for line in records[:50]}


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


def test_slices_give_the_tables_of_one_slice(
    fresh: Run, job: Callable[..., Run], changed_records: list[str], tmp_path: Path
) -> None:
    job(tmp_path / "many", changed_records, "spark.rows_per_slice=900", "spark.rows_per_task=300")
    assert_same_tables(tmp_path / "many", fresh.root)


def test_the_report_shows_the_run_and_hides_rare_texts(
    continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    finished = job(continued, records[:200], "report.top=1000")
    page = (finished.root / "report.html").read_text(encoding="utf-8")
    skills = read(finished.root, "normalised_skills")
    per_text = skills[skills["status"].isin(["nil", "ambiguous"])].groupby("text")["record_id"].nunique()
    assert finished.summary.run_id in page
    assert "ESCO" in page
    plain = per_text[per_text.index.str.isalpha()]
    shown = {text: f"<td>{text}</td>" in page for text in plain.index}
    assert shown == (plain >= 2).to_dict()
    assert len(set(shown.values())) == 2


def test_two_sources_share_texts_and_keep_their_records(
    continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    second = job(continued, records[:200], "input.source=other")
    assert stage_rows(second, "embeddings") == 0
    skills = read(continued, "normalised_skills")
    assert (skills["source"].value_counts() == len(skills) // 2).all()


def test_free_text_is_warned_of(job: Callable[..., Run], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sentence = "we are looking for a person who can weld and drive a truck"
    with caplog.at_level("WARNING"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pipeline, "_remake", lambda self: {})
        job(tmp_path / "out", [f"{i},{sentence}\n" for i in range(3)])
    assert "looks like free text" in caplog.text
