"""Jobs in this process and in the session of the Spark tests, whose fixtures they share."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from skillsim.spark.job import run_job
from tests.spark.conftest import clustered, continued, finished, job, once, records, spark  # noqa: F401


class Ended(NamedTuple):
    """What a job leaves behind on the command line."""

    code: object
    out: str
    err: str


@pytest.fixture
def submit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a job's `main` with arguments: `submit(main, "--output", root)`."""
    # It would take pytest's own log handlers away.
    monkeypatch.setattr("skillsim.spark.job.start_logging", lambda: None)

    def run(main: Callable[..., None], *arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["job", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        try:
            run_job(main)
        except SystemExit as ended:
            code = ended.code
        return Ended(code, *capsys.readouterr())

    return run
