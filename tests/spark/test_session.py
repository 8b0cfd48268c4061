"""Java found or refused; executors' troubles in words."""

from pathlib import Path

import pytest
from pyspark.errors import PySparkException

from skillsim.errors import ModelError, PlatformError
from skillsim.spark import java
from skillsim.spark.session import explained


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
