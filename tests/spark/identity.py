"""What "the same tables" means: equal but for run ids and times, floats within 1e-4, vectors 1e-3.

A text is embedded beside other ones from run to run, which changes the last bits of its vector; where two scores, or a
score and a threshold, are nearer to each other than the tolerance, either order is right. Such texts are counted.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from deltalake import DeltaTable

from skillsim.decider import NIL_THRESHOLD, THRESHOLD
from skillsim.encoder import unpack_vectors
from skillsim.retrieval import FUSION
from skillsim.schemas import CANDIDATES, LINKS, NORMALISED_SKILLS, TABLES, Table

TOLERANCE = 1e-4
# Of a thousand texts with thirty candidates each, a few have two candidates nearer to each other than that.
TIES = 5
_OF_THE_RUN = {"run_id", "ingested_at"}
# What runs before, or other jobs, have a part in: tests/spark/test_cluster_tables.py says what clusters must be.
OF_THE_PAST = {"runs", "leases", "forgotten", "overrides", "link_changes", "cluster_history"}
OF_THE_PAST |= {"cluster_members", "clusters", "pairs", "duplicates", "matches", "skill_map"}


def read(root: Path, table: str) -> pd.DataFrame:
    """A Delta table by another reader than Spark, sorted by its key."""
    contract = TABLES[table]
    frame = DeltaTable(str(root / "tables" / table)).to_pyarrow_table().to_pandas()
    return frame[contract.schema.names].sort_values(list(contract.key)).reset_index(drop=True)


def assert_same_tables(
    left: Path,
    right: Path,
    ties: int = TIES,
    thresholds: tuple[float, float] = (THRESHOLD, NIL_THRESHOLD),
    apart_from: frozenset[str] = frozenset(),
) -> int:
    """`ties`: how many texts may differ by a tie, to each other or to `thresholds`. Gives how many do.

    `apart_from`: columns that are not compared.
    """
    tied: set[str] = set()
    for table in TABLES.values():
        if table.name in OF_THE_PAST:
            continue
        one, other = read(left, table.name), read(right, table.name)
        for row, column in differences(one, other, table, apart_from).items():
            a, b = one.loc[row], other.loc[row]
            assert _is_tie(a, b, table, tied, thresholds), (
                f"{table.name}.{column}, row {row}: {a[column]} != {b[column]}"
            )
            tied.add(a["text_key"])
    assert len(tied) <= ties
    return len(tied)


def assert_same_rows(left: pd.DataFrame, right: pd.DataFrame, table: Table) -> None:
    for row, column in differences(left, right, table).items():
        raise AssertionError(f"{table.name}.{column}, row {row}: {left[column][row]} != {right[column][row]}")


def differences(
    left: pd.DataFrame, right: pd.DataFrame, table: Table, apart_from: frozenset[str] = frozenset()
) -> dict[int, str]:
    """Rows that differ, each with the first of its columns that does. Raises AssertionError where a key does."""
    assert len(left) == len(right), table.name
    found: dict[int, str] = {}
    for column in table.schema.names:
        if column in _OF_THE_RUN | apart_from:
            continue
        a, b = left[column], right[column]
        if column == "vector":
            both = np.asarray(unpack_vectors(_arrow(a)), dtype=np.float32), np.asarray(unpack_vectors(_arrow(b)))
            np.testing.assert_allclose(*both, atol=1e-3, err_msg=table.name)
            continue
        for row, (one, other) in enumerate(zip(a, b, strict=True)):
            if not _same(one, other):
                assert column not in table.key, f"{table.name}.{column}, row {row}: {one} != {other}"
                found.setdefault(row, column)
    return found


def _is_tie(a: pd.Series, b: pd.Series, table: Table, tied: set[str], thresholds: tuple[float, float]) -> bool:
    if table is CANDIDATES:
        return _tied_candidates(list(a["candidates"]), list(b["candidates"]))
    if table is LINKS:
        near = [[top["score"] for top in link["top"]] for link in (a, b)]
        at_threshold = any(abs(a["score"] - t) <= TOLERANCE for t in thresholds)
        return _same(*near) and (a["status"] == b["status"] or at_threshold)
    return table is NORMALISED_SKILLS and a["text_key"] in tied


def _tied_candidates(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    """The same scores place by place; of a concept in both all is the same but, of labels alike, which it is."""
    of = {candidate["concept_uri"]: {**candidate, "label": None} for candidate in other}
    shared = [{**candidate, "label": None} for candidate in one if candidate["concept_uri"] in of]
    return _same([_fused(c) for c in one], [_fused(c) for c in other]) and all(
        _same(candidate, of[candidate["concept_uri"]]) for candidate in shared
    )


def _fused(candidate: dict[str, Any]) -> float:
    """The score that orders candidates."""
    signals = {**candidate, "occupations": np.log1p(candidate["occupations"])}
    return 10.0 * (candidate["exact"] is not None) + sum(weight * signals[name] for name, weight in FUSION.items())


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
