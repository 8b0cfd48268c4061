"""Tables of the first release become today's: no text is embedded again, and nothing forgotten stays in a log.

tests/spark/data/tables_f0e02fa.zip holds a folder `taxonomy` (20 concepts of the sample), `records.csv` (its first 12
records, and a planted one) and in `out/tables` what the code of commit f0e02fa made of them. To make it again: `git
archive f0e02fa` into a folder and there, with PYTHONPATH set to it, `python jobs/normalise_skills.py --input
records.csv --taxonomy taxonomy --output out --set input.source=test --set input.separators=default`.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from skillsim.overrides import Override
from skillsim.schemas import LINKS, MATCHES, MENTIONS, NORMALISED_SKILLS, PAIRS, SCHEMA_VERSION, TABLES, Table
from skillsim.spark.erasure import forget
from skillsim.spark.job import held_tables
from skillsim.spark.migrations import migrate
from skillsim.spark.overrides import read_overrides, store_overrides
from skillsim.spark.pipeline import Pipeline
from skillsim.spark.sql import VERSION_PROPERTY, spark_schema
from skillsim.spark.tables import Tables
from skillsim.text import TEXT_RULES_VERSION
from tests.spark.conftest import Run, stage_rows
from tests.spark.identity import OF_THE_PAST, assert_same_rows, read
from tests.spark.test_erasure import IDS, PLANTED, holders
from tests.spark.test_pipeline import data_files

pytestmark = [pytest.mark.spark, pytest.mark.delta]

FIRST_RELEASE = Path(__file__).parent / "data" / "tables_f0e02fa.zip"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    with ZipFile(FIRST_RELEASE) as archive:
        archive.extractall(tmp_path)
    return tmp_path / "out"


@pytest.mark.slow
def test_a_run_on_tables_of_the_first_release(
    spark: SparkSession, old: Path, job: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    lines = (old.parent / "records.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    embedded = set(read(old, "embeddings")["text_key"])
    taxonomy = f"taxonomy.path={old.parent / 'taxonomy'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pipeline, "_remake", lambda self: {})  # the mentions alone
        job(old, lines[1:], taxonomy)
    assert f"mentions: migrated from schema version 1 to {SCHEMA_VERSION}" in caplog.messages
    assert f"1 records of 'test' are split by older text rules than version {TEXT_RULES_VERSION} (1 by version unk" in (
        caplog.text
    )
    caplog.clear()
    run = job(old, lines, taxonomy)
    assert "older text rules" not in caplog.text
    assert stage_rows(run, "mentions") == len(lines)
    fresh = job(old.parent / "fresh", lines, taxonomy)
    # No text again; were they split otherwise by later text rules, new ones.
    assert stage_rows(run, "embeddings") == len(set(read(fresh.root, "embeddings")["text_key"]) - embedded)
    assert run.summary.statuses == fresh.summary.statuses
    for table in TABLES.values():
        if table.name not in OF_THE_PAST:
            assert_same_rows(of_this_taxonomy(run, table), read(fresh.root, table.name), table)
    before = data_files(old)
    assert job(old, lines, taxonomy).summary.unchanged_since == run.summary.run_id
    assert {name for name, files in data_files(old).items() if before[name] != files} == {"runs"}


def of_this_taxonomy(run: Run, table: Table) -> pd.DataFrame:
    """Its id covers the text rules, so that the taxonomy of the first release stands beside today's."""
    rows = read(run.root, table.name)
    if "taxonomy_id" in rows and table is not NORMALISED_SKILLS:
        rows = rows[rows["taxonomy_id"] == run.summary.ids.taxonomy_id].reset_index(drop=True)
    return rows


def mentions(root: Path) -> pd.DataFrame:
    """With the columns that it has."""
    frame = DeltaTable(str(root / "tables" / "mentions")).to_pyarrow_table().to_pandas()
    return frame.sort_values(list(MENTIONS.key)).reset_index(drop=True)


@pytest.mark.slow
def test_a_migration_killed_anywhere_is_finished_and_what_is_then_forgotten_is_in_no_file(
    spark: SparkSession, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = {path.parent.parent.name for path in holders(old, PLANTED) if path.parent.name == "_delta_log"}
    assert logs == {"mentions", "texts", "normalised_skills"}
    for table in (old / "tables").iterdir():
        if table.name not in logs:
            shutil.rmtree(table)
    before = mentions(old)
    killed: set[str] = set()

    def killed_before(step: Callable[..., object], name: Callable[..., str]) -> Callable[..., object]:
        def step_or_kill(*arguments: Any, **options: Any) -> object:
            named = name(*arguments)
            if named in killed:
                return step(*arguments, **options)
            killed.add(named)
            raise RuntimeError("pulled plug")

        return step_or_kill

    with monkeypatch.context() as patch:
        patch.setattr(Tables, "alter", killed_before(Tables.alter, lambda _, table, change: f"{table.name}: {change}"))
        patch.setattr(
            Tables, "replace", killed_before(Tables.replace, lambda _, table, *rest: f"{table.name}: replace")
        )
        patch.setattr(Path, "unlink", killed_before(Path.unlink, lambda path: f"{path.parents[1].name}: old log"))
        for _ in range(60):
            try:
                migrate(Tables(spark, str(old)))
                break
            except RuntimeError as error:
                assert str(error) == "pulled plug"  # noqa: PT017
    steps = Counter(step.partition(":")[0] for step in killed)
    # New column but in texts, statistics, all rows, checkpoint on, old log, checkpoint off, version.
    assert steps == {"mentions": 7, "texts": 6, "normalised_skills": 7}
    with held_tables("forget", str(old), None, None) as (_, tables, _):
        pd.testing.assert_frame_equal(mentions(old)[before.columns], before)
        forget(tables, spark.createDataFrame([("test", "secret-1")], IDS))
    assert holders(old, PLANTED) == []
    assert holders(old, "secret-1") == []


def test_decisions_of_schema_version_4_stand(spark: SparkSession, tmp_path: Path) -> None:
    override = Override("core java", None, "nil", None, "ann", datetime(2026, 11, 29, 12, tzinfo=UTC), "")
    store_overrides(spark, Tables(spark, str(tmp_path)), [override])
    path = str(tmp_path / "tables" / "overrides")
    before = spark.read.format("delta").load(path).drop("representative")
    old = spark.createDataFrame(before.collect(), before.schema)
    old.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(path)
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('{VERSION_PROPERTY}' = '4')")
    migrate(Tables(spark, str(tmp_path)))
    tables = Tables(spark, str(tmp_path))
    assert (tables.outdated, read_overrides(tables)) == ([], [override])
    store_overrides(spark, tables, [replace(override, representative="java")])
    assert read_overrides(tables) == [replace(override, representative="java")]


def test_pairs_of_schema_version_5_get_a_column(spark: SparkSession, tmp_path: Path) -> None:
    """Theirs have another pairs_id: texts are compared again, and the rows stand beside the new ones."""
    path = str(tmp_path / "tables" / "pairs")
    columns = "model_id string, pairs_id string, left_key string, right_key string, cosine float, score float"
    old = spark.createDataFrame([("m", "p1", "a", "b", 0.5, 0.5)], columns)
    old.write.format("delta").partitionBy("model_id").save(path)
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('{VERSION_PROPERTY}' = '5')")
    migrate(Tables(spark, str(tmp_path)))
    tables = Tables(spark, str(tmp_path))
    assert (tables.outdated, tables.read(PAIRS).columns) == ([], PAIRS.schema.names)
    assert [tuple(row) for row in tables.read(PAIRS).collect()] == [("m", "p1", "a", "b", 0.5, 0.5, None)]
    tables.append(
        PAIRS, spark.createDataFrame([("m", "p2", "a", "b", 0.5, 0.5, "a")], f"{columns}, acronym_key string")
    )
    assert tables.read(PAIRS).count() == 2


def test_matches_of_schema_version_6_get_the_parts_of_their_scores(spark: SparkSession, tmp_path: Path) -> None:
    rows = spark.createDataFrame([], spark_schema(MATCHES)).drop("coverage", "profile")
    path = str(tmp_path / "tables" / "matches")
    rows.write.format("delta").save(path)
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('{VERSION_PROPERTY}' = '6')")
    migrate(Tables(spark, str(tmp_path)))
    tables = Tables(spark, str(tmp_path))
    assert (tables.outdated, tables.read(MATCHES).columns) == ([], MATCHES.schema.names)


def test_tables_in_a_catalog_say_what_stays_in_their_log(
    spark: SparkSession, old: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spark.sql("CREATE SCHEMA spark_catalog.skills_old")
    try:
        for name in ("links", "mentions", "normalised_skills"):
            spark.sql(f"CREATE TABLE spark_catalog.skills_old.{name} USING delta LOCATION '{old}/tables/{name}'")
        tables = Tables(spark, "spark_catalog.skills_old")
        migrate(tables)
        for table in (LINKS, MENTIONS, NORMALISED_SKILLS):
            assert tables.schema_version(table) == SCHEMA_VERSION
            assert tables.read(table).columns == table.schema.names
        skills, known = (
            tables.read(table).select(*MENTIONS.key, "text_key") for table in (NORMALISED_SKILLS, MENTIONS)
        )
        assert skills.exceptAll(known).isEmpty()
    finally:
        spark.sql("DROP SCHEMA spark_catalog.skills_old CASCADE")
    assert [name for name in TABLES if f"{name}: Delta's log before now" in caplog.text] == [
        "mentions",
        "normalised_skills",
    ]
