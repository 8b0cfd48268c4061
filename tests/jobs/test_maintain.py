"""jobs/maintain.py: fewer files, the same rows, and a rerun finds nothing to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.maintain import main
from tests.jobs.conftest import Ended
from tests.spark.conftest import Run
from tests.spark.identity import assert_same_tables

pytestmark = [pytest.mark.spark, pytest.mark.delta]


def data_files(root: Path) -> dict[str, int]:
    return {table.name: len(list(table.rglob("*.parquet"))) for table in (root / "tables").iterdir()}


@pytest.mark.slow
def test_tables_are_joined_and_cleared_and_stay_as_they_are(
    submit: Callable[..., Ended], continued: Path, job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    lines = [*records[:200], "one more,welding\n"]
    grown = job(continued, lines)
    shutil.copytree(continued, tmp_path / "before")
    assert submit(main, "--output", continued).code == 0
    kept = data_files(continued)
    assert all(kept[name] >= files for name, files in data_files(tmp_path / "before").items())  # of the last week
    ended = submit(main, "--output", continued, "--set", "maintain.retention_hours=0")
    assert ended.code == 0, ended.err
    before, after = data_files(tmp_path / "before"), data_files(continued)
    assert ended.out == f"{len(before)} tables of {continued} optimised, versions older than 0 hours removed\n"
    assert after.keys() == before.keys()
    assert all(after[name] <= before[name] for name in before)
    assert before["mentions"] > after["mentions"] == 1
    assert_same_tables(continued, tmp_path / "before")
    assert job(continued, lines).summary.unchanged_since == grown.summary.run_id


def test_an_output_without_tables_is_refused_and_not_made(submit: Callable[..., Ended], tmp_path: Path) -> None:
    ended = submit(main, "--output", tmp_path / "typo")
    assert ended.code == 2
    assert ended.err.startswith(f"error: --output {tmp_path / 'typo'} holds no tables.")
    assert not (tmp_path / "typo").exists()
    (tmp_path / "empty").mkdir()
    assert submit(main, "--output", tmp_path / "empty").code == 2
    assert list((tmp_path / "empty").iterdir()) == []
