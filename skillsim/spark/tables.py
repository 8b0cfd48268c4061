"""The only Delta reads and writes. Every write is one commit and can be repeated without harm.

A namespace is a folder or URI (tables under ROOT/tables) or a `catalog.schema`. Plain SQL is used for MERGE, so
that Spark Connect and Databricks need nothing more than a session.
"""

import json
import re
import shutil
from collections.abc import Mapping
from functools import reduce
from operator import and_
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from skillsim.errors import TablesError
from skillsim.schemas import SCHEMA_VERSION, TABLES, Table

_OURS = {"tables", "artifacts", "staging", "report.html"}
_CATALOG_SCHEMA = re.compile(r"^[A-Za-z_][\w-]*\.[A-Za-z_][\w-]*$")
_VERSION_PROPERTY = "skillsim.schemaVersion"

Scope = Mapping[str, str]  # column -> the one value this write is about


def spark_schema(table: Table) -> StructType:
    return from_arrow_schema(table.schema)


class Tables:
    """The tables of one namespace."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        """Raises TablesError when `root` holds something else or tables of another schema version."""
        if not root:
            raise TablesError("no output: give --output a folder, a URI or catalog.schema (or set output.root).")
        self._spark = spark
        self._is_schema = bool(_CATALOG_SCHEMA.match(root)) and not Path(root).exists()
        self.is_local = not self._is_schema and "://" not in root
        self.root = str(Path(root).expanduser().resolve()) if self.is_local else root.rstrip("/")
        self._known: set[str] = set()
        self._staged: set[str] = set()
        self._check_namespace()

    def _check_namespace(self) -> None:
        if self._is_schema:
            if not self._spark.catalog.databaseExists(self.root):
                raise TablesError(
                    f"--output {self.root}: no such schema. Create it (CREATE SCHEMA {self.root}) or give a folder."
                )
        elif self.is_local:
            folder = Path(self.root)
            if folder.exists() and not folder.is_dir():
                raise TablesError(f"--output {self.root} is a file. Give a folder.")
            foreign = sorted(p.name for p in folder.glob("*") if p.name not in _OURS) if folder.is_dir() else []
            if foreign:
                raise TablesError(
                    f"--output {self.root} holds something else ({', '.join(foreign[:3])}). "
                    "Give an empty or new folder, or one that an earlier run wrote."
                )
        for table in TABLES.values():
            if self.exists(table):
                self._check_version(table)

    def _check_version(self, table: Table) -> None:
        rows = self._spark.sql(f"SHOW TBLPROPERTIES {self.identifier(table.name)}").collect()
        version = {row["key"]: row["value"] for row in rows}.get(_VERSION_PROPERTY)
        if version != str(SCHEMA_VERSION):
            raise TablesError(
                f"{self.identifier(table.name)} has schema version {version or 'unknown'}, this skillsim writes "
                f"{SCHEMA_VERSION}. Use the skillsim that wrote it, or give another --output."
            )

    def location(self, name: str) -> str:
        """The path of a table; its three-level name in a catalog."""
        return f"{self.root}.{name}" if self._is_schema else f"{self.root}/tables/{name}"

    def identifier(self, name: str) -> str:
        """How SQL names a table, quoted."""
        if self._is_schema:
            return ".".join(f"`{part}`" for part in [*self.root.split("."), name])
        return "delta.`" + self.location(name).replace("`", "``") + "`"

    def exists(self, table: Table) -> bool:
        if table.name not in self._known and self._lookup(table):
            self._known.add(table.name)
        return table.name in self._known

    def _lookup(self, table: Table) -> bool:
        if self._is_schema:
            return self._spark.catalog.tableExists(self.location(table.name))
        if self.is_local:
            return (Path(self.location(table.name)) / "_delta_log").is_dir()
        try:
            return bool(self._spark.read.format("delta").load(self.location(table.name)).columns)
        except AnalysisException:
            return False

    def read(self, table: Table) -> DataFrame:
        """The table as it is now; empty, with its schema, before the first write."""
        if not self.exists(table):
            return self._spark.createDataFrame([], spark_schema(table))
        return self._spark.table(self.identifier(table.name))

    def version(self, table: Table) -> int:
        """The Delta version of a table; -1 before the first write."""
        if not self.exists(table):
            return -1
        return self._history(table, limit=1)[0]["version"]

    def built_from(self, table: Table) -> dict[str, int | str]:
        """What the last `sync` recorded of its inputs; empty before the first."""
        if not self.exists(table):
            return {}
        notes = [row["userMetadata"] for row in self._history(table) if row["userMetadata"]]
        return json.loads(notes[0]) if notes else {}

    def _history(self, table: Table, limit: int = 50) -> list:
        return self._spark.sql(f"DESCRIBE HISTORY {self.identifier(table.name)} LIMIT {limit}").collect()

    def _create(self, table: Table, rows: DataFrame) -> None:
        """The first write of a table makes it, in the same commit."""
        writer = _conform(rows, table).writeTo(self.identifier(table.name)).using("delta")
        writer = writer.tableProperty(_VERSION_PROPERTY, str(SCHEMA_VERSION))
        if table.partition_by:
            writer = writer.partitionedBy(*(F.col(column) for column in table.partition_by))
        writer.create()

    def append(self, table: Table, rows: DataFrame) -> None:
        if self.exists(table):
            _conform(rows, table).writeTo(self.identifier(table.name)).append()
        else:
            self._create(table, rows)

    def replace(self, table: Table, rows: DataFrame, scope: Scope) -> None:
        """The rows of `scope` become `rows`."""
        if self.exists(table):
            condition = reduce(and_, (F.col(column) == value for column, value in scope.items()))
            _conform(rows, table).writeTo(self.identifier(table.name)).overwrite(condition)
        else:
            self._create(table, rows)

    def stage(self, name: str, rows: DataFrame) -> DataFrame:
        """Materialise `rows` and read them back: what is expensive or would change under its reader."""
        if self._is_schema:
            staged = f"staging_{name}"
            writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
            writer.saveAsTable(self.location(staged))
            self._staged.add(staged)
            return self._spark.table(self.identifier(staged))
        folder = f"{self.root}/staging/{name}"
        rows.write.mode("overwrite").parquet(folder)
        return self._spark.read.schema(rows.schema).parquet(folder)

    def clear_staging(self) -> None:
        """Drop what `stage` made. Under a URI it stays, to be overwritten by the next run."""
        for staged in self._staged:
            self._spark.sql(f"DROP TABLE IF EXISTS {self.identifier(staged)}")
        self._staged.clear()
        if self.is_local:
            shutil.rmtree(Path(self.root) / "staging", ignore_errors=True)

    def upsert(self, table: Table, rows: DataFrame, scope: Scope | None = None, gone: DataFrame | None = None) -> None:
        """Insert rows with new keys, update those with known keys, delete the keys in `gone`; one commit.

        `rows` must be cheap to scan twice (staged) and hold each key once. `scope` prunes partitions.
        """
        source = _conform(rows, table).selectExpr("*", "false AS _gone")
        if gone is not None:
            nulls = [f"CAST(NULL AS {f.dataType.simpleString()}) AS `{f.name}`" for f in spark_schema(table).fields]
            keys = [f"`{k}`" if k in table.key else null for k, null in zip(table.schema.names, nulls, strict=True)]
            source = source.unionByName(gone.selectExpr(*keys, "true AS _gone"))
        columns = table.schema.names
        sets = ", ".join(f"t.`{c}` = s.`{c}`" for c in columns)
        self._merge(
            table,
            source,
            scope,
            f"WHEN MATCHED AND s._gone THEN DELETE WHEN MATCHED THEN UPDATE SET {sets} "
            f"WHEN NOT MATCHED AND NOT s._gone THEN INSERT ({_list(columns)}) VALUES ({_list(columns, 's.')})",
        )

    def insert_new(self, table: Table, rows: DataFrame, scope: Scope | None = None) -> None:
        """Insert the rows whose key is not there yet; one commit."""
        columns = table.schema.names
        self._merge(
            table,
            _conform(rows, table),
            scope,
            f"WHEN NOT MATCHED THEN INSERT ({_list(columns)}) VALUES ({_list(columns, 's.')})",
        )

    def sync(self, table: Table, rows: DataFrame, built_from: Mapping[str, int | str]) -> None:
        """The table becomes `rows`; a row that differs in nothing but its run_id stays. One commit.

        `built_from` is kept in that commit, for `Tables.built_from`.
        """
        columns = table.schema.names
        compared = [c for c in columns if c not in table.key and c != "run_id"]
        differs = " OR ".join(f"NOT (t.`{c}` <=> s.`{c}`)" for c in compared)
        sets = ", ".join(f"t.`{c}` = s.`{c}`" for c in columns)
        note = "spark.databricks.delta.commitInfo.userMetadata"
        self._spark.conf.set(note, json.dumps(built_from, sort_keys=True))
        try:
            self._merge(
                table,
                _conform(rows, table),
                None,
                f"WHEN MATCHED AND ({differs}) THEN UPDATE SET {sets} "
                f"WHEN NOT MATCHED THEN INSERT ({_list(columns)}) VALUES ({_list(columns, 's.')}) "
                "WHEN NOT MATCHED BY SOURCE THEN DELETE",
            )
        finally:
            self._spark.conf.unset(note)

    def _merge(self, table: Table, source: DataFrame, scope: Scope | None, clauses: str) -> None:
        if not self.exists(table):
            self._create(table, source)
            return
        view = f"skillsim_merge_{table.name}"
        source.createOrReplaceTempView(view)
        on = " AND ".join(f"t.`{key}` = s.`{key}`" for key in table.key)
        if scope:
            on += " AND " + _predicate(scope, "t.")
        self._spark.sql(f"MERGE INTO {self.identifier(table.name)} t USING {view} s ON {on} {clauses}")
        self._spark.catalog.dropTempView(view)


def _conform(rows: DataFrame, table: Table) -> DataFrame:
    """Exactly the contract's columns, in its order and types."""
    return rows.selectExpr(
        *(f"CAST(`{f.name}` AS {f.dataType.simpleString()}) AS `{f.name}`" for f in spark_schema(table).fields)
    )


def _list(columns: list[str], prefix: str = "") -> str:
    return ", ".join(f"{prefix}`{column}`" for column in columns)


def _predicate(scope: Scope, prefix: str = "") -> str:
    return " AND ".join(f"{prefix}`{column}` = '{_escape(value)}'" for column, value in scope.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
