"""The group of a skill that the taxonomy lacks: what its candidates vote for, against that of the nearest one.

`python tests/benchmarks/nearest_groups.py ROOT` takes an output with real texts in it. Of each text whose concept is
sure (a label or the lexicon says it) that concept is left out of its candidates, as if the taxonomy lacked it; right is
the group that it is in. 95% intervals by bootstrap over texts.
"""

import sys
from pathlib import Path

import typer
from pyspark.sql import functions as F
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from skillsim.config import SparkConfig
from skillsim.metrics import Score, bootstrap_weights, share
from skillsim.schemas import CANDIDATES, CONCEPTS, LINKS
from skillsim.spark.cluster_tables import nearest_groups
from skillsim.spark.runs import last_made
from skillsim.spark.session import get_session
from skillsim.spark.sql import predicate
from skillsim.spark.tables import Tables
from tests.benchmarks import require, show


def main(root: Path) -> None:
    """Leave out, vote, print."""
    require(root / "tables")
    tables = Tables(get_session(SparkConfig(master="local[*]")), str(root))
    ids = last_made(tables).ids
    of_run = predicate({"taxonomy_id": ids.taxonomy_id, "model_id": ids.model_id})
    concepts = tables.read(CONCEPTS).where(predicate({"taxonomy_id": ids.taxonomy_id}))
    groups = concepts.where("group_uri IS NOT NULL").select("concept_uri", F.col("group_uri").alias("right"))
    sure = tables.read(LINKS).where(of_run).where("status = 'matched' AND method IN ('lexicon', 'exact')")
    told = sure.select("text_key", "concept_uri").join(groups, on="concept_uri", how="inner")
    others = F.filter("candidates", lambda one: one["concept_uri"] != F.col("concept_uri")).alias("candidates")
    of_texts = tables.read(CANDIDATES).where(of_run).where(predicate({"retrieval_id": ids.retrieval_id}))
    left = of_texts.join(told, on="text_key", how="inner").select("text_key", "right", others).cache()
    nothing = told.limit(0).select("text_key", F.lit("").alias("group_uri"), F.lit("").alias("group_label"))
    voted = nearest_groups(nothing, left, concepts).select("text_key", F.col("group_uri").alias("voted"))
    nearest = F.array_max(F.transform("candidates", lambda one: F.struct(one["cosine"], one["concept_uri"])))
    first = left.select("text_key", "right", nearest["concept_uri"].alias("concept_uri"))
    first = first.join(groups.withColumnRenamed("right", "nearest"), on="concept_uri", how="left")
    rows = first.join(voted, on="text_key", how="left").orderBy("text_key").toPandas()
    weights, lines = bootstrap_weights(len(rows)), []
    for name, by in {"nearest concept": rows["nearest"], "candidates' votes": rows["voted"]}.items():
        said = by.notna().to_numpy()
        score = Score.of(share((by == rows["right"]).to_numpy(), said, weights), int(said.sum()))
        lines.append([name, f"{said.mean():.3f}", f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"])
    show(Console(width=120), f"{len(rows):,} texts", ["group of", "says one", "right where it does"], lines)


if __name__ == "__main__":
    typer.run(main)
