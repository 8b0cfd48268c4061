"""One writer a namespace: a second run waits, or ends with one clear error.

A folder of this machine is locked by the operating system, which frees the lock with its process. Under a URI and in a
catalog a row of the table `leases` names the holder, who renews it by a heartbeat; a lease whose heartbeat has stopped
is taken over, and its former holder refused at its next write.
"""

import logging
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pyspark.errors import AnalysisException
from pyspark.sql import Row, SparkSession

from skillsim.errors import LeaseError, TablesError
from skillsim.schemas import LEASES
from skillsim.spark.paths import spark_path
from skillsim.spark.session import is_remote
from skillsim.spark.tables import Tables

log = logging.getLogger(__name__)

LOCK_NAME = ".skillsim.lock"
HOLDER_NAME = f"{LOCK_NAME}.holder"
HEARTBEAT_S = 30.0
TAKEOVER_S = 300.0
_POLL_S = 5.0
_FILE_URI = re.compile(r"file:(?://)?(/.*)", re.IGNORECASE)
_TRIES = 5
_POOL = "skillsim-lease"  # of the FAIR scheduler


@contextmanager
def writer_lease(spark: SparkSession, tables: Tables, run_id: str, wait_minutes: float) -> Iterator[None]:
    """Hold the namespace. Raises LeaseError when another run holds it and does not end within `wait_minutes`."""
    wait_s = wait_minutes * 60
    with ExitStack() as held:
        # A folder that has a lease is also written under a URI, perhaps from another machine.
        if not tables.is_local or tables.exists(LEASES):
            held.enter_context(_leased_row(spark, tables, run_id, wait_s))
        if (folder := _folder_here(tables)) is not None:
            held.enter_context(_locked_folder(folder, run_id, wait_s))
        if tables.is_local and is_remote(spark):
            _check_seen(spark, Path(tables.root))
        yield


@contextmanager
def _leased_row(spark: SparkSession, tables: Tables, run_id: str, wait_s: float) -> Iterator[None]:
    lease = RowLease(spark, tables, run_id)
    _wait_for(lease.acquire, tables.root, wait_s)
    tables.guard = lease.check
    try:
        with lease.beating():
            yield
    finally:
        tables.guard = None
        lease.release()


def _folder_here(tables: Tables) -> Path | None:
    """The root on this machine, also where it is named by `file:`."""
    if tables.is_local:
        return Path(tables.root)
    named = _FILE_URI.match(tables.root)
    return Path(named[1]) if named and Path(named[1]).is_dir() else None


@contextmanager
def _locked_folder(root: Path, run_id: str, wait_s: float) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    holder = root / HOLDER_NAME
    lock = FileLock(root / LOCK_NAME)

    def acquire() -> str | None:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return holder.read_text(encoding="utf-8") if holder.exists() else "unknown"
        return None

    _wait_for(acquire, str(root), wait_s)
    try:
        holder.write_text(f"run {run_id} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        lock.release()


def _check_seen(spark: SparkSession, root: Path) -> None:
    """A Spark Connect server may be on another machine, where this folder is another or none."""
    try:
        _ = spark.read.text(spark_path(str(root / HOLDER_NAME))).columns
    except AnalysisException as problem:
        raise TablesError(
            f"--output {root} is on this machine's disk, where Spark does not see it. Give a URI, as Spark's machines "
            "know it (file:/ for a mount of theirs), or catalog.schema."
        ) from problem


def _wait_for(acquire: Callable[[], str | None], root: str, wait_s: float) -> None:
    """`acquire` gives None, or who holds the namespace."""
    deadline = time.monotonic() + wait_s
    told = False
    while (holder := acquire()) is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise LeaseError(
                f"--output {root}: another run writes there ({holder}). Wait for its end, or let this one wait: "
                "--set output.wait_minutes=60."
            )
        if not told:
            log.info("waiting up to %d minutes for the end of %s", math.ceil(wait_s / 60), holder)
            told = True
        time.sleep(min(_POLL_S, left))


class RowLease:
    """The lease as a row of `leases`, for object stores and catalogs, whose commits Delta makes atomic."""

    def __init__(self, spark: SparkSession, tables: Tables, run_id: str) -> None:
        self._spark, self._tables, self._run_id = spark, tables, run_id
        self._lost = threading.Event()
        self._renewed = time.time()  # not monotonic, which stands still while a machine sleeps
        self._table = tables.identifier(LEASES.name)

    def acquire(self) -> str | None:
        """None when it is ours now, else who holds it."""
        ours = f"'writer' AS name, '{self._run_id}' AS run_id, '{socket.gethostname()}' AS host"
        stopped = f"t.heartbeat_at < current_timestamp() - INTERVAL {TAKEOVER_S:.0f} SECONDS"
        self._tables.create_if_absent(LEASES)
        self._renewed = time.time()
        self._commit(
            f"MERGE INTO {self._table} t USING (SELECT {ours}, current_timestamp() AS heartbeat_at) s "
            f"ON t.name = s.name WHEN MATCHED AND (t.run_id IS NULL OR {stopped}) THEN UPDATE SET * "
            "WHEN NOT MATCHED THEN INSERT *"
        )
        row = self._row()
        if row["run_id"] == self._run_id:
            return None
        return f"run {row['run_id']} on {row['host']}, last seen {row['heartbeat_at']}"

    def check(self) -> None:
        """Raises LeaseError when another run has taken over, or may have."""
        if time.time() - self._renewed > TAKEOVER_S:  # the heartbeat failed all the while
            self.renew()
        if self._lost.is_set():
            raise LeaseError(
                f"--output {self._tables.root}: run {self._row()['run_id']} has taken over, as this one gave no sign "
                f"of life for {TAKEOVER_S:.0f} seconds. Its tables stand; run again when it has ended."
            )

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renew the lease on a thread."""
        ended = threading.Event()

        def beat() -> None:
            if not is_remote(self._spark):  # beside a stage whose tasks fill all slots
                self._spark.sparkContext.setLocalProperty("spark.scheduler.pool", _POOL)
            while not ended.wait(HEARTBEAT_S):
                try:
                    self.renew()
                except Exception as problem:  # a store that is away for a while is no reason to stop trying
                    log.warning("the lease on %s could not be renewed: %s", self._tables.root, problem)

        thread = threading.Thread(target=beat, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def renew(self) -> None:
        started = time.time()  # no later than the heartbeat that the statement writes
        self._update("heartbeat_at = current_timestamp()")
        if self._row()["run_id"] != self._run_id:
            self._lost.set()
        self._renewed = started

    def release(self) -> None:
        self._update("run_id = NULL")

    def _update(self, change: str) -> None:
        """Of our own row only."""
        self._commit(f"UPDATE {self._table} SET {change} WHERE run_id = '{self._run_id}'")

    def _commit(self, statement: str) -> None:
        """Again where another run's commit came first: the statement then finds that run's row."""
        for attempt in range(_TRIES):
            try:
                self._spark.sql(statement)
                return
            except Exception as problem:  # Spark's or, unconverted, Java's
                if attempt == _TRIES - 1 or not _is_conflict(problem):
                    raise

    def _row(self) -> Row:
        return self._tables.read(LEASES).collect()[0]


def _is_conflict(problem: Exception) -> bool:
    """Delta refused the commit since another run's came first."""
    return any(
        name in str(problem) for name in ("DELTA_CONCURRENT", "DELTA_METADATA_CHANGED", "DELTA_PROTOCOL_CHANGED")
    )
