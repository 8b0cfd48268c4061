"""Sets of texts that mean one thing, and how well a partition of the texts finds them.

- `github`: GitHub's topics, each with its display name and aliases; the threshold may be learnt on one half of them.
- `esco`: the labels of held-out concepts (training.splits.held_out).

Sets are halved by hash: on one half a threshold is chosen, the other is scored. Of ESCO's first half
training.variants also learns, as no encoder of the protocol has learnt these labels. Pairs that differ in a number, a
version or a role word alone count neither for nor against a partition (except in B-cubed, which knows no pairs): one
may want them apart or together.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skillsim.errors import TrainingError
from skillsim.metrics import Score
from skillsim.text import parse_mention
from training.splits.held_out import Concepts, is_held_out

Floats = npt.NDArray[np.float64]
Pair = tuple[int, int]

_MOST_PAIRS = 20  # of a set
_ROLE = re.compile(
    r"\b(?:dev|developers?|development|edition|engineers?|lang|language|programmers?|programming|v|versions?)\b"
)
_NUMBER = re.compile(r"(?:\bv)?\d[\d.]*")
ALIASES = "github_topic_aliases.tsv"


def github(extra: Path) -> dict[str, frozenset[str]]:
    """By topic. Raises TrainingError where the file is missing or has other columns."""
    try:
        rows = pd.read_csv(extra / ALIASES, sep="\t", dtype=str, keep_default_na=False)
        told = zip(rows["topic"], rows["display_name"], rows["alias"].str.replace("-", " "), strict=True)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{extra / ALIASES} is no list of topic, display_name and alias ({error!r}).") from error
    found: dict[str, set[str]] = {}
    for topic, *names in told:
        found.setdefault(topic, set()).update(text for name in names if (text := parse_mention(name).text))
    return {topic: frozenset(texts) for topic, texts in found.items() if len(texts) > 1}


def esco(concepts: Concepts) -> dict[str, frozenset[str]]:
    """By held-out concept."""
    labels = {uri: frozenset(texts) for uri, texts in concepts.labels.items() if is_held_out(uri)}
    return {uri: texts for uri, texts in labels.items() if len(texts) > 1}


def holders(sets: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Names of sets by text."""
    found: dict[str, set[str]] = {}
    for name, texts in sets.items():
        for text in texts:
            found.setdefault(text, set()).add(name)
    return found


def half(sets: Mapping[str, frozenset[str]], which: int) -> "Duplicates":
    """0 or 1."""
    return Duplicates({name: texts for name, texts in sets.items() if int(_digest(f"half {name}"), 16) % 2 == which})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Found:
    """Of each set precision (nan where a partition joins nothing of it) and recall; of each text B-cubed's."""

    precision: Floats
    recall: Floats
    b_precision: Floats
    b_recall: Floats

    def scores(self, weights: Floats) -> dict[str, Floats]:
        """By name, for each row of (draws, sets) weights; B-cubed is of all texts, whatever is drawn."""
        joined = ~np.isnan(self.precision)
        told = weights[:, joined]
        precision = (told @ self.precision[joined]) / np.maximum(told.sum(axis=1), 1e-9)
        recall = weights @ self.recall / weights.sum(axis=1)
        return {"precision": precision, "recall": recall, "f1": _harmonic(precision, recall)}

    def b_cubed(self) -> dict[str, float]:
        precision, recall = self.b_precision.mean(), self.b_recall.mean()
        return {"precision": float(precision), "recall": float(recall), "f1": float(_harmonic(precision, recall))}


def _harmonic(one: Floats, other: Floats) -> Floats:
    return 2 * one * other / np.maximum(one + other, 1e-9)


def difference(ours: Found, theirs: Found, weights: Floats, name: str = "f1") -> Score:
    """Ours less theirs, the sets drawn together."""
    return Score.of(ours.scores(weights)[name] - theirs.scores(weights)[name], len(ours.recall))


@dataclass(frozen=True)
class Duplicates:
    """`sets`: by name; a text may be in several, and is a duplicate of every text it shares one with."""

    sets: Mapping[str, frozenset[str]]

    @cached_property
    def texts(self) -> list[str]:
        return sorted(frozenset().union(*self.sets.values()))

    @cached_property
    def _rows(self) -> dict[str, list[int]]:
        place = {text: row for row, text in enumerate(self.texts)}
        return {name: sorted(place[text] for text in texts) for name, texts in self.sets.items()}

    @cached_property
    def _sets_of(self) -> list[frozenset[str]]:
        found: list[set[str]] = [set() for _ in self.texts]
        for name, rows in self._rows.items():
            for row in rows:
                found[row].add(name)
        return [frozenset(names) for names in found]

    @cached_property
    def pairs(self) -> dict[str, list[Pair]]:
        """Of each set that has one, the pairs that count: so many of them, by hash."""
        found = {name: list(self._counted(combinations(rows, 2))) for name, rows in self._rows.items()}
        return {name: sorted(pairs, key=self._order)[:_MOST_PAIRS] for name, pairs in found.items() if pairs}

    def _counted(self, pairs: Iterator[Pair]) -> Iterator[Pair]:
        yield from (pair for pair in pairs if not differ_in_version(*(self.texts[row] for row in pair)))

    def _order(self, pair: Pair) -> str:
        return _digest("\t".join(self.texts[row] for row in pair))

    def found(self, cluster: Sequence[int]) -> Found:
        """`cluster`: of each text."""
        members: dict[int, list[int]] = {}
        for row, one in enumerate(cluster):
            members.setdefault(one, []).append(row)
        joined: dict[str, list[Pair]] = {}
        for rows in members.values():
            for pair in self._counted(combinations(rows, 2)):
                for name in self._sets_of[pair[0]] | self._sets_of[pair[1]]:
                    joined.setdefault(name, []).append(pair)
        return Found(
            np.array([self._share_right(joined.get(name, [])) for name in self.pairs]),
            np.array([np.mean([cluster[a] == cluster[b] for a, b in pairs]) for pairs in self.pairs.values()]),
            np.array(
                [np.mean([self._same(row, other) for other in members[cluster[row]]]) for row in range(len(cluster))]
            ),
            np.array(
                [
                    np.mean([cluster[row] == cluster[other] for other in self._of_one(row)])
                    for row in range(len(cluster))
                ]
            ),
        )

    def _share_right(self, pairs: list[Pair]) -> float:
        some = sorted(pairs, key=self._order)[:_MOST_PAIRS]
        return float(np.mean([self._same(*pair) for pair in some])) if some else np.nan

    def _same(self, one: int, other: int) -> bool:
        return one == other or not self._sets_of[one].isdisjoint(self._sets_of[other])

    def _of_one(self, row: int) -> set[int]:
        return {other for name in self._sets_of[row] for other in self._rows[name]}


def differ_in_version(one: str, other: str) -> bool:
    return _bare(one) == _bare(other)


@lru_cache(maxsize=100_000)
def _bare(text: str) -> list[str]:
    return _ROLE.sub(" ", _NUMBER.sub(" ", text)).split()
