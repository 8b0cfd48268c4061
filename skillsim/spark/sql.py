"""Fragments of SQL, quoted, and frames in the shape of the contract."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from skillsim.schemas import SCHEMA_VERSION, Table

# What a write is about: column -> its one value, or its range, from the first up to and without the second.
Scope = Mapping[str, str | tuple[str, str]]
VERSION_PROPERTY = "skillsim.schemaVersion"


def spark_schema(table: Table) -> StructType:
    return from_arrow_schema(table.schema)


def conform(rows: DataFrame, table: Table) -> DataFrame:
    """Exactly the contract's columns, in its order and types."""
    return rows.selectExpr(
        *(f"CAST(`{f.name}` AS {f.dataType.simpleString()}) AS `{f.name}`" for f in spark_schema(table).fields)
    )


def properties(table: Table) -> dict[str, str]:
    """A table's properties: its schema version, and what of it Delta's log may hold."""
    return {VERSION_PROPERTY: str(SCHEMA_VERSION), **statistics(table)}


def statistics(table: Table) -> dict[str, str]:
    """The log keeps each file's least and greatest values: those of keys alone, never of what people wrote, nor ids."""
    counted = [column for column in table.key if column not in ("record_id", "vacancy_id", *table.partition_by)]
    return {"delta.dataSkippingStatsColumns": ",".join(counted)}


def property_list(properties: Mapping[str, str]) -> str:
    return ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())


def quoted(parts: list[str]) -> str:
    return ".".join(f"`{part}`" for part in parts)


def column_list(columns: list[str], prefix: str = "") -> str:
    return ", ".join(f"{prefix}`{column}`" for column in columns)


def predicate(scope: Scope, prefix: str = "") -> str:
    return " AND ".join(_condition(f"{prefix}`{column}`", value) for column, value in scope.items())


def _condition(column: str, value: str | tuple[str, str]) -> str:
    if isinstance(value, str):
        return f"{column} = {_literal(value)}"
    return f"{column} >= {_literal(value[0])} AND {column} < {_literal(value[1])}"


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
