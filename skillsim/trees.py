"""Boosted trees over rows of features, from arrays that no version of a library is needed to read.

QuickScorer (Lucchese et al., SIGIR 2015): the leaves of a tree, from left to right, are the bits of a mask. A node
whose test sends a row to the right takes the leaves on its left away; the lowest bit that is left is the leaf the row
ends in. What the nodes of one feature take away depends on nothing but where its value stands among their thresholds,
so that it is one row of a table: as many steps as there are features, and none for nodes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_ROWS = 256  # their masks and a feature's table stay in the cache
_MOST_LEAVES = 63


class Trees:
    """Of (trees, nodes) arrays `tree_feature`, `tree_threshold`, `tree_value`, `tree_left`, `tree_right`.

    A leaf is its own child; a row goes right where its feature is above the threshold.
    """

    def __init__(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        feature, threshold, value, left, right = (
            parameters[f"tree_{name}"] for name in ("feature", "threshold", "value", "left", "right")
        )
        self._baseline = float(parameters["baseline"])
        taken: dict[int, list[tuple[float, int, int]]] = {}  # feature -> threshold, tree, leaves on the left
        leaves_of = []
        for tree in range(len(feature)):
            leaves, cuts = _leaves_and_cuts(left[tree], right[tree])
            leaves_of.append(leaves)
            for node, mask in cuts.items():
                taken.setdefault(int(feature[tree, node]), []).append((float(threshold[tree, node]), tree, mask))
        most = max(map(len, leaves_of))
        if most > _MOST_LEAVES:
            raise ValueError(f"a tree of {most} leaves: {_MOST_LEAVES} at most")
        self._type: np.dtype[Any] = np.dtype(np.uint16 if most <= 16 else np.uint64)
        self._steps = [_table(cuts, len(feature), self._type) for cuts in taken.values()]
        self._features = list(taken)
        self._value = np.zeros((len(feature), most))
        for tree, leaves in enumerate(leaves_of):
            self._value[tree, : len(leaves)] = value[tree, leaves]

    def log_odds(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(rows,): baseline and the leaves that a row ends in, added up."""
        total = np.empty(len(rows))
        first = np.arange(len(self._value)) * self._value.shape[1]
        for start in range(0, len(rows), _ROWS):
            block = rows[start : start + _ROWS]
            left = np.full((len(block), len(first)), _all(self._type), dtype=self._type)
            for feature, (thresholds, table) in zip(self._features, self._steps, strict=True):
                left &= table.take(np.searchsorted(thresholds, block[:, feature].astype(np.float64)), axis=0)
            lowest = left & (~left + self._type.type(1))
            leaf = np.frexp(lowest.astype(np.float64))[1] - 1
            total[start : start + _ROWS] = self._value.take(leaf + first).sum(axis=1)
        return total + self._baseline


def _leaves_and_cuts(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> tuple[list[int], dict[int, int]]:
    """(leaves from left to right, mask of the leaves on the left of each inner node)."""
    leaves: list[int] = []
    cuts: dict[int, int] = {}

    def walk(node: int) -> None:
        if left[node] == node:
            leaves.append(node)
            return
        before = len(leaves)
        walk(int(left[node]))
        cuts[node] = (1 << len(leaves)) - (1 << before)
        walk(int(right[node]))

    walk(0)
    return leaves, cuts


def _table(
    cuts: list[tuple[float, int, int]], trees: int, of_type: np.dtype[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
    """(thresholds, ascending; (thresholds + 1, trees) what is left to a value above so many of them)."""
    whole = _all(of_type)
    table = np.full((len(cuts) + 1, trees), whole, dtype=of_type)
    ordered = sorted(cuts)
    for place, (_, tree, mask) in enumerate(ordered, start=1):
        table[place] = table[place - 1]
        table[place, tree] &= of_type.type(whole - mask)
    return np.array([threshold for threshold, _, _ in ordered]), table


def _all(of_type: np.dtype[Any]) -> int:
    """Every bit set."""
    return int((1 << 8 * of_type.itemsize) - 1)
