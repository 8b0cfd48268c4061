"""One writer: the second waits or is told, the lock of a dead one is free, a lost lease stops the next write."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from filelock import FileLock
from pyspark.sql import SparkSession

from skillsim.errors import LeaseError
from skillsim.schemas import LEASES, TEXTS
from skillsim.spark import lease
from skillsim.spark.job import held_tables
from skillsim.spark.lease import LOCK_NAME, RowLease, writer_lease
from skillsim.spark.sql import spark_schema
from skillsim.spark.tables import Tables
from tests.spark.conftest import Run
from tests.spark.identity import assert_same_tables

pytestmark = [pytest.mark.spark, pytest.mark.delta]

ROUNDS = 10  # of each kind of lease


@pytest.fixture
def remote(spark: SparkSession, tmp_path: Path) -> Callable[[], Tables]:
    """A namespace under a URI, as another run finds it."""
    return lambda: Tables(spark, f"file:{tmp_path}/out")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_POLL_S", 0.1)


def test_a_second_run_on_a_folder_is_told_who_writes_and_changes_nothing(
    finished: Run, continued: Path, job: Callable[..., Run], records: list[str]
) -> None:
    with FileLock(continued / LOCK_NAME):
        (continued / f"{LOCK_NAME}.holder").write_text("run 1 on here")
        with pytest.raises(LeaseError, match=r"another run writes there \(run 1 on here\).*output\.wait_minutes"):
            job(continued, records)
    assert_same_tables(continued, finished.root)
    assert job(continued, records[:200]).summary.unchanged_since


def test_the_lock_of_a_killed_process_is_free(spark: SparkSession, tmp_path: Path) -> None:
    code = f"import filelock, os; filelock.FileLock({str(tmp_path / LOCK_NAME)!r}).acquire(); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with writer_lease(spark, Tables(spark, str(tmp_path)), "r2", 0):
        pass


def test_a_run_that_waits_goes_on_when_the_other_ends(spark: SparkSession, tmp_path: Path) -> None:
    code = f"import filelock, time; filelock.FileLock({str(tmp_path / LOCK_NAME)!r}).acquire(); print(flush=True); "
    other = subprocess.Popen([sys.executable, "-c", code + "time.sleep(1)"], stdout=subprocess.PIPE)
    assert other.stdout is not None
    other.stdout.readline()
    with writer_lease(spark, Tables(spark, str(tmp_path)), "r2", wait_minutes=1):
        assert other.wait() == 0


def test_a_row_lease_is_held_by_one_and_free_after_it(spark: SparkSession, remote: Callable[[], Tables]) -> None:
    with (
        writer_lease(spark, remote(), "r1", 0),
        pytest.raises(LeaseError, match=r"another run writes there \(run r1 on "),
    ):
        writer_lease(spark, remote(), "r2", 0).__enter__()
    with writer_lease(spark, remote(), "r2", 0):
        pass


def test_one_folder_under_two_names_has_one_writer(
    spark: SparkSession, remote: Callable[[], Tables], tmp_path: Path
) -> None:
    local = str(tmp_path / "out")
    with writer_lease(spark, Tables(spark, local), "r1", 0):
        assert not Tables(spark, local).exists(LEASES)
        with pytest.raises(LeaseError, match=r"\(run r1 on "):
            writer_lease(spark, remote(), "r2", 0).__enter__()
    with (
        writer_lease(spark, remote(), "r3", 0),
        pytest.raises(LeaseError, match=r"\(run r3 on .*last seen"),
    ):
        writer_lease(spark, Tables(spark, local), "r4", 0).__enter__()
    with writer_lease(spark, Tables(spark, local), "r5", 0):
        pass


def test_two_jobs_of_one_kind_are_two_writers(spark: SparkSession, remote: Callable[[], Tables]) -> None:
    tables = remote()
    tables.append(TEXTS, spark.createDataFrame([("a", "one")], spark_schema(TEXTS)))
    with (
        held_tables("forget", tables.root, None, None),
        pytest.raises(LeaseError, match=r"another run writes there \(run forget-\w+ on "),
    ):
        held_tables("forget", tables.root, None, None).__enter__()


def test_a_superseded_run_leaves_the_staging_of_the_other(
    spark: SparkSession, remote: Callable[[], Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "TAKEOVER_S", 0.0)
    superseded, holding = remote(), remote()
    former = RowLease(spark, superseded, "r1")
    assert former.acquire() is None
    assert RowLease(spark, holding, "r2").acquire() is None
    superseded.guard = former.check
    rows = spark.createDataFrame([("a", "one")], spark_schema(TEXTS))
    staged = holding.stage("texts", rows)
    with pytest.raises(LeaseError, match="run r2 has taken over"):
        superseded.stage("texts", rows.limit(0))
    superseded.clear_staging()
    assert staged.count() == 1


@pytest.mark.slow
def test_the_heartbeat_gets_its_turn_beside_a_stage_that_fills_all_slots(
    spark: SparkSession, remote: Callable[[], Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_S", 0.1)
    holder = RowLease(spark, remote(), "r1")
    assert holder.acquire() is None

    def slow(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        for batch in batches:
            time.sleep(0.5)
            yield batch

    busy = spark.range(0, 60, 1, 60).mapInArrow(slow, "id long")
    stage = threading.Thread(target=busy.count)
    stage.start()
    renewed = []
    with monkeypatch.context() as patch, holder.beating():
        renew = holder.renew

        def noted() -> None:
            renew()
            renewed.append(stage.is_alive())

        patch.setattr(holder, "renew", noted)
        stage.join()
    assert renewed.count(True) >= 2


def test_a_heartbeat_counts_from_before_it_is_written(
    spark: SparkSession, remote: Callable[[], Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = RowLease(spark, remote(), "r1")
    assert holder.acquire() is None
    before = time.time()
    monkeypatch.setattr(holder, "_update", lambda change: time.sleep(0.5))
    holder.renew()
    assert holder._renewed - before < 0.3


def test_a_lease_without_heartbeat_is_taken_over_and_its_former_holder_stopped(
    spark: SparkSession, remote: Callable[[], Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = remote()
    monkeypatch.setattr(lease, "TAKEOVER_S", 0.0)
    former = RowLease(spark, silent, "r1")
    assert former.acquire() is None
    assert RowLease(spark, remote(), "r2").acquire() is None
    former.renew()
    silent.guard = former.check
    rows = spark.createDataFrame([("a", "one")], spark_schema(TEXTS))
    with pytest.raises(LeaseError, match=r"run r2 has taken over"):
        silent.append(TEXTS, rows)
    assert remote().read(TEXTS).isEmpty()


def test_a_heartbeat_that_fails_for_long_stops_the_next_write(
    spark: SparkSession, remote: Callable[[], Tables], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_S", 0.01)
    holder = RowLease(spark, remote(), "r1")
    assert holder.acquire() is None

    def away(change: str) -> None:
        raise OSError("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(holder, "_update", away)
        with holder.beating():
            time.sleep(0.2)
    assert "could not be renewed: the store is away" in caplog.text
    holder.check()
    monkeypatch.setattr(lease, "TAKEOVER_S", 0.0)
    assert RowLease(spark, remote(), "r2").acquire() is None
    with pytest.raises(LeaseError, match="run r2 has taken over"):
        holder.check()


def test_a_heartbeat_keeps_the_lease(
    spark: SparkSession, remote: Callable[[], Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_S", 0.05)
    holder = RowLease(spark, remote(), "r1")
    assert holder.acquire() is None
    first = holder._row()["heartbeat_at"]
    with holder.beating():
        for _ in range(100):
            if holder._row()["heartbeat_at"] > first:
                break
    assert holder._row()["heartbeat_at"] > first
    holder.check()


@pytest.mark.slow
@pytest.mark.parametrize("leased_by", ["row", pytest.param("lock", marks=pytest.mark.long)])
def test_two_at_once_many_times(
    leased_by: str, finished: Run, continued: Path, job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    """Thresholds A and B by turns: whoever got in, the links are its own whole and the loser's message is one line."""
    source = tmp_path / "records.csv"
    source.write_text("".join(records[:200]), encoding="utf-8")
    at = [f"input.path={source}"]
    if leased_by == "row":
        at += [f"output.root=file:{continued}", f"output.artifacts_path={tmp_path / 'artifacts'}"]
    of = {0.8: finished, 0.95: job(tmp_path / "b", records[:200], "linking.threshold=0.95")}
    told = 0
    for number in range(ROUNDS):
        waits = number % 2  # turns: one goes away at once, or waits ten minutes
        ended = at_once(partial(job, continued, [], f"output.wait_minutes={10 * waits}", *at), of)
        failed = [outcome for _, outcome in ended if not isinstance(outcome, Run)]
        assert all(isinstance(error, LeaseError) for error in failed), [f"{error!s:.600}" for error in failed]
        assert all("\n" not in str(error) for error in failed)
        assert len(failed) <= 1 - waits
        told += len(failed)
        last_to_write = [threshold for threshold, outcome in ended if isinstance(outcome, Run)][-1]
        assert_same_tables(continued, of[last_to_write].root)
    assert told > 0


def at_once(run: Callable[[str], Run], thresholds: Iterable[float]) -> list[tuple[float, Run | Exception]]:
    """What each run gave or raised, in the order in which they ended."""
    start = threading.Barrier(2)
    ended: list[tuple[float, Run | Exception]] = []

    def one(threshold: float) -> None:
        start.wait()
        try:
            ended.append((threshold, run(f"linking.threshold={threshold}")))
        except Exception as error:
            ended.append((threshold, error))

    threads = [threading.Thread(target=one, args=(threshold,)) for threshold in thresholds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended
