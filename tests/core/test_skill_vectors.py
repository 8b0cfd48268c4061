"""Vectors of company on records whose trades are known, and the rule of the text written out."""

import numpy as np
import pytest
from scipy import sparse

from skillsim.skill_vectors import SAYS, Company, profiles, unit

TRADES, SKILLS, RECORDS = 4, 40, 600


def records(seed: int = 0) -> sparse.csr_matrix:
    """Five skills each, nine in ten of them of one trade; skill i is of trade i % TRADES."""
    random = np.random.default_rng(seed)
    rows = np.zeros((RECORDS, SKILLS), np.float32)
    for record, row in enumerate(rows):
        own = np.arange(record % TRADES, SKILLS, TRADES)
        drawn = [random.choice(own) if random.random() < 0.9 else random.integers(SKILLS) for _ in range(5)]
        row[drawn] = 1
    return sparse.csr_matrix(rows)


def encoded(seed: int = 1) -> np.ndarray:
    """Unit vectors that hardly tell the trade."""
    random = np.random.default_rng(seed)
    trades = random.normal(size=(TRADES, 16))
    return unit((random.normal(size=(SKILLS, 16)) + trades[np.arange(SKILLS) % TRADES]).astype(np.float32))


def alike(vectors: np.ndarray) -> np.ndarray:
    """(skills,): of how many of the 9 nearest others of each the trade is its own."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    trade = np.arange(len(vectors)) % TRADES
    return (trade[np.argsort(-cosines, axis=1)[:, :9]] == trade[:, None]).sum(axis=1)


def test_skills_of_a_trade_are_near_though_their_words_are_not() -> None:
    says = encoded()
    company = Company.of(records(), says, size=8)
    own = company.skill_vectors(np.arange(SKILLS), says)
    assert own.shape == (SKILLS, company.dimensions) == (SKILLS, 8 + 16)
    assert np.linalg.norm(own, axis=1) == pytest.approx(1, abs=1e-5)
    assert alike(own).mean() > 8.5 > 7 > alike(says).mean()


def test_a_new_skill_is_placed_by_what_it_says() -> None:
    says = encoded()
    company = Company.of(records()[:, :-TRADES], says[:-TRADES], size=8)
    new = company.skill_vectors(np.full(TRADES, -1), says[-TRADES:])
    known = company.skill_vectors(np.arange(SKILLS - TRADES), says[:-TRADES])
    nearest = np.argsort(-(new[:, :8] @ known[:, :8].T), axis=1)[:, :9] % TRADES
    by_words = np.argsort(-(says[-TRADES:] @ says[:-TRADES].T), axis=1)[:, :9] % TRADES
    trade = np.arange(TRADES)[:, None]
    assert (nearest == trade).mean() > (by_words == trade).mean()
    assert new[:, 8:] / np.linalg.norm(new[:, 8:], axis=1, keepdims=True) == pytest.approx(says[-TRADES:], abs=1e-5)


def test_company_is_mutual_information_written_out() -> None:
    """In full size the products are the square root of information times its transpose."""
    held = records().toarray().astype(float)
    together = held.T @ held
    np.fill_diagonal(together, 0)
    context = together.sum(axis=0) ** 0.75
    chance = np.outer(together.sum(axis=1), context / context.sum())
    information = np.log(np.maximum(together / chance, 1))
    strength, axes = np.linalg.eigh(information @ information.T)
    products = (axes * np.sqrt(np.maximum(strength, 0))) @ axes.T
    length = np.sqrt(np.diag(products))
    own = Company.of(sparse.csr_matrix(held), encoded(), size=SKILLS)
    assert own.counts == pytest.approx(held.sum(axis=0))
    assert own.vectors @ own.vectors.T == pytest.approx(products / np.outer(length, length), abs=1e-3)


def test_without_company_the_words_alone_count() -> None:
    alone, says = sparse.identity(SKILLS, format="csr", dtype=np.float32), encoded()
    company = Company.of(alone, says)
    assert company.skill_vectors(np.arange(SKILLS), says) == pytest.approx(says)
    assert company.dimensions == says.shape[1]


def test_a_skill_that_stands_alone_is_told_by_its_words() -> None:
    held, says = records().tolil(), encoded()
    held[:, 0] = 0
    held[0] = 0
    held[0, 0] = 1
    company = Company.of(held.tocsr(), says, size=8)
    places = np.array([0, -1])
    first, new = company.skill_vectors(places, says[[0, 0]])
    assert first == pytest.approx(new, abs=1e-4)


def test_a_profile_is_the_direction_of_the_weighted_sum() -> None:
    vectors = np.eye(3, dtype=np.float32)
    skills = sparse.csr_matrix(np.array([[3, 4, 0], [0, 0, 0]], np.float32))
    assert profiles(skills, vectors) == pytest.approx(np.array([[0.6, 0.8, 0], [0, 0, 0]]))


def test_words_count_as_much_as_is_said() -> None:
    says = encoded()
    company = Company.of(records(), says, size=8)
    own = company.skill_vectors(np.arange(SKILLS), says)
    beside = unit(own[:, :8])
    expected = (beside @ beside.T + SAYS * says @ says.T) / (1 + SAYS)
    assert own @ own.T == pytest.approx(expected, abs=1e-5)
