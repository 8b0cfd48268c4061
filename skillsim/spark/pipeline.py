"""The main job, stage by stage.

Each stage does only what is not done yet: first run, rerun, recovery and daily increment are this one path.
"""

import logging
import uuid
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.artifacts import is_artifact
from skillsim.errors import ConfigError, PlatformError, TablesError
from skillsim.lexicon import Lexicon
from skillsim.linking import OF_THE_RUN, ConceptNames
from skillsim.memory import memory_name
from skillsim.overrides import Override, overrides_id
from skillsim.report import write_report
from skillsim.retrieval import index_id
from skillsim.schemas import (
    CANDIDATES,
    CONCEPTS,
    EMBEDDINGS,
    LABELS,
    LINKS,
    MENTIONS,
    NORMALISED_SKILLS,
    OCCUPATIONS,
    RELATIONS,
    TEXTS,
    Table,
)
from skillsim.spark.balance import balance
from skillsim.spark.embeddings import embed, missing_embeddings, retryable
from skillsim.spark.lease import writer_lease
from skillsim.spark.linking import NORMALISE_VERSION, decidable, decide_links, normalise, undecided
from skillsim.spark.memory import build_memory, lexicon_texts
from skillsim.spark.mentions import store_mentions, warn_of_old_rules
from skillsim.spark.migrations import migrate
from skillsim.spark.overrides import in_force, overrides_by_source, overrides_by_text, read_overrides
from skillsim.spark.paths import is_uri
from skillsim.spark.plan import Plan
from skillsim.spark.progress import Progress
from skillsim.spark.records import read_records
from skillsim.spark.report import collect_report
from skillsim.spark.retrieval import artifact_address, build_label_index, missing_candidates, retrieve
from skillsim.spark.runs import Summary, finished_like_this, record_run, table_versions
from skillsim.spark.slices import run_in_slices
from skillsim.spark.tables import Tables
from skillsim.spark.taxonomy import store_taxonomy, taxonomy_rows
from skillsim.spark.texts import add_new_texts, remove_orphans

log = logging.getLogger(__name__)


class Pipeline:
    """One run over one namespace. Everything that can be refused is refused before anything is written."""

    def __init__(self, spark: SparkSession, plan: Plan) -> None:
        self._spark = spark
        self._config, self._bundle, self._ids = plan.config, plan.bundle, plan.ids
        self._decider, self._lexicon = plan.decider, plan.lexicon
        self._started = datetime.now(UTC)
        self._run_id = f"{self._started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        self._records = read_records(spark, plan.config.input)
        self._tables = Tables(spark, plan.config.output.root)
        self._index = self._address(index_id(plan.ids.taxonomy_id, plan.ids.model_id))
        self._memory = self._address(memory_name(plan.ids.taxonomy_id, plan.ids.model_id, plan.ids.lexicon_id))
        is_artifact(self._index)  # raises where it cannot be reached
        self._progress = Progress()
        self._one_model = {"model_id": plan.ids.model_id}
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
            self._overrides = read_overrides(self._tables)
            self._ids = replace(self._ids, overrides_id=overrides_id(self._overrides))
            new_records = self._split_records()
            if not new_records and self._report_stands() and not retryable(self._embeddings(), self._texts()):
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
        self._store_taxonomy()
        self._collect_texts()
        self._embed_texts()
        self._retrieve_candidates()
        self._decide_links()
        self._normalise_mentions()
        statuses = self._balance()
        self._write_report()
        return statuses

    def _split_records(self) -> int:
        """How many records are new, changed or removed."""
        with self._progress.stage("mentions") as stage:
            stamp = {
                "source": F.lit(self._config.input.source),
                "run_id": F.lit(self._run_id),
                "ingested_at": F.lit(self._started).cast("timestamp"),
            }
            tasks = self._config.spark.rows_per_task
            changed = store_mentions(self._tables, self._records, self._config.input, stamp, tasks, stage)
            if changed:
                warn_of_old_rules(self._tables.read(MENTIONS), self._config.input.source)
            return changed

    def _store_taxonomy(self) -> None:
        with self._progress.stage("taxonomy") as stage:
            store_taxonomy(self._spark, self._tables, self._bundle)
            stage.rows_in = stage.rows_out = self._taxonomy(CONCEPTS).count()

    def _collect_texts(self) -> None:
        with self._progress.stage("texts") as stage:
            stage.rows_in = stage.rows_out = add_new_texts(self._tables)
            removed = remove_orphans(self._tables, self._voters())
        if removed:
            log.info("texts: %s that no mention holds any more are removed from all tables", f"{removed:,}")

    def _embed_texts(self) -> None:
        with self._progress.stage("embeddings") as stage:
            run_in_slices(
                missing_embeddings(self._texts(), self._embeddings()),
                lambda part: embed(part, self._config.encoder, self._ids.model_id),
                self._tables,
                EMBEDDINGS,
                self._one_model,
                self._config.spark,
                stage,
            )

    def _retrieve_candidates(self) -> None:
        with self._progress.stage("label index") as stage:
            labels = self._taxonomy(LABELS)
            stage.rows_in = stage.rows_out = labels.count()
            lacking = retryable(self._embeddings(), labels)
            if lacking:
                raise PlatformError(
                    f"{lacking} labels of the taxonomy have no vector, as the device failed: run again, with a smaller "
                    "encoder.batch_tokens if its memory is short."
                )
            tables = (
                self._taxonomy(CONCEPTS),
                labels,
                self._taxonomy(RELATIONS),
                self._taxonomy(OCCUPATIONS),
            )
            build_label_index(self._index, *tables, self._embeddings())
        with self._progress.stage("candidates") as stage:
            run_in_slices(
                missing_candidates(self._tables.read(TEXTS), self._embeddings(), self._candidates()),
                lambda part: retrieve(part, self._index, self._config.retrieval.top_k),
                self._tables,
                CANDIDATES,
                {**self._one_link, "retrieval_id": self._ids.retrieval_id},
                self._config.spark,
                stage,
            )

    def _decide_links(self) -> None:
        """All texts again, in one commit, when any of them is undecided."""
        with self._progress.stage("links") as stage:
            texts = decidable(self._tables.read(TEXTS), self._embeddings(), self._candidates())
            decisive = ("retrieval_id", "decider_id", "lexicon_id", "overrides_id")
            ids = {name: getattr(self._ids, name) for name in decisive}
            stage.rows_in = undecided(texts, self._links(), ids).count()
            if not stage.rows_in:
                return
            lexicon = self._known_lexicon()
            memory = self._memory if self._decider.calibrated else None
            if memory:
                build_memory(self._spark, memory, lexicon, self._embeddings())
            overrides = overrides_by_text(self._spark, self._in_force)
            links = decide_links(texts, overrides, lexicon, self._decider, self._index, memory)
            constants = {**self._one_link, **ids, "run_id": self._run_id}
            links = links.withColumns({name: F.lit(constants[name]) for name in OF_THE_RUN})
            self._tables.replace(LINKS, links, self._one_link)
            stage.rows_out = self._links().count()

    def _known_lexicon(self) -> Lexicon:
        """As far as the taxonomy has its concepts; what it lacks is counted and logged."""
        known, missing = self._lexicon.within(self._names.of)
        log.info("lexicon: %d of its %d entries hold for this taxonomy", len(known.entries), len(self._lexicon.entries))
        if missing:
            shown = ", ".join(f"{entry.string!r} ({uri})" for entry, uri in missing[:3])
            log.info("lexicon: %d of its links are to concepts this taxonomy lacks, as %s", len(missing), shown)
        return known

    @cached_property
    def _names(self) -> ConceptNames:
        columns = ("concept_uri", "preferred_label", "group_uri", "group_label")
        return ConceptNames.from_table(self._taxonomy(CONCEPTS).select(*columns).toArrow())

    @cached_property
    def _in_force(self) -> list[Override]:
        return in_force(self._overrides, self._names.of)

    def _normalise_mentions(self) -> None:
        with self._progress.stage("normalised") as stage:
            states = {table.name: self._tables.state(table) for table in (MENTIONS, LINKS)}
            of_run = {"overrides": self._ids.overrides_id, "rules": str(NORMALISE_VERSION)}
            built_from = {**states, **self._one_link, **of_run}
            if self._tables.built_from(NORMALISED_SKILLS) == built_from:
                return
            mentions = self._tables.read(MENTIONS)
            stage.rows_in = mentions.count()
            overrides = overrides_by_source(self._spark, self._in_force, self._names)
            skills = normalise(mentions, self._links(), overrides, self._run_id)
            self._tables.sync(NORMALISED_SKILLS, skills, built_from)
            stage.rows_out = self._tables.read(NORMALISED_SKILLS).count()

    def _balance(self) -> dict[str, int]:
        with self._progress.stage("balance") as stage:
            return balance(self._tables, self._links(), stage)

    def _write_report(self) -> None:
        """Beside the tables, where those are in a folder; a catalog has no place for a file."""
        if not self._tables.is_local:
            log.info("report: not written, %s is not a local folder", self._tables.root)
            return
        with self._progress.stage("report") as stage:
            facts = {
                "run": self._run_id,
                "taxonomy": f"{self._bundle.version} ({self._bundle.language})",
                "model": self._ids.model_id,
                "decision": f"{self._ids.decider_id}, threshold {self._decider.threshold:g}",
            }
            data = collect_report(
                self._tables.read(NORMALISED_SKILLS),
                self._links(),
                facts,
                tuple(asdict(s) for s in self._progress.stages[:-1]),
                self._config.report.min_records,
                self._config.report.top,
            )
            stage.rows_in = stage.rows_out = data.mentions
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

    def _address(self, artifact: str) -> str:
        base = self._config.output.artifacts_path
        if not base and not self._tables.is_local and not is_uri(self._tables.root):
            raise ConfigError(
                f"--output {self._tables.root} is in a catalog: set output.artifacts_path to a folder or URI that "
                "driver and executors share (a volume, a mount, an object store), for the label index."
            )
        return artifact_address(self._spark, base or f"{self._tables.root}/artifacts", artifact)

    def _taxonomy(self, table: Table) -> DataFrame:
        return taxonomy_rows(self._tables, table, self._ids.taxonomy_id)

    def _texts(self) -> DataFrame:
        """Those of mentions, labels and, where it votes, the lexicon: what is in several of them is embedded once."""
        texts = self._tables.read(TEXTS).unionByName(self._taxonomy(LABELS).select("text_key", "text"))
        voters = self._voters()
        if voters is not None:
            texts = texts.unionByName(voters)
        return texts.dropDuplicates(["text_key"])

    def _voters(self) -> DataFrame | None:
        """The lexicon's strings, where the decision has a memory."""
        return lexicon_texts(self._spark, self._lexicon) if self._decider.calibrated else None

    def _embeddings(self) -> DataFrame:
        return self._tables.read(EMBEDDINGS).where(F.col("model_id") == self._ids.model_id)

    def _candidates(self) -> DataFrame:
        return self._linked(CANDIDATES).where(F.col("retrieval_id") == self._ids.retrieval_id)

    def _links(self) -> DataFrame:
        return self._linked(LINKS)

    def _linked(self, table: Table) -> DataFrame:
        one = (F.col("model_id") == self._ids.model_id) & (F.col("taxonomy_id") == self._ids.taxonomy_id)
        return self._tables.read(table).where(one)
