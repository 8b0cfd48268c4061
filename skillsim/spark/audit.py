"""Outcomes of records by groups of people: what leaves the cluster are counts, means and variances of each group."""

from collections.abc import Sequence
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from skillsim.audit import Audit, Group, compare_all
from skillsim.errors import AuditError, TablesError
from skillsim.schemas import MATCHES, NORMALISED_SKILLS
from skillsim.spark.paths import is_uri, spark_path
from skillsim.spark.record_ids import id_as_given
from skillsim.spark.tables import Tables

RECORD = ["source", "record_id"]
LINKED, SHARE, CONFIDENCE, SELECTED = "any skill linked", "share of skills linked", "confidence", "selected"
MATCHED, MATCH_SCORE = "among the best of a vacancy", "score of the best match"
MOST_GROUPS = 50


def audit_groups(
    spark: SparkSession, tables: Tables, groups: str, columns: Sequence[str], selected: str | None, smallest: int
) -> Audit:
    """`groups`, `selected`: CSV files; `columns`: of the first. Raises AuditError where they are not to be used so."""
    if unfit := [
        one for place, one in enumerate(columns) if one in (*RECORD, *columns[:place]) or not one.isidentifier()
    ]:
        raise AuditError(f"--group {unfit[0]}: name each column of groups once, by letters, digits and underscores.")
    if not tables.exists(NORMALISED_SKILLS):
        raise TablesError(f"--output {tables.root} has no normalised_skills: run jobs/normalise_skills.py there first.")
    normalised = tables.read(NORMALISED_SKILLS)
    told = read_csv(spark, groups, "--groups", [*RECORD, *columns])
    chosen = read_csv(spark, selected, "--selected", RECORD) if selected is not None else None
    counts = check_groups(told, columns, normalised)
    if chosen is not None:
        counts["rows of --selected without a record"] = unknown_rows(chosen, normalised, "--selected")
    values = tables.stage("audited", outcomes(normalised, tables.read(MATCHES), chosen))
    found, notes = {}, [f"{what}: {count:,}" for what, count in counts.items()]
    for column in columns:
        found[column], left_out = compare_all(of_groups(values, told, column), smallest)
        notes += left_out
    return Audit(found, tuple(notes))


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


def read_csv(spark: SparkSession, path: str, option: str, columns: list[str]) -> DataFrame:
    """Those columns as text. Raises AuditError where the file or one of them is missing, or a row is no row."""
    if not is_uri(path) and not Path(path).is_file():
        raise AuditError(f"{option} {path}: no such file.")
    try:
        rows = spark.read.csv(spark_path(path), header=True, mode="FAILFAST", escape='"', multiLine=True)
        if missing := [column for column in columns if column not in rows.columns]:
            raise AuditError(f"{option} {path} has no column {missing[0]}. It has: {', '.join(rows.columns)}.")
        chosen = rows.select(*(rows[f"`{column}`"] for column in columns))
        chosen.count()
    except PySparkException as error:
        said = str(error).splitlines()[0]
        raise AuditError(f"{option} {path}: cannot be read as CSV with as many fields in each row ({said}).") from error
    return chosen
