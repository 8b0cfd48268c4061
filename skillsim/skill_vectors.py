"""Vectors of skills for matching: what a skill stands beside in records, and what it says. No Spark.

"Retort operation" and "canning" share no word, yet one record after another holds both. Positive pointwise mutual
information over the skills of each record, factorised (Levy and Goldberg 2014, with their .75 for contexts), gives a
vector of the company that a skill keeps. Few records say little of a rare skill, and none of a new one: there a linear
map, fitted on all others, tells the company from the encoder's vector.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

Floats = npt.NDArray[np.float32]
Matrix = Any  # scipy.sparse.csr_matrix

SIZE = 100  # of the vector of company
# Chosen on 4,000 records of skill2vec (training/LOG.md): the share of what a skill says, and the records from which its
# own company counts more than the company told from what it says.
SAYS, RECORDS = 0.5, 2
_SMOOTHING, _RIDGE, _ITERATIONS = 0.75, 10.0, 4


@dataclass(frozen=True)
class Company:
    """What n skills stand beside. `counts`: (n,), records of each; `vectors`: (n, size); `told`: (encoder's dimensions,
    size), the linear map. The size is 0 where no record holds two skills."""

    counts: Floats
    vectors: Floats
    told: Floats

    @staticmethod
    def of(records: Matrix, encoded: Floats, size: int = SIZE) -> "Company":
        """`records`: (records, n), 1 where a record holds a skill; `encoded`: (n, dimensions), the encoder's unit
        vectors, zero for a skill that has none."""
        counts = np.asarray(records.sum(axis=0), np.float32).ravel()
        information = _mutual_information(records)
        size = min(size, len(counts), information.nnz)
        if not size:
            none = np.zeros((len(counts), 0), np.float32)
            return Company(counts, none, np.zeros((encoded.shape[1], 0), np.float32))
        left, strength, _ = randomized_svd(information, size, n_iter=_ITERATIONS, random_state=0)
        alone = information.getnnz(axis=1) == 0
        vectors = unit(np.where(alone[:, None], 0, left * np.sqrt(strength)).astype(np.float32))
        weighted = encoded.T * counts
        ridge = weighted @ encoded + _RIDGE * np.eye(encoded.shape[1], dtype=np.float32)
        return Company(counts, vectors, np.linalg.solve(ridge, weighted @ vectors).astype(np.float32))

    @property
    def dimensions(self) -> int:
        """Of a vector that it gives."""
        return sum(self.told.shape)

    def skill_vectors(self, places: npt.NDArray[np.int64], encoded: Floats) -> Floats:
        """(skills, size + dimensions): unit vectors of skills by their row here, -1 for one that is new, and their
        `encoded` vectors. A product of two is a mean of cosines: of their company, and SAYS times of what they say."""
        if not self.vectors.shape[1]:
            return encoded
        known = places >= 0
        own = np.where(known[:, None], self.vectors[places], 0)
        share = np.where(known, self.counts[places], 0)[:, None]
        share = share / (share + RECORDS)
        company = unit(share * own + (1 - share) * unit(encoded @ self.told))
        return unit(np.hstack([company, np.float32(np.sqrt(SAYS)) * encoded]))


def profiles(skills: Matrix, vectors: Floats) -> Floats:
    """(n, dimensions): of each row of skills with their weights, the direction of their sum; zero without any."""
    return unit(np.asarray(skills @ vectors, np.float32))


def unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-9))


def _mutual_information(records: Matrix) -> Matrix:
    """(n, n): how much more often two skills share a record than by chance, in nats; 0 where not more often."""
    together = (records.T @ records).tocoo()
    apart = together.row != together.col
    row, column, shared = together.row[apart], together.col[apart], together.data[apart]
    n = records.shape[1]
    total = np.bincount(row, shared, n)
    context = total**_SMOOTHING
    value = np.log(shared / (total[row] * context[column])) + np.log(max(context.sum(), 1e-9))
    above = value > 0
    return sparse.csr_matrix((value[above].astype(np.float32), (row[above], column[above])), shape=(n, n))
