"""Seconds that matching 100,000 people with 1,000 vacancies takes.

`python tests/benchmarks/match_scale.py ROOT` takes an output with skill2vec_50K in it: its records are the vacancies,
and people are made whose skills are drawn from two records each.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import typer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.config import SparkConfig
from skillsim.matching import FLOOR, NEAR_SKILLS
from skillsim.schemas import CLUSTERS, EMBEDDINGS, LABELS, MATCHES, NORMALISED_SKILLS, RELATIONS
from skillsim.spark.matching import match
from skillsim.spark.session import get_session
from skillsim.spark.tables import Tables
from tests.benchmarks import RESULTS, machine, require, save


def made_people(skills: DataFrame, people: int) -> DataFrame:
    """Each has half of the skills of two records, which a hash draws."""
    records = skills.select("record_id").distinct().orderBy("record_id").rdd.map(lambda row: row[0]).zipWithIndex()
    numbered = records.toDF(["record_id", "number"])
    count = numbered.count()
    spark = skills.sparkSession
    drawn = spark.range(people).select(
        F.concat(F.lit("p"), "id").alias("person"),
        F.explode(F.array(*(F.pmod(F.xxhash64("id", F.lit(seed)), F.lit(count)) for seed in (1, 2)))).alias("number"),
    )
    theirs = drawn.join(numbered, on="number").join(skills, on="record_id")
    half = theirs.where(F.pmod(F.xxhash64("person", "text_key"), F.lit(2)) == 0)
    return (
        half.drop("record_id", "number").withColumnRenamed("person", "record_id").withColumn("source", F.lit("people"))
    )


def main(
    root: Path,
    people: int = typer.Option(100_000),
    vacancies: int = typer.Option(1_000),
    out: Path = typer.Option(RESULTS / "match_scale.json"),
) -> None:
    """Make, match, print, save."""
    require(root)
    console = Console()
    spark = get_session(SparkConfig())
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out"
        for table in (CLUSTERS, EMBEDDINGS, LABELS, RELATIONS):
            shutil.copytree(root / "tables" / table.name, target / "tables" / table.name)
        tables = Tables(spark, str(target))
        skills = spark.read.format("delta").load(str(root / "tables" / NORMALISED_SKILLS.name))
        chosen = skills.select("record_id").distinct().orderBy(F.xxhash64("record_id")).limit(vacancies)
        asked = skills.join(chosen, on="record_id").withColumn("source", F.lit("vacancies"))
        rows = asked.unionByName(made_people(skills, people).withColumn("position", F.lit(0)))
        tables.append(NORMALISED_SKILLS, rows.select(*NORMALISED_SKILLS.schema.names))
        count = tables.read(NORMALISED_SKILLS).count()
        started = time.perf_counter()
        found = match(tables, "people", "vacancies", None, 10, FLOOR, NEAR_SKILLS, "benchmark")
        seconds = time.perf_counter() - started
        scores = tables.read(MATCHES).where("rank = 1").agg(F.avg("score"), F.min("score")).first()
    console.print(
        f"{people:,} people, {vacancies:,} vacancies, {count:,} skills: {seconds:.0f} s, {found[1]:,} matches"
    )
    console.print(f"the best score of a vacancy is {scores[0]:.2f} on average, {scores[1]:.2f} at least")
    save(out, {"machine": machine(), "people": people, "vacancies": vacancies, "skills": count, "seconds": seconds})


if __name__ == "__main__":
    typer.run(main)
