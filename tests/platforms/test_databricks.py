"""The bundle of Databricks, by the models that Databricks publishes and by the options of our jobs; nothing runs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from databricks.bundles.jobs import Job

from skillsim.errors import SkillsimError
from skillsim.schemas import TEXTS
from skillsim.spark.tables import Tables
from tests.platforms.commands import settings_of
from tests.platforms.processes import ROOT

BUNDLE = ROOT / "conf" / "databricks" / "databricks.yml"
TEXT = BUNDLE.read_text(encoding="utf-8")
SECTIONS = {"bundle", "variables", "artifacts", "sync", "resources", "targets"}
REFERENCE = re.compile(r"\$\{([\w.]+)\}")
# Neither a model in a Python UDF, which has 1 GB there, nor a setting of the session, which is refused.
SERVERLESS = {"audit_fairness.py", "maintain.py", "match_candidates.py"}
# What the head of the file has its reader set, and what the platform knows.
GIVEN = {"input": "main.hr.vacancies", "source": "careers_site", "taxonomy": "/esco", "notify": "data@example.org"}
PLATFORM = {
    "workspace.file_path": str(ROOT),
    "workspace.current_user.userName": "ann",
    "bundle.name": "skillsim",
    "bundle.target": "prod",
}


def problems(text: str) -> Iterator[str]:
    """What is wrong with a bundle, in words."""
    bundle = yaml.safe_load(text)
    yield from (f"unknown section {name}" for name in bundle.keys() - SECTIONS)
    yield from (f"line {line}: the CLI merges an alias only" for line in re.findall(r"<<: [^*].*", text))
    declared = bundle["variables"]
    used = {name.removeprefix("var.") for name in REFERENCE.findall(text) if name.startswith("var.")}
    yield from (f"variable {name} is not declared" for name in used - declared.keys())
    yield from (f"variable {name} is not used" for name in declared.keys() - used)
    for name, target in bundle["targets"].items():
        own = target.get("variables", {})
        yield from (f"target {name}: variable {one} is not declared" for one in own.keys() - declared.keys())
        values = {one: of["default"] for one, of in declared.items() if "default" in of} | GIVEN | own
        known = PLATFORM | {f"var.{one}": value for one, value in values.items()}
        for key, job in bundle["resources"]["jobs"].items():
            try:
                resolved = resolve(job, known)
            except KeyError as missing:
                yield f"{name}, {key}: nothing is known of {missing}"
            else:
                yield from (f"{name}, {key}: {problem}" for problem in job_problems(resolved))


def resolve(value: Any, known: dict[str, Any]) -> Any:
    """With the values of all references. Raises KeyError where there is none."""
    if isinstance(value, dict):
        return {key: resolve(one, known) for key, one in value.items()}
    if isinstance(value, list):
        return [resolve(one, known) for one in value]
    if not isinstance(value, str):
        return value
    if whole := REFERENCE.fullmatch(value):
        return known[whole[1]]
    return REFERENCE.sub(lambda found: str(known[found[1]]), value)


def job_problems(job: dict[str, Any]) -> Iterator[str]:
    try:
        if Job.from_dict(job).as_dict() != job:
            yield "not as Databricks' model writes it"
    except (TypeError, ValueError) as problem:
        yield f"not as Databricks' model has it: {problem}"
        return
    if (job.get("max_concurrent_runs"), job.get("queue")) != (1, {"enabled": True}):
        yield "two runs at once, or a run that is skipped instead of queued"
    clusters = {one["job_cluster_key"] for one in job.get("job_clusters", [])}
    environments = {one["environment_key"] for one in job.get("environments", [])}
    tasks = {one["task_key"] for one in job["tasks"]}
    wheels = [one for of in job.get("environments", []) for one in of["spec"]["dependencies"]]
    for task in job["tasks"]:
        on = (task.get("job_cluster_key"), task.get("environment_key"))
        if on not in [(one, None) for one in clusters] + [(None, one) for one in environments]:
            yield f"{task['task_key']} runs on {on}, and there are {clusters | environments}"
        if not task.get("libraries") and not wheels:
            yield f"{task['task_key']} has no skillsim"
        missing = {one["task_key"] for one in task.get("depends_on", [])} - tasks
        yield from (f"{task['task_key']} depends on {one}, which is no task" for one in missing)
        if not task.get("timeout_seconds") or task.get("max_retries", 0) < 1:
            yield f"{task['task_key']} may hang, or is not tried again"
        if task.get("environment_key") and Path(task["spark_python_task"]["python_file"]).name not in SERVERLESS:
            yield f"{task['task_key']} does not fit serverless"
        yield from command_problems(task["spark_python_task"])


def command_problems(task: dict[str, Any]) -> Iterator[str]:
    path = (BUNDLE.parent / task["python_file"]).resolve()
    if path.parent != ROOT / "jobs" or not path.is_file():
        yield f"no job {task['python_file']}"
        return
    try:
        settings = settings_of(path.stem, task["parameters"])
    except SkillsimError as problem:
        yield f"{path.stem}: {problem}"
        return
    if not settings.output.wait_minutes:
        yield f"{path.stem} fails where it meets another job"


def test_the_bundle_is_right() -> None:
    assert list(problems(TEXT)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("max_retries: 2", "max_retry: 2", "Unexpected field 'max_retry'"),
        ("depends_on:\n            - task_key: normalise_skills", "depends_on:\n            - task_key: norm", "norm,"),
        ("num_workers", "num_worker", "Unexpected field 'num_worker'"),
        ("timeout_seconds: 7200", "timeout_seconds: two hours", "invalid literal"),
        ("timeout_seconds: 7200", 'timeout_seconds: "7200"', "not as Databricks' model writes it"),
        ("performance_target: STANDARD", "performance_target: CHEAP", "CHEAP"),
        ("          environment_key: skillsim", "          environment_key: other", "other"),
        ("          job_cluster_key: skillsim", "          job_cluster_key: other", "other"),
        ("\n          libraries: *libraries", "", "has no skillsim"),
        ("jobs/maintain.py", "jobs/map_skills.py", "does not fit serverless"),
        ("jobs/review.py", "jobs/reviews.py", "no job ../../jobs/reviews.py"),
        ("--sheet=", "--sheets=", "No such option: --sheets"),
        ("              - export\n", "", "no command --output"),
        ("--people=${var.people}", "--floor=.5", "Missing option '--people'"),
        ("--set=input.mode=", "--set=input.modes=", "input.modes"),
        ("default: append", "default: appended", "input.mode"),
        ("default: cluster.toml", "default: clusters.toml", "clusters.toml"),
        ("config: gpu.toml", "config: gpus.toml", "prod_gpu, nightly: normalise_skills: .*gpus.toml"),
        ("${var.people}", "${var.persons}", "variable persons is not declared"),
        ("--people=${var.people}", "--people=cvs", "variable people is not used"),
        ("\n    default: gender", "", "nothing is known of 'var.group'"),
        ("${workspace.file_path}", "${workspace.files}", "nothing is known of 'workspace.files'"),
        ("      config: gpu.toml", "      conf: gpu.toml", "target prod_gpu: variable conf is not declared"),
        ("<<: *prod\n", "<<: {mode: production}\n", "merges an alias only"),
        ("enabled: true", "enabled: false", "skipped instead of queued"),
        ("resources:", "resource:\n  jobs: {}\nresources:", "unknown section resource"),
    ],
)
def test_a_mistake_in_it_is_found(right: str, wrong: str, said: str) -> None:
    assert right in TEXT
    found = list(problems(TEXT.replace(right, wrong)))
    assert any(re.search(said, one) for one in found), found


def test_the_heads_commands_set_every_variable_without_a_default() -> None:
    exported = dict(re.findall(r"BUNDLE_VAR_(\w+)=(\S+)", TEXT))
    declared = yaml.safe_load(TEXT)["variables"]
    assert exported.keys() == {name for name, of in declared.items() if "default" not in of} == GIVEN.keys()


def test_development_is_the_default_and_production_never_starts_by_it() -> None:
    targets = yaml.safe_load(TEXT)["targets"]
    assert {name: (of["mode"], of.get("default", False)) for name, of in targets.items()} == {
        "dev": ("development", True),
        "prod": ("production", False),
        "prod_gpu": ("production", False),
    }


@pytest.fixture
def serverless(monkeypatch: pytest.MonkeyPatch) -> Tables:
    """A namespace in a session that refuses settings, as Databricks' serverless compute does with nearly all."""
    session = MagicMock()
    session.catalog.tableExists.return_value = False
    session.conf.set.side_effect = session.conf.get.side_effect = PermissionError("CONFIG_NOT_AVAILABLE")
    return Tables(session, "main.skills")


def test_maintenance_with_the_default_retention_needs_no_setting(serverless: Tables) -> None:
    serverless.vacuum(TEXTS, 168)
    with pytest.raises(PermissionError):
        serverless.vacuum(TEXTS, 167)
