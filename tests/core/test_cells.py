"""Pairs found in cells are those that comparing all with all finds."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from skillsim.cells import cells_of, padded, pairs_in_cell

FLOOR = 0.3


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("front end", "frontend", True),
        ("front-end", "front end", True),
        ("managing projects", "project management", True),
        ("search engine optimization", "seo", True),
        ("accounts payable", "payable accounts", True),
        ("java", "javascript", False),
        ("inbound sales", "outbound sales", False),
    ],
)
def test_letters_alone_bring_spellings_together(one: str, other: str, share: bool) -> None:
    assert bool(set(cells_of(one, [])) & set(cells_of(other, []))) == share


def test_cells_of_letters_come_first_and_concepts_are_not_letters() -> None:
    cells = cells_of("seo", ["words seo", "http://a"])
    assert cells == sorted(cells)
    assert sum(cell < 0 for cell in cells) == 3
    assert len(set(cells)) == 5


@pytest.mark.parametrize("salts", [1, 3])
def test_each_pair_is_found_once(salts: int) -> None:
    """Texts of random cells and vectors; a cell is compared in the blocks that its texts' salts make."""
    random = np.random.default_rng(3)
    n = 120
    lists = [
        sorted(random.choice(np.r_[-3:0, 1:12], size=random.integers(1, 6), replace=False).tolist()) for _ in range(n)
    ]
    vectors = random.normal(size=(n, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    new = random.random(n) < 0.4
    salt = random.integers(0, salts, n)
    matrix = padded(pa.array(lists, pa.list_(pa.int64())))
    found = []
    for cell in range(-3, 12):
        members = np.array([row for row in range(n) if cell in lists[row]])
        for low in range(salts):
            for high in range(low, salts):
                rows = members[np.isin(salt[members], (low, high))] if len(members) else members
                if not len(rows):
                    continue
                held = salt[rows] if low != high else np.zeros(len(rows), dtype=np.int64)
                if low != high and len(set(held.tolist())) < 2:
                    continue
                for left, right, cosine in pairs_in_cell(cell, matrix[rows], vectors[rows], new[rows], held, FLOOR):
                    found += [(frozenset((rows[a], rows[b])), c) for a, b, c in zip(left, right, cosine, strict=True)]
    expected = {
        frozenset((a, b)): vectors[a] @ vectors[b]
        for a, b in combinations(range(n), 2)
        if (new[a] or new[b])
        and (shared := set(lists[a]) & set(lists[b]))
        and (min(shared) < 0 or vectors[a] @ vectors[b] >= FLOOR)
    }
    assert len(found) == len(expected)
    assert {pair: pytest.approx(cosine, abs=1e-5) for pair, cosine in found} == expected
