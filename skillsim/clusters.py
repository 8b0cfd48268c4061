"""Texts that mean one skill, gathered around the most frequent of them, under ids that stay. No Spark.

Clusters are stars, the pivot view of correlation clustering (Ailon, Charikar and Newman, JACM 2008) with the most
frequent text first in place of a random one, and of equals the one that most texts are near to: a text leads unless one
that ranks above it leads and is within the threshold; every other text joins, of the leaders that rank above it, the
one that it is closest to. So a leader is the most frequent text of its cluster, every member is within the threshold of
it, nothing is chained, and the partition is a function of the pairs and the counts alone. Before that it is settled
what acronyms stand for: initials fit many texts.
"""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from scipy import sparse

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

# What an acronym stands for has at least this share of the mentions of all that it may stand for, and is spelt out at
# least this often for each time that the acronym is used: fewer are a coincidence as often as not.
MEANT, SPELT_OUT = 0.8, 0.25

# What became of a cluster between two partitions.
CREATED, MERGED, SPLIT, ENDED = "created", "merged", "split", "ended"


def ranks(counts: Rows, near: Rows, keys: npt.NDArray[np.str_]) -> Rows:
    """(n,): of each text its place: the most mentioned first, then that with the most texts near to it, then by key."""
    order = np.lexsort((keys, -near, -counts))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place


def stars(left: Rows, right: Rows, score: Floats, rank: Rows) -> Rows:
    """(n,): the leader of each of n texts, itself where it leads.

    `left`, `right`: (pairs,) rows of the texts within the threshold, each pair once, in any direction. Of leaders
    equally close a text joins the one that ranks first.
    """
    n = len(rank)
    one, other = np.concatenate([left, right]), np.concatenate([right, left])
    near = sparse.csr_matrix((np.ones(len(one), dtype=np.int8), (one, other)), shape=(n, n))
    leads = np.zeros(n, dtype=bool)
    for row in np.argsort(rank):
        leads[row] = not leads[near.indices[near.indptr[row] : near.indptr[row + 1]]].any()
    joins = np.flatnonzero(~leads[one] & leads[other] & (rank[other] < rank[one]))
    worst_first = joins[np.lexsort((-rank[other[joins]], np.concatenate([score, score])[joins]))]
    leader = np.arange(n)
    leader[one[worst_first]] = other[worst_first]  # of several the last one stays
    return leader


def settled(left: Rows, right: Rows, acronym: Rows, counts: Rows, rank: Rows) -> Bools:
    """(pairs,): whether each pair still holds once it is settled what acronyms stand for.

    `acronym`: (pairs,) the row of the side that is the other's initials, -1 where none is; the rest as in `stars`.
    An acronym stands for the most frequent text that it is paired with as its initials, and for such that are
    paired with that one. Where these have less than MEANT of the mentions of all, or less than SPELT_OUT of its own,
    nobody knows, and no pair holds.
    """
    holds = acronym < 0
    rows = np.flatnonzero(~holds)
    meant = np.where(acronym == left, right, left)[rows]
    by_rank = np.lexsort((rank[meant], acronym[rows]))
    rows, meant = rows[by_rank], meant[by_rank]
    _, first, group = np.unique(acronym[rows], return_index=True, return_inverse=True)
    chief = meant[first][group]
    agree = (meant == chief) | np.isin(_pair(meant, chief, len(rank)), _pair(left, right, len(rank)))
    told, every = (np.bincount(group, weights=counts[meant] * of) for of in (agree, np.ones(len(rows))))
    known = (told >= MEANT * every) & (told >= SPELT_OUT * counts[acronym[rows][first]])
    holds[rows] = agree & known[group]
    return holds


def _pair(one: Rows, other: Rows, n: int) -> Rows:
    """A number for each pair of n rows, whichever comes first."""
    return np.minimum(one, other) * n + np.maximum(one, other)


@dataclass(frozen=True)
class Change:
    """`other_id`: of the cluster that `cluster_id` went into (merged), or came out of (split)."""

    event: str
    cluster_id: str
    other_id: str | None = None


def new_id(leader: str, run_id: str = "") -> str:
    """Of a cluster led by this text_key; with the run where an earlier cluster of that leader has had its first id."""
    return "c" + sha256(f"{leader}:{run_id}".encode()).hexdigest()[:15]


def carry_ids(
    before: Mapping[str, str], leaders: Mapping[str, str], taken: Set[str], run_id: str
) -> tuple[dict[str, str], list[Change]]:
    """({leader: cluster_id} of a new partition, what changed since the one before it).

    `before`: {text_key: cluster_id}; `leaders`: {text_key: its leader's}; `taken`: all ids there ever were.
    An id goes on in the cluster with which it shares the most texts, if that cluster shares with no other id more.
    Equal shares: the smallest id, the smallest leader. An id whose texts went into clusters that other ids hold is
    merged into the one that has most of them; a cluster that holds no id is split off the id it shares most with.
    """
    shared = Counter((before[text], leader) for text, leader in leaders.items() if text in before)
    into: dict[str, str] = {}
    out_of: dict[str, str] = {}
    for (old, leader), _ in sorted(shared.items(), key=lambda one: (-one[1], one[0])):
        into.setdefault(old, leader)
        out_of.setdefault(leader, old)
    held = {leader: old for old, leader in into.items() if out_of[leader] == old}
    ids = {leader: held.get(leader) or _fresh(leader, taken, run_id) for leader in set(leaders.values())}
    changes = [
        Change(SPLIT, ids[leader], out_of[leader]) if leader in out_of else Change(CREATED, ids[leader])
        for leader in ids.keys() - held.keys()
    ]
    for old in set(before.values()) - set(held.values()):
        changes.append(Change(MERGED, old, ids[into[old]]) if old in into else Change(ENDED, old))
    return ids, sorted(changes, key=lambda one: (one.event, one.cluster_id))


def _fresh(leader: str, taken: Set[str], run_id: str) -> str:
    first = new_id(leader)
    return new_id(leader, run_id) if first in taken else first
