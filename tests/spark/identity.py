"""What "the same tables" means: equal but for run ids and times, floats within 1e-4, vectors 1e-3."""

from pathlib import Path

import numpy as np
import pandas as pd
from deltalake import DeltaTable

from skillsim.encoder import unpack_vectors
from skillsim.schemas import TABLES, Table

TOLERANCE = 1e-4
_OF_THE_RUN = {"run_id", "ingested_at"}


def read(root: Path, table: str) -> pd.DataFrame:
    """A Delta table by another reader than Spark, sorted by its key."""
    contract = TABLES[table]
    frame = DeltaTable(str(root / "tables" / table)).to_pyarrow_table().to_pandas()
    return frame[contract.schema.names].sort_values(list(contract.key)).reset_index(drop=True)


def assert_same_tables(left: Path, right: Path) -> None:
    for table in TABLES.values():
        if table.name not in ("runs", "leases", "forgotten"):
            assert_same_rows(read(left, table.name), read(right, table.name), table)


def assert_same_rows(left: pd.DataFrame, right: pd.DataFrame, table: Table) -> None:
    assert len(left) == len(right), table.name
    for column in table.schema.names:
        if column in _OF_THE_RUN:
            continue
        a, b = left[column], right[column]
        if column == "vector":
            both = np.asarray(unpack_vectors(_arrow(a)), dtype=np.float32), np.asarray(unpack_vectors(_arrow(b)))
            np.testing.assert_allclose(*both, atol=1e-3, err_msg=table.name)
        else:
            for row, (one, other) in enumerate(zip(a, b, strict=True)):
                assert _same(one, other), f"{table.name}.{column}, row {row}: {one} != {other}"


def _arrow(column: pd.Series) -> object:
    import pyarrow as pa

    return pa.array(column, pa.binary())


def _same(one: object, other: object) -> bool:
    """Equal, floats within the tolerance, at any depth."""
    if isinstance(one, np.ndarray | list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, float | np.floating):
        return abs(one - other) <= TOLERANCE if not np.isnan(one) else np.isnan(other)
    return one == other or (one is None and other is None)
