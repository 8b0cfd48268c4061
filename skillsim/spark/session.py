"""The Spark session: the one that exists, or a local one with Delta.

On Databricks, in a notebook or under Spark Connect the existing session is used untouched. Otherwise one is
built here: under spark-submit on the JVM that runs already, else on a local one.
"""

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from skillsim import errors
from skillsim.config import SparkConfig
from skillsim.errors import PlatformError
from skillsim.spark.java import ensure_java

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
    "spark.driver.memory": "3g",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "4096",
    # Jobs of minutes: the optimising compiler takes more from two cores than it gives back (a MERGE on a small table
    # takes half as long without it); its smaller default code cache would fill up and be swept all the time.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m",
}


def get_session(config: SparkConfig, app_name: str = "skillsim") -> SparkSession:
    """The active session, else a new one. Raises PlatformError when Java or Delta is missing."""
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    if "SPARK_REMOTE" in os.environ or (config.master or "").startswith("sc://"):
        builder = SparkSession.builder
        return builder.remote(config.master).getOrCreate() if config.master else builder.getOrCreate()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    builder = SparkSession.builder.appName(app_name)
    settings = {"spark.sql.extensions": EXTENSION, "spark.sql.catalog.spark_catalog": CATALOG, **config.conf}
    if not submitted:
        ensure_java()
        settings = {**_LOCAL, **settings}
        builder = builder.master(config.master or "local[*]")
        if not staged_jars():
            from delta import configure_spark_with_delta_pip

            builder = configure_spark_with_delta_pip(builder)
    elif config.master is None:
        # spark-submit decides the rest; only what makes Delta quick on one machine is added, as a default.
        settings = {
            "spark.databricks.delta.snapshotPartitions": "2",
            "spark.sql.shuffle.partitions": "4",
            **settings,
        }
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    except Exception as error:
        raise PlatformError(_startup_problem(error)) from error
    _check_delta(session, submitted)
    return session


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


def _check_delta(session: SparkSession, submitted: bool) -> None:
    try:
        session.sparkContext._jvm.java.lang.Class.forName(  # type: ignore[union-attr]
            "io.delta.sql.DeltaSparkSessionExtension",
            True,
            session.sparkContext._jvm.java.lang.Thread.currentThread().getContextClassLoader(),  # type: ignore[union-attr]
        )
    except Exception as error:
        if submitted:
            session.stop()
        raise PlatformError(_NO_DELTA) from error


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


def staged_jars() -> list[Path]:
    """Delta's jars beside Spark's own, put there by `prepare_environment`."""
    return sorted((_spark_home() / "jars").glob("io.delta_*.jar"))


def _spark_home() -> Path:
    import pyspark

    return Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)


def prepare_environment() -> list[Path]:
    """Make this environment's own Spark ready for Delta, so that spark-submit works bare and without a network.

    Copies Delta's jars beside Spark's (only what Spark does not have itself: its own Hadoop, Parquet and Jackson stay
    alone on the class path) and writes `_LOCAL` as its spark-defaults.conf. Returns the jars.
    """
    defaults = _spark_home() / "conf" / "spark-defaults.conf"
    if not defaults.exists():
        defaults.parent.mkdir(exist_ok=True)
        defaults.write_text("".join(f"{key} {value}\n" for key, value in _LOCAL.items()), encoding="utf-8")
    if staged_jars():
        return staged_jars()
    from delta import configure_spark_with_delta_pip

    ensure_java()
    with tempfile.TemporaryDirectory() as ivy:
        builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        try:
            session = configure_spark_with_delta_pip(builder.config("spark.jars.ivy", ivy)).getOrCreate()
        except Exception as error:
            raise PlatformError(_startup_problem(error)) from error
        session.stop()
        for group in ("io.delta", "io.unitycatalog"):
            for jar in Path(ivy, "jars").glob(f"{group}_*.jar"):
                shutil.copy2(jar, _spark_home() / "jars" / jar.name)
    return staged_jars()


if __name__ == "__main__":
    try:
        for staged in prepare_environment():
            print(staged.name)
    except PlatformError as problem:
        sys.exit(f"error: {problem}")
