"""The tables pairs, cluster_members, cluster_history and clusters, brought up to what texts and mentions are now."""

import math
from collections.abc import Callable
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skillsim.cells import Gathering
from skillsim.clusters import CREATED, ENDED, MERGED, SPLIT
from skillsim.config import SparkConfig
from skillsim.errors import BalanceError
from skillsim.schemas import CLUSTER_HISTORY, CLUSTER_MEMBERS, CLUSTERS, MENTIONS, NORMALISED_SKILLS, PAIRS
from skillsim.spark.clusters import carry_ids, settled, star_members
from skillsim.spark.pairs import find_pairs, with_cells
from skillsim.spark.progress import Meter, Progress, Stage
from skillsim.spark.record_ids import id_as_given
from skillsim.spark.slices import key_ranges
from skillsim.spark.sql import predicate
from skillsim.spark.tables import Tables

# Each slice of new texts is compared with all texts, so that more slices cost more passes over those. A text costs a
# fraction here of what it costs the model, so that a slice is MODEL_SLICES of the model's.
MODEL_SLICES, MOST_SLICES = 5, 8
SPELLINGS = 10
_DECIMALS = 3  # of scores that are counted, on the driver
# A text's candidates vote for their groups, one by exp(cosine / _WIDTH), and from this share on that is its nearest
# group. Where a text's own concept is left out they name its group in 40%, the nearest alone in 19% (training/LOG.md).
_WIDTH, LEAST_OF_GROUP = 0.2, 0.2


def gather(
    tables: Tables,
    texts: Callable[[], DataFrame],
    gathering: Gathering,
    config: SparkConfig,
    run_id: str,
    at: datetime,
    progress: Progress,
) -> None:
    """Texts, as compare_texts takes them, into pairs and these into clusters."""
    with progress.stage("pairs") as stage:
        compare_texts(tables, texts(), gathering, config, stage)
    with progress.stage("members") as stage:
        stage.rows_in, stage.rows_out = cluster_texts(tables, gathering, run_id, at)


def compare_texts(tables: Tables, texts: DataFrame, gathering: Gathering, config: SparkConfig, account: Stage) -> None:
    """Append to PAIRS what texts that have not been compared yet share with all others, and that they have been.

    `texts`: (text_key, text, vector, concept_uris) of all texts with a vector. A kill loses at most one slice.
    """
    compared, counts = _compared(tables, gathering), _counts(tables)
    todo = tables.stage("pairs_todo", texts.select("text_key").join(compared, on="text_key", how="left_anti"))
    account.rows_in = rows = todo.count()
    if not rows:
        return
    meter = Meter(account.stage, rows)
    slices = min(MOST_SLICES, math.ceil(rows / (MODEL_SLICES * config.rows_per_slice)))
    for keys in key_ranges(slices):
        new = todo.where(predicate({"text_key": keys}))
        held = (
            _compared(tables, gathering).withColumn("new", F.lit(False)).unionByName(new.withColumn("new", F.lit(True)))
        )
        known = texts.join(counts, on="text_key", how="left").fillna(0, "mentions")
        both = known.join(held, on="text_key", how="inner")
        part = tables.stage("pairs_texts", with_cells(both, gathering.cells))
        tasks = max(1, math.ceil(part.count() / config.rows_per_task))
        itself = {"left_key": F.col("text_key"), "right_key": F.col("text_key")}
        ones = {name: F.lit(1.0).cast("float") for name in ("cosine", "score")}
        found = find_pairs(part, gathering.variants, tasks)
        marks = new.withColumns(itself | ones | {"acronym_key": F.lit(None).cast("string")}).drop("text_key")
        done = tables.stage("pairs", found.unionByName(marks))
        tables.append(PAIRS, done.withColumns({name: F.lit(value) for name, value in gathering.key.items()}))
        account.rows_out += done.count()
        meter.add(new.count())


def _of(tables: Tables, gathering: Gathering) -> DataFrame:
    return tables.read(PAIRS).where(predicate(gathering.key))


def _compared(tables: Tables, gathering: Gathering) -> DataFrame:
    """text_key of the texts that PAIRS says are done."""
    return _of(tables, gathering).where("left_key = right_key").select(F.col("left_key").alias("text_key"))


def _counts(tables: Tables) -> DataFrame:
    return tables.read(MENTIONS).groupBy("text_key").agg(F.count("*").alias("mentions"))


def cluster_texts(tables: Tables, gathering: Gathering, run_id: str, at: datetime) -> tuple[int, int]:
    """CLUSTER_MEMBERS as PAIRS and the counts of mentions have it, and CLUSTER_HISTORY; (texts, changes), 0 where both
    stand.

    The history is written first. What a run that failed after that has written is of the same `since`, and gives way.
    """
    states = {table.name: tables.state(table) for table in (PAIRS, MENTIONS)}
    built_from = {**states, "clusters": gathering.clusters_id}
    if tables.built_from(CLUSTER_MEMBERS) == built_from:
        return 0, 0
    texts = tables.stage("counted", _compared(tables, gathering).join(_counts(tables), on="text_key", how="inner"))
    of_two = _of(tables, gathering).where("left_key < right_key")
    near = of_two.where(F.col("score") >= threshold_of(tables, gathering))
    near = near.select("left_key", "right_key", "acronym_key", "score")
    pairs = tables.stage("settled", settled(near, texts)).drop("acronym_key")
    members = tables.stage("members", star_members(tables, pairs, texts))
    if members.count() != texts.count():
        raise BalanceError(f"clusters: {texts.count()} texts went in, {members.count()} came out.")
    since, before = tables.state(CLUSTER_MEMBERS), tables.read(CLUSTER_MEMBERS).select("text_key", "cluster_id")
    history = tables.read(CLUSTER_HISTORY).where(F.col("since") != since)
    ids, changes = carry_ids(members, before, history.select("cluster_id").distinct(), run_id)
    changes = changes.unionByName(_emptied(history, before))
    rows = members.join(ids, on="leader_key", how="inner").withColumn("run_id", F.lit(run_id))
    staged = tables.stage("cluster_members", rows)
    changed = _record_history(tables, changes, since, run_id, at)
    tables.sync(CLUSTER_MEMBERS, staged, built_from)
    return staged.count(), changed


def threshold_of(tables: Tables, gathering: Gathering) -> float:
    """The score from which texts are one skill: the decision's own, or what it is among these pairs."""
    if gathering.variants.rate is None:
        return gathering.variants.threshold
    rounded = F.round("score", _DECIMALS).alias("score")
    counted = _of(tables, gathering).where("left_key < right_key").groupBy(rounded).count().orderBy("score").toPandas()
    return gathering.variants.threshold_among(counted["score"], counted["count"])


def _emptied(history: DataFrame, before: DataFrame) -> DataFrame:
    """Ends of clusters all of whose texts have left since: as no mention held them, or they were forgotten."""
    begun = history.where(F.col("event").isin(CREATED, SPLIT)).select("cluster_id")
    gone = history.where(F.col("event").isin(MERGED, ENDED)).select("cluster_id")
    held = gone.unionByName(before.select("cluster_id"))
    emptied = begun.join(held, on="cluster_id", how="left_anti")
    return emptied.select(F.lit(ENDED).alias("event"), "cluster_id", F.lit(None).cast("string").alias("other_id"))


def _record_history(tables: Tables, changes: DataFrame, since: str, run_id: str, at: datetime) -> int:
    stamp = {"since": F.lit(since), "run_id": F.lit(run_id), "changed_at": F.lit(at).cast("timestamp")}
    staged = tables.stage("cluster_history", changes.withColumns(stamp))
    outdated = tables.read(CLUSTER_HISTORY).where(F.col("since") == since)
    count = staged.count()
    if count or not outdated.isEmpty():
        tables.replace(CLUSTER_HISTORY, staged, {"since": since})
    return count


def describe_clusters(
    tables: Tables, links: DataFrame, candidates: DataFrame, concepts: DataFrame, clusters_id: str, run_id: str
) -> tuple[int, int]:
    """CLUSTERS as the members and their normalised mentions have it; (mentions, clusters), 0 where it stands.

    `links`, `candidates`, `concepts`: those of the run's taxonomy and model.
    """
    states = {table.name: tables.state(table) for table in (MENTIONS, CLUSTER_MEMBERS, NORMALISED_SKILLS)}
    built_from = {**states, "clusters": clusters_id}
    known = tables.built_from(CLUSTERS)
    if known == built_from:
        return 0, 0
    leaders = tables.read(CLUSTER_MEMBERS).select("cluster_id", "leader_key").distinct()
    mentions = tables.read(NORMALISED_SKILLS).where(F.col("cluster_id").isNotNull())
    grown = known.get(MENTIONS.name) != states[MENTIONS.name]
    earlier = F.col("mentions") if grown else F.col("mentions_before")
    before = tables.read(CLUSTERS).select("cluster_id", earlier.alias("mentions_before"))
    keys = leaders.select(F.col("leader_key").alias("text_key"))
    links, candidates = (rows.join(keys, on="text_key", how="left_semi") for rows in (links, candidates))
    groups = nearest_groups(links, candidates, concepts).withColumnRenamed("text_key", "leader_key")
    rows = (
        _spelled(mentions, leaders)
        .join(_decided(mentions), on="cluster_id", how="inner")
        .join(groups, on="leader_key", how="left")
        .join(before, on="cluster_id", how="left")
        .withColumn("run_id", F.lit(run_id))
    )
    staged = tables.stage("clusters", rows)
    tables.sync(CLUSTERS, staged, built_from)
    return mentions.count(), staged.count()


def _with_records(mentions: DataFrame, keys: list[str], *others: Column) -> DataFrame:
    """By keys, the records that hold the mentions, and other aggregates.

    Apart, as a count of what is distinct beside `mode` takes four times as long.
    """
    records = F.countDistinct(F.struct("source", id_as_given())).alias("records")  # a repeated id is one person's
    counted, told = mentions.groupBy(*keys).agg(records), mentions.groupBy(*keys).agg(*others)
    return counted.join(told, on=keys, how="inner")


def _spelled(mentions: DataFrame, leaders: DataFrame) -> DataFrame:
    """Of each cluster its leader, how much there is of it, and its most frequent texts as people write them.

    The leader is the first of these; no other has more mentions, but some may have as many.
    A spelling is one that is cleaned to its text by its case alone; a text that is never written so stands for itself.
    """
    written = F.trim("raw")
    plain = F.when(F.lower(written) == F.col("text"), written)
    of_text = _with_records(
        mentions,
        ["cluster_id", "text_key", "text"],
        F.count("*").alias("mentions"),
        F.mode(plain, True).alias("plain"),
    )
    shown = F.struct(F.coalesce("plain", "text").alias("spelling"), "mentions", "records")
    follows = F.col("text_key") != F.col("leader_key")
    row = F.struct(follows, -F.col("mentions"), "text_key", shown.alias("shown"))
    ordered = F.slice(F.sort_array(F.collect_list(row)), 1, SPELLINGS)["shown"]
    return (
        of_text.join(leaders, on="cluster_id", how="inner")
        .groupBy("cluster_id", "leader_key")
        .agg(F.count("*").alias("texts"), F.sum("mentions").alias("mentions"), ordered.alias("spellings"))
        .withColumn("representative", F.col("spellings")[0]["spelling"])
    )


def _decided(mentions: DataFrame) -> DataFrame:
    """Of each cluster its records, and what became of most of it."""
    concept = F.when(F.col("status") == "matched", F.struct("concept_uri", "concept_label"))
    modes = F.mode("status", True).alias("status"), F.mode(concept, True).alias("concept")
    counts = _with_records(mentions, ["cluster_id"], *modes)
    of_most = F.when(F.col("status") == "matched", F.col("concept"))
    named = [of_most[name].alias(name) for name in ("concept_uri", "concept_label")]
    return counts.select("cluster_id", "records", "status", *named)


def nearest_groups(links: DataFrame, candidates: DataFrame, concepts: DataFrame) -> DataFrame:
    """(text_key, group_uri, group_label): of every text its link's, else that which its candidates vote for.

    None where no group has LEAST_OF_GROUP of their votes.
    """
    own = links.where("group_uri IS NOT NULL").select("text_key", "group_uri", "group_label")
    others = candidates.join(own.select("text_key"), on="text_key", how="left_anti")
    near = others.select("text_key", F.explode("candidates").alias("one")).select("text_key", "one.*")
    groups = concepts.where("group_uri IS NOT NULL").select("concept_uri", "group_uri", "group_label")
    votes = F.round(F.sum(F.exp(F.coalesce("cosine", F.lit(0.0)) / _WIDTH)), 6)  # the same in whatever order
    voted = (
        near.join(F.broadcast(groups), on="concept_uri", how="inner")
        .groupBy("text_key", "group_uri")
        .agg(votes.alias("votes"), F.max("group_label").alias("group_label"))
    )
    most = F.max(F.struct("votes", "group_uri", "group_label")).alias("most")
    agreed = voted.groupBy("text_key").agg(most, F.sum("votes").alias("all"))
    agreed = agreed.where(F.col("most.votes") >= LEAST_OF_GROUP * F.col("all"))
    return own.unionByName(agreed.select("text_key", "most.group_uri", "most.group_label"))
