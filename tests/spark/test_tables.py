"""Delta writes on a real table: what each keeps, changes and refuses."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.errors import TablesError
from skillsim.schemas import EMBEDDINGS, MENTIONS, NORMALISED_SKILLS, SCHEMA_VERSION, TEXTS
from skillsim.spark.sql import spark_schema
from skillsim.spark.tables import Tables

pytestmark = [pytest.mark.spark, pytest.mark.delta]


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> Tables:
    return Tables(spark, str(tmp_path / "it's a `root` [1]*"))


@pytest.fixture
def texts(spark: SparkSession) -> Callable[..., DataFrame]:
    return lambda *rows: spark.createDataFrame(list(rows), spark_schema(TEXTS))


def content(tables: Tables) -> dict[str, str]:
    return {row["text_key"]: row["text"] for row in tables.read(TEXTS).collect()}


def test_a_table_is_empty_with_its_schema_before_the_first_write(tables: Tables) -> None:
    assert tables.read(MENTIONS).schema.names == MENTIONS.schema.names
    assert tables.version(MENTIONS) == -1
    assert not tables.exists(MENTIONS)


def test_insert_new_keeps_what_is_there_and_adds_the_rest(tables: Tables, texts: Callable[..., DataFrame]) -> None:
    tables.insert_new(TEXTS, texts(("a", "one")))
    tables.insert_new(TEXTS, texts(("a", "other"), ("b", "two")))
    tables.insert_new(TEXTS, texts(("a", "other"), ("b", "two")))
    assert content(tables) == {"a": "one", "b": "two"}


def test_upsert_updates_inserts_and_deletes_in_one_commit(tables: Tables, texts: Callable[..., DataFrame]) -> None:
    tables.upsert(TEXTS, texts(("a", "one"), ("b", "two")))
    before = tables.version(TEXTS)
    gone = texts(("b", "two"), ("never", "there")).select("text_key")
    tables.upsert(TEXTS, texts(("a", "1"), ("c", "three")), gone=gone)
    assert content(tables) == {"a": "1", "c": "three"}
    assert tables.version(TEXTS) == before + 1


def test_a_first_write_that_failed_can_be_repeated(spark: SparkSession, tmp_path: Path) -> None:
    tables = Tables(spark, str(tmp_path / "out"))
    with pytest.raises(Exception, match="pulled plug"):
        tables.append(TEXTS, spark.range(1).selectExpr("'a' AS text_key", "raise_error('pulled plug') AS text"))
    assert (tmp_path / "out" / "tables" / "texts" / "_delta_log").is_dir()
    again = Tables(spark, str(tmp_path / "out"))
    again.append(TEXTS, spark.createDataFrame([("a", "one")], spark_schema(TEXTS)))
    assert content(again) == {"a": "one"}


def test_a_uri_works_like_a_folder(spark: SparkSession, texts: Callable[..., DataFrame], tmp_path: Path) -> None:
    uri = f"file:{tmp_path}/out"
    tables = Tables(spark, uri)
    tables.insert_new(TEXTS, tables.stage("texts", texts(("a", "one"))))
    tables.clear_staging()
    again = Tables(spark, uri)
    assert content(again) == {"a": "one"}
    assert spark.read.parquet(f"{uri}/staging/texts").count() == 0


def test_what_a_killed_run_staged_under_a_uri_is_emptied_by_the_next(
    spark: SparkSession, texts: Callable[..., DataFrame], tmp_path: Path
) -> None:
    uri = f"file:{tmp_path}/out"
    Tables(spark, uri).stage("records", texts(("a", "one")))
    midway = tmp_path / "out" / "staging" / "input" / "_temporary" / "0"
    midway.mkdir(parents=True)
    (midway / "part-0").write_text("raw cells")
    for _ in range(2):
        Tables(spark, uri).clear_staging()
        left = {path.parent.name: path.stat().st_size for path in tmp_path.rglob("part-*")}
        assert left.keys() == {"records", "input"}
        assert spark.read.parquet(f"{uri}/staging/records", f"{uri}/staging/input").count() == 0
        assert not midway.exists()


def test_staging_that_cannot_be_removed_is_one_error(
    tables: Tables, texts: Callable[..., DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.stage("records", texts(("a", "one")))

    def refuse(folder: object) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", refuse)
        with pytest.raises(TablesError, match=r"staging could not be removed .*Permission denied.* it holds input"):
            tables.clear_staging()
    tables.clear_staging()
    assert not Path(tables.root, "staging").exists()


def test_only_names_that_will_be_cleared_are_staged(tables: Tables, texts: Callable[..., DataFrame]) -> None:
    with pytest.raises(ValueError, match="other"):
        tables.stage("other", texts())


def test_maintenance_is_no_change_and_a_hand_made_change_is_one(
    tables: Tables, texts: Callable[..., DataFrame]
) -> None:
    tables.sync(TEXTS, texts(("a", "one"), ("b", "two")), {"links": "1"})
    version = tables.version(TEXTS)
    tables._spark.sql(f"OPTIMIZE {tables.identifier('texts')}")
    tables._spark.sql(f"ALTER TABLE {tables.identifier('texts')} SET TBLPROPERTIES ('team' = 'hr')")
    assert (tables.version(TEXTS), tables.built_from(TEXTS)) == (version, {"links": "1"})
    tables._spark.sql(f"DELETE FROM {tables.identifier('texts')} WHERE text_key = 'a'")
    assert tables.version(TEXTS) > version
    assert tables.built_from(TEXTS) == {}


def test_another_programs_note_is_no_record_of_ours(spark: SparkSession, tables: Tables, texts: Callable) -> None:
    note = "spark.databricks.delta.commitInfo.userMetadata"
    spark.conf.set(note, "nightly load")
    try:
        tables.append(TEXTS, texts(("a", "one")))
        assert tables.built_from(TEXTS) == {}
        tables.sync(TEXTS, texts(("a", "1")), {"links": "1"})
        assert spark.conf.get(note) == "nightly load"
    finally:
        spark.conf.unset(note)


def test_a_table_made_anew_is_in_another_state(tables: Tables, texts: Callable[..., DataFrame]) -> None:
    assert tables.state(TEXTS) == "absent"
    states = set()
    for _ in range(2):
        tables.append(TEXTS, texts(("a", "one")))
        states.add(tables.state(TEXTS))
        shutil.rmtree(Path(tables.root, "tables"))
        tables = Tables(tables._spark, tables.root)
    assert len(states) == 2


def test_replace_touches_its_scope_only(spark: SparkSession, tables: Tables) -> None:
    def rows(model: str, *keys: str) -> DataFrame:
        values = [(model, key, None, "failed", "text: x", 1) for key in keys]
        return spark.createDataFrame(values, spark_schema(EMBEDDINGS))

    tables.replace(EMBEDDINGS, rows("m1", "a", "b"), {"model_id": "m1"})
    tables.replace(EMBEDDINGS, rows("m2", "a"), {"model_id": "m2"})
    tables.replace(EMBEDDINGS, rows("m1", "c"), {"model_id": "m1"})
    left = {(row["model_id"], row["text_key"]) for row in tables.read(EMBEDDINGS).collect()}
    assert left == {("m2", "a"), ("m1", "c")}


def test_sync_makes_the_table_equal_and_keeps_the_run_of_unchanged_rows(spark: SparkSession, tables: Tables) -> None:
    def rows(run: str, *skills: tuple[str, int, str]) -> DataFrame:
        frame = spark.createDataFrame(list(skills), "record_id string, position int, status string")
        known = {"source": F.lit("s"), "run_id": F.lit(run)}
        for name in NORMALISED_SKILLS.schema.names:
            if name not in (*known, *frame.columns):
                dtype = spark_schema(NORMALISED_SKILLS)[name].dataType
                known[name] = F.lit(None).cast(dtype)
        return frame.withColumns(known)

    tables.sync(NORMALISED_SKILLS, rows("r1", ("1", 0, "nil"), ("1", 1, "nil"), ("2", 0, "nil")), {"links": "1"})
    tables.sync(NORMALISED_SKILLS, rows("r2", ("1", 0, "nil"), ("1", 1, "matched"), ("3", 0, "nil")), {"links": "2"})
    found = {
        (r["record_id"], r["position"]): (r["status"], r["run_id"]) for r in tables.read(NORMALISED_SKILLS).collect()
    }
    assert found == {("1", 0): ("nil", "r1"), ("1", 1): ("matched", "r2"), ("3", 0): ("nil", "r2")}
    assert tables.built_from(NORMALISED_SKILLS) == {"links": "2"}


def test_a_staged_frame_does_not_follow_its_source(tables: Tables, texts: Callable[..., DataFrame]) -> None:
    tables.insert_new(TEXTS, texts(("a", "one")))
    staged = tables.stage("records", tables.read(TEXTS))
    tables.insert_new(TEXTS, texts(("b", "two")))
    assert staged.count() == 1


def test_a_folder_with_something_else_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(TablesError, match=r"holiday\.jpg.*empty or new folder"):
        Tables(spark, str(tmp_path))


def test_a_page_beside_our_tables_is_no_obstacle(
    spark: SparkSession, texts: Callable[..., DataFrame], tmp_path: Path
) -> None:
    tables = Tables(spark, str(tmp_path / "out"))
    tables.insert_new(TEXTS, tables.stage("texts", texts(("a", "one"))))
    (tmp_path / "out" / "map.html").write_text("<p>")
    assert content(Tables(spark, str(tmp_path / "out"))) == {"a": "one"}


def test_a_file_as_root_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(TablesError, match="is a file"):
        Tables(spark, str(tmp_path / "out"))


def test_tables_of_an_unknown_or_newer_schema_version_are_refused(
    spark: SparkSession, tables: Tables, texts: Callable[..., DataFrame]
) -> None:
    tables.insert_new(TEXTS, texts(("a", "one")))
    for recorded, named in {"0": "unknown", "other": "unknown", str(SCHEMA_VERSION + 1): SCHEMA_VERSION + 1}.items():
        tables.alter(TEXTS, f"SET TBLPROPERTIES ('skillsim.schemaVersion' = '{recorded}')")
        with pytest.raises(
            TablesError, match=rf"texts` has schema version {named}.*a newer one, or give another --outp"
        ):
            Tables(spark, tables.root)
    tables.alter(TEXTS, "SET TBLPROPERTIES ('skillsim.schemaVersion' = '1')")
    assert Tables(spark, tables.root).outdated == [TEXTS]


def test_a_catalog_schema_works_like_a_folder(spark: SparkSession, texts: Callable[..., DataFrame]) -> None:
    with pytest.raises(TablesError, match="CREATE SCHEMA"):
        Tables(spark, "spark_catalog.skills_test")
    spark.sql("CREATE SCHEMA spark_catalog.skills_test")
    try:
        tables = Tables(spark, "spark_catalog.skills_test")
        tables.insert_new(TEXTS, texts(("a", "one")))
        tables.insert_new(TEXTS, tables.stage("texts", texts(("a", "x"), ("b", "two"))))
        assert content(tables) == {"a": "one", "b": "two"}
        assert Tables(spark, "spark_catalog.skills_test").version(TEXTS) == 1
        texts(("a", "1")).write.format("delta").saveAsTable("skills_test.staging_texts")
        Tables(spark, "spark_catalog.skills_test").clear_staging()
        left = {row["tableName"] for row in spark.sql("SHOW TABLES IN skills_test").collect() if not row["isTemporary"]}
        assert left == {"texts", "staging_texts"}
    finally:
        spark.sql("DROP SCHEMA spark_catalog.skills_test CASCADE")
