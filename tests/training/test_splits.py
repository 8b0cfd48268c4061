"""Folds: near-duplicates against brute force, groups against networkx, the committed file against real strings."""

from pathlib import Path

import networkx as nx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillsim.text import text_key
from training.judged import MEASURED, read_judged
from training.splits import FOLDS, NEAR, groups, near_duplicates, read_splits, split

REAL = Path(__file__).parents[3] / "shared" / "data" / "gold"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the judged strings are not beside the repository")


def lcs(a: str, b: str) -> int:
    lengths = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, left in enumerate(a):
        for j, right in enumerate(b):
            lengths[i + 1][j + 1] = lengths[i][j] + 1 if left == right else max(lengths[i][j + 1], lengths[i + 1][j])
    return lengths[-1][-1]


@given(st.lists(st.text("abc ", min_size=1, max_size=14), min_size=1, max_size=12))
def test_near_duplicates_are_those_a_brute_force_finds(texts: list[str]) -> None:
    spelled = [" ".join(sorted(text.split())) for text in texts]
    expected = [[not (a or b) or 2 * lcs(a, b) / (len(a) + len(b)) >= NEAR for b in spelled] for a in spelled]
    assert near_duplicates(texts).toarray().tolist() == expected


@pytest.mark.parametrize(
    ("left", "right", "near"),
    [
        ("communication skill", "communication skills", True),
        ("design & development", "development & design", True),
        ("sql", "mysql", False),
        ("java 7", "java 8", False),
        ("strong communication skills", "communication skills", False),
    ],
)
def test_near_is_another_spelling_and_not_another_skill(left: str, right: str, near: bool) -> None:
    assert near_duplicates([left, right])[0, 1] == near


def judged(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["text", "concept"]).assign(
        text_key=lambda frame: frame["text"].map(text_key), stratum="uniform"
    )


def test_groups_are_the_components_of_both_relations() -> None:
    frame = judged(
        ("a skill", ""), ("a skills", "x"), ("other", "x"), ("otter", "y"), ("third", ""), ("elsewhere", "y")
    )
    graph = nx.Graph([(0, 1), (1, 2), (3, 5)])
    graph.add_nodes_from(range(6))
    found = {frozenset(map(int, rows)) for rows in pd.Series(range(6)).groupby(groups(frame)).agg(list)}
    assert found == {frozenset(part) for part in nx.connected_components(graph)}


def test_a_group_is_in_one_fold_and_a_string_added_moves_no_other() -> None:
    rows = [(f"{word} {number * 7919}", f"c{number % 40}") for number in range(60) for word in ("alpha", "omega")]
    before = split(judged(*rows)).set_index("text_key")
    after = split(judged(*rows, ("quite another one", ""))).set_index("text_key")
    assert (before.groupby("group")["fold"].nunique() == 1).all()
    assert after.loc[before.index, "fold"].equals(before["fold"])


@real
def test_the_committed_split_is_that_of_the_judged_strings() -> None:
    strings = read_judged(REAL)
    committed = read_splits()
    assert split(strings).set_index("text_key").equals(committed)
    assert set(committed["fold"]) == set(range(FOLDS))
    validation = committed["validation"].reindex(strings["text_key"]).to_numpy()
    assert (strings["stratum"].isin(MEASURED) & validation).sum() >= 600
    groups_in = [set(committed.loc[committed["fold"] == fold, "group"]) for fold in range(FOLDS)]
    assert sum(map(len, groups_in)) == len(set().union(*groups_in))
