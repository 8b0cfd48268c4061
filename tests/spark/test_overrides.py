"""Curators' decisions in the job: they win, hold for one feed or all, are revoked, and cost no model."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from skillsim.overrides import Override
from skillsim.schemas import MENTIONS
from skillsim.spark.erasure import forget
from skillsim.spark.overrides import forget_overrides, read_overrides, store_overrides
from skillsim.spark.tables import Tables
from tests.spark.conftest import Run, stage_rows
from tests.spark.identity import assert_same_tables, read
from tests.spark.test_erasure import holders

pytestmark = [pytest.mark.spark, pytest.mark.delta]

NOON = datetime(2026, 11, 29, 12, 30, 15, 123456, tzinfo=UTC)


def decided(raw: str, verdict: str, uri: str | None = None, source: str | None = None, minutes: int = 0) -> Override:
    return Override(raw, source, verdict, uri, "ann", NOON + timedelta(minutes=minutes), "read it")  # type: ignore[arg-type]


def test_what_is_stored_is_read_back(spark: SparkSession, tmp_path: Path) -> None:
    tables = Tables(spark, str(tmp_path / "out"))
    assert read_overrides(tables) == []
    overrides = [decided("Core Java", "concept", "u:a"), decided("x y z", "nil", source="careers", minutes=1)]
    store_overrides(spark, tables, overrides)
    store_overrides(spark, tables, overrides)
    assert sorted(read_overrides(tables), key=lambda one: one.decided_at) == overrides
    revoked = replace(overrides[0], revoked_by="bob", revoked_at=NOON)
    store_overrides(spark, tables, [revoked])
    assert sorted(read_overrides(tables), key=lambda one: one.decided_at) == [revoked, overrides[1]]


def test_what_is_forgotten_names_no_decision_on_a_cluster(spark: SparkSession, tmp_path: Path) -> None:
    tables = Tables(spark, str(tmp_path / "out"))
    texts = ("needle tatting", "tatting", "Tatting by hand")
    of_cluster = [replace(decided(raw, "nil"), representative="tatting") for raw in texts]
    left_since = replace(decided("needle lace tatting", "nil"), representative="tatting")
    store_overrides(spark, tables, [*of_cluster, left_since, decided("lace", "nil")])
    held = spark.createDataFrame([(of_cluster[0].text_key,), (of_cluster[2].text_key,)], "text_key string")
    blank = [F.lit(None).alias(name) for name in MENTIONS.schema.names if name != "text_key"]
    tables.append(MENTIONS, held.select("text_key", *blank))
    forget_overrides(spark, tables, spark.createDataFrame([(of_cluster[1].text_key,)], "text_key string"))
    kept = sorted(read_overrides(tables), key=lambda one: one.raw)
    still_one = [replace(of_cluster[of], representative="Tatting by hand") for of in (2, 0)]
    assert kept == [still_one[0], decided("lace", "nil"), still_one[1]]


def test_overrides_win_are_revoked_and_cost_no_model(
    spark: SparkSession,
    finished: Run,
    continued: Path,
    job: Callable[..., Run],
    records: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = read(continued, "normalised_skills")
    counts = before[before["status"] == "matched"]["text"].value_counts()
    first, second, third = counts.index[:3]
    concepts = read(continued, "taxonomy_concepts")
    concept = concepts.iloc[3]
    tables = Tables(spark, str(continued))
    overrides = [
        decided(first, "concept", concept["concept_uri"]),
        decided(second, "not_skill", source="test"),
        decided(third, "nil", source="another feed"),
        decided("never seen", "nil"),
        decided(third, "concept", "u:gone"),
    ]
    store_overrides(spark, tables, overrides)
    run = job(continued, records[:200])
    assert stage_rows(run, "embeddings") == stage_rows(run, "candidates") == 0
    assert stage_rows(run, "links") == 1  # the others' texts are not here, or their decision is for a feed alone
    after = read(continued, "normalised_skills")
    of_first = after[after["text"] == first]
    expected = {
        "status": "matched",
        "reason": "decided by a curator",
        "method": "override",
        "concept_uri": concept["concept_uri"],
        "concept_label": concept["preferred_label"],
    }
    for column, value in expected.items():
        assert set(of_first[column]) == {value}
    of_second = after[after["text"] == second]
    assert set(of_second["status"]) == {"not_skill"}
    assert of_second["concept_uri"].isna().all()
    others = ~after["text"].isin([first, second])
    assert after[others].drop(columns="run_id").equals(before[others].drop(columns="run_id"))
    links = read(continued, "links").set_index("text_key")
    assert links["method"][of_first["text_key"].iloc[0]] == "override"
    assert links["status"][of_second["text_key"].iloc[0]] == "matched"  # other feeds keep the text's own link
    assert "this taxonomy has no concept u:gone; decide it again" in caplog.text
    assert job(continued, records[:200]).summary.unchanged_since == run.summary.run_id

    store_overrides(spark, tables, [replace(one, revoked_by="bob", revoked_at=NOON) for one in overrides])
    job(continued, records[:200])
    assert_same_tables(continued, finished.root)


@pytest.mark.slow
def test_who_is_forgotten_takes_the_decisions_on_their_own_texts_along(spark: SparkSession, continued: Path) -> None:
    kept = read(continued, "mentions").query("status == 'kept'")
    records_of = kept.groupby("text")["record_id"].nunique()
    own = kept[kept["text"].map(records_of) == 1].iloc[0]
    shared = records_of.idxmax()
    tables = Tables(spark, str(continued))
    store_overrides(spark, tables, [decided(own["text"], "nil"), decided(shared, "nil", minutes=1)])
    forget(tables, spark.createDataFrame([("test", own["record_id"])], "source string, record_id string"))
    assert [one.raw for one in read_overrides(tables)] == [shared]
    assert holders(continued / "tables" / "overrides", own["text"]) == []
