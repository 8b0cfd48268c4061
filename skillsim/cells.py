"""Pairs of texts that may be variants of one skill, found without comparing all with all. No Spark.

A text lies in a few cells: its nearest concepts, so that the taxonomy serves as coarse quantiser (as in an inverted
file, Jegou et al., PAMI 2011), and what its letters make it alike to, whatever its vector says. Only texts of one cell
are compared, and a pair that shares several cells is found in the first of them alone.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skillsim.variants import form

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_NO_CELL = np.iinfo(np.int64).max
_BLOCK = 1_024  # texts of a cell whose cosines are held at once
_PAIRS = 16_384  # pairs whose cells are compared at once


def cells_of(text: str, concept_uris: Sequence[str]) -> list[int]:
    """Ascending; a cell of letters is negative, so that it comes before one of concepts."""
    told = form(text)
    letters = {f"written {told.compact}", f"words {' '.join(sorted(told.stems))}"}
    if len(told.words) > 1:
        letters.add(f"short {told.initials}")
    elif len(told.compact) <= 5:
        letters.add(f"short {told.compact}")
    return sorted({-1 - _hash(name) for name in letters} | {_hash(uri) for uri in concept_uris})


@lru_cache(maxsize=100_000)
def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") >> 2


def padded(cells: pa.Array) -> Rows:
    """(n, most cells of one): a list column as a matrix."""
    lengths = np.diff(cells.offsets.to_numpy())
    matrix = np.full((len(lengths), max(lengths, default=0)), _NO_CELL)
    matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = cells.flatten().to_numpy()
    return matrix


def pairs_in_cell(
    cell: int, cells: Rows, vectors: Floats, new: Bools, salt: Rows, floor: float
) -> Iterator[tuple[Rows, Rows, Floats]]:
    """(left, right, cosine) of the pairs that are found in this cell, in parts; one of each pair is `new` at least.

    `cells`: (n, ...) of its texts, padded; `vectors`: (n, dimension), unit length. In a cell of concepts a pair has a
    cosine of `floor` at least. Where `salt` differs among the texts, only pairs of different salt.
    """
    fresh = np.flatnonzero(new)
    across = len(salt) > 0 and bool((salt != salt[0]).any())
    order = np.arange(len(vectors))
    for start in range(0, len(fresh), _BLOCK):
        rows = fresh[start : start + _BLOCK]
        cosines = vectors[rows] @ vectors.T
        once = (order[None, :] != rows[:, None]) & (~new[None, :] | (order[None, :] > rows[:, None]))
        if across:
            once &= salt[None, :] != salt[rows][:, None]
        if cell >= 0:
            once &= cosines >= floor
        left, right = np.nonzero(once)
        for part in range(0, len(left), _PAIRS):
            one, other = left[part : part + _PAIRS], right[part : part + _PAIRS]
            here = _first_shared(cells[rows[one]], cells[other]) == cell
            yield rows[one[here]], other[here], cosines[one[here], other[here]]


def _first_shared(one: Rows, other: Rows) -> Rows:
    """(pairs,): the first cell that both lie in."""
    shared = (one[:, :, None] == other[:, None, :]).any(axis=2)
    return np.where(shared, one, _NO_CELL).min(axis=1)
