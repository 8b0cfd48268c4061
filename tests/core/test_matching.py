"""Scores of sparse products against the rule written out pair by pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skillsim.matching import (
    BROADER,
    COVERAGE,
    ESSENTIAL,
    NARROWER,
    NEAR_ENOUGH,
    OPTIONAL,
    Kind,
    Side,
    nearness,
    rarity,
    reasons,
    top_matches,
    with_hierarchy,
)

SKILLS = 6
Table = list[list[float]]


def tables(rows: int, values: list[float]) -> st.SearchStrategy[Table]:
    row = st.lists(st.sampled_from(values), min_size=SKILLS, max_size=SKILLS)
    return st.lists(row, min_size=rows, max_size=rows)


def covered(vacancy: np.ndarray, person: np.ndarray, near: np.ndarray, rare: np.ndarray) -> float:
    weights = vacancy * rare
    credit = np.maximum(person, np.minimum(near @ person, NEAR_ENOUGH))
    return float((weights * credit).sum() / weights.sum()) if weights.sum() else 0.0


@settings(deadline=None)
@given(
    tables(3, [0, 0, ESSENTIAL, OPTIONAL]),
    tables(5, [0, 0, 1]),
    tables(SKILLS, [0, 0, 0.3, 0.7]),
    st.lists(st.sampled_from([0.0, 0.5, 2.0, 4.0]), min_size=8, max_size=8),
)
def test_the_best_are_what_the_rule_says_and_their_reasons_add_up(
    asked: Table, has: Table, near: Table, angles: list[float]
) -> None:
    vacancies, people, close = (np.array(table, np.float32) for table in (asked, has, near))
    np.fill_diagonal(close, 0)
    directions = np.array([[np.cos(one), np.sin(one)] for one in angles], np.float32)
    sparse_of = [sparse.csr_matrix(table) for table in (vacancies, people, close)]
    rare = rarity(len(people), people.sum(axis=0))
    found = top_matches(Side(sparse_of[0], directions[:3]), Side(sparse_of[1], directions[3:]), sparse_of[2], rare, k=2)
    for row, vacancy in enumerate(vacancies):
        parts = [covered(vacancy, person, close, rare) for person in people]
        alike = np.maximum(directions[3:] @ directions[row], 0)
        both = zip(parts, alike, strict=True)
        scores = [COVERAGE * part + (1 - COVERAGE) * one if part > 0 else 0 for part, one in both]
        expected = sorted((score for score in scores if score > 1e-9), reverse=True)[:2]
        assert sorted(found[row].data.tolist(), reverse=True) == pytest.approx(expected, abs=1e-5)
        for person, score in zip(found[row].indices, found[row].data, strict=True):
            assert score == pytest.approx(scores[person], abs=1e-5)
            told = reasons(sparse_of[0][row], sparse_of[1][int(person)], sparse_of[2], rare)
            assert sum(one.weight * one.share for one in told) == pytest.approx(parts[person], abs=1e-5)
            assert {one.skill for one in told} == set(np.flatnonzero(vacancy))


def test_narrower_skills_count_for_more_than_broader_ones_and_nearness_stays() -> None:
    near = sparse.csr_matrix(([0.9, 0.1], ([0, 1], [1, 0])), shape=(3, 3), dtype=np.float32)
    found = with_hierarchy(near, np.array([0, 2]), np.array([1, 1])).toarray()
    expected = np.array([[0, 0.9, 0], [NARROWER, 0, NARROWER], [0, BROADER, 0]])
    assert found == pytest.approx(expected)


def test_reasons_name_what_is_had_near_and_missing() -> None:
    near = sparse.csr_matrix(([0.5, 0.4, 0.9], ([1, 1, 2], [3, 4, 0])), shape=(SKILLS, SKILLS), dtype=np.float32)
    vacancy = sparse.csr_matrix(np.array([[1, 1, 0.5, 0, 0, 1]], np.float32))
    person = sparse.csr_matrix(np.array([[1, 0, 0, 1, 1, 0]], np.float32))
    told = {one.skill: one for one in reasons(vacancy, person, near, np.ones(SKILLS, np.float32))}
    assert [(told[skill].kind, told[skill].by) for skill in (0, 1, 2, 5)] == [
        (Kind.MATCHED, 0),
        (Kind.NEAR, 3),
        (Kind.NEAR, 0),
        (Kind.MISSING, None),
    ]
    assert [told[skill].share for skill in (0, 1, 2, 5)] == pytest.approx([1, NEAR_ENOUGH, NEAR_ENOUGH, 0])
    assert [told[skill].weight for skill in (0, 1, 2, 5)] == pytest.approx([2 / 7, 2 / 7, 1 / 7, 2 / 7])


def test_what_fewer_people_have_counts_more() -> None:
    rare = rarity(3, np.array([3, 1, 0]))
    assert rare[0] < rare[1] < rare[2] == pytest.approx(1)
    assert rare[0] > 0


def test_nearness_is_of_the_nearest_others() -> None:
    random = np.random.default_rng(2)
    vectors = random.normal(size=(50, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = nearness(vectors, floor=0.4, most=3).toarray()
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    third = np.sort(cosines, axis=1)[:, -3:-2]  # and itself
    expected = np.where((cosines >= third) & (cosines > 0.4), (cosines - 0.4) / 0.6, 0)
    assert found == pytest.approx(expected, abs=1e-5)
    assert (found > 0).sum() > 20


def test_of_equals_the_first_are_kept() -> None:
    people, vacancy = (
        Side(sparse.csr_matrix(np.ones((n, 1), np.float32)), np.zeros((n, 2), np.float32)) for n in (9, 1)
    )
    near = sparse.csr_matrix((1, 1), dtype=np.float32)
    assert top_matches(vacancy, people, near, np.ones(1, np.float32), k=3).indices.tolist() == [0, 1, 2]
