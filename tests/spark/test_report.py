"""Each number of the report, computed by SQL over the tables of two runs and read off the page."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from skillsim.config import ReportConfig
from skillsim.report import render_report
from skillsim.schemas import CLUSTER_HISTORY, CLUSTERS, RUNS, SKILL_MAP, TABLES
from skillsim.spark.report import collect_report
from skillsim.spark.runs import last_made
from skillsim.spark.tables import Tables
from tests.reports import Tables as PageTables
from tests.spark.conftest import Run

pytestmark = [pytest.mark.spark, pytest.mark.delta]
LEAST = 2


@pytest.fixture
def grown(spark: SparkSession, clustered: Run, tmp_path: Path) -> Tables:
    """The clustered run's tables, as if there had been a smaller run a week before, and a map of half the clusters.

    Of clusters without a number from then some began long ago: their rows went with what was forgotten.
    """
    tables = Tables(spark, str(shutil.copytree(clustered.root, tmp_path / "out")))
    clusters = tables.read(CLUSTERS)
    new = F.substring("cluster_id", 2, 1).isin("0", "1")
    less = F.when(~new, F.greatest(F.lit(1), F.col("mentions") - F.length("representative") % 5))
    tables.replace(CLUSTERS, tables.stage("clusters", clusters.withColumn("mentions_before", less.cast("long"))), {})
    history, long_ago = tables.read(CLUSTER_HISTORY), F.col("changed_at") - F.expr("INTERVAL 30 DAYS")
    dated = F.when(F.substring("cluster_id", 2, 1) == "1", long_ago).otherwise(F.col("changed_at"))
    tables.replace(CLUSTER_HISTORY, tables.stage("cluster_history", history.withColumn("changed_at", dated)), {})
    split = tables.read(CLUSTERS).where("mentions_before < mentions").orderBy(F.desc("mentions")).limit(1)
    event = {"since": F.lit("x"), "event": F.lit("split"), "other_id": F.lit("c0"), "run_id": F.lit("r")}
    split = split.select("cluster_id").withColumns(event).withColumn("changed_at", F.current_timestamp())
    tables.append(CLUSTER_HISTORY, tables.stage("cluster_history", split))
    half = tables.read(CLUSTERS).where("substring(cluster_id, 3, 1) < '8'")
    places = {name: F.rand(1).cast("float") for name in ("x", "y", "pca_x", "pca_y")}
    tables.replace(SKILL_MAP, tables.stage("skill_map", half.withColumns(places)), {})
    run = tables.read(RUNS).first()
    times = {name: run[name] - timedelta(days=7) for name in ("started_at", "finished_at")}
    earlier = run.asDict() | times | {"run_id": "20000101T000000-0"}
    earlier["statuses"] = {"matched": 100, "nil": 260, "rejected": 40}
    failed = earlier | {"run_id": "20000102T000000-0", "outcome": "failed"}
    idle = earlier | {
        "run_id": "20000103T000000-0",
        "stages": [Row(stage="mentions", rows_in=1, rows_out=0, seconds=1.0)],
    }
    rows = spark.createDataFrame([earlier, failed, idle], tables.read(RUNS).schema)
    tables.append(RUNS, rows)
    tables.clear_staging()
    return tables


class Sql:
    """Queries over the tables of a namespace by their names."""

    def __init__(self, spark: SparkSession, tables: Tables) -> None:
        self._spark = spark
        for table in TABLES.values():
            if tables.exists(table):
                tables.read(table).createOrReplaceTempView(table.name)

    def rows(self, query: str) -> list[list[str]]:
        """As the page writes them: strings, numbers with commas."""
        found: DataFrame = self._spark.sql(query)
        return [[f"{value:,}" if isinstance(value, int) else value or "" for value in row] for row in found.collect()]


RECORDS = "count(DISTINCT source, regexp_replace(record_id, '##[0-9]+$', '')) AS records"
COVERAGE = "count_if(status = 'matched') / count_if(status != 'rejected')"
QUERIES = {
    "coverage": """SELECT status, count(*), format_string('%.1f%%', 100 * count(*) / (SELECT count(*) FROM
        normalised_skills)), count(DISTINCT text) FROM normalised_skills GROUP BY status ORDER BY count(*) DESC""",
    "skills": f"""SELECT max(concept_label), count(*) AS n, {RECORDS} FROM normalised_skills WHERE status = 'matched'
        GROUP BY concept_uri HAVING records >= {LEAST} ORDER BY n DESC, concept_uri""",
    "missing": f"""SELECT representative, group_label, mentions, records FROM clusters WHERE status IN ('nil',
        'ambiguous') AND spellings[0].records >= {LEAST} ORDER BY mentions DESC, cluster_id""",
    "review": f"""SELECT text, n, records FROM (SELECT text, count(*) AS n, {RECORDS} FROM normalised_skills
        WHERE status = 'ambiguous' GROUP BY text) WHERE records >= {LEAST} ORDER BY n DESC, text""",
    "rejected": """SELECT reason, count(*) AS n FROM normalised_skills WHERE status = 'rejected' GROUP BY reason
        ORDER BY n DESC, reason""",
    "feeds": f"""SELECT source, {RECORDS}, count(*), format_string('%.1f%%', 100 * {COVERAGE}),
        count_if(status = 'rejected') FROM normalised_skills GROUP BY source""",
    "emerging": f"""WITH skills AS (SELECT *, coalesce(mentions_before, 0) AS before FROM clusters WHERE status !=
        'not_skill' AND (mentions_before IS NOT NULL OR cluster_id IN (SELECT cluster_id FROM cluster_history WHERE
        changed_at >= (SELECT max(ingested_at) FROM mentions)))),
        factor AS (SELECT sum(mentions) / sum(before) AS f FROM skills) SELECT representative,
        coalesce(concept_label, 'no'), before, mentions, records FROM skills, factor WHERE mentions > before * f AND
        mentions > before AND spellings[0].records >= {LEAST} AND cluster_id NOT IN (SELECT cluster_id FROM
        cluster_history WHERE event = 'split') ORDER BY mentions - before * f DESC, cluster_id""",
}
COLUMNS = {  # of the page, in the order of the query
    **{"coverage": (0, 1, 2, 3), "skills": (0, 1, 2), "missing": (0, 2, 3, 4), "review": (0, 2, 3)},
    **{"rejected": (0, 1), "feeds": (0, 1, 2, 3, 4), "emerging": (0, 2, 3, 4, 6)},
}


def test_the_numbers_on_the_page_are_those_of_the_tables(spark: SparkSession, grown: Tables) -> None:
    run = last_made(grown)
    data = collect_report(grown, run, ReportConfig(min_records=LEAST, top=40))
    page, sql = render_report(data), Sql(spark, grown)
    shown = PageTables(page).rows
    for section, query in QUERIES.items():
        expected = sql.rows(query)[:40]
        assert [[row[of] for of in COLUMNS[section]] for row in shown[section][1:]] == expected, section
        assert len(expected) > (0 if section == "feeds" else 1), section
    ((coverage, records, mentions),) = sql.rows(
        f"SELECT format_string('%.1f%%', 100 * {COVERAGE}), {RECORDS}, count(*) FROM normalised_skills"
    )
    for number in (coverage, records, mentions):
        assert f"<b>{number}</b>" in page
    assert [row[1:] for row in shown["history"][2:]] == [["400", "100", "27.8%"]]
    assert f"{100 * (float(coverage.rstrip('%')) / 100 - 100 / 360):+.1f} points" in page
    stages = sql.rows(f"SELECT inline(stages) FROM runs WHERE run_id = '{run.run_id}'")
    assert [row[:3] for row in shown["stages"][1:]] == [row[:3] for row in stages]
    placed, unplaced = sql.rows(
        f"""SELECT count(m.cluster_id), count(*) - count(m.cluster_id) FROM clusters c LEFT JOIN skill_map m USING
        (cluster_id) WHERE c.status != 'not_skill' AND c.spellings[0].records >= {LEAST}"""
    )[0]
    assert f"{placed} skills; {unplaced} others" in page


def test_without_clusters_the_texts_without_a_concept_are_told(spark: SparkSession, finished: Run) -> None:
    tables = Tables(spark, str(finished.root))
    data = collect_report(tables, last_made(tables), ReportConfig(min_records=LEAST, top=1_000))
    expected = Sql(spark, tables).rows(QUERIES["review"].replace("ambiguous", "nil"))
    assert [[row.text, f"{row.mentions:,}", f"{row.records:,}"] for row in data.unlinked or ()] == expected
    assert (data.clusters, data.emerging, len(data.points), data.earlier) == (None, None, 0, ())
    assert data.stages[-1]["stage"] == "report"
