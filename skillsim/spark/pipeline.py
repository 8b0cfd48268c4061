"""The main job, stage by stage.

Each stage does only what is not done yet: first run, rerun, recovery and daily increment are this one path.
"""

import logging
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from skillsim.errors import TablesError
from skillsim.report import write_report
from skillsim.schemas import CLUSTER_MEMBERS, CLUSTERS, CONCEPTS, DUPLICATES, LINKS, MENTIONS, NORMALISED_SKILLS
from skillsim.spark.balance import balance
from skillsim.spark.cluster_tables import describe_clusters, gather
from skillsim.spark.embeddings import retryable
from skillsim.spark.lease import writer_lease
from skillsim.spark.linkage import Linkage
from skillsim.spark.linking import NORMALISE_VERSION, normalise
from skillsim.spark.mentions import store_mentions, warn_of_old_rules
from skillsim.spark.migrations import migrate
from skillsim.spark.overrides import overrides_by_source, scattered_now
from skillsim.spark.plan import Plan
from skillsim.spark.progress import Progress
from skillsim.spark.records import read_records
from skillsim.spark.report import collect_report
from skillsim.spark.runs import MadeRun, Summary, finished_like_this, new_run_id, record_run, table_versions
from skillsim.spark.tables import Tables
from skillsim.spark.texts import add_new_texts, remove_orphans

log = logging.getLogger(__name__)


class Pipeline:
    """One run over one namespace. Everything that can be refused is refused before anything is written."""

    def __init__(self, spark: SparkSession, plan: Plan) -> None:
        self._spark = spark
        self._config, self._bundle, self._ids = plan.config, plan.bundle, plan.ids
        self._decider, self._gathering = plan.decider, plan.gathering
        self._started = datetime.now(UTC)
        self._run_id = new_run_id(self._started)
        self._records = read_records(spark, plan.config.input)
        self._tables = Tables(spark, plan.config.output.root)
        if self._tables.exists(DUPLICATES):
            raise TablesError(
                f"--output {self._tables.root} is jobs/deduplicate_skills.py's. Give a folder of its own."
            )
        self._progress = Progress()
        self._linkage = Linkage(spark, self._tables, plan, self._run_id, self._progress)
        self._one_link = {"taxonomy_id": plan.ids.taxonomy_id, "model_id": plan.ids.model_id}

    def run(self) -> Summary:
        """All stages, the balance, the report and the run's row; a failure is recorded too, and raised.

        Raises LeaseError when another run writes to the namespace.
        """
        with writer_lease(self._spark, self._tables, self._run_id, self._config.output.wait_minutes):
            return self._run()

    def _run(self) -> Summary:
        log.info("run %s into %s", self._run_id, self._tables.root)
        earlier: dict[str, Any] | None = None
        try:
            migrate(self._tables)
            self._ids = self._linkage.ids
            new_records = self._split_records()
            vectors = self._linkage.embeddings()
            if not new_records and self._report_stands() and not retryable(vectors, self._linkage.texts()):
                versions = table_versions(self._tables)
                earlier = finished_like_this(self._tables, self._ids, self._config.report, versions)
            if earlier:
                log.info("nothing changed since run %s: its tables and report stand", earlier["run_id"])
                statuses = earlier["statuses"]
            else:
                statuses = self._remake()
                versions = table_versions(self._tables)
            self._record(statuses, versions)
        except BaseException as error:
            self._record_failure(error)
            raise
        finally:
            self._clear_staging()
        stages = tuple(asdict(stage) for stage in self._progress.stages)
        unchanged_since = earlier["run_id"] if earlier else None
        return Summary(self._run_id, self._tables.root, self._ids, stages, statuses, unchanged_since)

    def _clear_staging(self) -> None:
        try:
            self._tables.clear_staging()
        except TablesError as problem:
            log.warning("%s", problem)

    def _remake(self) -> dict[str, int]:
        """Everything after the mentions; returns the mentions by status."""
        self._linkage.store_taxonomy()
        self._collect_texts()
        self._linkage.retrieve()
        self._gather_texts()
        self._linkage.link()
        self._normalise_mentions()
        self._describe_clusters()
        statuses = self._balance()
        self._write_report()
        return statuses

    def _split_records(self) -> int:
        """How many records are new, changed or removed."""
        with self._progress.stage("mentions") as stage:
            of = self._config, self._run_id, self._started
            changed = store_mentions(self._tables, self._records, *of, stage)
            if changed:
                warn_of_old_rules(self._tables.read(MENTIONS), self._config.input.source)
            return changed

    def _collect_texts(self) -> None:
        with self._progress.stage("texts") as stage:
            stage.rows_in = stage.rows_out = add_new_texts(self._tables)
            removed = remove_orphans(self._tables, self._linkage.voters())
        if removed:
            log.info("texts: %s that no mention holds any more are removed from all tables", f"{removed:,}")

    def _gather_texts(self) -> None:
        """Similar texts in clusters."""
        if self._gathering:
            of = self._gathering, self._config.spark, self._run_id, self._started
            gather(self._tables, self._linkage.comparable, *of, self._progress)

    def _describe_clusters(self) -> None:
        if self._gathering is None:
            self._tables.clear(CLUSTERS)  # it would go stale, and name what is forgotten meanwhile
            return
        with self._progress.stage("clusters") as stage:
            of_texts = self._linkage.links(), self._linkage.candidates(), self._linkage.taxonomy(CONCEPTS)
            of = self._ids.clusters_id, self._run_id
            stage.rows_in, stage.rows_out = describe_clusters(self._tables, *of_texts, *of)
        for line in scattered_now(self._spark, self._tables, self._linkage.in_force):
            log.warning("override: %s", line)

    def _members(self) -> DataFrame:
        members = self._tables.read(CLUSTER_MEMBERS)
        return members if self._gathering else members.limit(0)

    def _normalise_mentions(self) -> None:
        with self._progress.stage("normalised") as stage:
            states = {table.name: self._tables.state(table) for table in (MENTIONS, LINKS, CLUSTER_MEMBERS)}
            of_all_rows = {**self._one_link, "decider_id": self._ids.decider_id}
            of_run = {"overrides": self._ids.overrides_id, "rules": str(NORMALISE_VERSION)}
            of_run["clusters"] = self._ids.clusters_id
            built_from = {**states, **of_all_rows, **of_run}
            before = self._tables.built_from(NORMALISED_SKILLS)
            if before == built_from:
                return
            mentions = self._tables.read(MENTIONS)
            stage.rows_in = mentions.count()
            overrides = overrides_by_source(self._spark, self._linkage.in_force, self._linkage.names)
            skills = normalise(mentions, self._linkage.links(), self._members(), overrides, self._run_id)
            all_differ = any(before.get(name, value) != value for name, value in of_all_rows.items())
            write = self._tables.rewrite if all_differ else self._tables.sync
            write(NORMALISED_SKILLS, skills, built_from)
            stage.rows_out = self._tables.read(NORMALISED_SKILLS).count()

    def _balance(self) -> dict[str, int]:
        with self._progress.stage("balance") as stage:
            return balance(self._tables, self._linkage.links(), stage)

    def _write_report(self) -> None:
        """Beside the tables, where those are in a folder; a catalog has no place for a file."""
        if not self._tables.is_local:
            log.info("report: not written, %s is not a local folder", self._tables.root)
            return
        with self._progress.stage("report") as stage:
            stages = tuple(asdict(done) for done in self._progress.stages[:-1])
            run = MadeRun(self._run_id, self._started, self._ids, stages, self._decider.threshold)
            data = collect_report(self._tables, run, self._config.report)
            stage.rows_in = stage.rows_out = data.now.mentions
            write_report(data, Path(self._tables.root) / "report.html")

    def _report_stands(self) -> bool:
        return not self._tables.is_local or (Path(self._tables.root) / "report.html").is_file()

    def _record_failure(self, error: BaseException) -> None:
        """Never in the way of the error itself."""
        try:
            self._record({}, {}, f"{type(error).__name__}: {error}"[:2000])
        except Exception as problem:
            log.warning("the failed run is not in the table runs: %s", problem)

    def _record(self, statuses: dict[str, int], versions: dict[str, int], error: str | None = None) -> None:
        record_run(
            self._spark,
            self._tables,
            self._config,
            self._run_id,
            self._ids,
            self._started,
            self._progress.stages,
            statuses,
            versions,
            error,
        )
