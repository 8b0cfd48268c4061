"""Servers and jobs as processes of their own: each wait has a deadline, and every server ends with its test."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyspark

ROOT = Path(__file__).parents[2]
SPARK = Path(pyspark.__file__).parent
START_S = 120
# A server goes with its test even where that is killed.
_TIED = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
JOB_S = 600


@contextmanager
def running(command: Sequence[str], log: Path, ready: str, env: Mapping[str, str], cwd: Path) -> Iterator[str]:
    """A server in a process group of its own, from the moment that its log matches `ready`: that pattern's group."""
    with log.open("w") as out:
        process = subprocess.Popen(
            [*_TIED, *command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield _wait_for(process, log, ready)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _wait_for(process: subprocess.Popen[bytes], log: Path, ready: str) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        found = re.search(ready, log.read_text(errors="replace"))
        if found:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.2)
    raise AssertionError(f"{process.args} did not start:\n{log.read_text(errors='replace')[-3000:]}")


def job(
    name: str, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`python jobs/NAME.py ARGUMENTS`."""
    command = [sys.executable, str(ROOT / "jobs" / f"{name}.py"), *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=JOB_S, check=False)


def printed(result: subprocess.CompletedProcess[str]) -> str:
    """By a job that succeeded."""
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    return result.stdout


def can_hide() -> bool:
    return subprocess.run(hiding(Path("/mnt"), "true"), capture_output=True, check=False).returncode == 0


def hiding(folder: Path, *command: str) -> list[str]:
    """The command with another view of the disk, in which this folder is empty."""
    return ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(folder), *command]
