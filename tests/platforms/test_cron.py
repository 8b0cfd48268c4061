"""The README's script for cron: its commands are what the jobs take."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from skillsim.errors import ConfigError
from tests.platforms.commands import settings_of
from tests.platforms.processes import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
[SCRIPT] = re.findall(r"```sh\n(#!/bin/sh.*?)```", README, re.DOTALL)


def check(script: str) -> None:
    commands = re.findall(
        r"spark-submit jobs/(\w+)\.py (.*?)(?: && break)?$", script.replace("\\\n", " "), re.MULTILINE
    )
    settings = {job: settings_of(job, shlex.split(options)) for job, options in commands}
    assert list(settings) == ["normalise_skills", "maintain"]
    assert {(one.output.root, one.output.wait_minutes) for one in settings.values()} == {("/data/skills", 60)}


def test_the_scripts_commands_are_what_the_jobs_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    check(SCRIPT)
    with pytest.raises(ConfigError, match="--inputs"):
        check(SCRIPT.replace("--input ", "--inputs "))


@pytest.mark.parametrize(
    ("exits", "day", "code", "ran"),
    [
        ("0", "7", 0, ["normalise_skills", "maintain"]),
        ("0", "6", 0, ["normalise_skills"]),
        ("1 0", "6", 0, ["normalise_skills"] * 2),
        ("1 1 1", "7", 1, ["normalise_skills"] * 3),
        ("2", "7", 1, ["normalise_skills"]),
    ],
)
def test_the_script_tries_again_what_may_mend_and_maintains_on_sundays(
    exits: str, day: str, code: int, ran: list[str], tmp_path: Path
) -> None:
    stand_ins = f"""
        cd() {{ :; }}; sleep() {{ :; }}
        date() {{ case $1 in +%u) echo {day};; *) echo 2026-12-01;; esac; }}
        spark-submit() {{
            echo "$1" >> "{tmp_path}/ran"
            case $1 in *maintain*) return 0;; esac
            set -- {exits}; shift $(($(wc -l < "{tmp_path}/ran") - 1)); return $1
        }}
    """
    script = SCRIPT.replace("#!/bin/sh -e\n", stand_ins).replace(". .venv/bin/activate\n", "")
    result = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (code, "")
    assert re.findall(r"jobs/(\w+)\.py", (tmp_path / "ran").read_text()) == ran
