"""A list of skills to groups of duplicates: every skill has a row, and a rerun or a longer list costs what is new."""

from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.deduplicate_skills import main
from skillsim.cells import Gathering
from skillsim.config import Config, load_config
from skillsim.errors import ConfigError, TablesError
from skillsim.model_files import BUILTIN
from skillsim.schemas import CLUSTER_MEMBERS, TEXTS
from skillsim.spark.deduplication import Deduplication, _duplicates, with_pivots
from skillsim.spark.tables import Tables
from skillsim.variants import SHIPPED_FOR, Variants
from tests.spark.conftest import Run
from tests.spark.identity import read

pytestmark = [pytest.mark.spark, pytest.mark.delta]

CONF = Path(__file__).parents[2] / "conf"
LIST = """id,name
1,Warehouse management
2,ware-house management
3,Managing a warehouse
4,Java
5,JavaScript
6,java
7,warehouse managment
8,Night shifts
9,Day shifts
10,2019
91,java
"""


def settings(root: Path, text: str, *assignments: str) -> Config:
    source = root.with_suffix(".csv")
    source.write_text(text, encoding="utf-8")
    plain = [f"input.path={source}", f"output.root={root}", "input.source=list", "input.shape=text"]
    columns = ["input.id_column=id", "input.skills_column=name", "input.separators=[]", "clusters.decision=auto"]
    columns.append("clusters.texts=labels")
    return load_config(None, [*plain, *columns, *assignments])


@pytest.mark.slow
def test_groups_reasons_and_a_longer_list(spark: SparkSession, tmp_path: Path) -> None:
    root = tmp_path / "out"
    found = Deduplication(spark, settings(root, LIST)).run()
    assert found.statuses == {"representative": 2, "duplicate": 5, "single": 3, "rejected": 1}
    assert found.groups == 2
    rows = read(root, "duplicates").set_index("record_id")
    assert rows.loc[["1", "2", "3", "7"], "cluster_id"].nunique() == 1
    assert rows.loc["5", "status"] == rows.loc["8", "status"] == rows.loc["9", "status"] == "single"
    assert (rows.loc["10", "status"], rows.loc["10", "reason"]) == ("rejected", "number")
    assert rows.loc[["6", "4", "91"], "status"].tolist() == ["representative", "duplicate", "duplicate"]
    assert rows.loc["91", "reason"] == "the same text"
    chosen = rows[rows["status"] == "representative"]
    assert chosen["raw"].tolist() == chosen["representative"].tolist()
    names = set(rows.loc[["1", "2", "3", "7"], "representative"])
    assert len(names) == 1
    assert names <= set(rows.loc[["1", "2", "3", "7"], "raw"])
    duplicates = rows[(rows["status"] == "duplicate") & rows["score"].notna()]
    assert set(duplicates["reason"]) <= {"the same letters", "the same words", "misspelt"}
    assert duplicates["cosine"].notna().all()

    Deduplication(spark, settings(root, LIST)).run()
    versions = {table.name: DeltaTable(str(table)).version() for table in (root / "tables").iterdir()}
    assert versions == {"mentions": 0, "texts": 0, "embeddings": 0, "pairs": 0, "cluster_members": 0} | {
        "cluster_history": 0,
        "duplicates": 0,
    }
    longer = Deduplication(spark, settings(root, f"{LIST}12,Nightshifts\n")).run()
    assert longer.groups == 3
    after = read(root, "duplicates").set_index("record_id")
    assert (after.loc[rows.index, "cluster_id"].dropna() == rows["cluster_id"].dropna()).all()

    tables, variants = Tables(spark, str(root)), Variants.load(SHIPPED_FOR["labels"][BUILTIN])
    failed = tables.read(TEXTS).where("text = 'javascript'").select("text_key", F.lit("not finite").alias("failure"))
    members = tables.read(CLUSTER_MEMBERS).join(failed, on="text_key", how="left_anti")
    tables.replace(CLUSTER_MEMBERS, tables.stage("cluster_members", members), {})
    row = _duplicates(tables, Gathering(variants, 5, of="pivots"), failed).where("record_id = '5'").first()
    assert (row["status"], row["reason"]) == ("single", "not embedded: not finite")


@pytest.mark.slow
def test_the_command_takes_a_list_though_the_file_of_settings_is_for_cells(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "list.csv"
    for text in (f"{LIST}12,Spreadsheets\n", LIST.replace("7,warehouse managment\n", "")):
        given.write_text(text, encoding="utf-8")
        main(str(given), "name", "id", str(tmp_path / "out"), CONF / "local.toml", None)
        rows = read(tmp_path / "out", "duplicates")
        assert rows["raw"].tolist() == [line.split(",")[1] for line in sorted(text.splitlines()[1:])]
    printed = capsys.readouterr().out
    assert "2 groups of duplicates" in printed
    assert "java: Java, java" in printed


def test_what_cannot_be_is_refused(spark: SparkSession, finished: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to find duplicates by: clusters.decision is none"):
        Deduplication(spark, settings(tmp_path / "out", LIST, "clusters.decision=none"))
    with pytest.raises(TablesError, match="holds the main job's tables"):
        Deduplication(spark, settings(tmp_path / "out", LIST, f"output.root={finished.root}"))


def test_pivots_are_texts_and_the_nearest_of_them_are_cells(spark: SparkSession) -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(450, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f2")
    keys = [f"{random.integers(2**60):015x}" for _ in vectors]
    rows = [(key, f"text of {key}", bytearray(vector.tobytes())) for key, vector in zip(keys, vectors, strict=True)]
    texts = spark.createDataFrame(rows, "text_key string, text string, vector binary")
    pivots = np.argsort(keys)[:3]  # one of 200
    cosines = vectors.astype(np.float32) @ vectors[pivots].astype(np.float32).T
    found = {row["text_key"]: row["concept_uris"] for row in with_pivots(texts, 2).collect()}
    for row, key in enumerate(keys):
        assert found[key] == [keys[pivots[place]] for place in np.argsort(-cosines[row], kind="stable")[:2]]
