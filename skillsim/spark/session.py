"""The Spark session: the one that exists, or a new one with Delta.

On Databricks or in a notebook the existing session is used untouched. Otherwise one is built here: on a Spark Connect
server where one is named, under spark-submit on the JVM that runs already, else on a local one.
"""

import logging
import os
import platform
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyspark
from pyspark import SparkConf, SparkContext
from pyspark.errors import AnalysisException, ParseException, PySparkException, PySparkValueError
from pyspark.sql import SparkSession

from skillsim import errors
from skillsim.config import SparkConfig
from skillsim.errors import PlatformError
from skillsim.spark.java import ensure_java, is_on_path

log = logging.getLogger(__name__)

EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
CATALOG = "org.apache.spark.sql.delta.catalog.DeltaCatalog"

# For a session on one machine: Delta computes a snapshot in 50 partitions by default (10 s a read on 2 cores),
# and progress bars garble logs. The web UI costs memory and a port that tests and demos do not need.
_LOCAL = {
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.shuffle.partitions": "4",
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
    # VACUUM lists files in so many tasks; of the default of 10,000 each costs its overhead.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
}
# Everywhere: the lease's heartbeat gets its turn beside a stage whose tasks fill all slots.
_ALWAYS = {"spark.sql.catalog.spark_catalog": CATALOG, "spark.scheduler.mode": "FAIR"}
# The driver's JVM must know these when it starts: spark-submit takes them from spark-defaults.conf.
_LOCAL_JVM = {
    "spark.driver.memory": "3g",
    # Jobs of minutes: the optimising compiler takes more from two cores than it gives back (a MERGE on a small table
    # takes half as long without it); its smaller default code cache would fill up and be swept all the time.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m",
}

_ANSWER_S = 20


def get_session(config: SparkConfig, app_name: str = "skillsim") -> SparkSession:
    """The active session, else a new one. Raises PlatformError when Java, Delta or a named server is missing."""
    active = SparkSession.getActiveSession()
    if active is not None:
        return _as_it_is(active, config.conf)
    remote = os.environ.get("SPARK_REMOTE") or config.master or ""
    if remote.startswith("sc://"):
        return _connect(remote, config.conf)
    if os.environ.keys() & {"SPARK_REMOTE", "DATABRICKS_RUNTIME_VERSION"}:
        return _as_it_is(SparkSession.builder.getOrCreate(), config.conf)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    builder = SparkSession.builder if submitted else SparkSession.builder.appName(app_name)
    try:
        if submitted:
            SparkContext._ensure_initialized()
            settings = settings_to_add(config.conf, dict(SparkConf().getAll()))
        else:
            ensure_java()
            given = {"spark.master": config.master or "local[*]"}
            local = is_local(given["spark.master"])
            settings = given | (_LOCAL_JVM if local else {}) | settings_to_add(config.conf, given)
            if not (local and staged_jars(_spark_to_start())):
                from delta import configure_spark_with_delta_pip

                builder = configure_spark_with_delta_pip(builder)
        for key, value in settings.items():
            builder = builder.config(key, value)
        session = builder.getOrCreate()
    except PlatformError:
        raise
    except Exception as error:
        raise PlatformError(_startup_problem(error)) from error
    try:
        _check_delta(session, _NO_DELTA)
    except PlatformError:
        if submitted:
            session.stop()
        raise
    return session


def _as_it_is(session: SparkSession, conf: Mapping[str, str]) -> SparkSession:
    """A notebook's or the platform's own session."""
    for key, value in conf.items():
        if session.conf.get(key, None) != value:
            log.warning("spark.conf: %s is not so in the session that exists. Set it where that is made.", key)
    _check_delta(session, _NO_DELTA_IN_SESSION)
    return session


def _connect(url: str, conf: Mapping[str, str]) -> SparkSession:
    """A session on a Spark Connect server. Spark alone would look for one that is not there for ten minutes."""
    try:
        import grpc
        from pyspark.sql.connect.client import DefaultChannelBuilder
    except ImportError as error:
        raise PlatformError(f"Spark Connect's client is missing: pip install 'skillsim[connect]' ({error}).") from error
    try:
        server = DefaultChannelBuilder(url)
    except PySparkValueError as error:
        raise PlatformError(f"spark.master: {error}") from error
    with server.toChannel() as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_ANSWER_S)
        except grpc.FutureTimeoutError as error:
            raise PlatformError(
                f"no Spark Connect server answers at {server.endpoint} within {_ANSWER_S} seconds. Start it, or name "
                "another by spark.master (or SPARK_REMOTE)."
            ) from error
    builder = SparkSession.builder.remote(url)
    for key, value in conf.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    _check_delta(session, _NO_DELTA_ON_SERVER)
    return session


def is_remote(session: SparkSession) -> bool:
    """Whether it is Spark Connect's, which has no context: its server may be on any machine."""
    try:
        return not session.sparkContext
    except PySparkException:
        return True


def is_local(master: str) -> bool:
    return re.fullmatch(r"local(\[.*\])?", master) is not None


def settings_to_add(wanted: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """`wanted` and what Delta and a laptop need, less what is given; only Delta's extension joins a given list.

    Spark itself would have it the other way round: a setting made here beats spark-submit's --conf.
    """
    for key in wanted.keys() & given.keys():
        if wanted[key] != given[key]:
            log.warning("spark.conf: %s stays as submitted", key)
    laptop = _LOCAL if is_local(given.get("spark.master", "local")) else {}
    settings = {**laptop, **_ALWAYS, **wanted}
    settings = {key: value for key, value in settings.items() if key not in given}
    extensions = given.get("spark.sql.extensions", wanted.get("spark.sql.extensions", ""))
    if EXTENSION not in extensions:
        settings["spark.sql.extensions"] = f"{extensions},{EXTENSION}".lstrip(",")
    return settings


def _startup_problem(error: Exception) -> str:
    text = str(error)
    if "ClassNotFoundException" in text and "delta" in text.lower():
        return _NO_DELTA
    if "JAVA_GATEWAY_EXITED" in text:
        return (
            "Spark's JVM did not start. Its own message is above; usual causes: Java older than 17, or Delta's jars "
            "not to be had (no network). `make env` stages them once."
        )
    return f"the Spark session could not be made: {text.splitlines()[0] if text else type(error).__name__}"


_NO_DELTA = (
    "Delta Lake is not on Spark's class path. Add `--packages io.delta:delta-spark_4.2_2.13:4.4.0` to spark-submit, "
    "or stage the jars once with `python -m skillsim.spark.session`."
)
_WITH_DELTA = (
    "with `--packages io.delta:delta-spark_4.2_2.13:4.4.0 "
    f"--conf spark.sql.extensions={EXTENSION} --conf spark.sql.catalog.spark_catalog={CATALOG}`."
)
_NO_DELTA_ON_SERVER = f"the Spark Connect server lacks Delta Lake. Start it {_WITH_DELTA}"
_NO_DELTA_IN_SESSION = f"the Spark session that exists lacks Delta Lake. End it, or make it {_WITH_DELTA}"


def _check_delta(session: SparkSession, missing: str) -> None:
    """By a statement that Spark does not know and Delta refuses, as there is no such table."""
    try:
        session.sql("VACUUM skillsim_no_such_table DRY RUN")
    except ParseException as error:
        raise PlatformError(missing) from error
    except AnalysisException:
        pass


@contextmanager
def explained() -> Iterator[None]:
    """Errors that Spark raises for an executor's setup, as one PlatformError or ModelError with the remedy."""
    try:
        yield
    except PySparkException as error:
        text = str(error)
        if "PYTHON_VERSION_MISMATCH" in text:
            versions = re.findall(r"\d+\.\d+", text.partition("PYTHON_VERSION_MISMATCH")[2])
            raise PlatformError(
                f"the executors run Python {versions[0] if versions else 'of another version'}, the driver "
                f"{platform.python_version()}. Set PYSPARK_PYTHON (or spark.pyspark.python) to the same Python."
            ) from error
        ours = re.search(r"skillsim\.errors\.(\w+): (.+)", text)
        if ours:
            raise getattr(errors, ours[1], PlatformError)(ours[2]) from error
        missing = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", text)
        if missing:
            raise PlatformError(
                f"the executors' Python has no module '{missing[1]}'. Install skillsim there, or ship a packed "
                "environment with --archives."
            ) from error
        raise


def staged_jars(spark_home: Path) -> list[Path]:
    """Delta's jars beside Spark's own, put there by `prepare_environment`."""
    return sorted((spark_home / "jars").glob("io.delta_*.jar"))


def _spark_to_start() -> Path:
    return Path(os.environ.get("SPARK_HOME") or _own_spark())


def _own_spark() -> Path:
    """The Spark of this Python environment, whatever SPARK_HOME names: only this one is ever changed."""
    return Path(pyspark.__file__).parent


def prepare_environment() -> list[Path]:
    """Make this environment's own Spark ready for Delta, so that spark-submit works bare and without a network.

    Copies Delta's jars beside Spark's, and writes what the driver's JVM must know before it starts: its memory and
    options, and where Java is when spark-submit would not find it. Returns the jars.
    """
    home = _own_spark()
    _write_own(home / "conf" / "spark-defaults.conf", (f"{key} {value}" for key, value in _LOCAL_JVM.items()))
    declared = os.environ.get("JAVA_HOME")
    java = Path(ensure_java())
    if not declared and not is_on_path(java):
        quoted = shlex.quote(str(java))
        _write_own(home / "conf" / "spark-env.sh", [f'[ -n "$JAVA_HOME" ] || [ ! -d {quoted} ] || JAVA_HOME={quoted}'])
    if not staged_jars(home):
        _stage_jars(home)
    return staged_jars(home)


_HEADER = "# Written by `python -m skillsim.spark.session`, over and over; to keep a change of yours, drop this line."


def _write_own(path: Path, lines: Iterable[str]) -> None:
    """Write or refresh a file of ours; one without our header is somebody's own."""
    text = "\n".join([_HEADER, *lines, ""])
    found = path.read_text(encoding="utf-8") if path.exists() else None
    if found is not None and not found.startswith(_HEADER):
        log.warning("%s was written by somebody else: left alone (delete it to get ours)", path)
    elif found != text:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _stage_jars(home: Path) -> None:
    """Fetch Delta's jars; copy what Spark lacks: its own Hadoop, Parquet and Jackson stay alone on the class path."""
    from delta import configure_spark_with_delta_pip

    os.environ["SPARK_HOME"] = str(home)
    with tempfile.TemporaryDirectory() as ivy:
        builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        try:
            session = configure_spark_with_delta_pip(builder.config("spark.jars.ivy", ivy)).getOrCreate()
        except Exception as error:
            raise PlatformError(_startup_problem(error)) from error
        session.stop()
        for group in ("io.delta", "io.unitycatalog"):
            for jar in Path(ivy, "jars").glob(f"{group}_*.jar"):
                shutil.copy2(jar, home / "jars" / jar.name)


if __name__ == "__main__":
    try:
        for staged in prepare_environment():
            print(staged.name)
    except PlatformError as problem:
        sys.exit(f"error: {problem}")
