"""Fragments of SQL, quoted, and frames in the shape of the contract."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from skillsim.schemas import Table

Scope = Mapping[str, str]  # column -> the one value a write is about


def spark_schema(table: Table) -> StructType:
    return from_arrow_schema(table.schema)


def conform(rows: DataFrame, table: Table) -> DataFrame:
    """Exactly the contract's columns, in its order and types."""
    return rows.selectExpr(
        *(f"CAST(`{f.name}` AS {f.dataType.simpleString()}) AS `{f.name}`" for f in spark_schema(table).fields)
    )


def quoted(parts: list[str]) -> str:
    return ".".join(f"`{part}`" for part in parts)


def column_list(columns: list[str], prefix: str = "") -> str:
    return ", ".join(f"{prefix}`{column}`" for column in columns)


def predicate(scope: Scope, prefix: str = "") -> str:
    return " AND ".join(f"{prefix}`{column}` = '{_escape(value)}'" for column, value in scope.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
