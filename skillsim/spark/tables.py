"""The only Delta reads and writes. Every write is one commit and can be repeated without harm.

A namespace is a folder or URI (tables under ROOT/tables) or a `catalog.schema`. Plain SQL is used for MERGE, so
that Spark Connect and Databricks need nothing more than a session.
"""

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from skillsim.errors import LeaseError, TablesError
from skillsim.schemas import OLDEST_SCHEMA_VERSION, SCHEMA_VERSION, TABLES, Table
from skillsim.spark.paths import is_uri, spark_path
from skillsim.spark.sql import (
    VERSION_PROPERTY,
    Scope,
    column_list,
    conform,
    predicate,
    properties,
    property_list,
    quoted,
    spark_schema,
)
from skillsim.spark.staging import Staging

_KNOWN_ENTRIES = {"tables", "artifacts", "staging", "report.html"}
_CATALOG_SCHEMA = re.compile(r"^[A-Za-z_][\w-]*\.[A-Za-z_][\w-]*$")
_NOTE = "spark.databricks.delta.commitInfo.userMetadata"
_NOTING = threading.Lock()  # the note is the session's, which may serve two runs
_DELTA_WEEK_H = 168
# Commits that leave every row as it was.
_MAINTENANCE = {"OPTIMIZE", "REORG", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES"}


class Tables:
    """The tables of one namespace."""

    def __init__(self, spark: SparkSession, root: str) -> None:
        """Raises TablesError when `root` holds something else or tables of a schema version it cannot migrate."""
        if not root:
            raise TablesError("no output: give --output a folder, a URI or catalog.schema (or set output.root).")
        self._spark = spark
        self._is_schema = bool(_CATALOG_SCHEMA.match(root)) and not Path(root).exists()
        self.is_local = not self._is_schema and not is_uri(root)
        self.root = str(Path(root).expanduser().resolve()) if self.is_local else root.rstrip("/")
        self._base = self.root if self._is_schema else spark_path(self.root, escape_globs=False)
        self.guard: Callable[[], None] | None = None  # asked before each write; raises when another run took over
        self._staging = Staging(spark, self.root, self._is_schema)
        self._known: set[str] = set()
        self.outdated: list[Table] = []  # when it was opened, for `skillsim.spark.migrations`
        self._check_namespace()

    def _check_namespace(self) -> None:
        if self._is_schema:
            if not self._spark.catalog.databaseExists(quoted(self.root.split("."))):
                raise TablesError(
                    f"--output {self.root}: no such schema. Create it (CREATE SCHEMA {self.root}), or write a folder "
                    f"as ./{self.root}."
                )
        elif self.is_local:
            folder = Path(self.root)
            if folder.exists() and not folder.is_dir():
                raise TablesError(f"--output {self.root} is a file. Give a folder.")
            foreign = sorted({path.name for path in folder.glob("[!._]*")} - _KNOWN_ENTRIES)
            if foreign and not any((folder / "tables" / name / "_delta_log").is_dir() for name in TABLES):
                raise TablesError(
                    f"--output {self.root} holds something else ({', '.join(foreign[:3])}). "
                    "Give an empty or new folder, or one that an earlier run wrote."
                )
        for table in TABLES.values():
            if self.exists(table):
                self._check_version(table)

    def _check_version(self, table: Table) -> None:
        version = self.schema_version(table)
        if not OLDEST_SCHEMA_VERSION <= version <= SCHEMA_VERSION:
            raise TablesError(
                f"{self.identifier(table.name)} has schema version {version or 'unknown'}, this skillsim writes "
                f"{SCHEMA_VERSION}. Use the skillsim that wrote it or a newer one, or give another --output."
            )
        if version < SCHEMA_VERSION:
            self.outdated.append(table)

    def schema_version(self, table: Table) -> int:
        """As the table says; 0 when it does not."""
        rows = self._spark.sql(f"SHOW TBLPROPERTIES {self.identifier(table.name)}").collect()
        version = {row["key"]: row["value"] for row in rows}.get(VERSION_PROPERTY, "")
        return int(version) if version.isdecimal() else 0

    def location(self, name: str) -> str:
        """The URI of a table; its quoted three-level name in a catalog."""
        if self._is_schema:
            return quoted([*self.root.split("."), name])
        return f"{self._base}/tables/{name}"

    def identifier(self, name: str) -> str:
        """How SQL names a table, quoted."""
        if self._is_schema:
            return self.location(name)
        return "delta.`" + self.location(name).replace("`", "``") + "`"

    def exists(self, table: Table) -> bool:
        if table.name not in self._known and self._lookup(table):
            self._known.add(table.name)
        return table.name in self._known

    def _lookup(self, table: Table) -> bool:
        if self._is_schema:
            return self._spark.catalog.tableExists(self.location(table.name))
        if self.is_local:
            # Delta makes the folder of the log before it writes: a first write that failed leaves it empty.
            return any(self.log_folder(table).glob("*.json"))
        try:
            return bool(self._spark.read.format("delta").load(self.location(table.name)).columns)
        except AnalysisException:
            return False

    def log_folder(self, table: Table) -> Path:
        """Of a table in a local folder."""
        return Path(self.root) / "tables" / table.name / "_delta_log"

    def read(self, table: Table) -> DataFrame:
        """The table as it is now; empty, with its schema, before the first write."""
        if not self.exists(table):
            return self._spark.createDataFrame([], spark_schema(table))
        return self._spark.table(self.identifier(table.name))

    def version(self, table: Table) -> int:
        """The Delta version that last changed a row; -1 before the first write."""
        return self._last_change(table)["version"] if self.exists(table) else -1

    def state(self, table: Table) -> str:
        """Version and time of the last change: other than the version alone, never that of a table made anew."""
        if not self.exists(table):
            return "absent"
        change = self._last_change(table)
        return f"{change['version']} of {change['timestamp'].astimezone(UTC)}"  # Spark gives the session's own zone

    def built_from(self, table: Table) -> dict[str, str]:
        """What the last `sync` or `rewrite` recorded of its inputs; empty when something else has written since."""
        note = self._last_change(table)["userMetadata"] if self.exists(table) else None
        try:
            recorded = json.loads(note or "{}")
        except ValueError:  # another program's note
            return {}
        return recorded if isinstance(recorded, dict) else {}

    def _last_change(self, table: Table) -> Row:
        history = self._spark.sql(f"DESCRIBE HISTORY {self.identifier(table.name)} LIMIT 100").collect()
        return next((row for row in history if row["operation"] not in _MAINTENANCE), history[-1])

    def _before_commit(self, table: Table) -> None:
        self._ask_guard()

    def _ask_guard(self) -> None:
        if self.guard is not None:
            self.guard()

    def _create(self, table: Table, rows: DataFrame) -> None:
        """The first write of a table makes it, in the same commit, also where an earlier one failed midway."""
        self._before_commit(table)
        writer = conform(rows, table).writeTo(self.identifier(table.name)).using("delta")
        for name, value in properties(table).items():
            writer = writer.tableProperty(name, value)
        if table.partition_by:
            writer = writer.partitionedBy(*(F.col(column) for column in table.partition_by))
        writer.createOrReplace()

    def create_if_absent(self, table: Table) -> None:
        """An empty table; of two who try at once, both find it."""
        if self.exists(table):
            return
        columns = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in spark_schema(table).fields)
        try:
            self._spark.sql(
                f"CREATE TABLE IF NOT EXISTS {self.identifier(table.name)} ({columns}) USING delta "
                f"TBLPROPERTIES ({property_list(properties(table))})"
            )
        except Exception:
            if not self.exists(table):  # else the other was quicker
                raise

    def append(self, table: Table, rows: DataFrame) -> None:
        if self.exists(table):
            self._before_commit(table)
            conform(rows, table).writeTo(self.identifier(table.name)).append()
        else:
            self._create(table, rows)

    def replace(self, table: Table, rows: DataFrame, scope: Scope) -> None:
        """The rows of `scope`, without one all rows, become `rows`."""
        if self.exists(table):
            self._before_commit(table)
            condition = F.expr(predicate(scope)) if scope else F.lit(True)
            conform(rows, table).writeTo(self.identifier(table.name)).overwrite(condition)
        else:
            self._create(table, rows)

    def stage(self, name: str, rows: DataFrame) -> DataFrame:
        """Materialise `rows` and read them back: what is expensive or would change under its reader."""
        self._ask_guard()
        return self._staging.write(name, rows)

    def clear_staging(self) -> None:
        """Drop what `stage` made, in earlier runs too, unless another run has taken over: it is that run's then."""
        try:
            self._ask_guard()
        except LeaseError:
            return
        self._staging.clear()

    def upsert(self, table: Table, rows: DataFrame, scope: Scope | None = None, gone: DataFrame | None = None) -> None:
        """Insert rows with new keys, update those with known keys, delete the keys in `gone`; one commit.

        `rows` must be cheap to scan twice (staged) and hold each key once. `scope` holds for all of them, and spares
        MERGE the files it cannot hold in.
        """
        source = conform(rows, table).selectExpr("*", "false AS _gone")
        if gone is not None:
            nulls = [f"CAST(NULL AS {f.dataType.simpleString()}) AS `{f.name}`" for f in spark_schema(table).fields]
            keys = [f"`{k}`" if k in table.key else null for k, null in zip(table.schema.names, nulls, strict=True)]
            source = source.unionByName(gone.selectExpr(*keys, "true AS _gone"))
        columns = table.schema.names
        sets = ", ".join(f"t.`{c}` = s.`{c}`" for c in columns)
        inserts = f"({column_list(columns)}) VALUES ({column_list(columns, 's.')})"
        self._merge(
            table,
            source,
            scope,
            f"WHEN MATCHED AND s._gone THEN DELETE WHEN MATCHED THEN UPDATE SET {sets} "
            f"WHEN NOT MATCHED AND NOT s._gone THEN INSERT {inserts}",
        )

    def insert_new(self, table: Table, rows: DataFrame, scope: Scope | None = None) -> None:
        """Insert the rows whose key is not there yet; one commit."""
        self._merge(table, conform(rows, table), scope, "WHEN NOT MATCHED THEN INSERT *")

    def delete(self, table: Table, keys: DataFrame) -> None:
        """Delete the rows that agree with a row of `keys` on all of its columns; one commit, none where no row does."""
        held = self.exists(table) and not self.read(table).join(keys, on=keys.columns, how="left_semi").isEmpty()
        if held:
            self._merge(table, keys.distinct(), None, "WHEN MATCHED THEN DELETE", tuple(keys.columns))

    def clear(self, table: Table) -> None:
        """Delete all rows; no commit where there are none."""
        if self.exists(table) and not self.read(table).isEmpty():
            self.replace(table, self.read(table).limit(0), {})

    def optimize(self, table: Table) -> None:
        """Few large files for many small ones."""
        self._before_commit(table)
        self._spark.sql(f"OPTIMIZE {self.identifier(table.name)}")

    def vacuum(self, table: Table, retention_hours: float) -> None:
        """Remove the files of versions older than this; with 0, whoever reads an older one now fails."""
        self._before_commit(table)
        unchecked = self._setting("spark.databricks.delta.retentionDurationCheck.enabled", "false")
        # Databricks' serverless compute refuses that setting, and Delta wants it for less than a week at most.
        with unchecked if retention_hours < _DELTA_WEEK_H else nullcontext():
            # Rows marked as deleted, where a platform does that, must leave the files before those can go.
            self._spark.sql(f"REORG TABLE {self.identifier(table.name)} APPLY (PURGE)")
            self._spark.sql(f"VACUUM {self.identifier(table.name)} RETAIN {retention_hours} HOURS")

    def sync(self, table: Table, rows: DataFrame, built_from: Mapping[str, str]) -> None:
        """The table becomes `rows`; a row that differs in nothing but its run_id stays. One commit.

        `built_from` is kept in that commit, for `Tables.built_from`.
        """
        compared = [c for c in table.schema.names if c not in table.key and c != "run_id"]
        differs = " OR ".join(f"NOT (t.`{c}` <=> s.`{c}`)" for c in compared)
        with _NOTING, self._setting(_NOTE, json.dumps(built_from, sort_keys=True)):
            self._merge(
                table,
                conform(rows, table),
                None,
                f"WHEN MATCHED AND ({differs}) THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT * "
                "WHEN NOT MATCHED BY SOURCE THEN DELETE",
            )

    def rewrite(self, table: Table, rows: DataFrame, built_from: Mapping[str, str]) -> None:
        """As `sync`, where nearly every row differs: written anew instead of compared."""
        with _NOTING, self._setting(_NOTE, json.dumps(built_from, sort_keys=True)):
            self.replace(table, rows, {})

    def alter(self, table: Table, change: str) -> None:
        """ALTER TABLE, for `skillsim.spark.migrations`."""
        self._before_commit(table)
        self._spark.sql(f"ALTER TABLE {self.identifier(table.name)} {change}")

    @contextmanager
    def _setting(self, key: str, value: str) -> Iterator[None]:
        """A setting of the session for the time being."""
        before = self._spark.conf.get(key, None)
        self._spark.conf.set(key, value)
        try:
            yield
        finally:
            if before is None:
                self._spark.conf.unset(key)
            else:
                self._spark.conf.set(key, before)

    def _merge(
        self,
        table: Table,
        source: DataFrame,
        scope: Scope | None,
        clauses: str,
        key: tuple[str, ...] = (),
    ) -> None:
        if not self.exists(table):
            self._create(table, source)
            return
        self._before_commit(table)
        view = f"skillsim_merge_{uuid.uuid4().hex}"  # a session may serve two runs
        source.createOrReplaceTempView(view)
        on = " AND ".join(f"t.`{column}` = s.`{column}`" for column in key or table.key)
        if scope:
            on += " AND " + predicate(scope, "t.")
        try:
            self._spark.sql(f"MERGE INTO {self.identifier(table.name)} t USING {view} s ON {on} {clauses}")
        finally:
            self._spark.catalog.dropTempView(view)
