"""The stars of `skillsim.clusters` over a table of pairs that no machine needs to hold.

In a round every text leads that has no undecided neighbour above it, and its neighbours are decided: none of them
leads. What is left once that is few enough is decided by the arrays' code in one task.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from skillsim.clusters import CREATED, ENDED, MEANT, MERGED, SPELT_OUT, SPLIT, ranks, stars
from skillsim.spark.tables import Tables

# Pairs that one task decides: a kilobyte each.
AT_ONCE = 1_000_000
_COUNTED = ("mentions", "near")  # of a rank, negative


def settled(pairs: DataFrame, texts: DataFrame) -> DataFrame:
    """Those of the pairs that still hold once it is settled what acronyms stand for, as `skillsim.clusters.settled`.

    `pairs`: (left_key, right_key, acronym_key, ...), the smaller key first; `texts`: (text_key, mentions).
    """
    other = F.when(F.col("acronym_key") == F.col("left_key"), F.col("right_key")).otherwise(F.col("left_key"))
    by_initials = pairs.where(F.col("acronym_key").isNotNull()).withColumn("text_key", other)
    meant = by_initials.select("acronym_key", "text_key").join(texts, on="text_key", how="inner")
    chief = meant.groupBy("acronym_key").agg(
        F.min_by("text_key", F.struct(-F.col("mentions"), "text_key")).alias("chief_key"),
        F.sum("mentions").alias("every"),
    )
    with_chief = meant.join(chief, on="acronym_key", how="inner")
    ends = {"left_key": F.least("text_key", "chief_key"), "right_key": F.greatest("text_key", "chief_key")}
    agree = with_chief.withColumns(ends).join(pairs, on=["left_key", "right_key"], how="left_semi")
    agree = agree.drop("left_key", "right_key").unionByName(with_chief.where("text_key = chief_key"))
    known = agree.groupBy("acronym_key").agg(F.sum("mentions").alias("told"), F.first("every").alias("every"))
    own = texts.select(F.col("text_key").alias("acronym_key"), F.col("mentions").alias("own"))
    clear = known.join(own, on="acronym_key", how="inner").where(
        (F.col("told") >= MEANT * F.col("every")) & (F.col("told") >= SPELT_OUT * F.col("own"))
    )
    clear = clear.select("acronym_key")
    hold = agree.select("acronym_key", "text_key").join(clear, on="acronym_key", how="left_semi")
    kept = by_initials.join(hold, on=["acronym_key", "text_key"], how="left_semi").drop("text_key")
    return pairs.where(F.col("acronym_key").isNull()).unionByName(kept)


def star_members(tables: Tables, pairs: DataFrame, texts: DataFrame, at_once: int = AT_ONCE) -> DataFrame:
    """(text_key, leader_key, score) of every text; one that leads has itself and no score.

    `pairs`: (left_key, right_key, score), those within the threshold, each once; `texts`: (text_key, mentions). What is
    returned reads staged tables, which the next call writes anew.
    """
    ranked = tables.stage("stars_ranks", _ranked(pairs, texts))
    sides = pairs
    for side in ("left", "right"):
        sides = sides.join(ranked.withColumnsRenamed({"text_key": f"{side}_key", "rank": side}), on=f"{side}_key")
    ends = F.least("left", "right").alias("high"), F.greatest("left", "right").alias("low")
    upwards = tables.stage("stars_upwards", sides.select(*ends, "score"))
    below = _decided(tables, upwards.drop("score"), at_once)
    to_leaders = upwards.join(below, on=F.col("high.text_key") == below["text_key"], how="left_anti")
    nearest = F.struct(-F.col("score"), "high")
    best = F.min_by(F.struct(F.col("high.text_key").alias("leader_key"), "score"), nearest)
    joined = to_leaders.groupBy(F.col("low.text_key").alias("text_key")).agg(best.alias("best"))
    members = texts.select("text_key").join(joined, on="text_key", how="left")
    leader = F.coalesce(F.col("best.leader_key"), F.col("text_key"))
    return members.select("text_key", leader.alias("leader_key"), F.col("best.score").alias("score"))


def _ranked(pairs: DataFrame, texts: DataFrame) -> DataFrame:
    """(text_key, rank) of the texts that have pairs; ranks compare as those of `skillsim.clusters.ranks`."""
    ends = pairs.select(F.explode(F.array("left_key", "right_key")).alias("text_key"))
    counted = ends.groupBy("text_key").agg((-F.count("*")).alias("near")).join(texts, on="text_key", how="inner")
    rank = F.struct((-F.col("mentions")).alias("mentions"), "near", "text_key")
    return counted.select("text_key", rank.alias("rank"))


def _decided(tables: Tables, upwards: DataFrame, at_once: int) -> DataFrame:
    """text_key of the texts that do not lead. `upwards`: (high, low) ranks of the two of each pair."""
    edges, turn = upwards, 0
    below = edges.select("low.text_key").limit(0)
    while edges.count() > at_once:
        turn = 1 - turn
        undecided = edges.select("low").distinct()
        leads = edges.join(undecided.withColumnRenamed("low", "high"), on="high", how="left_anti")
        now = leads.select("low.text_key").distinct()
        below = tables.stage(f"stars_below_{turn}", below.unionByName(now))
        for side in ("high", "low"):
            edges = edges.join(below, on=F.col(f"{side}.text_key") == below["text_key"], how="left_anti")
        edges = tables.stage(f"stars_{turn}", edges)
    return tables.stage("stars_below", below.unionByName(edges.coalesce(1).mapInArrow(_finish, "text_key string")))


def carry_ids(members: DataFrame, before: DataFrame, taken: DataFrame, run_id: str) -> tuple[DataFrame, DataFrame]:
    """({leader_key, cluster_id} of a new partition, {event, cluster_id, other_id} of what changed).

    As `skillsim.clusters.carry_ids` over tables. `members`: (text_key, leader_key); `before`: (text_key, cluster_id);
    `taken`: (cluster_id), each once.
    """
    pairs = members.join(before, on="text_key", how="inner").groupBy("cluster_id", "leader_key").count()
    into = pairs.groupBy("cluster_id").agg(_most("leader_key").alias("leader_key"))
    out_of = pairs.groupBy("leader_key").agg(_most("cluster_id").alias("cluster_id"))
    held = into.join(out_of, on=["cluster_id", "leader_key"], how="left_semi")
    known = taken.select(F.col("cluster_id").alias("first_id"), F.lit(True).alias("is_taken"))
    leaders = members.select("leader_key").distinct().withColumn("first_id", _new_id(""))
    fresh = F.when(F.col("is_taken"), _new_id(run_id)).otherwise(F.col("first_id"))
    found = (
        leaders.join(held, on="leader_key", how="left")
        .join(known, on="first_id", how="left")
        .select(
            "leader_key",
            F.col("cluster_id").isNull().alias("is_new"),
            F.coalesce("cluster_id", fresh).alias("cluster_id"),
        )
    )
    begun = found.where("is_new").join(out_of.withColumnRenamed("cluster_id", "other_id"), on="leader_key", how="left")
    event = F.when(F.col("other_id").isNull(), F.lit(CREATED)).otherwise(F.lit(SPLIT))
    gone = before.select("cluster_id").distinct().join(held, on="cluster_id", how="left_anti")
    target = found.select("leader_key", F.col("cluster_id").alias("other_id"))
    ended = gone.join(into, on="cluster_id", how="left").join(target, on="leader_key", how="left")
    how = F.when(F.col("other_id").isNull(), F.lit(ENDED)).otherwise(F.lit(MERGED))
    columns = ("cluster_id", "other_id")
    changes = begun.select(event.alias("event"), *columns).unionByName(ended.select(how.alias("event"), *columns))
    return found.select("leader_key", "cluster_id"), changes


def _new_id(run_id: str) -> Column:
    """As `skillsim.clusters.new_id` of leader_key."""
    digest = F.sha2(F.concat(F.col("leader_key"), F.lit(f":{run_id}")), 256)
    return F.concat(F.lit("c"), F.substring(digest, 1, 15))


def _most(name: str) -> Column:
    return F.min_by(F.col(name), F.struct(-F.col("count"), F.col(name)))


def _finish(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    parts = [batch for batch in batches if batch.num_rows]
    if not parts:
        return
    sides = pa.Table.from_batches(parts)
    high, low = (sides[name].combine_chunks() for name in ("high", "low"))
    fields = {name: pa.concat_arrays([side.field(name) for side in (high, low)]) for name in ("text_key", *_COUNTED)}
    texts = fields["text_key"].to_numpy(zero_copy_only=False).astype(str)
    keys, first, row = np.unique(texts, return_index=True, return_inverse=True)
    mentions, near = (-fields[name].to_numpy()[first] for name in _COUNTED)
    score = np.ones(len(high), dtype=np.float32)
    leader = stars(row[: len(high)], row[len(high) :], score, ranks(mentions, near, keys))
    below = keys[leader != np.arange(len(keys))]
    yield pa.RecordBatch.from_pydict({"text_key": pa.array(below, pa.string())})
