"""Pairs found cell by cell are those that comparing all with all finds."""

from itertools import combinations, pairwise

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from skillsim.cells import FEW, cells_of
from skillsim.pair_features import Words
from skillsim.spark.pairs import _by_block, find_pairs, with_cells
from skillsim.variants import NAMES, PHRASES, Variants

FLOOR = 0.2
# One tree of one node: a pair is kept by its cosine alone.
ONE_NODE = {
    "tree_feature": np.zeros((1, 3), np.int32),
    "tree_threshold": np.array([[0.4, 0, 0]]),
    "tree_left": np.array([[1, 1, 2]], np.int32),
    "tree_right": np.array([[2, 1, 2]], np.int32),
    "tree_value": np.array([[0.0, -4.0, 4.0]]),
    "baseline": np.array(0.0),
}
BY_COSINE = Variants(
    {f"{of}/{name}": one for of in (PHRASES, NAMES) for name, one in ONE_NODE.items()},
    words=Words(),
    threshold=0.9,
    keep=0.5,
    floor=FLOOR,
    model_id="none",
)


@pytest.mark.parametrize("size", [1, 3, 40, 5_000])
def test_blocks_are_whole_however_rows_arrive(size: int) -> None:
    """Large ones alone, small ones together, in their order."""
    random = np.random.default_rng(7)
    sizes = random.choice([1, 2, FEW, FEW + 1, 60], 60)
    block = np.repeat(np.arange(60), sizes)
    ids = {"cell": block // 3, "low": block % 3, "high": block % 3 + 1}
    rows = pa.table({**ids, "row": np.arange(len(block))})
    found = list(_by_block(iter(rows.combine_chunks().to_batches(max_chunksize=size))))
    assert pa.concat_tables(found).equals(rows)
    for one in found:
        held = np.unique(block[one["row"].to_numpy()])
        assert len(one) == sizes[held].sum()
        assert len(held) == 1 or max(sizes[held]) <= FEW
    if size == 5_000:  # one batch: what it holds together is handed on together
        held = [sizes[block[one["row"][0].as_py()]] <= FEW for one in found[:-1]]
        assert not any(one and other for one, other in pairwise(held))
    assert not list(_by_block(iter([])))


@pytest.mark.parametrize("cell_texts", [7, 1_000])
def test_cells_find_what_all_against_all_finds(spark: SparkSession, cell_texts: int) -> None:
    random = np.random.default_rng(5)
    n = 150
    vectors = random.normal(size=(n, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f2")
    texts = [f"{'abcdefgh'[row % 8]} skill {row // 2}" for row in range(n)]
    uris = [[f"u{concept}" for concept in random.choice(12, 4, replace=False)] for _ in range(n)]
    new = [bool(random.random() < 0.4) for _ in range(n)]
    keys = [f"{random.integers(2**60):015x}" for _ in range(n)]
    rows = [
        (*row[:2], bytearray(row[2].tobytes()), *row[3:], 1)
        for row in zip(keys, texts, vectors, uris, new, strict=True)
    ]
    schema = "text_key string, text string, vector binary, concept_uris array<string>, new boolean, mentions long"
    given = with_cells(spark.createDataFrame(rows, schema), 3)
    found = find_pairs(given, BY_COSINE, 2, cell_texts).collect()
    every = [cells_of(text, of[:3]) for text, of in zip(texts, uris, strict=True)]
    cells = [{cell for cell in of if cell >= -(2**62)} for of in every]  # no text is a single word
    exact = vectors.astype(np.float32)
    expected = {
        (min(keys[a], keys[b]), max(keys[a], keys[b])): float(exact[a] @ exact[b])
        for a, b in combinations(range(n), 2)
        if (new[a] or new[b]) and cells[a] & cells[b] and exact[a] @ exact[b] > 0.4
    }
    assert len(expected) > 100
    assert len(found) == len(expected)
    assert {(row["left_key"], row["right_key"]): pytest.approx(row["cosine"], abs=1e-5) for row in found} == expected
    assert [row["score"] for row in found] == pytest.approx([0.982] * len(found), abs=1e-3)
