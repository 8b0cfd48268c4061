"""One Spark session for all tests, and one finished run on the first records of the sample."""

import csv
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest
from filelock import FileLock
from pyspark.sql import SparkSession

from skillsim.config import Config, SparkConfig, load_config
from skillsim.spark.pipeline import Pipeline
from skillsim.spark.plan import plan_run
from skillsim.spark.runs import Summary
from skillsim.spark.session import get_session

CLUSTERS_ON = "clusters.decision=auto"
SAMPLE = Path(str(files("skillsim") / "data" / "sample"))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    warehouse = tmp_path_factory.mktemp("warehouse")
    conf = {
        "spark.sql.warehouse.dir": str(warehouse),
        "spark.sql.shuffle.partitions": "1",
        "spark.databricks.delta.snapshotPartitions": "1",
        # Compiling each plan takes a third of the time here; the job tests run compiled ones.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    session = get_session(SparkConfig(master="local[2]", conf=conf), "skillsim tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def records() -> list[str]:
    return (SAMPLE / "records.csv").read_text(encoding="utf-8").splitlines(keepends=True)


@dataclass(frozen=True)
class Run:
    """A finished run: its tables are under `root`."""

    summary: Summary
    config: Config
    root: Path


def stage_rows(run: Run, name: str) -> int:
    """How many rows a stage found to do."""
    return next(stage["rows_in"] for stage in run.summary.stages if stage["stage"] == name)


@pytest.fixture(scope="session")
def job(spark: SparkSession) -> Callable[..., Run]:
    """Run the job on CSV lines: `job(root, lines, "linking.threshold=0.9")`; without clusters unless it is told."""

    def run(root: Path, lines: list[str], *assignments: str) -> Run:
        root.parent.mkdir(exist_ok=True)
        source = root.with_suffix(".csv")
        source.write_text("".join(lines), encoding="utf-8")
        paths = [f"input.path={source}", f"taxonomy.path={SAMPLE / 'taxonomy'}", f"output.root={root}"]
        plain = ["input.source=test", "input.separators=default", "clusters.decision=none"]
        config = load_config(None, [*plain, *paths, *assignments])
        return Run(Pipeline(spark, plan_run(config)).run(), config, root)

    return run


@pytest.fixture(scope="session")
def once(job: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Run the job once for all processes that test: `once("name", lines, ...)`."""
    of_process = tmp_path_factory.getbasetemp()
    folder = of_process.parent if "PYTEST_XDIST_WORKER" in os.environ else of_process

    def run(name: str, lines: list[str], *assignments: str) -> Run:
        told = folder / f"{name}.pickle"
        with FileLock(folder / f"{name}.lock"):
            if not told.is_file():
                shutil.rmtree(folder / name, ignore_errors=True)
                told.write_bytes(pickle.dumps(job(folder / name / "out", lines, *assignments)))
            return pickle.loads(told.read_bytes())

    return run


@pytest.fixture(scope="session")
def finished(once: Callable[..., Run], records: list[str]) -> Run:
    """A run on 200 records that tests read and copy, and never change."""
    return once("finished", records[:200])


@pytest.fixture(scope="session")
def clustered(once: Callable[..., Run], records: list[str]) -> Run:
    """As `finished`, with clusters."""
    return once("clustered", records[:200], CLUSTERS_ON)


@pytest.fixture
def continued(finished: Run, tmp_path: Path) -> Path:
    """A copy of the finished run's folder, to go on from."""
    return Path(shutil.copytree(finished.root, tmp_path / "continued"))


@pytest.fixture(scope="session")
def changed_records(records: list[str]) -> list[str]:
    """The finished run's input a day later: one record shrunk, one edited, ten new, all in another order."""
    ids = [next(csv.reader([line]))[0] for line in records[:2]]
    return [*records[195:210], f"{ids[0]},welding\n", f"{ids[1]},Java;Python,first aid,1999\n", *records[2:195]]


@pytest.fixture(scope="session")
def fresh(once: Callable[..., Run], changed_records: list[str]) -> Run:
    """The changed input in one run, from nothing."""
    return once("fresh", changed_records)
