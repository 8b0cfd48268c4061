"""Spark Connect on loopback: the jobs from a client that has no Java, so no SparkContext either."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skillsim.model_files import resolve_model
from skillsim.schemas import MENTIONS
from skillsim.spark.session import CATALOG, EXTENSION
from tests.platforms.processes import SPARK, can_hide, hiding, job, printed, running
from tests.spark.identity import assert_same_rows, assert_same_tables, read

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.delta]

DELTA = {"spark.sql.extensions": EXTENSION, "spark.sql.catalog.spark_catalog": CATALOG}
Job = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def connect_server(folder: Path, conf: dict[str, str], hidden: Path | None = None) -> Iterator[str]:
    """Its address. `hidden`: a folder that is empty for the server, as one on another machine's disk would be."""
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": "0",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
        **conf,
    }
    given = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    server = "org.apache.spark.sql.connect.service.SparkConnectServer"
    submit = [str(SPARK / "bin" / "spark-submit"), "--master", "local[2]", "--class", server, *given, "spark-internal"]
    command = hiding(hidden, *submit) if hidden else submit
    ours = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "XDG_CACHE_HOME": str(folder / "cache")}
    env = {**os.environ, **ours}
    ready = r"Spark Connect server started at: .*?:(\d+)"
    with running(command, folder / "server.log", ready, env, folder) as port:
        yield f"sc://127.0.0.1:{port}"


def client(address: str, folder: Path) -> Job:
    """Runs a job on a server, where no Java is to be found."""
    env = {"PATH": "/nowhere", "JAVA_HOME": "/nowhere", "HOME": str(folder)}
    return lambda name, *arguments: job(name, *arguments, "--set", f"spark.master={address}", cwd=folder, env=env)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the client sees and the server does not."""
    if not can_hide():
        pytest.skip("needs the right to mount, to hide a folder from the server")
    return tmp_path_factory.mktemp("hidden")


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Job]:
    folder = tmp_path_factory.mktemp("connect")
    unseen = request.getfixturevalue("hidden") if can_hide() else None
    with connect_server(folder, DELTA, unseen) as address:
        yield client(address, folder)


def test_the_jobs_give_the_tables_of_a_local_run(
    connected: Job, options: list[str], local_run: Path, tmp_path: Path
) -> None:
    root = tmp_path / "out"
    run = ("normalise_skills", *options, "--output", str(root))
    printed(connected(*run))
    assert_same_tables(root, local_run)
    assert (root / "report.html").is_file()
    assert "nothing changed since run" in printed(connected(*run))

    before = read(root, "mentions")
    asked = before["record_id"][0]
    (tmp_path / "ids.csv").write_text(f"source,record_id\ntest,{asked}\n", encoding="utf-8")
    printed(connected("forget", "--records", str(tmp_path / "ids.csv"), "--output", str(root)))
    printed(connected(*run))
    left = before[before["record_id"] != asked].reset_index(drop=True)
    assert_same_rows(read(root, "mentions"), left, MENTIONS)
    printed(connected("maintain", "--output", str(root)))


@pytest.mark.long
def test_a_uri_is_the_servers_and_leased_by_a_row(
    connected: Job, options: list[str], local_run: Path, tmp_path: Path
) -> None:
    root = tmp_path / "out"
    artifacts = f"output.artifacts_path={tmp_path / 'artifacts'}"
    printed(connected("normalise_skills", *options, "--output", f"file:{root}", "--set", artifacts))
    assert_same_tables(root, local_run)
    assert read(root, "leases")["run_id"].tolist() == [None]


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The last line of a job that ended with an error to mend, and no traceback."""
    assert result.returncode == 2, result.stderr[-4000:]
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        line = refused(client(f"sc://127.0.0.1:{port}/;token=secret", tmp_path)("maintain", "--output", "out"))
    assert line.startswith(f"error: no Spark Connect server answers at 127.0.0.1:{port}")
    assert "secret" not in line


def test_a_server_without_delta_is_told_what_it_lacks(tmp_path: Path) -> None:
    with connect_server(tmp_path, {}) as address:
        line = refused(client(address, tmp_path)("maintain", "--output", "out"))
    assert line.startswith("error: the Spark Connect server lacks Delta Lake")


def test_an_output_that_the_server_does_not_see_is_refused(connected: Job, options: list[str], hidden: Path) -> None:
    line = refused(connected("normalise_skills", *options, "--output", str(hidden / "out")))
    assert line.startswith(f"error: --output {hidden / 'out'} is on this machine's disk")


def test_what_an_executor_lacks_is_one_line(connected: Job, options: list[str], hidden: Path, tmp_path: Path) -> None:
    model = shutil.copytree(resolve_model("builtin").path, hidden / "model")
    output = ("--output", str(tmp_path / "out"), "--set", f"encoder.model={model}")
    assert f"encoder.model '{model}'" in refused(connected("normalise_skills", *options, *output))
