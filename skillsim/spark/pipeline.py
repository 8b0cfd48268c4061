"""The main job, stage by stage. Each stage does only what is not done: first run, rerun, recovery and daily
increment are this one path."""

import hashlib
import json
import logging
import platform
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.config import Config
from skillsim.encoder import ModelFiles, resolve_model
from skillsim.errors import BalanceError, ConfigError
from skillsim.esco import Bundle, find_bundle
from skillsim.linking import NO_LEXICON, PlainDecider
from skillsim.retrieval import index_id, retrieval_id
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
    RUNS,
    TEXTS,
)
from skillsim.spark.embeddings import embed, missing_embeddings
from skillsim.spark.linking import decidable, decide_links, normalise, undecided
from skillsim.spark.mentions import leftover_positions, new_or_changed, split_records
from skillsim.spark.progress import Progress
from skillsim.spark.records import read_records
from skillsim.spark.retrieval import build_label_index, missing_candidates, retrieve
from skillsim.spark.session import get_session
from skillsim.spark.slices import run_in_slices
from skillsim.spark.tables import Tables, spark_schema
from skillsim.spark.taxonomy import store_taxonomy, taxonomy_rows

log = logging.getLogger(__name__)

_VERSIONED = ("skillsim", "pyspark", "delta-spark", "torch", "sentence-transformers", "pyarrow", "numpy")


@dataclass(frozen=True)
class Summary:
    """What a finished run says: ids, stages and mentions by status, over the whole namespace."""

    run_id: str
    root: str
    taxonomy_id: str
    model_id: str
    decider_id: str
    stages: tuple[dict[str, object], ...]
    statuses: dict[str, int]


class Pipeline:
    """One run over one namespace. Inputs are checked before anything is written."""

    def __init__(self, spark: SparkSession, config: Config) -> None:
        if not config.taxonomy.path:
            raise ConfigError("no taxonomy: give --taxonomy the ESCO zips or their folder (or set taxonomy.path).")
        self._spark = spark
        self._config = config
        self._started = datetime.now(UTC)
        self._run_id = f"{self._started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        self._model: ModelFiles = resolve_model(
            config.encoder.model, config.encoder.precision, config.encoder.prompt, config.encoder.max_length
        )
        self._bundle: Bundle = find_bundle(config.taxonomy.path, config.taxonomy.language, config.taxonomy.version)
        self._decider = PlainDecider(config.linking.threshold, config.linking.nil_threshold)
        self._retrieval_id = retrieval_id(config.retrieval.top_k)
        self._records = read_records(spark, config.input)
        self._tables = Tables(spark, config.output.root)
        self._progress = Progress()
        self._one_model = {"model_id": self._model.model_id}
        self._one_link = {**self._one_model, "taxonomy_id": self._bundle.taxonomy_id}

    def run(self) -> Summary:
        """All stages, then the balance and the run's row; a failure is recorded too, and raised."""
        log.info("run %s into %s", self._run_id, self._tables.root)
        try:
            self._store_taxonomy()
            self._split_records()
            self._collect_texts()
            self._embed_texts()
            self._retrieve_candidates()
            self._decide_links()
            self._normalise_mentions()
            statuses = self._balance()
        except BaseException as error:
            self._record("failed", {}, f"{type(error).__name__}: {error}"[:2000])
            raise
        self._record("succeeded", statuses, None)
        return Summary(
            self._run_id,
            self._tables.root,
            self._bundle.taxonomy_id,
            self._model.model_id,
            self._decider.decider_id,
            tuple(asdict(stage) for stage in self._progress.stages),
            statuses,
        )

    def _store_taxonomy(self) -> None:
        with self._progress.stage("taxonomy") as stage:
            store_taxonomy(self._spark, self._tables, self._bundle)
            stage.rows_out = taxonomy_rows(self._tables, CONCEPTS, self._bundle.taxonomy_id).count()
            stage.rows_in = stage.rows_out

    def _split_records(self) -> None:
        """New and changed records to mentions; one commit."""
        source = self._config.input.source
        with self._progress.stage("mentions") as stage:
            mentions = self._tables.read(MENTIONS)
            fresh = self._tables.stage("records", new_or_changed(self._records, mentions, source))
            stage.rows_in = fresh.count()
            if not stage.rows_in:
                return
            log.info("%-12s %s new or changed records", "mentions", f"{stage.rows_in:,}")
            parallel = fresh.repartition(max(2, stage.rows_in // self._config.spark.rows_per_task))
            split = self._tables.stage("mentions", split_records(parallel, self._config.input))
            rows = split.withColumns(
                {
                    "source": F.lit(source),
                    "run_id": F.lit(self._run_id),
                    "ingested_at": F.lit(self._started).cast("timestamp"),
                }
            )
            self._tables.upsert(MENTIONS, rows, gone=leftover_positions(mentions, split, source))
            stage.rows_out = split.count()
            if split.select("record_id").distinct().count() != stage.rows_in:
                raise BalanceError(f"mentions: {stage.rows_in} records went in, fewer came out.")

    def _collect_texts(self) -> None:
        with self._progress.stage("texts") as stage:
            kept = self._tables.read(MENTIONS).where(F.col("text_key").isNotNull())
            new = kept.select("text_key", "text").dropDuplicates(["text_key"])
            new = new.join(self._tables.read(TEXTS).select("text_key"), on="text_key", how="left_anti")
            staged = self._tables.stage("texts", new)
            stage.rows_in = stage.rows_out = staged.count()
            if stage.rows_in:
                self._tables.insert_new(TEXTS, staged)

    def _embed_texts(self) -> None:
        """Texts of mentions and of labels alike: a skill that is a label is embedded once."""
        with self._progress.stage("embeddings") as stage:
            labels = self._taxonomy(LABELS).select("text_key", "text")
            texts = self._tables.read(TEXTS).unionByName(labels).dropDuplicates(["text_key"])
            run_in_slices(
                missing_embeddings(texts, self._embeddings()),
                lambda part: embed(part, self._config.encoder, self._model.model_id),
                self._tables,
                EMBEDDINGS,
                self._one_model,
                self._config.spark,
                stage,
            )

    def _retrieve_candidates(self) -> None:
        with self._progress.stage("index"):
            build_label_index(
                self._index_folder(),
                self._taxonomy(CONCEPTS),
                self._taxonomy(LABELS),
                self._taxonomy(RELATIONS),
                self._taxonomy(OCCUPATIONS),
                self._embeddings(),
            )
        with self._progress.stage("candidates") as stage:
            run_in_slices(
                missing_candidates(self._tables.read(TEXTS), self._embeddings(), self._candidates()),
                lambda part: retrieve(part, str(self._index_folder()), self._config.retrieval.top_k),
                self._tables,
                CANDIDATES,
                {**self._one_link, "retrieval_id": self._retrieval_id},
                self._config.spark,
                stage,
            )

    def _decide_links(self) -> None:
        """All texts again, in one commit, when any of them is undecided."""
        with self._progress.stage("links") as stage:
            texts = decidable(self._tables.read(TEXTS), self._embeddings(), self._candidates())
            stage.rows_in = undecided(texts, self._links(), self._decider).count()
            if not stage.rows_in:
                return
            links = decide_links(texts, self._decider, str(self._index_folder()))
            constants = {**self._one_link, "run_id": self._run_id}
            links = links.withColumns({name: F.lit(value) for name, value in constants.items()})
            self._tables.replace(LINKS, links, self._one_link)
            stage.rows_out = self._links().count()

    def _normalise_mentions(self) -> None:
        with self._progress.stage("normalised") as stage:
            built_from: dict[str, int | str] = {
                "mentions": self._tables.version(MENTIONS),
                "links": self._tables.version(LINKS),
                **self._one_link,
            }
            if self._tables.built_from(NORMALISED_SKILLS) == built_from:
                return
            mentions = self._tables.read(MENTIONS)
            stage.rows_in = mentions.count()
            self._tables.sync(NORMALISED_SKILLS, normalise(mentions, self._links(), self._run_id), built_from)
            stage.rows_out = self._tables.read(NORMALISED_SKILLS).count()

    def _balance(self) -> dict[str, int]:
        """Mentions by status; raises BalanceError where a mention or text went missing between two stages."""
        with self._progress.stage("balance") as stage:
            rows = self._tables.read(NORMALISED_SKILLS).groupBy("status").count().collect()
            statuses = {row["status"] or "undecided": row["count"] for row in rows}
            stage.rows_in = self._tables.read(MENTIONS).count()
            stage.rows_out = sum(statuses.values())
            texts, links = self._tables.read(TEXTS).count(), self._links().count()
        if stage.rows_in != stage.rows_out:
            raise BalanceError(f"mentions holds {stage.rows_in} rows, normalised_skills {stage.rows_out}.")
        if texts != links:
            raise BalanceError(f"texts holds {texts} rows, links {links} for this taxonomy and model.")
        if "undecided" in statuses:
            raise BalanceError(f"normalised_skills: {statuses['undecided']} mentions have no status.")
        return statuses

    def _record(self, outcome: str, statuses: dict[str, int], error: str | None) -> None:
        ids = {
            "source": self._config.input.source,
            "taxonomy_id": self._bundle.taxonomy_id,
            "model_id": self._model.model_id,
            "retrieval_id": self._retrieval_id,
            "decider_id": self._decider.decider_id,
            "lexicon_id": NO_LEXICON,
        }
        config = self._config.model_dump_json()
        versions = {name: version(name) for name in _VERSIONED} | {"python": platform.python_version()}
        fingerprint = hashlib.sha256(json.dumps([config, ids, versions], sort_keys=True).encode()).hexdigest()
        row = {
            "run_id": self._run_id,
            "started_at": self._started,
            "finished_at": datetime.now(UTC),
            "outcome": outcome,
            "error": error,
            "fingerprint": fingerprint[:32],
            **ids,
            "stages": [asdict(stage) for stage in self._progress.stages],
            "statuses": statuses,
            "config": config,
            "versions": versions,
        }
        self._tables.append(RUNS, self._spark.createDataFrame([row], spark_schema(RUNS)))

    def _index_folder(self) -> Path:
        base = self._config.output.artifacts_path or f"{self._tables.root}/artifacts"
        return Path(base) / index_id(self._bundle.taxonomy_id, self._model.model_id)

    def _taxonomy(self, table: object) -> DataFrame:
        return taxonomy_rows(self._tables, table, self._bundle.taxonomy_id)  # type: ignore[arg-type]

    def _embeddings(self) -> DataFrame:
        return self._tables.read(EMBEDDINGS).where(F.col("model_id") == self._model.model_id)

    def _candidates(self) -> DataFrame:
        one = (F.col("model_id") == self._model.model_id) & (F.col("taxonomy_id") == self._bundle.taxonomy_id)
        return self._tables.read(CANDIDATES).where(one & (F.col("retrieval_id") == self._retrieval_id))

    def _links(self) -> DataFrame:
        one = (F.col("model_id") == self._model.model_id) & (F.col("taxonomy_id") == self._bundle.taxonomy_id)
        return self._tables.read(LINKS).where(one)


def run_job(config: Config) -> Summary:
    """Session, run, report and the printed summary: what `jobs/normalise_skills.py` calls."""
    session = get_session(config.spark)
    summary = Pipeline(session, config).run()
    print(summary)
    return summary
