"""The run record: what a run was made of, what it did, and whether another like it would change anything."""

import hashlib
import json
import platform
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from skillsim.config import Config, ReportConfig
from skillsim.errors import TablesError
from skillsim.overrides import NO_OVERRIDES
from skillsim.schemas import (
    CANDIDATES,
    CLUSTER_MEMBERS,
    CLUSTERS,
    EMBEDDINGS,
    LINK_CHANGES,
    LINKS,
    MENTIONS,
    NORMALISED_SKILLS,
    PAIRS,
    RUNS,
    TEXTS,
)
from skillsim.spark.progress import Stage
from skillsim.spark.sql import spark_schema
from skillsim.spark.tables import Tables

_VERSIONED = ("skillsim", "pyspark", "delta-spark", "torch", "sentence-transformers", "pyarrow", "numpy")
NO_CLUSTERS = "none"
RUNS_SHOWN = 20  # by the report
# A run's outcome is a function of these tables and its ids.
_DECISIVE = (
    MENTIONS,
    TEXTS,
    EMBEDDINGS,
    CANDIDATES,
    PAIRS,
    CLUSTER_MEMBERS,
    LINKS,
    LINK_CHANGES,
    NORMALISED_SKILLS,
    CLUSTERS,
)


def new_run_id(at: datetime) -> str:
    """Sorts by time; no two are alike."""
    return f"{at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class RunIds:
    """What decides the tables' content beside the records."""

    source: str
    taxonomy_id: str
    model_id: str
    retrieval_id: str
    decider_id: str
    lexicon_id: str
    clusters_id: str
    overrides_id: str = NO_OVERRIDES  # known once the tables are open


@dataclass(frozen=True)
class Summary:
    """What a run says when it ends. `statuses`: mentions by status, over the whole namespace."""

    run_id: str
    root: str
    ids: RunIds
    stages: tuple[dict[str, Any], ...]
    statuses: dict[str, int]
    unchanged_since: str | None = field(default=None)  # the last run like this one, when there was nothing to do


@dataclass(frozen=True)
class MadeRun:
    """A run that made the tables, for the report."""

    run_id: str
    started_at: datetime
    ids: RunIds
    stages: tuple[dict[str, Any], ...]
    threshold: float | None  # None where only the decision knows it


def table_versions(tables: Tables) -> dict[str, int]:
    with ThreadPoolExecutor() as pool:  # each waits for a small Spark job
        return dict(zip((table.name for table in _DECISIVE), pool.map(tables.version, _DECISIVE), strict=True))


def finished_like_this(
    tables: Tables, ids: RunIds, report: ReportConfig, versions: dict[str, int]
) -> dict[str, Any] | None:
    """The last successful run (run_id, statuses) when its ids and report are these and no table has moved since."""
    last = last_success(tables, "run_id", "statuses", "table_versions", "config", *asdict(ids))
    if last is None or last["table_versions"] != versions:
        return None
    if any(last[name] != value for name, value in asdict(ids).items() if name != "source"):
        return None
    if json.loads(last["config"])["report"] != report.model_dump():
        return None
    return {"run_id": last["run_id"], "statuses": last["statuses"]}


def last_success(tables: Tables, *columns: str) -> Row | None:
    """These columns of the last run that succeeded."""
    succeeded = tables.read(RUNS).where(F.col("outcome") == "succeeded")
    return succeeded.orderBy(F.desc("finished_at")).select(*columns).first()


def _made(tables: Tables) -> DataFrame:
    """Runs that ended well and had something to do."""
    did_all = F.exists("stages", lambda one: one["stage"] == "balance")
    return tables.read(RUNS).where((F.col("outcome") == "succeeded") & did_all)


def last_made(tables: Tables) -> MadeRun:
    """Raises TablesError where no run has ended yet."""
    row = _made(tables).orderBy(F.desc("finished_at")).first()
    if row is None:
        raise TablesError(f"{tables.root} has no finished run: run jobs/normalise_skills.py there first.")
    ids = RunIds(**{one.name: row[one.name] for one in fields(RunIds)})
    stages = tuple(one.asDict() for one in row["stages"])
    threshold = json.loads(row["config"])["linking"]["threshold"]
    return MadeRun(row["run_id"], row["started_at"].astimezone(UTC), ids, stages, threshold)


def runs_before(tables: Tables, run_id: str) -> list[tuple[datetime, dict[str, int]]]:
    """Of the runs that ended before the last one or the one that is under way: when they started, and mentions by
    status; the oldest first."""
    before = _made(tables).where(F.col("run_id") != run_id)
    rows = before.orderBy(F.desc("finished_at")).limit(RUNS_SHOWN).select("started_at", "statuses").collect()
    return [(row["started_at"].astimezone(UTC), row["statuses"]) for row in reversed(rows)]


def _version_of(library: str) -> str:
    """As installed by pip; a cluster may bring Spark and Delta otherwise."""
    try:
        return version(library)
    except PackageNotFoundError:
        return "not a pip package"


def record_run(
    spark: SparkSession,
    tables: Tables,
    config: Config,
    run_id: str,
    ids: RunIds,
    started: datetime,
    stages: Sequence[Stage],
    statuses: dict[str, int],
    versions: dict[str, int],
    error: str | None = None,
) -> None:
    """Append the run's row. Its fingerprint covers configuration, ids and library versions."""
    settings = config.model_dump_json(exclude={"spark": {"conf"}})
    libraries = {name: _version_of(name) for name in _VERSIONED} | {"python": platform.python_version()}
    identity = json.dumps([settings, asdict(ids), libraries], sort_keys=True)
    row = {
        "run_id": run_id,
        "started_at": started,
        "finished_at": datetime.now(UTC),
        "outcome": "failed" if error else "succeeded",
        "error": error,
        "fingerprint": hashlib.sha256(identity.encode()).hexdigest()[:32],
        **asdict(ids),
        "stages": [asdict(stage) for stage in stages],
        "statuses": statuses,
        "table_versions": versions,
        "config": settings,
        "versions": libraries,
    }
    tables.append(RUNS, spark.createDataFrame([row], spark_schema(RUNS)))
