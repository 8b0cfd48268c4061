"""What "the same tables" means: all columns equal but run ids and times; floats within 1e-4."""

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


def assert_same_tables(left: Path, right: Path, leftovers: bool = False) -> None:
    """`leftovers`: texts that no mention holds any more may stay in `left`; they are only collected by command."""
    live = set(read(right, "texts")["text_key"])
    for table in TABLES.values():
        if table.name == "runs":
            continue
        rows = read(left, table.name)
        if leftovers and table.name in ("texts", "candidates", "links"):
            rows = rows[rows["text_key"].isin(live)].reset_index(drop=True)
        if leftovers and table.name == "embeddings":
            kept = set(read(right, "embeddings")["text_key"])
            rows = rows[rows["text_key"].isin(kept)].reset_index(drop=True)
        assert_same_rows(rows, read(right, table.name), table)


def assert_same_rows(left: pd.DataFrame, right: pd.DataFrame, table: Table) -> None:
    assert len(left) == len(right), table.name
    for column in table.schema.names:
        if column in _OF_THE_RUN:
            continue
        a, b = left[column], right[column]
        if column == "vector":
            both = np.asarray(unpack_vectors(_arrow(a)), dtype=np.float32), np.asarray(unpack_vectors(_arrow(b)))
            np.testing.assert_allclose(*both, atol=1e-3, err_msg=table.name)
        elif pd.api.types.is_float_dtype(a):
            np.testing.assert_allclose(
                a.astype(float), b.astype(float), atol=TOLERANCE, err_msg=f"{table.name}.{column}"
            )
        else:
            assert [_rounded(v) for v in a] == [_rounded(v) for v in b], f"{table.name}.{column}"


def _arrow(column: pd.Series) -> object:
    import pyarrow as pa

    return pa.array(column, pa.binary())


def _rounded(value: object) -> object:
    """Nested values with their floats rounded, so that a last bit does not count."""
    if isinstance(value, np.ndarray | list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else round(float(value), 3)
    return value
