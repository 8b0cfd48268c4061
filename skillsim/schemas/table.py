"""What a table is, and short names of column types."""

from dataclasses import dataclass

import pyarrow as pa

STR, INT, F64, F32, BOOL = pa.string(), pa.int32(), pa.float64(), pa.float32(), pa.bool_()
TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Table:
    """One Delta table: its key columns identify a row; `partition_by` is its physical layout."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ()


def schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, dtype) for name, dtype in columns])
