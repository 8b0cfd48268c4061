"""Forgetting: no file holds the record any more, a rerun does not bring it back, all else stands."""

import csv
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from skillsim.schemas import MENTIONS, NORMALISED_SKILLS, Table
from skillsim.spark.erasure import Erased, forget
from skillsim.spark.pipeline import Pipeline
from skillsim.spark.tables import Tables
from skillsim.text import text_key
from tests.spark.conftest import Run
from tests.spark.identity import assert_same_rows, assert_same_tables, read

pytestmark = [pytest.mark.spark, pytest.mark.delta]

PLANTED = "zweckentfremdung 7341"
IDS = "source string, record_id string"


def holders(root: Path, needle: str) -> list[Path]:
    """Files under the root with the string in a cell, a statistic or as it is."""
    found = []
    for path in (path for path in root.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            content = str(pq.read_table(path).to_pydict()) + str(pq.read_metadata(path).to_dict())
        else:
            content = path.read_bytes().decode("utf-8", "ignore")
        if needle in content:
            found.append(path)
    return found


@pytest.mark.slow
def test_a_forgotten_record_is_in_no_file_and_does_not_come_back(
    spark: SparkSession, continued: Path, job: Callable[..., Run], records: list[str], finished: Run
) -> None:
    planted = [f"secret-1,{PLANTED},welding\n", f"secret-1,{PLANTED} too\n"]
    job(continued, [*records[:200], *planted])
    assert {path.parent.name for path in holders(continued, PLANTED)} >= {"mentions", "texts", "normalised_skills"}
    job(continued, [*records[:200], *planted], "linking.threshold=0", "linking.nil_threshold=0")
    key = text_key(PLANTED)
    assert {path.relative_to(continued / "tables").parts[0] for path in holders(continued, key)} >= {
        "links",
        "link_changes",
    }
    asked = spark.createDataFrame([("test", "secret-1"), ("other", "secret-1"), ("test", "never-seen")], IDS)
    assert forget(Tables(spark, str(continued)), asked) == Erased(asked=3, records=2, mentions=3, texts=2)
    for needle in (PLANTED, "secret-1"):
        assert holders(continued, needle) == []
    # Delta's log may name a key, a hash, as the least or greatest of a file that is gone.
    assert [path for path in holders(continued, key) if "_delta_log" not in path.parts] == []
    again = job(continued, [*records[:200], *planted])
    assert_same_tables(continued, finished.root)
    assert again.summary.statuses == finished.summary.statuses
    assert holders(continued, PLANTED) == []


@pytest.mark.slow
def test_all_that_others_hold_stays(spark: SparkSession, continued: Path, finished: Run, records: list[str]) -> None:
    ids = [next(csv.reader([line]))[0] for line in records[:5]]
    erased = forget(Tables(spark, str(continued)), spark.createDataFrame([("test", i) for i in ids], IDS))
    assert erased.records == 5
    for table in (MENTIONS, NORMALISED_SKILLS):
        before = read(finished.root, table.name)
        left = before[~before["record_id"].isin(ids)].reset_index(drop=True)
        assert_same_rows(read(continued, table.name), left, table)
    held = set(read(continued, "mentions")["text_key"].dropna())
    labels = set(read(continued, "taxonomy_labels")["text_key"])
    assert set(read(continued, "texts")["text_key"]) == set(read(continued, "links")["text_key"]) == held
    assert set(read(continued, "embeddings")["text_key"]) == held | labels


@pytest.mark.slow
def test_an_erasure_that_crashed_is_finished_by_the_same_call(
    spark: SparkSession, continued: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_id = read(continued, "mentions")["record_id"][0]
    asked = spark.createDataFrame([("test", record_id)], IDS)
    with monkeypatch.context() as patch:
        delete = Tables.delete

        def fail_midway(self: Tables, table: Table, keys: DataFrame) -> None:
            if table is MENTIONS:  # normalised_skills is done
                raise RuntimeError("pulled plug")
            delete(self, table, keys)

        patch.setattr(Tables, "delete", fail_midway)
        with pytest.raises(RuntimeError, match="pulled plug"):
            forget(Tables(spark, str(continued)), asked)
    forget(Tables(spark, str(continued)), asked)
    assert holders(continued, record_id) == []
    assert record_id not in set(read(continued, "normalised_skills")["record_id"])


@pytest.mark.slow
def test_what_a_failed_run_left_in_one_table_alone_is_erased_too(
    spark: SparkSession, continued: Path, job: Callable[..., Run], records: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (record_id, *_), *_ = csv.reader(records[1:2])

    def fail(self: Pipeline) -> None:
        raise RuntimeError("pulled plug")

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "_normalise_mentions", fail)
        with pytest.raises(RuntimeError, match="pulled plug"):
            job(continued, [records[0], *records[2:200]], "input.mode=snapshot")
    assert record_id not in set(read(continued, "mentions")["record_id"])
    assert record_id in set(read(continued, "normalised_skills")["record_id"])
    erased = forget(Tables(spark, str(continued)), spark.createDataFrame([("test", record_id)], IDS))
    assert erased.records == 1
    assert holders(continued, record_id) == []


@pytest.mark.slow
def test_a_repeat_of_an_id_stands_for_all_of_them(
    spark: SparkSession, continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    rows = ["double-1,alpha skill\n", "double-1,beta skill\n", "double-1,gamma skill\n", "own##7,delta skill\n"]
    job(continued, [*records[:200], *rows])
    ids = set(read(continued, "mentions")["record_id"])
    assert {"double-1", "double-1##2", "double-1##3", "own##7##1"} <= ids
    asked = spark.createDataFrame([("test", "double-1##2"), ("test", "own##7")], IDS)
    assert forget(Tables(spark, str(continued)), asked) == Erased(asked=2, records=4, mentions=4, texts=4)
    job(continued, [*records[:200], rows[0], "double-1,another skill\n", rows[3], "own,epsilon skill\n"])
    assert set(read(continued, "mentions")["record_id"]) == (ids | {"own"}) - {
        "double-1",
        "double-1##2",
        "double-1##3",
        "own##7##1",
    }
