"""jobs/forget.py: the ids it is given, what it says, and that a mistake costs nothing."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.forget import main, read_ids
from tests.jobs.conftest import Ended
from tests.jobs.test_normalise_skills import ROOT
from tests.spark.conftest import Run
from tests.spark.identity import read


@pytest.mark.spark
@pytest.mark.delta
def test_records_are_erased_and_counted(
    submit: Callable[..., Ended], continued: Path, job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    before = read(continued, "normalised_skills")
    gone = before["record_id"].unique()[:2]
    (tmp_path / "ids.csv").write_text(
        "note,record_id,source\n" + "".join(f'"asked, by mail",{name},test\n' for name in (*gone, "never seen"))
    )
    mentions = int(before["record_id"].isin(gone).sum())
    ended = submit(main, "--records", tmp_path / "ids.csv", "--output", continued)
    assert ended.code == 0, ended.err
    assert f"2 records with {mentions} mentions erased, of 3 asked for; " in ended.out
    assert ended.out.count("\n") == 1
    assert not (continued / "report.html").exists()
    after = job(continued, records[:200])
    assert sum(after.summary.statuses.values()) == len(before) - mentions
    assert not read(continued, "mentions")["record_id"].isin(gone).any()
    assert (continued / "report.html").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"ids.csv: cannot be read (No such file or directory)"),
        (b"", r"ids.csv, row 1: no column source. The header is source,record_id."),
        (b"test,1\ntest,2\n", r"ids.csv, row 1: no column source"),
        (b"source,id\ntest,1\n", r"ids.csv, row 1: no column record_id"),
        (b"source,record_id\n", r"ids.csv names no record"),
        (b"source,record_id\n\ntest,1\n\ntest, \n", r"ids.csv, row 5: give source and record_id"),
        (b"source,record_id\ntest\n", r"ids.csv, row 2: give source and record_id"),
        (b"source,record_id\ntest,a,b\n", r"ids.csv, row 2: give source and record_id, in quotes where there is a"),
        (b'source,record_id\ntest,"1\ntest,2\n', r"ids.csv, row 2: not CSV (unexpected end of data)"),
        (b"source,record_id\ntest,1\ntest,caf\xe9\n", r"ids.csv, row 3: not UTF-8. Save it as UTF-8."),
        ("source,record_id\ntest,1\n".encode("utf-16"), r"ids.csv, row 1: not UTF-8"),
    ],
)
def test_a_bad_file_of_ids_is_one_line_and_exit_code_2(
    content: bytes | None, message: str, submit: Callable[..., Ended], tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "ids.csv").write_bytes(content)
    ended = submit(main, "--records", tmp_path / "ids.csv", "--output", tmp_path / "out")
    assert ended.code == 2
    assert f"error: --records {tmp_path}/{message}" in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_ids_are_taken_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_bytes('\ufeffsource,record_id\r\ntest," 7"\r\ntest,"a,b"\r\ntest,é\n'.encode())
    assert read_ids(tmp_path / "ids.csv") == [("test", " 7"), ("test", "a,b"), ("test", "é")]


@pytest.mark.spark
def test_an_output_without_tables_is_refused_and_not_made(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("source,record_id\ntest,1\n")
    command = [sys.executable, ROOT / "jobs" / "forget.py", "--records", tmp_path / "ids.csv"]
    run = [*map(str, command), "--output", str(tmp_path / "out")]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 2, result.stderr[-3000:]
    assert f"error: --output {tmp_path / 'out'} holds no tables. Give the folder or schema" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()
