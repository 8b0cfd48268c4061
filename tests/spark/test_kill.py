"""Real kills: of the whole job inside each of its stages, and of a Python worker under a stage; then a rerun."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.spark.conftest import CLUSTERS_ON, SAMPLE, Run, stage_rows
from tests.spark.identity import assert_same_tables, read
from tests.spark.test_cluster_tables import check

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.delta]

REPOSITORY = Path(__file__).parents[2]
SLICE = 400
COMMIT = "skillsim.spark.tables:Tables._before_commit"
IN_THE_DRIVER = [
    f"{COMMIT} 1 mentions",
    "skillsim.spark.mentions:warn_of_free_text 1",
    f"{COMMIT} 1 taxonomy_relations",
    f"{COMMIT} 1 texts",
    f"{COMMIT} 2 embeddings",
    "skillsim.ngrams:NgramView.save 1",
    f"{COMMIT} 2 candidates",
    f"{COMMIT} 1 links",
    f"{COMMIT} 1 normalised_skills",
    "skillsim.spark.pipeline:Pipeline._balance 1",
    "skillsim.spark.pipeline:write_report 1",
    f"{COMMIT} 1 runs",
]
WITH_CLUSTERS = [f"{COMMIT} 1 {table}" for table in ("pairs", "cluster_members", "clusters")]
IN_A_WORKER = [
    "skillsim.spark.mentions:split_batch 1",
    "skillsim.spark.worker:encoder 1",
    "skillsim.spark.retrieval:retrieve_batch 1",
    "skillsim.linking:decide 1",
]


@pytest.fixture
def killed_at(records: list[str], tmp_path: Path) -> Callable[..., int]:
    """Run the job as a process of its own, with more settings, kill it or its worker at the barrier; gives the run's
    exit status."""
    root = tmp_path / "out"
    root.with_suffix(".csv").write_text("".join(records[:200]), encoding="utf-8")
    # As the `job` fixture runs it.
    settings = [
        "input.source=test",
        "input.separators=default",
        f"spark.rows_per_slice={SLICE}",
        "spark.master=local[2]",
        "clusters.decision=none",
    ]
    paths = ["--input", f"{root}.csv", "--taxonomy", str(SAMPLE / "taxonomy"), "--output", str(root)]
    command = [sys.executable, "jobs/normalise_skills.py", *paths]

    def run(barrier: str, *more: str) -> int:
        flag = tmp_path / "flag"
        environment = {
            **os.environ,
            "BARRIER": barrier,
            "BARRIER_FLAG": str(flag),
            "PYTHONPATH": str(REPOSITORY / "tests" / "spark" / "barrier"),
        }
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                [*command, *(f"--set={setting}" for setting in (*settings, *more))],
                cwd=REPOSITORY,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                _wait_for(flag, process)
                if barrier.startswith("worker"):
                    os.kill(int(flag.read_text()), signal.SIGKILL)
                    process.wait(timeout=300)
            except AssertionError as error:
                raise AssertionError(f"{error}: {(tmp_path / 'log').read_text()[-3000:]}") from None
            finally:
                status = _kill_all(process)
        flag.unlink()
        return status

    return run


def _kill_all(process: subprocess.Popen[bytes]) -> int:
    """The job with its JVM and Python workers, at a stroke; its exit status."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    for child in children:
        child.kill()
    psutil.wait_procs(children, timeout=30)
    return process.wait()


def _wait_for(flag: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(3000):
        if flag.exists():
            return
        assert process.poll() is None, "the run ended before its barrier"
        time.sleep(0.1)
    raise AssertionError("the barrier was not reached")


def test_a_job_killed_inside_each_stage_is_finished_by_the_next(
    killed_at: Callable[..., int], finished: Run, job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    embedded = []
    for place in IN_THE_DRIVER:
        assert killed_at(f"driver {place}") == -signal.SIGKILL
        if (tmp_path / "out" / "tables" / "embeddings").exists():
            embedded.append(len(read(tmp_path / "out", "embeddings")))
    rerun = job(tmp_path / "out", records[:200])
    assert_same_tables(rerun.root, finished.root)
    # The second slice was embedded and not committed: it alone was embedded again.
    assert stage_rows(finished, "embeddings") - embedded[0] <= 3 * SLICE
    assert embedded[0] >= SLICE * 0.8
    assert embedded[1:] == [stage_rows(finished, "embeddings")] * (len(embedded) - 1)
    assert set(read(rerun.root, "runs")["outcome"]) == {"succeeded"}


@pytest.mark.long
def test_a_job_killed_inside_each_stage_of_clusters_is_finished_by_the_next(
    killed_at: Callable[..., int],
    finished: Run,
    clustered: Run,
    job: Callable[..., Run],
    records: list[str],
    tmp_path: Path,
) -> None:
    shutil.copytree(finished.root, tmp_path / "out")
    for place in WITH_CLUSTERS:
        assert killed_at(f"driver {place}", CLUSTERS_ON) == -signal.SIGKILL
    rerun = job(tmp_path / "out", records[:200], CLUSTERS_ON)
    # An id of a cluster follows from the run that made it: `check` says what it must be.
    assert_same_tables(rerun.root, clustered.root, apart_from=frozenset({"cluster_id"}))
    assert stage_rows(rerun, "pairs") == 0  # they were committed before the second kill
    check(rerun.root)
    columns = {
        "cluster_members": ["text_key", "leader_key"],
        "clusters": ["leader_key", "representative", "mentions", "texts", "status", "concept_uri"],
    }
    for table, named in columns.items():
        one, other = (read(run.root, table)[named].sort_values(named[0]) for run in (rerun, clustered))
        assert one.to_numpy().tolist() == other.to_numpy().tolist(), table
        assert len(one) > 50


def test_a_run_whose_python_worker_is_killed_fails_and_is_finished_by_the_next(
    killed_at: Callable[..., int], finished: Run, job: Callable[..., Run], records: list[str], tmp_path: Path
) -> None:
    for place in IN_A_WORKER:
        assert killed_at(f"worker {place}") == 1
    rerun = job(tmp_path / "out", records[:200])
    assert_same_tables(rerun.root, finished.root)
    assert read(rerun.root, "runs")["outcome"].tolist().count("failed") == len(IN_A_WORKER)
