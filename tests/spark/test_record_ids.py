"""Every record has an id of its own, whatever the input calls it."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from skillsim.config import InputConfig
from skillsim.spark.records import read_records

pytestmark = pytest.mark.spark

Rows = list[tuple[str, list[str], str | None]]


@pytest.fixture
def read(spark: SparkSession) -> Callable[[Path], Rows]:
    def run(path: Path) -> Rows:
        rows = read_records(spark, InputConfig(path=str(path), source="test")).collect()
        return sorted((row["record_id"], list(row["cells"]), row["problem"]) for row in rows)

    return run


def test_missing_ids_are_made_of_the_content_alone(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.csv").write_text(",Excel\n,Excel\n ,SQL\n")

    def ids_and_hashes(**settings: object) -> tuple[set[str], set[str]]:
        config = InputConfig(path=str(tmp_path / "in.csv"), source="test", **settings)
        rows = read_records(spark, config).collect()
        return {row["record_id"] for row in rows}, {row["record_hash"] for row in rows}

    ids, hashes = ids_and_hashes()
    assert len(ids) == 3
    assert all(record_id.startswith("sha-") for record_id in ids)
    others = [ids_and_hashes(max_length=50), ids_and_hashes(separators="default")]
    monkeypatch.setattr("skillsim.spark.record_ids.TEXT_RULES_VERSION", -1)
    for other_ids, other_hashes in [*others, ids_and_hashes()]:
        assert other_ids == ids
        assert not other_hashes & hashes


def test_ids_are_unique_whatever_they_look_like(read: Callable[[Path], Rows], tmp_path: Path) -> None:
    """Every multiset of up to two of each of five ids that could be taken for made ones."""
    endings = ["", "##1", "##2", "##2##1", "##2##2"]
    given = [
        f"{group}{ending}"
        for group, times in enumerate(product(range(3), repeat=len(endings)))
        for ending, n in zip(endings, times, strict=True)
        for _ in range(n)
    ]
    (tmp_path / "in.csv").write_text("".join(f"{name},s{place % 7}\n" for place, name in enumerate(given)))
    ids = [row[0] for row in read(tmp_path / "in.csv")]
    assert len(ids) == len(set(ids)) == len(given)
    assert {name for name in given if name.isdigit()} <= set(ids)


def test_repeated_ids_are_told_apart_by_content_and_not_by_place(read: Callable[[Path], Rows], tmp_path: Path) -> None:
    lines = ["7,Java\n", "7,SQL\n", '7,"a\n', "job#12,Excel\n", "7##2,Word\n", "8,C\n", "8,C\n"]
    (tmp_path / "a.csv").write_text("".join(lines))
    (tmp_path / "b.csv").write_text("".join(reversed(lines)))
    rows = read(tmp_path / "a.csv")
    assert rows == read(tmp_path / "b.csv")
    assert [row[0] for row in rows] == ["7", "7##2", "7##2##1", "7##3", "8", "8##2", "job#12"]
    assert [row[2] for row in rows if row[0] == "7##3"] == ["malformed_record"]
