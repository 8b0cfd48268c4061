"""Stars against a graph library, and ids over a sequence of partitions."""

from collections.abc import Iterable
from random import Random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.clusters import CREATED, ENDED, MERGED, SPLIT, Change, carry_ids, new_id, ranks, settled, stars

Edge = tuple[int, int, int]


def star_of(n: int, edges: Iterable[Edge], rank: Iterable[int]) -> list[int]:
    table = np.array(list(edges), dtype=np.int64).reshape(-1, 3)
    return stars(table[:, 0], table[:, 1], table[:, 2].astype(np.float32), np.array(list(rank))).tolist()


@pytest.mark.parametrize(
    ("edges", "leaders"),
    [
        ((), [0, 1, 2, 3]),
        (((0, 1, 9), (1, 2, 9), (2, 3, 9)), [0, 0, 2, 2]),  # no chain: 2 is not within the threshold of 0
        (((1, 0, 9), (0, 2, 9), (3, 0, 9)), [0, 0, 0, 0]),
        (((0, 3, 5), (1, 3, 7)), [0, 1, 2, 1]),  # to the closest leader, not to the first
        (((0, 3, 5), (1, 3, 5)), [0, 1, 2, 0]),  # to the first of equals
        (((0, 1, 5), (1, 2, 9), (2, 3, 6)), [0, 0, 2, 2]),  # not to one that ranks below it, though it leads
    ],
)
def test_literal_stars(edges: tuple[Edge, ...], leaders: list[int]) -> None:
    assert star_of(4, edges, range(4)) == leaders


@pytest.mark.parametrize(
    ("counts", "edges", "holds"),
    [  # 0 is the acronym of all but the last, which are its meanings
        ((9, 5), ((0, 1),), [True]),
        ((9, 5, 5), ((0, 1), (0, 2)), [False, False]),  # each has half
        ((9, 5, 5), ((0, 1), (2, 0), (1, 2)), [True, True, True]),  # both are one
        ((9, 5, 5), ((0, 1), (2, 0), (2, 1)), [True, True, True]),
        ((9, 80, 20), ((0, 1), (0, 2)), [True, False]),
        ((9, 79, 21), ((0, 1), (0, 2)), [False, False]),
        ((9, 4, 3, 3), ((0, 1), (0, 2), (0, 3), (2, 3)), [False, False, False, True]),  # what others say is not asked
        ((9, 8, 1, 1), ((0, 1), (0, 2), (0, 3), (1, 2)), [True, True, False, True]),
        ((9, 2), ((0, 1),), [False]),  # spelt out too seldom
        ((9, 2, 1), ((0, 1), (0, 2), (1, 2)), [True, True, True]),
    ],
)
def test_what_acronyms_stand_for(
    counts: tuple[int, ...], edges: tuple[tuple[int, int], ...], holds: list[bool]
) -> None:
    left, right = np.array(edges).T
    acronym = np.where((left == 0) | (right == 0), 0, -1)
    assert settled(left, right, acronym, np.array(counts), np.arange(len(counts))).tolist() == holds


def test_each_acronym_is_settled_by_itself_and_none_is_no_matter() -> None:
    """0 and 1 are acronyms: 0 of 2 and 3, 1 of 3 alone, which is more frequent than 0 and 2."""
    left, right, acronym = np.array([[0, 2, 0], [3, 0, 0], [1, 3, 1], [2, 4, -1]]).T
    assert settled(left, right, acronym, np.array([1, 1, 5, 6, 1]), np.array([3, 4, 1, 0, 2])).tolist() == [
        False,
        False,
        True,
        True,
    ]
    none = np.empty(0, np.int64)
    assert settled(none, none, none, np.ones(1, np.int64), np.zeros(1, np.int64)).tolist() == []


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[Edge], list[int]]:
    """(n, edges, ranks); few scores, so that many are equal."""
    n = draw(st.integers(1, 12))
    pairs = [(a, b) for b in range(n) for a in range(b)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    turned = [draw(st.permutations(pair)) for pair in chosen]
    return n, [(a, b, draw(st.integers(1, 3))) for a, b in turned], draw(st.permutations(range(n)))


@given(graphs())
def test_stars_are_what_the_rule_says(case: tuple[int, list[Edge], list[int]]) -> None:
    n, edges, rank = case
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_weighted_edges_from(edges)
    leaders: set[int] = set()
    for row in sorted(range(n), key=rank.__getitem__):
        if leaders.isdisjoint(graph[row]):
            leaders.add(row)
    assert nx.is_dominating_set(graph, leaders)
    found = star_of(n, edges, rank)
    for row in range(n):
        near = [
            (-graph[row][other]["weight"], rank[other], other)
            for other in graph[row]
            if other in leaders and rank[other] < rank[row]
        ]
        assert found[row] == (row if row in leaders else min(near)[2])


@given(graphs(), st.randoms())
def test_the_order_of_pairs_and_rows_does_not_matter(case: tuple[int, list[Edge], list[int]], random: Random) -> None:
    n, edges, rank = case
    to = random.sample(range(n), n)
    renamed = [(to[a], to[b], score) for a, b, score in random.sample(edges, len(edges))]
    moved = star_of(n, renamed, [rank[to.index(row)] for row in range(n)])
    assert [moved[to[row]] for row in range(n)] == [to[leader] for leader in star_of(n, edges, rank)]


def test_the_most_mentioned_ranks_first_then_that_with_most_near_then_by_key() -> None:
    counts, near, keys = np.array([3, 9, 3, 3]), np.array([1, 0, 1, 2]), np.array(["b", "c", "a", "d"])
    assert ranks(counts, near, keys).tolist() == [3, 0, 2, 1]


def test_ids_over_five_days() -> None:
    """Texts are letters; a partition is named by its leaders."""
    before: dict[str, str] = {}
    ever: set[str] = set()

    def day(run_id: str, partition: dict[str, str]) -> tuple[dict[str, str], list[Change]]:
        nonlocal before
        leaders = {text: leader for leader, texts in partition.items() for text in texts}
        ids, changes = carry_ids(before, leaders, frozenset(ever), run_id)
        for change in changes:
            if change.event in (CREATED, SPLIT):
                assert change.cluster_id not in ever
                ever.add(change.cluster_id)
        before = {text: ids[leader] for text, leader in leaders.items()}
        return ids, changes

    first, changes = day("r1", {"a": "abc", "x": "xy"})
    assert first == {"a": new_id("a"), "x": new_id("x")}
    assert {one.event for one in changes} == {CREATED}
    a, x = first["a"], first["x"]
    assert day("r2", {"a": "abcd", "x": "xy"}) == ({"a": a, "x": x}, [])  # an increment
    assert day("r3", {"b": "abcd", "x": "xy"}) == ({"b": a, "x": x}, [])  # another text leads now
    split, changes = day("r4", {"b": "bcd", "a": "a", "x": "xy"})
    assert split == {"b": a, "x": x, "a": new_id("a", "r4")}
    assert changes == [Change(SPLIT, split["a"], a)]
    merged, changes = day("r5", {"b": "bcdxy"})
    assert merged == {"b": a}
    assert changes == [Change(ENDED, split["a"]), Change(MERGED, x, a)]
    again, changes = day("r6", {"b": "bcd", "x": "xy", "a": "a"})
    assert again == {"b": a, "x": new_id("x", "r6"), "a": new_id("a", "r6")}
    assert changes == sorted(
        [Change(SPLIT, again["x"], a), Change(CREATED, again["a"])], key=lambda one: (one.event, one.cluster_id)
    )


def test_of_equal_shares_the_smaller_id_and_leader_win() -> None:
    ids, changes = carry_ids({"a": "c2", "b": "c1"}, {"a": "a", "b": "a"}, frozenset(), "r1")
    assert ids == {"a": "c1"}
    assert changes == [Change(MERGED, "c2", "c1")]
    ids, changes = carry_ids({"a": "c1", "b": "c1"}, {"a": "a", "b": "b"}, frozenset(), "r1")
    assert ids == {"a": "c1", "b": new_id("b")}
    assert changes == [Change(SPLIT, ids["b"], "c1")]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("0123"), st.sampled_from("abcdefgh"))))
def test_no_id_is_held_twice_and_every_change_is_told(rows: list[tuple[str, str, str]]) -> None:
    before = {text: f"c{old}" for text, old, _ in rows}
    leaders = {text: leader for text, _, leader in rows}
    ids, changes = carry_ids(before, leaders, frozenset(), "r1")
    assert len(set(ids.values())) == len(ids) == len(set(leaders.values()))
    told = {change.cluster_id for change in changes}
    assert told == set(before.values()) ^ set(ids.values())
    assert all(change.event in (CREATED, SPLIT) for change in changes if change.cluster_id in ids.values())
