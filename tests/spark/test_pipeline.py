"""The whole job on real Spark, real Delta and the real model."""

import csv
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from skillsim.normaliser import Normaliser
from skillsim.spark.pipeline import Pipeline
from skillsim.text import TEXT_SEPARATORS, parse_field
from tests.spark.conftest import SAMPLE, Run, stage_rows
from tests.spark.identity import assert_same_tables, read

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


@pytest.mark.slow
def test_threshold_a_b_a_ends_in_a_and_embeds_nothing(
    finished: Run, continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    b = job(continued, records[:200], "linking.threshold=0.95")
    assert b.summary.statuses != finished.summary.statuses
    a = job(continued, records[:200])
    assert_same_tables(continued, finished.root)
    assert [stage_rows(run, "embeddings") for run in (b, a)] == [0, 0]
    assert [stage_rows(run, "candidates") for run in (b, a)] == [0, 0]


@pytest.mark.long
def test_a_row_added_to_the_lexicon_equals_a_run_from_nothing_and_embeds_nothing(
    continued: Path, job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    before = read(continued, "links")
    text = read(continued, "texts").set_index("text_key")["text"][
        before.loc[before["status"] == "nil", "text_key"].min()
    ]
    concept = read(continued, "taxonomy_concepts")["concept_uri"].min()
    own = tmp_path / "own.csv"
    own.write_text(f"string,language,concept_uri,match,kind\n{text},en,{concept},broad,skill\n", encoding="utf-8")
    run = job(continued, records[:200], f"linking.lexicon={own}")
    assert [stage_rows(run, stage) for stage in ("embeddings", "candidates")] == [0, 0]
    skills = read(continued, "normalised_skills")
    rows = skills[skills["text"] == text]
    assert set(zip(rows["status"], rows["method"], rows["concept_uri"], strict=True)) == {
        ("matched", "lexicon", concept)
    }
    fresh = job(tmp_path / "fresh", records[:200], f"linking.lexicon={own}")
    assert_same_tables(continued, fresh.root)


@pytest.mark.slow
def test_other_candidates_are_decided_on_again(continued: Path, job: Callable[..., Run], records: list[str]) -> None:
    run = job(continued, records[:200], "retrieval.top_k=3")
    assert stage_rows(run, "links") == len(read(continued, "texts"))
    assert set(read(continued, "links")["retrieval_id"]) == {run.summary.ids.retrieval_id}


@pytest.mark.slow
def test_what_is_built_from_a_table_made_anew_is_built_again(
    continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    """Deleted and fed under other ids: versions and counts are what they were."""
    shutil.rmtree(continued / "tables" / "mentions")
    job(continued, [f"new-{line}" for line in records[:200]])
    assert read(continued, "normalised_skills")["record_id"].str.startswith("new-").all()


@pytest.mark.slow
def test_another_report_is_a_change(continued: Path, job: Callable[..., Run], records: list[str]) -> None:
    assert job(continued, records[:200], "report.min_records=3").summary.unchanged_since is None
    assert job(continued, records[:200], "report.min_records=3").summary.unchanged_since


def test_no_secret_of_the_session_is_recorded(continued: Path, job: Callable[..., Run], records: list[str]) -> None:
    job(continued, records[:200], "spark.conf.spark.hadoop.fs.s3a.secret.key=hunter2")
    assert not read(continued, "runs")["config"].str.contains("hunter2").any()


@pytest.mark.slow
def test_the_report_shows_the_run_and_hides_rare_texts(
    continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    repeated = "twice,qwerty zebras\ntwice,qwerty zebras\n"  # two rows of one id are one record
    finished = job(continued, [*records[:200], repeated], "report.top=1000")
    page = (finished.root / "report.html").read_text(encoding="utf-8")
    skills = read(finished.root, "normalised_skills")
    skills["given_id"] = skills["record_id"].str.replace(r"##\d+$", "", regex=True)
    per_text = skills[skills["status"].isin(["nil", "ambiguous"])].groupby("text")["given_id"].nunique()
    assert finished.summary.run_id in page
    assert "ESCO" in page
    plain = per_text[per_text.index.str.isalpha()]
    shown = {text: f"<td>{text}</td>" in page for text in plain.index}
    assert shown == (plain >= 2).to_dict()
    assert len(set(shown.values())) == 2
    assert "qwerty zebras" not in page
    assert (skills["text"] == "qwerty zebras").sum() == 2


@pytest.mark.slow
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
