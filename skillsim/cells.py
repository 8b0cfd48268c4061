"""Pairs of texts that may be variants of one skill, found without comparing all with all. No Spark.

A text lies in a few cells: its nearest concepts, so that the taxonomy serves as coarse quantiser (as in an inverted
file, Jegou et al., PAMI 2011); its words and, where they are few, all but one of them; and what its letters make it
alike to, whatever its vector says. Only texts of one cell are compared, and a pair that shares several cells is found
in the first of them alone.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skillsim.pairing import form
from skillsim.variants import Variants

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Raised whenever other pairs would be found, or scored otherwise by the same decision.
PAIRS_VERSION = 4
# Raised whenever the same pairs would make other clusters, or clusters would be described otherwise.
CLUSTERS_VERSION = 1

_NO_CELL = np.iinfo(np.int64).max
_BLOCK = 1_024  # texts of a cell whose cosines are held at once
_PAIRS = 16_384  # pairs whose cells are compared at once
_INITIALS = -(2**62) - 1  # the highest cell of initials; cells of letters lie above it, the others from 0 on
_SHORT = 5  # letters that may be initials
_FEW_WORDS = 3  # of which one may be left out
FEW = 16  # texts of a block that many of are looked through at once
# Of the texts of a cell, so many nearest ones and so many most frequent ones are compared with a new text.
MOST = (48, 16)


@dataclass(frozen=True)
class Gathering:
    """How texts are gathered into clusters: the decision on a pair, and in how many cells a text lies, of what.

    `of`: "concepts", or "pivots" where there is no taxonomy. Of which taxonomy the concepts are is no part of the key:
    another one finds the same pairs, but for the few that share no cell.
    """

    variants: Variants
    cells: int
    of: str = "concepts"

    @property
    def key(self) -> dict[str, str]:
        """The key columns of `pairs` that are the same in all rows."""
        pairs_id = f"p{PAIRS_VERSION}-{self.variants.variants_id}-{self.cells}-{self.of}"
        return {"model_id": self.variants.model_id, "pairs_id": pairs_id}

    @property
    def clusters_id(self) -> str:
        """Of the pairs, and of the score from which two texts are one skill, which moves where there is a rate."""
        moves = "" if self.variants.rate is None else "-moves"
        return f"{self.key['pairs_id']}-c{CLUSTERS_VERSION}-{self.variants.threshold:g}{moves}"


def cells_of(text: str, concept_uris: Sequence[str]) -> list[int]:
    """Ascending: first cells of initials, then of letters, then of concepts and of words."""
    told = form(text)
    letters = {f"written {told.compact}", f"words {' '.join(sorted(told.stems))}"}
    initials = told.initials if len(told.words) > 1 else {told.compact} if len(told.compact) <= _SHORT else set()
    found = {_INITIALS - _hash(name) for name in initials} | {-1 - _hash(name) for name in letters}
    return sorted(found | {_hash(uri) for uri in concept_uris} | {_hash(name) for name in _word_cells(told.stems)})


def _word_cells(stems: Sequence[str]) -> set[str]:
    """All words, and where they are few all but one: "cadence skill" meets "cadence"."""
    words = sorted(set(stems))
    few = len(words) in range(2, _FEW_WORDS + 1)
    without = (words[:place] + words[place + 1 :] for place in range(len(words))) if few else ()
    return {f"of words {' '.join(of)}" for of in (words, *without)}


def is_single(text: str) -> bool:
    """Whether a text is one word, which initials may stand for."""
    return len(form(text).words) == 1


@lru_cache(maxsize=100_000)
def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") >> 2


def padded(cells: pa.Array) -> Rows:
    """(n, most cells of one): a list column as a matrix."""
    lengths = np.diff(cells.offsets.to_numpy())
    matrix = np.full((len(lengths), max(lengths, default=0)), _NO_CELL)
    matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = cells.flatten().to_numpy()
    return matrix


@dataclass(frozen=True)
class Texts:
    """n texts to compare: `cells`: (n, ...), padded; `vectors`: (n, dimension), unit length; `new`: (n,) whether its
    pairs are still to be found; `single`: is_single; `mentions`: (n,) how often each was met."""

    cells: Rows
    vectors: Floats
    new: Bools
    single: Bools
    mentions: Rows

    def take(self, rows: Rows) -> "Texts":
        return Texts(self.cells[rows], self.vectors[rows], self.new[rows], self.single[rows], self.mentions[rows])


def most_in(parts: int) -> tuple[int, int]:
    """MOST in a block, where the texts of a cell are dealt out to parts and a text is in as many blocks."""
    return math.ceil(MOST[0] / parts), math.ceil(MOST[1] / parts)


def pairs_in_cell(
    cell: int, texts: Texts, floor: float, part: Rows | None = None, most: tuple[int, int] = MOST
) -> Iterator[tuple[Rows, Rows, Floats]]:
    """(left, right, cosine) of the pairs that are found in this cell, in parts; one of each pair is new at least.

    In a cell of concepts or words a pair has a cosine of `floor` at least, in one of initials one side is one word.
    With `part`, of each text: only pairs of different parts. A new text is compared with the so many nearest of those
    and the so many most frequent, among which the leader of its cluster is but for equals; one that is itself among the
    most frequent of the cell, with all.
    """
    n, fresh = len(texts.vectors), np.flatnonzero(texts.new)
    rank = np.empty(n, dtype=np.float32)
    rank[np.argsort(-texts.mentions, kind="stable")] = np.arange(n)
    found = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(fresh), _BLOCK):
        rows = fresh[start : start + _BLOCK]
        cosines = texts.vectors[rows] @ texts.vectors.T
        may = np.arange(n) != rows[:, None]
        if part is not None:
            may &= part != part[rows][:, None]
        if cell >= 0:
            may &= cosines >= floor
        elif cell <= _INITIALS:
            may &= texts.single != texts.single[rows][:, None]
        crowded = np.flatnonzero((may.sum(axis=1) > sum(most)) & (rank[rows] >= most[1]))
        for place in crowded.tolist():
            others = np.flatnonzero(may[place])
            others = others[_is_first(cell, texts, rows[[place]].repeat(len(others)), others)]
            may[place] = False
            may[place, _chosen(others, cosines[place], rank, most)] = True
        left, right = np.nonzero(may)
        left = rows[left]
        found.append(np.minimum(left, right) * n + np.maximum(left, right))
    pairs = np.unique(np.concatenate(found))
    for first in range(0, len(pairs), _PAIRS):
        left, right = np.divmod(pairs[first : first + _PAIRS], n)
        here = _is_first(cell, texts, left, right)
        left, right = left[here], right[here]
        yield left, right, np.einsum("ij,ij->i", texts.vectors[left], texts.vectors[right])


def pairs_in_few(
    block: Rows, cell: Rows, part: Rows, texts: Texts, floor: float
) -> Iterator[tuple[Rows, Rows, Floats]]:
    """As `pairs_in_cell` of many blocks at once, each of FEW texts at most, of which none is left out.

    Of each text: `block`: the block it is in, those of one after another; `cell`: of the block; `part`: only pairs of
    different parts.
    """
    later = np.searchsorted(block, block, side="right") - np.arange(len(block)) - 1
    for start in range(0, len(block), _PAIRS // FEW):
        count = later[start : start + _PAIRS // FEW]
        left = np.repeat(np.arange(start, start + len(count)), count)
        right = left + 1 + np.arange(len(left)) - np.repeat(np.cumsum(count) - count, count)
        may = (texts.new[left] | texts.new[right]) & (part[left] != part[right])
        may &= (cell[left] > _INITIALS) | (texts.single[left] != texts.single[right])
        left, right = left[may], right[may]
        here = _is_first(cell[left], texts, left, right)
        left, right = left[here], right[here]
        cosine = np.einsum("ij,ij->i", texts.vectors[left], texts.vectors[right])
        near = (cell[left] < 0) | (cosine >= floor)
        yield left[near], right[near], cosine[near]


def _chosen(others: Rows, cosine: Floats, rank: Floats, most: tuple[int, int]) -> Rows:
    """Of the texts that one could be compared with the nearest and the most frequent; all where they are few."""
    if len(others) <= sum(most):
        return others
    nearest = others[np.argsort(-cosine[others], kind="stable")[: most[0]]]
    frequent = others[np.argsort(rank[others], kind="stable")[: most[1]]]
    return np.union1d(nearest, frequent)


def _is_first(cell: int | Rows, texts: Texts, left: Rows, right: Rows) -> Bools:
    """(pairs,): whether this is the first cell in which both are compared."""
    alike = texts.single[left] == texts.single[right]
    return _first_shared(texts.cells[left], texts.cells[right], alike) == cell


def _first_shared(one: Rows, other: Rows, alike: Bools) -> Rows:
    """(pairs,): the first cell in which both are compared; `alike`: both single words, or neither."""
    shared = (one[:, :, None] == other[:, None, :]).any(axis=2)
    shared &= (one > _INITIALS) | ~alike[:, None]
    return np.where(shared, one, _NO_CELL).min(axis=1)
