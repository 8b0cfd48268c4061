"""The command line: what a person types, and what they are told when it is wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

from skillsim.config import load_config
from tests.spark.conftest import SAMPLE

ROOT = Path(__file__).parents[2]
JOB = ROOT / "jobs" / "normalise_skills.py"


def submit(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """spark-submit as the README says: with the environment's programs first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["spark-submit", str(JOB), *arguments]
    env = {**os.environ, "PATH": path, **environment}
    # spark-submit sends all that the driver says to its standard output.
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(command, cwd=cwd, env=env, text=True, timeout=300, check=False, **both)


@pytest.mark.spark
@pytest.mark.delta
def test_spark_submit_from_another_folder_writes_tables_and_report(tmp_path: Path) -> None:
    records = (SAMPLE / "records.csv").read_text(encoding="utf-8").splitlines(keepends=True)[:40]
    (tmp_path / "in.csv").write_text("".join(records), encoding="utf-8")
    arguments = ["--config", str(ROOT / "conf" / "local.toml"), "--input", "in.csv", "--output", "out"]
    result = submit(*arguments, "--taxonomy", str(SAMPLE / "taxonomy"), cwd=tmp_path)
    assert result.returncode == 0, result.stdout[-3000:]
    assert "matched" in result.stdout
    assert f"report: {tmp_path / 'out' / 'report.html'}" in result.stdout
    assert re.search(r"^\d{4}-\d\d-\d\d [\d:]{8} INFO embeddings .* rows/s", result.stdout, re.MULTILINE)
    skills = DeltaTable(str(tmp_path / "out" / "tables" / "normalised_skills")).to_pyarrow_table()
    assert set(skills["source"].to_pylist()) == {"local"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "linking.treshold=0.9"],
            "unknown key 'linking.treshold'; known here: decider, threshold, nil_threshold",
        ),
        (["--set", "linking.threshold=1.5"], "'linking.threshold' = 1.5"),
        (["--config", "nowhere.toml"], "--config nowhere.toml: cannot be read"),
        ([], "no taxonomy: give --taxonomy"),
    ],
)
def test_a_bad_option_is_one_line_and_exit_code_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    run = [sys.executable, str(JOB), "--output", str(tmp_path / "out"), *arguments]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "source"), [("local", "local"), ("cluster", ""), ("gpu", "")])
def test_feeds_of_a_cluster_are_named_in_the_command(name: str, source: str) -> None:
    assert load_config(ROOT / "conf" / f"{name}.toml").input.source == source


def test_the_clusters_command_gives_overhead_to_each_core() -> None:
    """The command in cluster.toml keeps to the rule that stands below it."""
    text = (ROOT / "conf" / "cluster.toml").read_text(encoding="utf-8")
    cores, overhead, rule = (
        float(re.search(pattern, text)[1])  # type: ignore[index]
        for pattern in (r"--executor-cores (\d+)", r"memoryOverhead=([\d.]+)g", r"memoryOverhead is ([\d.]+)g")
    )
    assert overhead == cores * rule


@pytest.mark.slow
@pytest.mark.spark
def test_executors_with_another_python_are_one_clear_error(tmp_path: Path) -> None:
    other = next((p for version in ("3.10", "3.12", "3.13") if (p := _other_python(version))), None)
    if other is None:
        pytest.skip("needs a second Python version on this machine")
    (tmp_path / "in.csv").write_text("1,Java\n")
    arguments = ["--input", str(tmp_path / "in.csv"), "--taxonomy", str(SAMPLE / "taxonomy")]
    arguments += ["--set", "input.source=test", "--output", str(tmp_path / "out")]
    result = submit(*arguments, PYSPARK_PYTHON=other, PYSPARK_DRIVER_PYTHON=sys.executable)
    assert result.returncode == 2, result.stdout[-2000:]
    assert "error: the executors run Python 3." in result.stdout


def _other_python(version: str) -> str | None:
    """A Python of this version that runs, other than the tests' own."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return None
    for candidate in [f"python{version}", *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]:
        try:
            probe = subprocess.run([candidate, "--version"], capture_output=True, text=True, timeout=30, check=False)
        except OSError:
            continue
        if f"Python {version}." in probe.stdout:
            return candidate
    return None
