"""Candidates to links, and links to normalised skills."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, reduce
from operator import and_

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.pandas.types import from_arrow_schema

from skillsim.config import Config
from skillsim.decider import Decider
from skillsim.lexicon import Lexicon
from skillsim.linking import SCHEMA, TOP, ConceptNames, decide
from skillsim.normaliser import RESULT, Normaliser
from skillsim.schemas import NORMALISED_SKILLS
from skillsim.spark import worker
from skillsim.spark.overrides import OF_AN_OVERRIDE

# Raised whenever `normalise` would give other rows for the same mentions and links.
NORMALISE_VERSION = 3


def decidable(texts: DataFrame, embeddings: DataFrame, candidates: DataFrame) -> DataFrame:
    """(text_key, text, candidates, occupation_uri, vector, failure) of every text that retrieval is done with."""
    reason = F.when(F.col("status") == "failed", F.col("reason"))
    embedded = embeddings.select("text_key", "vector", reason.alias("failure"))
    found = candidates.select("text_key", "candidates", "occupation_uri", F.lit(True).alias("retrieved"))
    return (
        texts.select("text_key", "text")
        .join(found, on="text_key", how="left")
        .join(embedded, on="text_key", how="left")
        .where(F.col("retrieved").isNotNull() | F.col("failure").isNotNull())
        .select("text_key", "text", "candidates", "occupation_uri", "vector", "failure")
    )


def standing(links: DataFrame, decidable_texts: DataFrame, ids: Mapping[str, str]) -> DataFrame:
    """The `links` that hold: decided under these ids, and not before their vector was there."""
    current = links.where(reduce(and_, (F.col(name) == value for name, value in ids.items())))
    # Decided without candidates; with them some of the best three have a score, unless the lexicon has three concepts.
    scored = F.exists("top", lambda one: one["score"].isNotNull())
    outdated = ~scored & (F.size("top") < TOP)
    held = current.join(decidable_texts.select("text_key", F.col("failure").alias("why")), on="text_key", how="inner")
    return held.where(~outdated | F.col("why").isNotNull()).select(*links.columns)


def decide_links(
    decidable_texts: DataFrame,
    overrides: DataFrame,
    lexicon: Lexicon,
    decider: Decider,
    index_address: str,
    memory_address: str | None,
) -> DataFrame:
    """LINKS' columns but those of the run. `overrides`: those for all feeds, as `overrides_by_text` gives them."""
    lexicon_id = lexicon.lexicon_id

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        index = worker.label_index(index_address)
        memory = worker.memory(memory_address, index_address) if memory_address else None
        names = ConceptNames.from_table(index.concepts)
        for batch in batches:
            yield from decide(pa.Table.from_batches([batch]), decider, names, lexicon_id, index, memory).to_batches()

    entries = decidable_texts.sparkSession.createDataFrame(lexicon.table())
    if not decider.calibrated:
        decidable_texts = decidable_texts.drop("vector")
    told = decidable_texts.join(F.broadcast(entries), on="text_key", how="left")
    told = told.join(F.broadcast(overrides), on="text_key", how="left")
    return told.mapInArrow(run, from_arrow_schema(SCHEMA))


def normalise(
    mentions: DataFrame, links: DataFrame, members: DataFrame, overrides: DataFrame | None, run_id: str
) -> DataFrame:
    """NORMALISED_SKILLS: every mention, with the link of its text under one taxonomy and model, and its cluster.

    `members`: CLUSTER_MEMBERS; `overrides`: those for single feeds, as `overrides_by_source` gives them; they stand
    above the link.
    """
    mention_side = mentions.withColumnsRenamed({"status": "mention_status", "reason": "mention_reason"}).drop("run_id")
    joined = mention_side.join(links.drop("run_id"), on="text_key", how="left")
    joined = joined.join(members.select("text_key", "cluster_id"), on="text_key", how="left")
    if overrides is not None:
        joined = joined.join(F.broadcast(overrides), on=["source", "text_key"], how="left")
        decided = F.col("curated").isNotNull()
        joined = joined.withColumns(
            {name: F.when(decided, F.col("curated")[name]).otherwise(F.col(name)) for name in OF_AN_OVERRIDE}
        )
    rejected = F.col("mention_status") == "rejected"
    computed = {
        "status": F.when(rejected, F.lit("rejected")).otherwise(F.col("status")),
        "reason": F.when(rejected, F.col("mention_reason")).otherwise(F.col("reason")),
        "run_id": F.lit(run_id),
    }
    return joined.withColumns(computed).select(*NORMALISED_SKILLS.schema.names)


def link_udf(taxonomy: str, model: str = "builtin", config: Config | None = None) -> Callable[..., Column]:
    """An iterator pandas UDF for notebooks: raw skill string to a struct (status, concept_uri, ...).

    `taxonomy`: the bundle's path, readable on every executor, as files of `config` (lexicon, decider, successors) must
    be; the label index is built once a host, in the user's cache. The links are the job's own.
    """
    settings = (config or Config()).model_dump_json()

    @pandas_udf(from_arrow_schema(RESULT))  # type: ignore[call-overload]
    def link(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        normaliser = _normaliser(taxonomy, model, settings)
        for raws in batches:
            yield normaliser.link(raws.tolist())

    return link.asNondeterministic()  # else a filter on it runs the model twice


@lru_cache(maxsize=2)
def _normaliser(taxonomy: str, model: str, settings: str) -> Normaliser:
    worker.use_task_threads()
    return Normaliser.from_esco(taxonomy, model=model, config=Config.model_validate_json(settings))
