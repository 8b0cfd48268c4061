"""The DAG for Airflow: its commands by our jobs' options, and all of it by a real Airflow in its own environment."""

import json
import os
import re
import runpy
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import jinja2
import platformdirs
import pytest

from skillsim.errors import ConfigError
from tests.platforms.commands import settings_of
from tests.platforms.processes import ROOT

DAG = ROOT / "conf" / "airflow" / "skillsim_nightly.py"
TEXT = DAG.read_text(encoding="utf-8")
AIRFLOW = ["apache-airflow==3.3.2", "apache-airflow-providers-apache-spark==6.3.4"]
INSTALL_S = 1800


def variable() -> dict[str, str]:
    """The value that the head of the file has its reader set, but for the checkout."""
    [told] = re.findall(r"variables set skillsim '(\{.*?\})'", TEXT, re.DOTALL)
    return json.loads(told) | {"home": str(ROOT)}


def check(commands: dict[str, list[str]], day: str = "2026-12-01") -> None:
    """Applications with their arguments, by task, are what the jobs take."""
    assert {name: command[0] for name, command in commands.items()} == {
        name: str(ROOT / "jobs" / f"{name}.py") for name in ("normalise_skills", "maintain")
    }
    settings = {name: settings_of(name, command[1:]) for name, command in commands.items()}
    values = variable()
    normalise = settings["normalise_skills"]
    assert normalise.input.path == f"{values['feed']}/{day}"
    assert (normalise.input.source, normalise.input.mode) == (values["source"], values["mode"])
    assert (normalise.taxonomy.path, normalise.taxonomy.version) == (values["taxonomy"], values["taxonomy_version"])
    assert normalise.output.artifacts_path == values["artifacts"]
    assert {(one.output.root, one.output.wait_minutes) for one in settings.values()} == {(values["output"], 60)}


def operators(monkeypatch: pytest.MonkeyPatch, text: str, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """What the file gives to each SparkSubmitOperator, by task, where Airflow is a stand-in."""
    spark = ModuleType("airflow.providers.apache.spark.operators.spark_submit")
    spark.SparkSubmitOperator = MagicMock()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, spark.__name__, spark)
    monkeypatch.setitem(sys.modules, "airflow.sdk", MagicMock())
    path = tmp_path / DAG.name
    path.write_text(text, encoding="utf-8")
    runpy.run_path(str(path))
    calls = spark.SparkSubmitOperator.call_args_list  # type: ignore[attr-defined]
    return {call.kwargs["task_id"]: call.kwargs for call in calls}


RUN = SimpleNamespace(run_after=datetime(2026, 12, 1, 1, 30, tzinfo=UTC))


def rendered(of: dict[str, Any]) -> list[str]:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    known = {"var": {"json": {"skillsim": variable()}}, "params": {"date": None}, "dag_run": RUN}
    return [environment.from_string(one).render(known) for one in [of["application"], *of["application_args"]]]


def test_the_dags_commands_are_what_the_jobs_take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check({name: rendered(of) for name, of in operators(monkeypatch, TEXT, tmp_path).items()})


@pytest.mark.parametrize(
    ("right", "wrong", "error"),
    [
        ('"--taxonomy", OURS', '"--taxonomies", OURS', ConfigError),
        ("f\"input.mode={OURS % 'mode'}\"", "f\"input.modes={OURS % 'mode'}\"", ConfigError),
        ('conf/cluster.toml"),', 'conf/clusters.toml"),', ConfigError),
        ("{{{{ params.date or", "{{{{ params.day or", jinja2.UndefinedError),
        ("OURS % 'feed'", "OURS % 'feeds'", jinja2.UndefinedError),
        ('job("maintain", ', 'job("maintenance", ', AssertionError),
    ],
)
def test_a_mistake_in_them_is_found(
    right: str, wrong: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert right in TEXT
    found = operators(monkeypatch, TEXT.replace(right, wrong), tmp_path)
    with pytest.raises(error):
        check({name: rendered(of) for name, of in found.items()})


def test_the_dag_submits_with_the_memory_that_the_clusters_file_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = (ROOT / "conf" / "cluster.toml").read_text(encoding="utf-8").partition("#\n# -")[0]
    said = dict(re.findall(r"--conf (\S+?)=(\S+)", command))
    said["spark.pyspark.driver.python"] = f"{{{{ var.json.skillsim.home }}}}/{said['spark.pyspark.driver.python']}"
    options = dict(re.findall(r"--([a-z-]+) ([^\s-]\S*)", command))
    submitted = operators(monkeypatch, TEXT, tmp_path)
    assert len(submitted) == 2
    for of in submitted.values():
        assert said.items() <= of["conf"].items()
        for option in ("packages", "driver-memory", "executor-cores", "executor-memory"):
            assert str(of[option.replace("-", "_")]) == options[option]


@pytest.fixture(scope="module")
def airflow() -> Path:
    """The Python of an environment with Airflow, made once in the user's cache: its requirements are not ours."""
    home = platformdirs.user_cache_path("skillsim") / "airflow"
    python, installed = home / "bin" / "python", home / ".installed"
    if not installed.is_file() or installed.read_text() != "\n".join(AIRFLOW):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True, timeout=INSTALL_S)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *AIRFLOW], check=True, timeout=INSTALL_S)
        installed.write_text("\n".join(AIRFLOW))
    return python


@pytest.mark.network
@pytest.mark.long
def test_a_real_airflow_loads_the_dag_and_submits_what_the_jobs_take(airflow: Path, tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHON"))} | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_SPARK_DEFAULT": "spark://spark-master:7077",
        "AIRFLOW_VAR_SKILLSIM": json.dumps(variable()),
    }
    script = Path(__file__).with_name("show_dag.py")
    result = subprocess.run(
        [str(airflow), str(script), str(DAG.parent)], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr[-3000:]
    seen = json.loads(result.stdout.splitlines()[-1])
    assert seen["errors"] == {}
    dag = seen["dags"]["skillsim_nightly"]
    assert (list(seen["dags"]), dag["at once"], dag["catchup"]) == (["skillsim_nightly"], 1, False)
    tasks = dag["tasks"]
    assert {name: of["after"] for name, of in tasks.items()} == {
        "normalise_skills": [],
        "on_sundays": ["normalise_skills"],
        "maintain": ["on_sundays"],
    }
    assert {of["retries"] for of in tasks.values()} == {2}
    assert tasks["on_sundays"]["goes on, on Sunday and Monday"] == [True, False]
    submits = {name: of for name, of in tasks.items() if of["type"] == "SparkSubmitOperator"}
    for when, day in (("command", "2026-12-01"), ("of another day", "2026-11-30")):
        commands = {name: of[when] for name, of in submits.items()}
        assert {command[0] for command in commands.values()} == {"spark-submit"}
        check({name: command[command.index("--name") + 2 :] for name, command in commands.items()}, day)
