"""People and vacancies by their skills: how well they fit, and why. No Spark.

A skill is a concept, or the cluster of a text that has none. Half of a score is coverage: how much of what a vacancy
asks for a person has. It asks for a skill in full or as optional, and each counts by how rare it is among people. A
person who lacks a skill but has near ones is given part of it: the sum of their nearness, at most NEAR_ENOUGH. The
other half is how alike the profiles of both are, all their skills taken together (skillsim.skill_vectors): it tells
people of a trade from those who share a word with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Matrix = Any  # scipy.sparse.csr_matrix

ESSENTIAL, OPTIONAL = 1.0, 0.5
COVERAGE = 0.5  # of a score
NEAR_ENOUGH = 0.8  # of a skill, for whoever has near ones only
# Cosine of skill vectors from which skills are near, and how many are to one, unless the user says otherwise.
FLOOR, NEAR_SKILLS = 0.5, 20
# By the taxonomy: who can do what is narrower than a skill, or broader.
NARROWER, BROADER = 0.8, 0.4
_DIGITS = 5
_BLOCK = 512  # rows whose products with all others are held at once


class Kind(StrEnum):
    MATCHED, NEAR, MISSING = "matched", "near", "missing"


@dataclass(frozen=True)
class Reason:
    """A skill that a vacancy asks for, by its column. `share`: of its weight that counts, 0..1; `by`: the column of the
    person's skill that is it, or the nearest to it."""

    skill: int
    kind: Kind
    weight: float
    share: float
    by: int | None


def rarity(n: int, held: Floats) -> Floats:
    """(skills,): inverse document frequency among `n` people, of whom `held` have each; 1 for one that nobody has."""
    return (np.log((n + 1) / (held + 0.5)) / np.log((n + 1) / 0.5)).astype(np.float32)


def nearest(asked: npt.NDArray[Any], others: Floats, floor: float, most: int) -> tuple[Rows, Rows, Floats]:
    """(rows of `asked`, rows of `others`, nearness) of the `most` nearest others of each, all unit vectors.

    `asked` may be float16. Nearness is 0 at a cosine of `floor`, below which nothing is near, and 1 at a cosine of 1.
    """
    left, right, near = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    size = min(most, len(others))
    for start in range(0, len(asked) if size else 0, _BLOCK):
        cosines = np.asarray(asked[start : start + _BLOCK], np.float32) @ others.T
        best = np.argpartition(-cosines, size - 1, axis=1)[:, :size]
        value = (np.take_along_axis(cosines, best, axis=1) - floor) / (1 - floor)
        row, place = np.nonzero(value > 0)
        left.append(start + row)
        right.append(best[row, place])
        near.append(value[row, place].astype(np.float32))
    return np.concatenate(left), np.concatenate(right), np.concatenate(near)


def nearness(vectors: Floats, floor: float, most: int) -> Matrix:
    """(n, n): of each of n skills its `most` nearest others, by their unit vectors."""
    n = len(vectors)
    left, right, near = nearest(vectors, vectors, floor, most + 1)
    others = left != right
    return sparse.csr_matrix((near[others], (left[others], right[others])), shape=(n, n))


def with_hierarchy(near: Matrix, narrower: Rows, broader: Rows) -> Matrix:
    """`near` and what the taxonomy says: skill `narrower[i]` is a narrower one of skill `broader[i]`."""
    values = np.repeat(np.array([NARROWER, BROADER], np.float32), len(narrower))
    asked, has = np.concatenate([broader, narrower]), np.concatenate([narrower, broader])
    return near.maximum(sparse.csr_matrix((values, (asked, has)), shape=near.shape))


@dataclass(frozen=True)
class Side:
    """Vacancies or people. `skills`: (n, skills), of a vacancy ESSENTIAL or OPTIONAL, of a person 1; `profiles`: (n,
    dimensions), unit vectors, zero for one without, float32 or float16."""

    skills: Matrix
    profiles: npt.NDArray[Any]


def score_blocks(vacancies: Side, people: Side, near: Matrix, rare: Floats) -> Iterator[Floats]:
    """(some vacancies, people): scores, 0..1, of all vacancies in turn; 0 where nothing that is asked for is covered.

    `near`: (skills, skills), without a diagonal; `rare`: (skills,).
    """
    asked = np.flatnonzero(np.asarray((vacancies.skills > 0).sum(axis=0)).ravel())
    has = people.skills.T.tocsr().astype(np.float32)
    credit = near[asked].astype(np.float32) @ has
    credit.data = np.minimum(credit.data, NEAR_ENOUGH)
    credit = credit.maximum(has[asked])
    weights = _weights(vacancies.skills, rare)[:, asked]
    for start in range(0, weights.shape[0], _BLOCK):
        block = slice(start, start + _BLOCK)
        covered = np.minimum((weights[block] @ credit).toarray(), 1)
        alike = np.clip(np.asarray(vacancies.profiles[block], np.float32) @ people.profiles.T, 0, 1)
        # Rounded, since the last bits of a product depend on who else is in it.
        yield np.where(covered > 0, np.round(COVERAGE * covered + (1 - COVERAGE) * alike, _DIGITS), 0)


def top_matches(vacancies: Side, people: Side, near: Matrix, rare: Floats, k: int) -> Matrix:
    """(vacancies, people): the `k` best scores of each vacancy above 0; of equals the first."""
    found = [sparse.csr_matrix((0, people.skills.shape[0]), dtype=np.float32)]
    for scores in score_blocks(vacancies, people, near, rare):
        m = scores.shape[1]
        least = -np.partition(-scores, k - 1, axis=1)[:, k - 1] if k < m else np.zeros(len(scores))
        row, person = np.nonzero((scores >= least[:, None]) & (scores > 0))
        order = np.lexsort((person, -scores[row, person], row))
        row, person = row[order], person[order]
        kept = np.arange(len(row)) - np.searchsorted(row, row) < k
        row, person = row[kept], person[kept]
        found.append(sparse.csr_matrix((scores[row, person], (row, person)), shape=scores.shape))
    return sparse.vstack(found, format="csr")


def _weights(vacancies: Matrix, rare: Floats) -> Matrix:
    """What each skill adds to the score: 1 together."""
    weighted = (vacancies @ sparse.diags(rare)).tocsr().astype(np.float32)
    total = np.asarray(weighted.sum(axis=1)).ravel()
    return sparse.diags(1 / np.where(total > 0, total, 1)).dot(weighted).tocsr().astype(np.float32)


def reasons(vacancy: Matrix, person: Matrix, near: Matrix, rare: Floats) -> Sequence[Reason]:
    """Of each skill that the vacancy, one row, asks for: what weighs most first. Coverage is weights times shares."""
    weights = vacancy.data * rare[vacancy.indices]
    weights = weights / (weights.sum() or 1)
    held = set(person.indices.tolist())
    found = []
    for skill, weight in zip(vacancy.indices.tolist(), weights.tolist(), strict=True):
        if skill in held:
            found.append(Reason(skill, Kind.MATCHED, weight, 1.0, skill))
            continue
        row = slice(near.indptr[skill], near.indptr[skill + 1])  # near[skill] takes ten times as long
        others = zip(near.indices[row].tolist(), near.data[row].tolist(), strict=True)
        close = sorted((-value, one) for one, value in others if one in held)
        share = min(-sum(value for value, _ in close), NEAR_ENOUGH)
        kind, by = (Kind.NEAR, close[0][1]) if close else (Kind.MISSING, None)
        found.append(Reason(skill, kind, weight, share, by))
    return sorted(found, key=lambda one: (-one.weight, one.skill))
