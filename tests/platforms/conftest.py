"""The input of every platform's test, and what a run on one machine makes of it."""

from pathlib import Path

import pytest

from tests.platforms.processes import job, printed
from tests.spark.conftest import SAMPLE

RECORDS = 100


@pytest.fixture(scope="session")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options of the job, less its output: some records of the sample."""
    lines = (SAMPLE / "records.csv").read_text(encoding="utf-8").splitlines(keepends=True)[:RECORDS]
    records = tmp_path_factory.mktemp("input") / "records.csv"
    records.write_text("".join(lines), encoding="utf-8")
    settings = ["--set", "input.source=test", "--set", "input.separators=default"]
    return ["--input", str(records), "--taxonomy", str(SAMPLE / "taxonomy"), *settings]


@pytest.fixture(scope="session")
def local_run(options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the output of a session on one machine."""
    folder = tmp_path_factory.mktemp("local")
    printed(job("normalise_skills", *options, "--output", "out", cwd=folder))
    return folder / "out"
