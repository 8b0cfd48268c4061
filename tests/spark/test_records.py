"""Every input format to the same records, and every bad input to one clear error."""

import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from skillsim.config import InputConfig
from skillsim.errors import RecordsError
from skillsim.records import parse_cells, parse_lines
from skillsim.schemas import MENTIONS
from skillsim.spark.mentions import split_batch, split_records
from skillsim.spark.records import read_records

Rows = list[tuple[str, list[str], str | None]]


@pytest.fixture
def read(spark: SparkSession) -> Callable[..., Rows]:
    def run(path: Path | str, **settings: object) -> Rows:
        config = InputConfig.model_validate({"path": str(path), "source": "test", **settings})
        rows = read_records(spark, config).collect()
        return sorted((row["record_id"], list(row["cells"]), row["problem"]) for row in rows)

    return run


TEXT = {"shape": "text", "id_column": "id"}


@pytest.mark.spark
def test_ragged_csv_drops_padding_and_keeps_the_rest(read: Callable[..., Rows], tmp_path: Path) -> None:
    with gzip.open(tmp_path / "in.csv.gz", "wt", encoding="utf-8") as file:
        file.write('1,Java,"Excel, Word",,\n2\n\n3,"R&amp;D",, Été \n')
    assert read(tmp_path / "in.csv.gz") == [
        ("1", ["Java", "Excel, Word"], None),
        ("2", [], None),
        ("3", ["R&amp;D", " Été "], None),
    ]


@pytest.mark.spark
def test_a_broken_quote_spoils_its_own_line_only(read: Callable[..., Rows], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('1,Java\n2,"open,Python\n3,SQL\n')
    assert read(tmp_path / "in.csv") == [
        ("1", ["Java"], None),
        ("2", ['2,"open,Python'], "malformed_record"),
        ("3", ["SQL"], None),
    ]


@pytest.mark.spark
def test_a_header_and_another_delimiter(read: Callable[..., Rows], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id;a;b\n1;Java;SQL\n")
    assert read(tmp_path / "in.csv", header=True, delimiter=";") == [("1", ["Java", "SQL"], None)]


@pytest.mark.spark
def test_csv_with_a_text_column_and_line_breaks_in_cells(read: Callable[..., Rows], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('id,name,skills\n1,x,"Java\nSQL ""2012"""\n2,y,Excel\n3,z,one,too many\n')
    assert read(tmp_path / "in.csv", **TEXT, multiline=True) == [
        ("1", ['Java\nSQL "2012"'], None),
        ("2", ["Excel"], None),
        ("3", ["3,z,one,too many"], "malformed_record"),
    ]


@pytest.mark.spark
def test_json_lines_of_text_and_of_arrays(read: Callable[..., Rows], tmp_path: Path) -> None:
    text = [{"id": 1, "skills": "Java; SQL"}, {"id": 2}]
    (tmp_path / "text.jsonl").write_text("\n".join(map(json.dumps, text)) + "\n{broken\n")
    rows = read(tmp_path / "text.jsonl", **TEXT)
    assert ("1", ["Java; SQL"], None) in rows
    assert ("2", [None], None) in rows
    assert [row[1:] for row in rows if row[2]] == [(["{broken"], "malformed_record")]
    (tmp_path / "array.jsonl").write_text(json.dumps({"id": "a", "skills": ["Java", "SQL"]}))
    assert read(tmp_path / "array.jsonl", shape="array", id_column="id") == [("a", ["Java", "SQL"], None)]


@pytest.mark.spark
@pytest.mark.delta
def test_parquet_delta_and_catalog_tables(spark: SparkSession, read: Callable[..., Rows], tmp_path: Path) -> None:
    frame: DataFrame = spark.createDataFrame([(1, ["Java"]), (2, ["SQL", "Excel"])], "id int, skills array<string>")
    frame.write.parquet(str(tmp_path / "in.parquet"))
    frame.write.format("delta").save(str(tmp_path / "delta"))
    frame.createOrReplaceTempView("people_view")
    frame.write.format("delta").saveAsTable("default.people_for_records")
    expected = [("1", ["Java"], None), ("2", ["SQL", "Excel"], None)]
    array = {"shape": "array", "id_column": "id"}
    assert read(tmp_path / "in.parquet", **array) == expected
    assert read(tmp_path / "delta", **array) == expected
    assert read("default.people_for_records", **array) == expected
    spark.sql("DROP TABLE default.people_for_records")


@pytest.mark.spark
def test_without_multiline_a_quote_costs_its_own_line(read: Callable[..., Rows], tmp_path: Path) -> None:
    lines = ['1,x,"Java', 'SQL",Excel', '2,"open,C++', "3,y,Go", '4,z,"a ""b"""']
    (tmp_path / "in.csv").write_text("\n".join(["id,name,skills", *lines]))
    assert read(tmp_path / "in.csv", **TEXT) == [
        ("1", ['1,x,"Java'], "malformed_record"),
        ("2", ['2,"open,C++'], "malformed_record"),
        ("3", ["Go"], None),
        ("4", ['a "b"'], None),
        ("SQL", ['SQL",Excel'], "malformed_record"),
    ]


@pytest.mark.spark
@pytest.mark.parametrize("name", ["a b.csv", "[1].csv", "{x.csv", "{x,y}.csv", "*?.csv", "%20#é+.csv", "back\\[.csv"])
def test_any_file_name_is_itself(name: str, read: Callable[..., Rows], tmp_path: Path) -> None:
    (tmp_path / name).write_text("1,Java\n")
    (tmp_path / "other.csv").write_text("2,SQL\n")
    (tmp_path / "x.csv").write_text("3,C\n")
    assert read(tmp_path / name) == [("1", ["Java"], None)]


@pytest.mark.spark
def test_local_paths_are_local_and_uris_are_not(
    spark: SparkSession, read: Callable[..., Rows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.csv").write_text("1,Java\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    spark.conf.set("fs.defaultFS", "hdfs://127.0.0.1:1")
    try:
        paths = ["~/in.csv", "in.csv", tmp_path / "in.csv", f"file:{tmp_path}/in.csv", f"file:{tmp_path}/*.csv"]
        assert [read(path) for path in paths] == [[("1", ["Java"], None)]] * len(paths)
    finally:
        spark.conf.unset("fs.defaultFS")
    for uri in ["nofs:/x/in.csv", "nofs://b/in.csv"]:
        with pytest.raises(RecordsError, match=f"{uri}: cannot be read .*nofs"):
            read(uri)


BYTES = {
    "cells": (b'1,caf\xe9\n2,a\x00b\n3,"caf\xe9\n\x004,x\n', {}),
    "text": (b'id,skills\n1,caf\xe9\n2,a\x00b\n3,"caf\xe9\n\x004,x\n', TEXT),
    "multiline": (b"id,skills\n1,caf\xe9\n2,a\x00b\n3,caf\xe9,x\n\x004,x\n", {**TEXT, "multiline": True}),
    "json": (
        b'{"id":1,"skills":"caf\xe9"}\n{"id":2,"skills":"a\x00b"}\n{"id":"3","skills":"\\ud800"}\n{caf\xe9\n',
        {**TEXT, "format": "jsonl"},
    ),
}


@pytest.mark.spark
@pytest.mark.parametrize("kind", BYTES)
def test_no_byte_stops_a_run(kind: str, spark: SparkSession, tmp_path: Path) -> None:
    content, settings = BYTES[kind]
    (tmp_path / "in.csv").write_bytes(content)
    config = InputConfig.model_validate({"path": str(tmp_path / "in.csv"), "source": "test", **settings})
    mentions = split_records(read_records(spark, config), config)
    rows = {row["record_id"]: row for row in mentions.collect()}
    assert len(rows) == 4
    assert rows["1"]["raw"] == "caf\ufffd"
    assert rows["2"]["raw"] == "a\0b"
    assert sum("caf\ufffd" in row["raw"] for row in rows.values() if row["reason"] == "malformed_record") == 1
    assert set(mentions.columns) == set(MENTIONS.schema.names) - {"source", "run_id", "ingested_at"}


@pytest.mark.spark
def test_a_folder_of_packed_parts(read: Callable[..., Rows], tmp_path: Path) -> None:
    (tmp_path / ".old").mkdir()
    (tmp_path / ".old" / "in.json").write_text("{}")
    for n, head in [(1, "id,skills"), (2, '"id","skills"')]:
        with gzip.open(tmp_path / f"part-{n}.csv.gz", "wt", encoding="utf-8-sig") as file:
            file.write(f"\n{head}\n{n},Java\n")
    expected = [("1", ["Java"], None), ("2", ["Java"], None)]
    assert read(tmp_path, **TEXT) == expected
    assert read(tmp_path, header=True) == expected


@pytest.mark.spark
@pytest.mark.parametrize("multiline", [False, True])
def test_files_with_different_headers_are_refused(multiline: bool, read: Callable[..., Rows], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,skills\n1,Java\n")
    (tmp_path / "b c.csv").write_text("skills,id\nSQL,2\n")
    (tmp_path / "empty.csv").write_text("")
    message = r"different headers: a.csv has id, skills; b c.csv has skills, id. Give them one header"
    with pytest.raises(RecordsError, match=message):
        read(tmp_path, **TEXT, multiline=multiline)
    assert len(read(tmp_path, header=True)) == 2


@pytest.mark.spark
def test_tabs_part_the_fields_of_a_tsv(read: Callable[..., Rows], tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    with gzip.open(tmp_path / "parts" / "in.tsv.gz", "wt") as file:
        file.write("id\tskills\n1\tJava, SQL\n")
    (tmp_path / "in.TSV").write_text("1\tJava, SQL\n")
    (tmp_path / "semicolon.tsv").write_text("1;Java, SQL\n")
    expected = [("1", ["Java, SQL"], None)]
    assert read(tmp_path / "in.TSV") == expected
    assert read(tmp_path / "semicolon.tsv", delimiter=";") == expected
    assert read(tmp_path / "parts", **TEXT) == expected
    assert read(tmp_path / "parts", **TEXT, multiline=True) == expected


@pytest.mark.spark
@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (None, {}, r"no such file or folder"),
        ("", {}, r"is empty"),
        ("\n \n", {}, r"holds no records"),
        ("id,skills\n", TEXT, r"holds no records"),
        ("id,name\n1,x\n", TEXT, r"no column 'skills' \(input.skills_column\). Columns there: id, name"),
        ("nr,skills\n1,x\n", TEXT, r"no column 'id' \(input.id_column\)"),
        (
            "id,skills\n1,x\n",
            {"shape": "array", "id_column": "id"},
            r"is string, not an array of text. Set input.shape=text",
        ),
        ("id,skills,skills\n1,x,y\n", TEXT, r"several columns are named 'skills'"),
        ("1,x\n", {"multiline": True}, r"input.multiline is for shape text"),
        ("1,x\n", {"source": ""}, r"input.source is not set"),
    ],
)
def test_bad_input_is_one_clear_error(
    content: str | None, settings: dict[str, object], message: str, read: Callable[..., Rows], tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RecordsError, match=message):
        read(path, **settings)


@pytest.mark.spark
def test_more_bad_input(read: Callable[..., Rows], tmp_path: Path) -> None:
    (tmp_path / "in.dat").write_text("1,x\n")
    with pytest.raises(RecordsError, match=r"does not tell the format. Set input.format"):
        read(tmp_path / "in.dat")
    (tmp_path / "in.jsonl").write_text('{"id": 1, "skill": "x"}\n')
    with pytest.raises(RecordsError, match=r"no column 'skills'.*Columns there: id, skill"):
        read(tmp_path / "in.jsonl", **TEXT)
    (tmp_path / "in.parquet").write_text("not parquet at all")
    with pytest.raises(RecordsError, match=r"cannot be read"):
        read(tmp_path / "in.parquet", **TEXT)
    with pytest.raises(RecordsError, match=r"cannot be read"):
        read("no_such_schema.no_such_table", **TEXT)


@pytest.mark.spark
@pytest.mark.parametrize(
    ("skills", "shape", "message"),
    [
        (["Java"], "text", r"is array<string>, not text. Set input.shape=array"),
        ("Java", "array", r"is string, not an array of text. Set input.shape=text"),
        ([{"name": "Java"}], "array", r"is array<struct.*>, not an array of text. Name another input.skills_column"),
        ({"name": "Java"}, "text", r"is struct.*, not text. Name another input.skills_column"),
    ],
)
def test_a_column_of_another_type_is_the_same_error_in_json_and_tables(
    skills: object, shape: str, message: str, spark: SparkSession, read: Callable[..., Rows], tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": 1}\n' + json.dumps({"id": 2, "skills": skills}))
    spark.read.json(str(tmp_path / "in.jsonl")).createOrReplaceGlobalTempView("typed")
    for path in [tmp_path / "in.jsonl", "global_temp.typed"]:
        with pytest.raises(RecordsError, match=message):
            read(path, shape=shape, id_column="id")


@pytest.mark.spark
def test_one_value_of_another_type_is_a_malformed_record(read: Callable[..., Rows], tmp_path: Path) -> None:
    lines = ['{"id": 1, "skills": ["Java"]}', '{"id": 2, "skills": "SQL"}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    assert read(tmp_path / "in.jsonl", **TEXT) == [("1", [lines[0]], "malformed_record"), ("2", ["SQL"], None)]


@pytest.mark.spark
@pytest.mark.parametrize(("shape", "bad"), [("text", "{}"), ("array", "array({})")])
def test_bytes_of_a_table_are_made_valid(shape: str, bad: str, spark: SparkSession) -> None:
    skills = bad.format("CAST(X'636166e9' AS string)")
    spark.sql(f"SELECT CAST(X'e9' AS string) AS id, {skills} AS skills").createOrReplaceGlobalTempView("bytes")
    config = InputConfig(path="global_temp.bytes", source="test", shape=shape, id_column="id")
    row = split_records(read_records(spark, config), config).collect()[0]
    assert (row["record_id"], row["raw"]) == ("\ufffd", "caf\ufffd")


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r")), max_size=20))
def test_every_record_is_a_mention(lines: list[str]) -> None:
    parsed = parse_lines(lines, partial(parse_cells, delimiter=","))
    hashed = parsed.append_column("record_hash", parsed.column("record_id"))
    mentions = split_batch(hashed, (), 100).to_pylist()
    assert sum(m["position"] == 0 for m in mentions) == len(lines)
    assert all((m["status"] == "kept") == (m["reason"] is None) for m in mentions)
