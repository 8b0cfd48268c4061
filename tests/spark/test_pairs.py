"""Pairs found cell by cell are those that comparing all with all finds."""

from itertools import combinations

import numpy as np
import pytest
from pyspark.sql import SparkSession

from skillsim.cells import cells_of
from skillsim.spark.pairs import find_pairs
from skillsim.variants import Variants, Words

FLOOR = 0.2
# One tree of one node: a pair is kept by its cosine alone.
BY_COSINE = Variants(
    {
        "tree_feature": np.zeros((1, 3), np.int32),
        "tree_threshold": np.array([[0.4, 0, 0]]),
        "tree_left": np.array([[1, 1, 2]], np.int32),
        "tree_right": np.array([[2, 1, 2]], np.int32),
        "tree_value": np.array([[0.0, -4.0, 4.0]]),
        "baseline": np.array(0.0),
    },
    words=Words(),
    threshold=0.9,
    keep=0.5,
    floor=FLOOR,
    model_id="none",
)


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
    found = find_pairs(spark.createDataFrame(rows, schema), BY_COSINE, 3, 2, cell_texts).collect()
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
