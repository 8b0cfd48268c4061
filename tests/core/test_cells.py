"""Pairs found in cells are those that comparing all with all finds."""

from dataclasses import replace
from itertools import combinations, combinations_with_replacement

import numpy as np
import pyarrow as pa
import pytest

from skillsim.cells import FEW, Gathering, Texts, cells_of, is_single, padded, pairs_in_cell, pairs_in_few
from skillsim.model_files import BUILTIN
from skillsim.variants import SHIPPED_FOR, Variants

FLOOR = 0.3
CELLS = [-(2**62) - 2, -3, -2, *range(1, 12)]  # of initials, of letters, of concepts


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("ware house", "warehouse", True),
        ("ware-house", "ware house", True),
        ("managing events", "event management", True),
        ("research and development", "r&d", True),
        ("warranty claims", "claims warranty", True),
        ("post", "postgresql", False),
        ("day shifts", "night shifts", False),
    ],
)
def test_letters_alone_bring_spellings_together(one: str, other: str, share: bool) -> None:
    shared = set(cells_of(one, [])) & set(cells_of(other, []))
    assert any(cell < 0 for cell in shared) == share


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("cadence", "cadence skills", True),
        ("day shifts", "night shifts", True),
        ("risk audit", "audit of risks", True),
        ("data model design", "data models", True),
        ("data model", "model data design tools", False),  # two words apart
        ("senior data model design", "data model design", False),  # many words
        ("cadence", "cadences skill tool", False),
        ("audit", "risk", False),
    ],
)
def test_words_but_one_bring_texts_together(one: str, other: str, share: bool) -> None:
    """For comparing their vectors, as concepts do."""
    assert any(cell >= 0 for cell in set(cells_of(one, [])) & set(cells_of(other, []))) == share


def test_cells_of_letters_come_first_and_concepts_are_not_letters() -> None:
    cells = cells_of("seo", ["words seo", "http://a"])
    assert cells == sorted(cells)
    assert [cell < 0 for cell in cells] == [True, True, True, False, False, False]
    assert len(set(cells)) == 6
    assert cells[0] < -(2**62) <= cells[1]
    assert cells[0] in cells_of("search engine optimization", [])
    assert (is_single("seo"), is_single("search engine")) == (True, False)


def test_a_threshold_set_by_hand_makes_other_clusters_than_the_same_one_that_moves() -> None:
    moves = Variants.load(SHIPPED_FOR["labels"][BUILTIN])
    by_hand = replace(moves, rate=None)
    ids = {Gathering(one, 5, "pivots").clusters_id for one in (moves, by_hand, replace(by_hand, threshold=0.9))}
    assert len(ids) == 3
    assert len({Gathering(one, 5, "pivots").key["pairs_id"] for one in (moves, by_hand)}) == 1


@pytest.mark.parametrize("parts", [1, 3, 30])
def test_each_pair_is_found_once(parts: int) -> None:
    """Texts of random cells and vectors; a cell is compared in the blocks that its texts' parts make."""
    random = np.random.default_rng(3)
    n = 120
    lists = [sorted(random.choice(CELLS, size=random.integers(1, 6), replace=False).tolist()) for _ in range(n)]
    vectors = random.normal(size=(n, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    new = random.random(n) < 0.4
    single = random.random(n) < 0.5
    part = random.integers(0, parts, n)
    every = Texts(padded(pa.array(lists, pa.list_(pa.int64()))), vectors, new, single, np.ones(n, np.int64))
    found = []
    for cell in CELLS:
        for low, high in combinations_with_replacement(range(parts), 2):
            rows = np.array([row for row in range(n) if cell in lists[row] and part[row] in (low, high)], np.int64)
            across = part[rows] if low != high else None
            for left, right, cosine in pairs_in_cell(cell, every.take(rows), FLOOR, across):
                found += [(frozenset((rows[a], rows[b])), c) for a, b, c in zip(left, right, cosine, strict=True)]

    def is_found(a: int, b: int) -> bool:
        shared = set(lists[a]) & set(lists[b]) - ({CELLS[0]} if single[a] == single[b] else set())
        if not shared or not (new[a] or new[b]):
            return False
        return min(shared) < 0 or bool(vectors[a] @ vectors[b] >= FLOOR)

    expected = {frozenset((a, b)): vectors[a] @ vectors[b] for a, b in combinations(range(n), 2) if is_found(a, b)}
    assert len(expected) > 300
    assert len(found) == len(expected)
    assert {pair: pytest.approx(cosine, abs=1e-5) for pair, cosine in found} == expected


def test_many_blocks_of_few_texts_are_looked_through_at_once() -> None:
    """Blocks of random cells, some of two parts; each by itself is the oracle."""
    random = np.random.default_rng(6)
    size = random.integers(1, FEW + 1, 3_000)
    block = np.repeat(np.arange(len(size)), size)
    n = len(block)
    cell = random.choice(CELLS, len(size))[block]
    of_two = (random.random(len(size)) < 0.3)[block]
    part = np.where(of_two, random.integers(0, 2, n), np.arange(n))
    others = random.choice(CELLS, (n, 2))
    cells = np.sort(np.column_stack([cell, others]), axis=1)
    cells[:, 1:][cells[:, 1:] == cells[:, :-1]] = np.iinfo(np.int64).max
    cells = np.sort(cells, axis=1)
    vectors = random.normal(size=(n, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = Texts(cells, vectors, random.random(n) < 0.5, random.random(n) < 0.5, np.ones(n, np.int64))
    found = [
        (a, b, one)
        for left, right, cosine in pairs_in_few(block, cell, part, texts, FLOOR)
        for a, b, one in zip(left.tolist(), right.tolist(), cosine.tolist(), strict=True)
    ]
    expected = {}
    for one in range(len(size)):
        rows = np.flatnonzero(block == one)
        apart = part[rows] if of_two[rows[0]] else None
        for left, right, cosine in pairs_in_cell(int(cell[rows[0]]), texts.take(rows), FLOOR, apart):
            expected |= dict(zip(zip(rows[left].tolist(), rows[right].tolist(), strict=True), cosine, strict=True))
    assert 10_000 < len(expected) == len(found)
    assert {(a, b): pytest.approx(one, abs=1e-5) for a, b, one in found} == expected


def test_in_a_crowd_the_nearest_and_the_most_frequent_are_compared() -> None:
    """Of what this is the first shared cell of; half of the texts share cell 0 too, before it."""
    random = np.random.default_rng(4)
    n, most = 80, (5, 3)
    vectors = random.normal(size=(n, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    new, mentions, before = random.random(n) < 0.5, random.integers(1, 9, n), random.random(n) < 0.5
    cells = np.column_stack([np.where(before, 0, 1), np.where(before, 1, 2**62)])
    cells[cells == 2**62] = np.iinfo(np.int64).max
    crowd = Texts(cells, vectors, new, np.zeros(n, bool), mentions)
    found = {
        frozenset(pair)
        for left, right, _ in pairs_in_cell(1, crowd, FLOOR, most=most)
        for pair in zip(left.tolist(), right.tolist(), strict=True)
    }
    by_frequency = sorted(range(n), key=lambda row: (-mentions[row], row))
    expected, all_near = set(), set()
    for row in np.flatnonzero(new).tolist():
        near = [other for other in range(n) if other != row and vectors[row] @ vectors[other] >= FLOOR]
        here = [other for other in near if not (before[row] and before[other])]
        nearest = sorted(here, key=lambda other: -(vectors[row] @ vectors[other]))[: most[0]]
        frequent = [other for other in by_frequency if other in here][: most[1]]
        free = len(here) <= sum(most) or row in by_frequency[: most[1]]
        expected |= {frozenset((row, other)) for other in (here if free else {*nearest, *frequent})}
        all_near |= {frozenset((row, other)) for other in here}
    assert found == expected
    assert 100 < len(expected) < 0.8 * len(all_near)
