"""Texts to links under one taxonomy, model, lexicon and decision, stage by stage; what is done already stays."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.artifacts import is_artifact
from skillsim.errors import ConfigError, PlatformError
from skillsim.lexicon import Lexicon
from skillsim.linking import OF_THE_RUN, ConceptNames
from skillsim.memory import memory_name
from skillsim.overrides import Override, overrides_id, succeeded
from skillsim.retrieval import index_id
from skillsim.schemas import CANDIDATES, CONCEPTS, EMBEDDINGS, LABELS, LINKS, OCCUPATIONS, RELATIONS, TEXTS, Table
from skillsim.spark.embeddings import embed, missing_embeddings, retryable
from skillsim.spark.link_changes import changed_links, links_before, record_changes, recorded_since, what_differs
from skillsim.spark.linking import decidable, decide_links, standing
from skillsim.spark.memory import build_memory, lexicon_texts
from skillsim.spark.overrides import in_force, overrides_by_text, read_overrides, spared
from skillsim.spark.paths import is_uri
from skillsim.spark.plan import Plan
from skillsim.spark.progress import Progress
from skillsim.spark.retrieval import artifact_address, build_label_index, missing_candidates, retrieve
from skillsim.spark.runs import RunIds, last_success
from skillsim.spark.slices import run_in_slices
from skillsim.spark.tables import Tables
from skillsim.spark.taxonomy import store_taxonomy, taxonomy_rows
from skillsim.spark.upgrade import Upgrade, carry_over, links_carried_over
from skillsim.upgrade import Decisions

log = logging.getLogger(__name__)

_DECISIVE = ("retrieval_id", "decider_id", "lexicon_id", "overrides_id")  # of a link, under one taxonomy and model


class Linkage:
    """The stages of one run, from the taxonomy to the links."""

    def __init__(self, spark: SparkSession, tables: Tables, plan: Plan, run_id: str, progress: Progress) -> None:
        """Raises ConfigError and ArtifactError where the plan's artefacts have no place."""
        self._spark, self._tables, self._plan, self._run_id, self._progress = spark, tables, plan, run_id, progress
        self._config = plan.config
        self._one_model = {"model_id": plan.ids.model_id}
        self._one_link = {"taxonomy_id": plan.ids.taxonomy_id, "model_id": plan.ids.model_id}
        self._carried: DataFrame | None = None
        self.index_address = self._address(index_id(plan.ids.taxonomy_id, plan.ids.model_id))
        is_artifact(self.index_address)  # raises where it cannot be reached

    @cached_property
    def kept_overrides(self) -> list[Override]:
        """As they were decided, with no successor in place of a concept."""
        return read_overrides(self._tables)

    @cached_property
    def _overrides(self) -> list[Override]:
        return succeeded(self.kept_overrides, self._plan.successors)

    @cached_property
    def ids(self) -> RunIds:
        """Once the tables are migrated."""
        return replace(self._plan.ids, overrides_id=overrides_id(self._overrides))

    @cached_property
    def names(self) -> ConceptNames:
        """Once the taxonomy is stored."""
        columns = ("concept_uri", "preferred_label", "group_uri", "group_label")
        return ConceptNames.from_table(self.taxonomy(CONCEPTS).select(*columns).toArrow())

    @cached_property
    def in_force(self) -> list[Override]:
        return in_force(self._overrides, self.names.of)

    def store_taxonomy(self) -> None:
        with self._progress.stage("taxonomy") as stage:
            store_taxonomy(self._spark, self._tables, self._plan.bundle)
            stage.rows_in = stage.rows_out = self.taxonomy(CONCEPTS).count()

    def link(self) -> None:
        """All texts linked that `retrieve` is done with, and what became of the links that held until now."""
        with self._progress.stage("links") as stage:
            stage.rows_in, links = self.decide()
            self._record_changes(links)
            if links is not None:
                self._tables.replace(LINKS, links, self._one_link)
                stage.rows_out = self.links().count()

    def retrieve(self) -> None:
        """Vectors, label index and candidates of all texts."""
        with self._progress.stage("embeddings") as stage:
            run_in_slices(
                missing_embeddings(self.texts(), self.embeddings()),
                lambda part: embed(part, self._config.encoder, self.ids.model_id),
                self._tables,
                EMBEDDINGS,
                self._one_model,
                self._config.spark,
                stage,
            )
        self._build_index()
        self._carry_over()
        with self._progress.stage("candidates") as stage:
            run_in_slices(
                missing_candidates(self._tables.read(TEXTS), self.embeddings(), self.candidates()),
                lambda part: retrieve(part, self.index_address, self._config.retrieval.top_k),
                self._tables,
                CANDIDATES,
                {**self._one_link, "retrieval_id": self.ids.retrieval_id},
                self._config.spark,
                stage,
            )

    def comparable(self) -> DataFrame:
        """(text_key, text, vector, concept_uris) of all texts with a vector, their nearest concepts first."""
        vectors = self.embeddings().where(F.col("status") == "embedded").select("text_key", "vector")
        nearest = F.transform("candidates", lambda one: one["concept_uri"]).alias("concept_uris")
        texts = self._tables.read(TEXTS).join(vectors, on="text_key", how="inner")
        return texts.join(self.candidates().select("text_key", nearest), on="text_key", how="inner")

    def _build_index(self) -> None:
        with self._progress.stage("label index") as stage:
            labels = self.taxonomy(LABELS)
            stage.rows_in = stage.rows_out = labels.count()
            lacking = retryable(self.embeddings(), labels)
            if lacking:
                raise PlatformError(
                    f"{lacking} labels of the taxonomy have no vector, as the device failed: run again, with a smaller "
                    "encoder.batch_tokens if its memory is short."
                )
            others = (self.taxonomy(RELATIONS), self.taxonomy(OCCUPATIONS))
            build_label_index(self.index_address, self.taxonomy(CONCEPTS), labels, *others, self.embeddings())

    def decide(self) -> tuple[int, DataFrame | None]:
        """How many texts are to be decided, and all links, materialised; None where those that are there stand.

        Links under the same ids stand; under other overrides, those of texts that none speaks of; and what another
        version of the taxonomy left.
        """
        texts = decidable(self._tables.read(TEXTS), self.embeddings(), self.candidates())
        ids = {name: getattr(self.ids, name) for name in _DECISIVE}
        by_text = overrides_by_text(self._spark, self.in_force)
        same = standing(self.links(), texts, {name: ids[name] for name in _DECISIVE if name != "overrides_id"})
        stand = spared(same, by_text, self.ids.overrides_id)
        old = self._carried_links(texts, by_text, ids)
        if old is not None:
            stand = stand.unionByName(old)
        undecided = texts.join(stand.select("text_key"), on="text_key", how="left_anti")
        todo = self._tables.stage("links_todo", undecided.select("text_key"))
        count = todo.count()
        if not count and old is None and self.links().where(F.col("overrides_id") != ids["overrides_id"]).isEmpty():
            return 0, None
        lexicon = self._known_lexicon
        memory = self._build_memory(self.ids.taxonomy_id, lexicon) if self._plan.decider.calibrated else None
        sources = (self._tables.read(TEXTS), self.embeddings(), self.candidates())
        few = decidable(*(rows.join(todo, on="text_key", how="left_semi") for rows in sources))
        links = decide_links(few, by_text, lexicon, self._plan.decider, self.index_address, memory)
        constants = {**self._one_link, **ids, "run_id": self._run_id}
        links = links.withColumns({name: F.lit(constants[name]) for name in OF_THE_RUN})
        return count, self._tables.stage("links", links.unionByName(stand.select(*links.columns)))

    def changes(self, links: DataFrame) -> DataFrame | None:
        """Of `links`, what differs from those of the last run that succeeded; None before the first."""
        last = self.last
        if last is None:
            return None
        held = self._linked(LINKS, last["taxonomy_id"], last["model_id"])
        before = links_before(held, recorded_since(self._tables, last["run_id"]))
        otherwise = what_differs(last, vars(self.ids))
        return changed_links(before, links, otherwise, self.taxonomy(CONCEPTS).select("concept_uri"))

    @cached_property
    def last(self) -> dict[str, str] | None:
        """The last run that succeeded: its links hold until this one ends."""
        found = last_success(self._tables, "run_id", *vars(self._plan.ids))
        return found.asDict() if found else None

    def _record_changes(self, links: DataFrame | None) -> None:
        """`links`: None where those that are there stand."""
        last = self.last
        if last is None:
            return
        same = all(last[name] == value for name, value in self._one_link.items())
        if links is None and same and recorded_since(self._tables, last["run_id"]).isEmpty():
            return
        changes = self.changes(links if links is not None else self.links())
        assert changes is not None
        count = record_changes(self._tables, changes, last["run_id"], self._run_id, datetime.now(UTC))
        if count:
            log.info("links: %s texts moved since run %s; link_changes has them", f"{count:,}", last["run_id"])

    @cached_property
    def upgrade(self) -> Upgrade | None:
        """From the taxonomy that the last run had, once this one is stored; None where it is no version of the same."""
        before = self.last
        if before is None or before["taxonomy_id"] == self.ids.taxonomy_id:
            return None
        return Upgrade.between(self._tables, before["taxonomy_id"], self.ids.taxonomy_id)

    def _carry_over(self) -> None:
        """Into `candidates` what another version's hold of the texts that the difference does not touch."""
        before = self.last
        if before is None or any(before[name] != getattr(self.ids, name) for name in ("model_id", "retrieval_id")):
            return
        if self.upgrade is None or not self.links().isEmpty():
            return
        log.info("taxonomy: since version %s %s", self.upgrade.old.version, self.upgrade.diff.summary())
        with self._progress.stage("carried over") as stage:
            memories: list[str] = []
            if self._plan.decider.calibrated:
                memories.append(self._build_memory(before["taxonomy_id"], self._decisions_before.known_lexicon))
                memories.append(self._build_memory(self.ids.taxonomy_id, self._known_lexicon))
            old = before["taxonomy_id"], before["model_id"]
            candidates = self._linked(CANDIDATES, *old).where(F.col("retrieval_id") == self.ids.retrieval_id)
            now = Decisions(self._plan.lexicon, self._overrides, self.names.of)
            kept = carry_over(
                self._tables.read(TEXTS),
                candidates,
                self._linked(LINKS, *old),
                self.embeddings(),
                self.upgrade.touch(now.differing(self._decisions_before)),
                self._config.retrieval.top_k,
                self.index_address,
                memories,
            )
            self._carried = self._tables.stage("carried", kept)
            stage.rows_in, stage.rows_out = candidates.count(), self._carried.count()
            scope = {**self._one_link, "retrieval_id": self.ids.retrieval_id}
            rows = self._carried.withColumns({name: F.lit(value) for name, value in scope.items()})
            self._tables.insert_new(CANDIDATES, rows, scope)

    def _carried_links(self, texts: DataFrame, by_text: DataFrame, ids: dict[str, str]) -> DataFrame | None:
        """Where decision and lexicon are what they were, the links of what was carried over."""
        before = self.last
        if self._carried is None or before is None:
            return None
        lexicon_id = self._decisions_before.lexicon.lexicon_id
        if before["decider_id"] != ids["decider_id"] or before["lexicon_id"] != lexicon_id:
            return None
        old = self._linked(LINKS, before["taxonomy_id"], before["model_id"])
        # A run that failed may have decided them otherwise.
        held = standing(old, texts, {name: before[name] for name in _DECISIVE if name != "overrides_id"})
        held = spared(held, by_text, self.ids.overrides_id)
        return links_carried_over(held, self._carried, {**self._one_link, **ids})

    @cached_property
    def _decisions_before(self) -> Decisions:
        assert self.upgrade is not None
        uris = frozenset(self.upgrade.old.concepts["concept_uri"].to_pylist())
        plan = self._plan
        return Decisions.under(uris, plan.configured_lexicon, self.kept_overrides, plan.named_successors)

    @cached_property
    def _known_lexicon(self) -> Lexicon:
        """As far as the taxonomy has its concepts; what it lacks is counted and logged."""
        lexicon = self._plan.lexicon
        known, missing = lexicon.within(self.names.of)
        log.info("lexicon: %d of its %d entries hold for this taxonomy", len(known.entries), len(lexicon.entries))
        if missing:
            shown = ", ".join(f"{entry.string!r} ({uri})" for entry, uri in missing[:3])
            log.info("lexicon: %d of its links are to concepts this taxonomy lacks, as %s", len(missing), shown)
        return known

    def _build_memory(self, taxonomy_id: str, lexicon: Lexicon) -> str:
        """Its address."""
        address = self._address(memory_name(taxonomy_id, self.ids.model_id, lexicon.lexicon_id))
        build_memory(self._spark, address, lexicon, self.embeddings())
        return address

    def _address(self, artifact: str) -> str:
        base, tables = self._config.output.artifacts_path, self._tables
        if not base and not tables.is_local and not is_uri(tables.root):
            raise ConfigError(
                f"--output {tables.root} is in a catalog: set output.artifacts_path to a folder or URI that "
                "driver and executors share (a volume, a mount, an object store), for the label index."
            )
        return artifact_address(self._spark, base or f"{tables.root}/artifacts", artifact)

    def taxonomy(self, table: Table) -> DataFrame:
        return taxonomy_rows(self._tables, table, self.ids.taxonomy_id)

    def texts(self) -> DataFrame:
        """Those of mentions, labels and, where it votes, the lexicon: what is in several of them is embedded once."""
        texts = self._tables.read(TEXTS).unionByName(self.taxonomy(LABELS).select("text_key", "text"))
        voters = self.voters()
        if voters is not None:
            texts = texts.unionByName(voters)
        return texts.dropDuplicates(["text_key"])

    def voters(self) -> DataFrame | None:
        """The lexicon's strings, where the decision has a memory."""
        return lexicon_texts(self._spark, self._plan.lexicon) if self._plan.decider.calibrated else None

    def embeddings(self) -> DataFrame:
        return self._tables.read(EMBEDDINGS).where(F.col("model_id") == self.ids.model_id)

    def candidates(self) -> DataFrame:
        linked = self._linked(CANDIDATES, self.ids.taxonomy_id, self.ids.model_id)
        return linked.where(F.col("retrieval_id") == self.ids.retrieval_id)

    def links(self) -> DataFrame:
        """Those of this taxonomy and model."""
        return self._linked(LINKS, self.ids.taxonomy_id, self.ids.model_id)

    def _linked(self, table: Table, taxonomy_id: str, model_id: str) -> DataFrame:
        one = (F.col("model_id") == model_id) & (F.col("taxonomy_id") == taxonomy_id)
        return self._tables.read(table).where(one)
