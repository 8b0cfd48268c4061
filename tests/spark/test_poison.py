"""Input nobody would write: whatever a row holds, its record comes out, kept or rejected with a reason."""

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from skillsim.config import InputConfig
from skillsim.errors import RecordsError
from skillsim.spark.pipeline import Pipeline
from skillsim.spark.records import read_records
from tests.spark.conftest import Run, stage_rows
from tests.spark.identity import read

pytestmark = [pytest.mark.spark, pytest.mark.delta]

MANY = [f"skill number {n % 60}" for n in range(5_000)]
# id -> one field: text, or the bytes of another encoding
FIELDS: dict[str, str | bytes] = {
    "megabyte": "x" * 1_000_000,
    "megabyte of words": "Java and " * 110_000,
    "many in a field": "; ".join(MANY)[:49_000],
    "separators": ";|" * 20_000,
    "brackets": "(" * 20_000 + ")" * 20_000,
    "levels": "- 5 years " * 200,
    "entities": "&amp;" * 10_000,
    "zero-width": "Ja\u200bva\u200d",
    "nothing to see": "\u200b\ufeff\u00ad\u2060",
    "zalgo": "e" + "\u0301" * 5_000,
    "right to left": "\u202eavaJ\u202c | مهارات الحاسوب | עברית",
    "icons": "\uf0b7 \ue000 😀 👩\u200d💻",
    "nul": "a\0b",
    "only nul": "\0\0",
    "line separators": "Java\u2028SQL\x85C\x0b",
    "replaced": "\ufffd\ufffd",
    "latin-1": "café".encode("latin-1"),
    "utf-16": "Java".encode("utf-16"),
    "surrogate": b"a\xed\xa0\x80b",
    "overlong": b"\xc0\xaf\xff",
    "\u200b": "an id without width",
    "\0": "an id of NUL",
    "٣": "an id in Arabic digits",
    "i" * 10_000: "a long id",
    "7##2": "an id like a made one",
}


def encoded(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def accounted(root: Path) -> pd.DataFrame:
    """The first mention of each record by its id, after every mention has been looked at."""
    mentions = read(root, "mentions")
    places = mentions.groupby("record_id")["position"]
    assert (places.max() + 1 == places.size()).all()
    kept = mentions["status"] == "kept"
    assert (kept | (mentions["status"] == "rejected")).all()
    assert (mentions["reason"].isna() == kept).all()
    assert (mentions["text_key"].notna() == kept).all()
    assert mentions.loc[kept, "text"].str.len().between(1, 100).all()
    return mentions[mentions["position"] == 0].set_index("record_id", verify_integrity=True)


@pytest.fixture
def split(job: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pd.DataFrame]:
    """The first mention of each record of a file, after the first stage of a job."""
    monkeypatch.setattr(Pipeline, "_remake", lambda self: {})

    def run(path: Path, *assignments: str) -> pd.DataFrame:
        return accounted(job(tmp_path / "out", [], f"input.path={path}", *assignments).root)

    return run


TEXT = ("input.shape=text", "input.id_column=id")


@pytest.mark.slow
def test_a_whole_run_on_poison_gives_every_record_a_status_and_a_rerun_nothing(
    job: Callable[..., Run], tmp_path: Path
) -> None:
    """CSV of cells."""
    lines = [encoded(name) + b"," + encoded(field) for name, field in FIELDS.items()]
    lines += [b"many," + ",".join(MANY).encode(), b"columns" + b"," * 100_000]
    lines += [b",without an id", b",without an id", b",", b";", b"only an id", b"7,Java", b"7,SQL"]
    lines += [b'broken,"open,Python', b'"broken id,Java', b'a"b,"Java"x,SQL', b'quotes,"say ""hi""",""""']
    (tmp_path / "poison.csv").write_bytes(b"\n\n  \n".join(lines[:10]) + b"\r\n" + b"\r".join(lines[10:]))
    given = (tmp_path / "out", [], f"input.path={tmp_path / 'poison.csv'}")
    run = job(*given)
    first = accounted(run.root)
    assert stage_rows(run, "mentions") == len(first) == len(lines)
    named = {name.strip() for name in FIELDS} | {"many", "columns", "only an id", "7", "broken", "broken id", "quotes"}
    assert named - {"7##2"} <= set(first.index)
    assert {"7##2##1", "7##2"} <= set(first.index)
    assert sum(name.startswith("sha-") for name in first.index) == 3
    malformed = first[first["reason"] == "malformed_record"]
    assert set(malformed["raw"]) == {'broken,"open,Python', '"broken id,Java', 'a"b,"Java"x,SQL'}
    reasons = {"megabyte": "too_long", "separators": "empty", "nothing to see": "empty", "only nul": "empty"}
    assert first["reason"][list(reasons)].to_dict() == reasons
    assert len(first["raw"]["megabyte"]) == 1_000_000
    texts = {"zero-width": "java", "nul": "ab", "utf-16": "java", "latin-1": "caf", "surrogate": "ab"}
    assert first["text"][list(texts)].to_dict() == texts
    skills = read(run.root, "normalised_skills")
    assert (skills["record_id"] == "many").sum() == len(MANY)
    assert len(skills) == len(read(run.root, "mentions"))
    assert skills["status"].isin(["matched", "ambiguous", "nil", "not_skill", "rejected"]).all()
    assert skills["reason"].notna().all()
    assert job(*given).summary.unchanged_since == run.summary.run_id


@pytest.mark.parametrize("multiline", ["false", "true"])
def test_csv_with_a_header(multiline: str, split: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    fields = {name: field for name, field in FIELDS.items() if name != "line separators"}
    lines = [b"x," + encoded(name) + b',"' + encoded(field) + b'"' for name, field in fields.items()]
    lines += [b"x,few", b"x,broad" + b"," * 30_000, b"", b"x,,no id", b"x,7,Java", b'x,"7",SQL', b'x,broken,"open']
    (tmp_path / "in.csv").write_bytes(b"\xef\xbb\xbfname,id,skills\n" + b"\n".join(lines))
    first = split(tmp_path / "in.csv", *TEXT, f"input.multiline={multiline}")
    assert len(first) == len(lines) - 1
    malformed = set(first["raw"][first["reason"] == "malformed_record"].str[:7])
    # Spark's reader of quoted line breaks takes the end of the file for the end of the quote.
    assert malformed == {"x,few", "x,broad"} | ({"x,broke"} if multiline == "false" else set())
    assert {"7", "7##2", "7##2##1"} <= set(first.index)
    assert first["text"]["zero-width"] == "java"


def test_json_lines(split: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    texts = {name: field for name, field in FIELDS.items() if isinstance(field, str)}
    lines = [json.dumps({"id": name, "skills": field}).encode() for name, field in texts.items()]
    lines += [
        *(b'{"id": 8, "skills": %s}' % value for value in (b"5", b"true", b"null", b"NaN", b"1e999", b"-0", b'""')),
        *(b'{"id": 9, "skills": %s}' % value for value in (b"[]", b"{}", b'["Java"]', b'{"a": [{"b": 1}]}')),
        *(b'{"id": %s, "skills": "Java"}' % value for value in (b"NaN", b"null", b"[]", b'{"oid": 1}', b"1" * 5_000)),
        b'{"id": ' + b"[" * 50_000 + b"]" * 50_000 + b', "skills": "Java"}',
        b'{"id": "twice", "skills": "Java", "skills": "SQL"}',
        b'{"id": "half", "skills": "\\ud800 \\udfff Java"}',
        b'{"id": "latin-1", "skills": "caf\xe9"}',
        *(b"{broken", b"{}", b"[]", b'"text"', b"7", b"\0", b'{"id": 1}{"id": 2}'),
    ]
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(lines))
    first = split(tmp_path / "in.jsonl", *TEXT)
    assert len(first) == len(lines)
    assert set(texts) - {"7##2"} <= set(first.index)
    assert first.loc[[name for name in first.index if name.startswith("9")], "reason"].unique() == "malformed_record"
    eights = first[[name.startswith("8") for name in first.index]]
    assert sorted(eights["raw"]) == ["", "", "-0", "1e999", "5", "NaN", "true"]
    assert first["text"][["twice", "half", "latin-1"]].tolist() == ["sql", "java", "caf"]
    assert {"NaN", "[]", '{"oid": "1"}', "1" * 5_000} <= set(first.index)


def test_json_lines_with_arrays(split: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    lines = [json.dumps({"id": "many", "skills": [*MANY, "", 5, True, None]})]
    lines += ['{"id": "struct", "skills": [{"name": "Java"}]}', '{"id": "nested", "skills": [["Java"]]}']
    lines += ['{"id": "text", "skills": "Java"}', '{"id": "null", "skills": null}', '{"id": "empty", "skills": []}']
    (tmp_path / "in.json").write_text("\n".join(lines))
    first = split(tmp_path / "in.json", "input.shape=array", "input.id_column=id")
    assert first["reason"].to_dict() == {
        **{"many": None, "struct": "malformed_record", "nested": "malformed_record", "text": "malformed_record"},
        **{"null": "empty", "empty": "empty"},
    }
    assert len(read(tmp_path / "out", "mentions")) == len(MANY) + 2 + 5


def test_parquet_of_other_types_is_cast_where_that_is_safe(split: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    fields = {name: field for name, field in FIELDS.items() if isinstance(field, str)}
    table = pa.table({"id": [*fields, None, "", "7", "7"], "skills": [*fields.values(), None, "no id", "Java", None]})
    pq.write_table(table, tmp_path / "in.parquet")
    first = split(tmp_path / "in.parquet", *TEXT)
    assert len(first) == table.num_rows
    assert first["raw"]["nul"] == "a\0b"


@pytest.mark.parametrize(
    ("ids", "skills", "shape"),
    [
        (pa.array([1, 2]), pa.array([5, None]), "text"),
        (pa.array([1.5, None]), pa.array([True, False]), "text"),
        (pa.array([b"\xff", b"\xfe"]), pa.array([datetime(2026, 1, 1), None]), "text"),
        (pa.array([{"oid": 1}, None]), pa.array([Decimal("1.50"), None]), "text"),
        (pa.array([[1], [2]]), pa.array([float("nan"), 1e300]), "text"),
        (pa.array([2**63, 1], pa.uint64()), pa.array([[1, None], []], pa.list_(pa.int32())), "array"),
        (
            pa.array(["a", "b"], pa.large_string()),
            pa.array([["Java"], None], pa.large_list(pa.large_string())),
            "array",
        ),
        (pa.array(["a", "a"]).dictionary_encode(), pa.array(["Java", "SQL"]).dictionary_encode(), "text"),
    ],
)
def test_every_scalar_of_parquet_is_text(
    ids: pa.Array, skills: pa.Array, shape: str, spark: SparkSession, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"id": ids, "skills": skills}), tmp_path / "in.parquet")
    config = InputConfig(path=str(tmp_path / "in.parquet"), source="test", shape=shape, id_column="id")  # type: ignore[arg-type]
    rows = read_records(spark, config).collect()
    assert len({row["record_id"] for row in rows}) == 2
    values = [[value] if shape == "text" else value or [] for value in skills.to_pylist()]
    lengths = sorted(len(row["cells"] or []) for row in rows)
    assert lengths == sorted(map(len, values))


@pytest.mark.parametrize(
    ("skills", "found"),
    [
        (pa.array([b"Java"]), "binary"),
        (pa.array([{"name": "Java"}]), "struct<name:string>"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int32())), "map<string,int>"),
        (pa.array([[{"name": "Java"}]]), "array<struct<name:string>>"),
        (pa.array([[["Java"]]]), "array<array<string>>"),
    ],
)
@pytest.mark.parametrize("shape", ["text", "array"])
def test_a_parquet_column_that_is_no_text_is_one_clear_error(
    skills: pa.Array, found: str, shape: str, spark: SparkSession, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"id": ["1"], "skills": skills}), tmp_path / "in.parquet")
    config = InputConfig(path=str(tmp_path / "in.parquet"), source="test", shape=shape, id_column="id")  # type: ignore[arg-type]
    with pytest.raises(
        RecordsError, match=rf"in.parquet: column 'skills' is {found}, not .* Name another input.skills"
    ):
        read_records(spark, config)


def test_a_file_that_cannot_be_read_to_its_end_is_one_clear_error(
    split: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    packed = gzip.compress("".join(f"{n},skill {n * n}\n" for n in range(20_000)).encode())
    (tmp_path / "cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(RecordsError, match=r"--input \S+: .*cut.csv.gz.*Unexpected end of input stream.*take it away"):
        split(tmp_path / "cut.csv.gz")
    (tmp_path / "parts").mkdir()
    pq.write_table(pa.table({"id": [1], "skills": ["Java"]}), tmp_path / "parts" / "a.parquet")
    pq.write_table(pa.table({"id": [2], "skills": [5]}), tmp_path / "parts" / "b.parquet")
    with pytest.raises(
        RecordsError, match=r"b.parquet. .*column \[skills\]. Expected Spark type string, actual .*INT64"
    ):
        split(tmp_path / "parts", *TEXT)


def test_times_that_spark_does_not_know_are_named_with_the_remedy(spark: SparkSession, tmp_path: Path) -> None:
    times = pa.array([0], pa.timestamp("ns"))
    pq.write_table(pa.table({"id": ["1"], "skills": ["Java"], "posted": times}), tmp_path / "in.parquet")
    config = InputConfig(path=str(tmp_path / "in.parquet"), source="test", shape="text", id_column="id")
    with pytest.raises(RecordsError, match=r"TIMESTAMP\(NANOS.* --set spark.conf.spark.sql.legacy.parquet.nanosAsLong"):
        read_records(spark, config)
    spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")
    try:
        assert read_records(spark, config).count() == 1
    finally:
        spark.conf.unset("spark.sql.legacy.parquet.nanosAsLong")
