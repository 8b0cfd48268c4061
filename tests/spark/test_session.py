"""Java found or refused; settings that yield to the user's; this environment's Spark; troubles in words."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyspark
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from skillsim.config import SparkConfig
from skillsim.errors import BalanceError, ConfigError, ModelError, PlatformError
from skillsim.spark import java
from skillsim.spark.job import run_job
from skillsim.spark.session import (
    CATALOG,
    EXTENSION,
    explained,
    get_session,
    is_local,
    prepare_environment,
    settings_to_add,
)


@pytest.fixture(autouse=True)
def _java_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ensure_java` sets the variable: setting it first makes monkeypatch put it back."""
    monkeypatch.setenv("JAVA_HOME", "")


def fake_jdk(folder: Path, script: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("""echo 'openjdk version "11.0.2"' >&2; [ "$1" = -version ]""", "is Java 11. Spark 4.2 needs Java 17 or 21"),
        ("""echo 'openjdk version "1.8.0_402"' >&2; [ "$1" = -version ]""", "is Java 8"),
        ("""echo 'openjdk version "17.0.1"' >&2; [ "$1" = -version ]""", "holds no working bin/java"),
        ("exit 1", "holds no working bin/java"),
    ],
    ids=["11", "8", "17 without the vector module", "broken"],
)
def test_an_unfit_java_home_is_refused(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_jdk(tmp_path / "jdk", script)))
    with pytest.raises(PlatformError, match=message):
        java.ensure_java()


def test_a_fit_java_is_found_behind_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake_jdk(tmp_path / "old", """echo 'openjdk version "11.0.2"' >&2; [ "$1" = -version ]""")
    fit = fake_jdk(tmp_path / "fit", """echo 'openjdk version "21.0.1"' >&2""")
    monkeypatch.setattr(java, "_installed", lambda: iter([old, fit]))
    assert java.ensure_java() == str(fit)


def test_no_java_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import cjdk

    def refuse(**_: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(java, "_installed", lambda: iter([]))
    monkeypatch.setattr(cjdk, "java_home", refuse)
    with pytest.raises(PlatformError, match="apt-get install openjdk-17"):
        java.ensure_java()


def test_executor_errors_are_explained() -> None:
    mismatch = "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.12 than that in driver: 3.11"
    with pytest.raises(PlatformError, match=r"executors run Python 3\.12.*PYSPARK_PYTHON"), explained():
        raise PySparkException(mismatch)
    with pytest.raises(PlatformError, match="no module 'skillsim'"), explained():
        raise PySparkException("ModuleNotFoundError: No module named 'skillsim'")
    with pytest.raises(ModelError, match="install the same model"), explained():
        raise PySparkException("skillsim.errors.ModelError: encoder.model 'x': install the same model\n at java")
    with pytest.raises(PySparkException, match="other"), explained():
        raise PySparkException("other")


def test_a_cluster_gets_delta_and_nothing_of_a_laptop() -> None:
    everywhere = {
        "spark.sql.extensions": EXTENSION,
        "spark.sql.catalog.spark_catalog": CATALOG,
        "spark.scheduler.mode": "FAIR",
    }
    assert settings_to_add({}, {"spark.master": "yarn"}) == everywhere
    assert settings_to_add({}, {"spark.master": "local[4]"}).items() > everywhere.items()


def test_what_is_submitted_stands(caplog: pytest.LogCaptureFixture) -> None:
    given = {
        "spark.master": "local[2]",
        "spark.sql.shuffle.partitions": "64",
        "spark.sql.catalog.spark_catalog": "org.other.Catalog",
        "spark.sql.extensions": "org.other.Extension",
    }
    added = settings_to_add({"spark.sql.shuffle.partitions": "8", "spark.a": "1"}, given)
    assert added.keys() & given.keys() == {"spark.sql.extensions"}
    assert added["spark.sql.extensions"] == f"org.other.Extension,{EXTENSION}"
    assert added["spark.a"] == "1"
    assert caplog.messages == ["spark.conf: spark.sql.shuffle.partitions stays as submitted"]


@pytest.mark.spark
def test_a_session_that_exists_is_taken_as_it_is(spark: SparkSession, caplog: pytest.LogCaptureFixture) -> None:
    conf = {"spark.hadoop.fs.s3a.secret.key": "hunter2", "spark.sql.shuffle.partitions": "1"}
    assert get_session(SparkConfig(conf=conf)) is spark
    assert caplog.messages == [
        "spark.conf: spark.hadoop.fs.s3a.secret.key is not so in the session that exists. Set it where that is made."
    ]


@pytest.mark.spark
def test_a_session_without_delta_is_refused(tmp_path: Path) -> None:
    code = (
        "from pyspark.sql import SparkSession; from skillsim.config import SparkConfig; "
        "from skillsim.spark.session import get_session; "
        "SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false').getOrCreate(); "
        "get_session(SparkConfig())"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "PlatformError: the Spark session that exists lacks Delta Lake. End it, or make it with" in result.stderr


def test_the_settings_of_a_config_beat_those_of_a_laptop() -> None:
    given = {"spark.master": "local[*]"}
    assert settings_to_add({"spark.sql.shuffle.partitions": "8"}, given)["spark.sql.shuffle.partitions"] == "8"


@pytest.mark.parametrize(
    ("master", "local"),
    [("local", True), ("local[*]", True), ("local[2,3]", True), ("local-cluster[1,2,1024]", False), ("yarn", False)],
)
def test_one_machine_is_told_from_a_cluster(master: str, local: bool) -> None:
    assert is_local(master) == local


@pytest.mark.spark
def test_a_submitted_session_keeps_the_conf_of_the_command(tmp_path: Path) -> None:
    script = tmp_path / "show.py"
    script.write_text(
        "import json\n"
        "from skillsim.config import SparkConfig\n"
        "from skillsim.spark.session import get_session\n"
        "conf = get_session(SparkConfig()).sparkContext.getConf()\n"
        "print('CONF', json.dumps(dict(conf.getAll())))\n"
    )
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    options = ["--master", "local[1]", "--name", "mine", "--conf", "spark.sql.shuffle.partitions=7"]
    command = ["spark-submit", *options, str(script)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    shown = re.search("CONF (.*)", result.stdout)
    assert shown, result.stdout + result.stderr
    conf = json.loads(shown[1])
    assert conf["spark.sql.shuffle.partitions"] == "7"
    assert conf["spark.app.name"] == "mine"
    assert conf["spark.sql.extensions"] == EXTENSION
    assert conf["spark.ui.enabled"] == "false"


@pytest.fixture
def own_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for this environment's Spark, Delta's jars staged; SPARK_HOME names another."""
    home = tmp_path / "own"
    (home / "jars").mkdir(parents=True)
    (home / "jars" / "io.delta_delta-spark.jar").touch()
    (tmp_path / "company").mkdir()
    monkeypatch.setenv("SPARK_HOME", str(tmp_path / "company"))
    monkeypatch.setattr(pyspark, "__file__", str(home / "__init__.py"))
    return home


def test_only_this_environments_spark_is_prepared(own_spark: Path, tmp_path: Path) -> None:
    assert prepare_environment() == [own_spark / "jars" / "io.delta_delta-spark.jar"]
    assert list((tmp_path / "company").iterdir()) == []
    lines = (own_spark / "conf" / "spark-defaults.conf").read_text().splitlines()
    assert lines[0].startswith("# Written by")
    assert {line.split()[0] for line in lines[1:]} == {"spark.driver.memory", "spark.driver.extraJavaOptions"}


def test_our_defaults_are_refreshed_and_somebody_elses_are_not(
    own_spark: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prepare_environment()
    defaults = own_spark / "conf" / "spark-defaults.conf"
    fresh = defaults.read_text()
    defaults.write_text(fresh.splitlines()[0] + "\nspark.driver.memory 1g\n")
    prepare_environment()
    assert defaults.read_text() == fresh
    defaults.write_text("spark.master yarn\n")
    prepare_environment()
    assert defaults.read_text() == "spark.master yarn\n"
    assert f"{defaults} was written by somebody else" in caplog.text


def test_spark_submit_is_told_of_a_fetched_java(
    own_spark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cjdk

    fetched = fake_jdk(tmp_path / "the user's cache", """echo 'openjdk version "17.0.1"' >&2""")
    monkeypatch.setattr(java, "_installed", lambda: iter([]))
    monkeypatch.setattr(cjdk, "java_home", lambda **_: fetched)
    prepare_environment()
    script = f"set -a; . '{own_spark / 'conf' / 'spark-env.sh'}'; exec sh -c 'echo $JAVA_HOME'"
    for declared, seen in [("", str(fetched)), ("/mine", "/mine")]:
        environment = {"PATH": os.environ["PATH"], "JAVA_HOME": declared}
        told = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
        assert told.stdout.strip() == seen


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "on the path"])
def test_spark_submit_is_told_nothing_where_it_finds_java(
    declared: bool, own_spark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = fake_jdk(tmp_path / "jdk", """echo 'openjdk version "17.0.1"' >&2""")
    if declared:
        monkeypatch.setenv("JAVA_HOME", str(home))
    else:
        monkeypatch.setenv("PATH", str(home / "bin"), prepend=os.pathsep)
    prepare_environment()
    assert not (own_spark / "conf" / "spark-env.sh").exists()


@pytest.fixture
def run_main(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a function as a job; its exit code. The test run's own logging is put back."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    monkeypatch.setattr(logging.getLogger("py4j"), "level", logging.NOTSET)

    def run(main: Callable[..., None], *options: str) -> int:
        monkeypatch.setattr(sys, "argv", ["job", *options])
        try:
            run_job(main)
        except SystemExit as end:
            return end.code or -1  # a job that is done returns: Databricks takes any exit for a failure
        return 0

    return run


def test_a_job_logs_date_time_and_level(run_main: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    def main(name: str) -> None:
        logging.getLogger("skillsim").warning("hello %s", name)

    assert run_main(main, "you") == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING hello you\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("mend me."), 2, "error: mend me.\n"),
        (PySparkException("skillsim.errors.ModelError: on an executor\n at java"), 2, "error: on an executor\n"),
        (BalanceError("3 in, 2 out."), 3, "error: 3 in, 2 out. This is a bug of skillsim"),
    ],
    ids=["to mend", "of an executor", "rows missing"],
)
def test_a_job_ends_with_a_line_and_a_code(
    error: Exception, code: int, line: str, run_main: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        raise error

    assert run_main(main) == code
    assert capsys.readouterr().err.startswith(line)


def test_a_jobs_unforeseen_error_is_raised(run_main: Callable[..., int]) -> None:
    def main() -> None:
        raise ZeroDivisionError("unforeseen")

    with pytest.raises(ZeroDivisionError, match="unforeseen"):
        run_main(main)
