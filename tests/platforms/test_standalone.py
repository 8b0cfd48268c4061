"""A standalone cluster on loopback: executors have the packed environment and nothing else of ours.

Its workers belong to another user, start with an empty environment and see no checkout: that folder is empty for them.
"""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from skillsim.spark.java import ensure_java
from skillsim.spark.session import staged_jars
from tests.platforms.processes import JOB_S, ROOT, SPARK, can_hide, hiding, printed, running
from tests.spark.identity import assert_same_tables

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.delta]

USER = "nobody"
LOOPBACK = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
# What torch does not load on a CPU.
GPU_ALONE = ("triton/*", "*/lib/libcudnn_*", "*/lib/libcusolver*", "*/lib/libnvrtc.alt*", "*/lib/libnvperf*")


def as_user(*command: str) -> list[str]:
    """The command as the cluster's user, with an empty environment."""
    user = (f"--reuid={USER}", "--regid=nogroup", "--clear-groups", "--pdeathsig=KILL")
    return ["setpriv", *user, "env", "-i", *command]


def can_run(program: str | Path, *arguments: str) -> bool:
    command = as_user(str(program), *arguments)
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A folder that driver and executors share; pytest's own are closed to other users."""
    if os.getuid() != 0 or not can_hide() or not shutil.which("setpriv"):
        pytest.skip("needs root, setpriv and the right to mount, for workers of another user without the checkout")
    folder = Path(tempfile.mkdtemp(prefix="skillsim-cluster-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def packed(shared: Path) -> Iterator[Path]:
    """The archive of `make pack`, on a base Python that the cluster's user may run."""
    version = "python{}.{}".format(*sys.version_info)
    places = (Path(sys.base_prefix, "bin"), Path("/usr/bin"), Path("/usr/local/bin"))
    python = next((place / version for place in places if can_run(place / version, "-c", "")), None)
    if python is None:
        pytest.skip(f"needs a {version} that other users may run")
    excluded = " ".join(f"--exclude '*/site-packages/{pattern}'" for pattern in GPU_ALONE)
    pack = "build/for-tests/skillsim-env"
    options = [f"PACK={pack}", f"PACK_PYTHON={python}", f"PACK_ARGS=--compress-level 1 {excluded}"]
    subprocess.run(["make", "--silent", "pack", *options], cwd=ROOT, check=True, timeout=JOB_S)
    yield ROOT / f"{pack}.tar.gz"
    shutil.rmtree(ROOT / "build" / "for-tests")


@dataclass(frozen=True)
class Cluster:
    """`home`: that of the user whose processes its executors are."""

    master: str
    home: Path
    work: Path


@pytest.fixture(scope="module")
def cluster(shared: Path) -> Iterator[Cluster]:
    java = ensure_java()
    if not can_run(Path(java, "bin", "java"), "-version"):
        pytest.skip(f"needs a Java that other users may run, not {java}")
    spark, home, work = shared / "spark", shared / "home", shared / "work"
    shutil.copytree(SPARK, spark, ignore=shutil.ignore_patterns("conf", "io.delta_*"))
    for folder in (home, work):
        folder.mkdir()
        shutil.chown(folder, USER)
    env = {"PATH": "/usr/bin:/bin", "JAVA_HOME": java, "SPARK_HOME": str(spark), "SPARK_LOCAL_IP": "127.0.0.1"}
    start = str(spark / "bin" / "spark-class")
    with ExitStack() as servers:
        command = [start, "org.apache.spark.deploy.master.Master", *LOOPBACK]
        ready = r"Starting Spark master at (spark://\S+)"
        master = servers.enter_context(running(command, shared / "master.log", ready, env, shared))
        own = {**env, "HOME": str(home), "SPARK_LOCAL_DIRS": str(work)}
        theirs = [f"{key}={value}" for key, value in own.items()]
        size = ("--cores", "1", "--memory", "2g", "--work-dir", str(work))
        for number in (1, 2):
            worker = as_user(*theirs, start, "org.apache.spark.deploy.worker.Worker", *LOOPBACK, *size, master)
            command = hiding(ROOT, *worker)
            log = shared / f"worker-{number}.log"
            servers.enter_context(running(command, log, "(Successfully registered with master)", env, home))
        yield Cluster(master, home, work)


def test_executors_have_all_from_the_archive(
    cluster: Cluster, packed: Path, shared: Path, options: list[str], local_run: Path
) -> None:
    processes = submit(cluster, packed, shared, options)
    assert_same_tables(shared / "out", local_run)
    assert len({process["cwd"] for process in processes}) == 2
    for process in processes:
        check_origin(process, cluster)


def check_origin(process: dict[str, Any], cluster: Cluster) -> None:
    """Of a Python process that has embedded and linked: code and weights from its archive, the index from its cache."""
    folder, environment = Path(process["cwd"]), process["environment"]
    assert process["uid"] == pwd.getpwnam(USER).pw_uid
    assert environment["HOME"] == str(cluster.home)
    assert folder.is_relative_to(cluster.work)
    assert not process["sees_the_checkout"]
    assert process["prefix"] == str(folder / "env")
    mapped = {Path(file).name: Path(file) for file in process["mapped"]}
    for file in (Path(process["skillsim"]), mapped["model.safetensors"], mapped["libtorch_cpu.so"]):
        assert file.is_relative_to(folder / "env")
    assert mapped["matrix.npy"].is_relative_to(cluster.home / ".cache" / "skillsim" / "artifacts")
    for ours in (ROOT, Path(sys.prefix), Path.home()):
        assert not any(file.is_relative_to(ours) for file in mapped.values())
        assert not any(str(ours) in value for value in environment.values())


def submit(cluster: Cluster, packed: Path, shared: Path, options: list[str]) -> list[dict[str, Any]]:
    """The job as the README has it; what look_at_executors saw."""
    records = shutil.copy(options[options.index("--input") + 1], shared)
    conf = {
        "spark.pyspark.python": "./env/bin/python",
        "spark.pyspark.driver.python": sys.executable,
        "spark.driver.host": "127.0.0.1",
        "spark.executor.memory": "1g",
        # Tables of two users in one folder: each writes beside the other.
        "spark.hadoop.fs.permissions.umask-mode": "000",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.ui.enabled": "false",
        # Each copy of the archive is two gigabytes and more.
        "spark.files.useFetchCache": "false",
    }
    given = [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]
    jars = ",".join(map(str, staged_jars(SPARK)))
    command = [str(SPARK / "bin" / "spark-submit"), "--master", cluster.master, "--jars", jars]
    command += ["--archives", f"{packed}#env", *given, str(Path(__file__).with_name("look_at_executors.py")), *options]
    command += ["--input", records, "--output", f"file:{shared / 'out'}", "--set", "spark.rows_per_task=100"]
    # Where the driver unpacks the archive, as executors do.
    env = {**os.environ, "SPARK_LOCAL_DIRS": str(shared / "driver")}
    result = subprocess.run(command, cwd=shared, env=env, capture_output=True, text=True, timeout=JOB_S, check=False)
    return json.loads(printed(result).splitlines()[-1])
