"""Every input format to the same records, and every bad input to one clear error."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from skillsim.config import InputConfig
from skillsim.errors import RecordsError
from skillsim.spark.mentions import split_batch
from skillsim.spark.records import parse_ragged_lines, read_records

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
    assert read(tmp_path / "in.csv", **TEXT) == [
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
def test_ids_are_made_and_repeated_ones_told_apart_whatever_the_order(
    read: Callable[..., Rows], tmp_path: Path
) -> None:
    lines = ["7,Java\n", "7,SQL\n", ",Excel\n", ",Excel\n"]
    (tmp_path / "a.csv").write_text("".join(lines))
    (tmp_path / "b.csv").write_text("".join(reversed(lines)))
    rows = read(tmp_path / "a.csv")
    assert rows == read(tmp_path / "b.csv")
    ids = [row[0] for row in rows]
    assert ids[:2] == ["7", "7#2"]
    assert ids[2].startswith("sha-")
    assert ids[3] == ids[2] + "#2"


@pytest.mark.spark
@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (None, {}, r"no such file"),
        ("", {}, r"is empty"),
        ("\n \n", {}, r"holds no records"),
        ("id,skills\n", TEXT, r"holds no records"),
        ("id,name\n1,x\n", TEXT, r"no column 'skills' \(input.skills_column\). Columns there: id, name"),
        ("nr,skills\n1,x\n", TEXT, r"no column 'id' \(input.id_column\)"),
        ("id,skills\n1,x\n", {"shape": "array", "id_column": "id"}, r"is string, not an array. Set input.shape=text"),
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


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r")), max_size=20))
def test_every_line_is_one_record_and_every_record_a_mention(lines: list[str]) -> None:
    parsed = parse_ragged_lines(lines, ",")
    assert parsed.num_rows == len(lines)
    hashed = parsed.append_column("record_hash", parsed.column("record_id"))
    mentions = split_batch(hashed, (), 100).to_pylist()
    assert sum(m["position"] == 0 for m in mentions) == len(lines)
    assert all((m["status"] == "kept") == (m["reason"] is None) for m in mentions)
