"""Outcomes of records by groups of people: what leaves the cluster are counts, means and variances of each group."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from skillsim.audit import Group
from skillsim.errors import AuditError
from skillsim.spark.record_ids import id_as_given

RECORD = ["source", "record_id"]
LINKED, SHARE, CONFIDENCE, SELECTED = "any skill linked", "share of skills linked", "confidence", "selected"
MATCHED, MATCH_SCORE = "among the best of a vacancy", "score of the best match"
MOST_GROUPS = 50


def outcomes(normalised: DataFrame, matches: DataFrame, selected: DataFrame | None = None) -> DataFrame:
    """(source, record_id, outcome, value) of NORMALISED_SKILLS and MATCHES; repeats of an id are one person's.

    `selected`: (source, record_id) of those chosen later, in any way. A person who names no skill has no share and no
    confidence, but was not linked; one who is among the best of no vacancy has no score.
    """
    kept = ~F.col("status").isin("rejected", "not_skill")
    matched = (F.col("status") == "matched").cast("double")
    said = F.when(F.col("method").isin("lexicon", "override") & (F.col("status") == "matched"), 1.0)
    sure = F.coalesce("probability", "score", said, F.lit(0.0))
    people = normalised.groupBy("source", id_as_given().alias("record_id")).agg(
        F.max(matched).alias(LINKED),
        F.avg(F.when(kept, matched)).alias(SHARE),
        F.avg(F.when(kept, sure)).alias(CONFIDENCE),
    )
    person = [F.col("people").alias("source"), F.col("person_id").alias("record_id")]
    best = matches.groupBy(*person).agg(F.max("score").alias(MATCH_SCORE))
    feeds = matches.select(F.col("people").alias("source")).distinct().withColumn("searched", F.lit(True))
    people = people.join(best, on=RECORD, how="left").join(F.broadcast(feeds), on="source", how="left")
    people = people.withColumn(MATCHED, F.when(F.col("searched"), F.col(MATCH_SCORE).isNotNull().cast("double")))
    told = [LINKED, SHARE, CONFIDENCE, MATCHED, MATCH_SCORE]
    if selected is not None:
        chosen = selected.select(*RECORD).distinct().withColumn(SELECTED, F.lit(1.0))
        people = people.join(chosen, on=RECORD, how="left").fillna(0.0, SELECTED)
        told.append(SELECTED)
    return people.unpivot((*RECORD,), (*told,), "outcome", "value").where("value IS NOT NULL")


def check_groups(groups: DataFrame, columns: Sequence[str], normalised: DataFrame) -> dict[str, int]:
    """How many records have no group, and how many rows of `groups` no record.

    Raises AuditError where a record has two rows, a column too many groups, or no row a record.
    """
    if twice := groups.groupBy(*RECORD).count().where("count > 1").first():
        raise AuditError(
            f"the groups name record {twice['record_id']} of source {twice['source']} {twice['count']} times: give one "
            "row each."
        )
    for column in columns:
        if (found := groups.select(column).distinct().count()) > MOST_GROUPS:
            raise AuditError(f"column {column} has {found:,} groups, an audit at most {MOST_GROUPS}. Band it first.")
    people = normalised.select("source", id_as_given().alias("record_id")).distinct()
    without = people.join(groups, on=RECORD, how="left_anti").count()
    return {"records without a group": without, "rows without a record": unknown_rows(groups, normalised, "--groups")}


def unknown_rows(rows: DataFrame, normalised: DataFrame, option: str) -> int:
    """How many of `rows` name no record. Raises AuditError where none names one."""
    people = normalised.select("source", id_as_given().alias("record_id")).distinct()
    unknown = rows.join(people, on=RECORD, how="left_anti").count()
    if unknown == rows.count():
        raise AuditError(
            f"no row of {option} names a record of the output: source is the feed's name (input.source), record_id the "
            "id as the input has it."
        )
    return unknown


def of_groups(outcomes: DataFrame, groups: DataFrame, column: str) -> dict[str, list[Group]]:
    """By outcome. A record without a group takes no part."""
    named = groups.where(F.trim(column) != "").select(*RECORD, F.trim(column).alias("group"))
    value = F.col("value")
    rows = (
        outcomes.join(named, on=RECORD, how="inner")
        .groupBy("outcome", "group")
        .agg(
            F.count("*").alias("n"),
            F.avg(value).alias("mean"),
            F.coalesce(F.var_samp(value), F.lit(0.0)).alias("variance"),
        )
        .orderBy("outcome", "group")
        .collect()
    )
    found: dict[str, list[Group]] = {}
    for row in rows:
        found.setdefault(row["outcome"], []).append(Group(row["group"], row["n"], row["mean"], row["variance"]))
    return found
