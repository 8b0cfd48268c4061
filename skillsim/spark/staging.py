"""Frames materialised beside the tables while a run needs them; they hold what people wrote, so they go at its end."""

import shutil
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from skillsim.errors import TablesError
from skillsim.spark.paths import is_uri, spark_path
from skillsim.spark.sql import quoted

STAGED = frozenset(
    {
        "absent",
        "asked",
        "audited",
        "candidates",
        "candidates_todo",
        "carried",
        "cluster_history",
        "cluster_members",
        "clusters",
        "counted",
        "duplicates",
        "embeddings",
        "embeddings_todo",
        "forgotten_clusters",
        "forgotten_mentions",
        "input",
        "link_changes",
        "links",
        "links_todo",
        "matches",
        "matches_people",
        "matches_skills",
        "matches_vectors",
        "members",
        "mentions",
        "named",
        "orphan_pairs",
        "orphans",
        "pairs",
        "pairs_texts",
        "pairs_todo",
        "records",
        "settled",
        "skill_map",
        "stars_0",
        "stars_1",
        "stars_below",
        "stars_ranks",
        "stars_upwards",
        "stars_below_0",
        "stars_below_1",
        "texts",
        "tombstones",
    }
)
_CLEARED = "cleared boolean"
_PREFIX = "skillsim_staging_"  # a schema may hold somebody else's tables


class Staging:
    """Parquet under ROOT/staging; tables of a schema, where the root is one."""

    def __init__(self, spark: SparkSession, root: str, is_schema: bool) -> None:
        self._spark, self._root, self._is_schema = spark, root, is_schema

    def write(self, name: str, rows: DataFrame) -> DataFrame:
        """`rows`, materialised and read back. `name` is one of STAGED: no other would be cleared."""
        if name not in STAGED:
            raise ValueError(f"{name} is not among STAGED.")
        if self._is_schema:
            table = self._table(name)
            rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").saveAsTable(table)
            return self._spark.table(table)
        folder = f"{self._root}/staging/{name}"
        rows.write.mode("overwrite").parquet(spark_path(folder, escape_globs=False))
        return self._spark.read.schema(rows.schema).parquet(spark_path(folder))

    def clear(self) -> None:
        """Drop what was staged, by runs that were killed too; under a URI the folders stay, empty.

        Raises TablesError where something cannot be removed.
        """
        if self._is_schema:
            self._drop_tables()
        elif is_uri(self._root):
            for name in sorted(STAGED):
                self._empty(f"{self._root}/staging/{name}")
        else:
            folder = Path(self._root, "staging")
            try:
                shutil.rmtree(folder)
            except FileNotFoundError:
                pass
            except OSError as problem:
                raise TablesError(f"{folder} could not be removed ({problem}). Remove it: it holds input.") from problem

    def _drop_tables(self) -> None:
        schema = quoted(self._root.split("."))
        found = {row["tableName"] for row in self._spark.sql(f"SHOW TABLES IN {schema} LIKE '{_PREFIX}*'").collect()}
        for name in STAGED:
            if f"{_PREFIX}{name}" in found:
                self._spark.sql(f"DROP TABLE {self._table(name)}")

    def _empty(self, folder: str) -> None:
        """Spark has no way to remove a folder of an object store, but overwrites one."""
        try:
            cleared = self._spark.read.parquet(folder).schema.simpleString() == f"struct<{_CLEARED.replace(' ', ':')}>"
        except AnalysisException as problem:
            cleared = "PATH_NOT_FOUND" in str(problem)  # else the files of a write that was killed midway
        if not cleared:
            self._spark.createDataFrame([], _CLEARED).write.mode("overwrite").parquet(folder)

    def _table(self, name: str) -> str:
        return quoted([*self._root.split("."), f"{_PREFIX}{name}"])
