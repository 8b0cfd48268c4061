"""Pairs of texts to fit skillsim.variants on, none of them a trap, of V or of a held-out concept.

- judged: judged strings near each other, of one concept (exactly) or of two; versions of a product are left out, as one
  concept may stand for them all.
- labels: labels near each other, of some concepts.
- made: judged skills and preferred labels, changed (training.made_pairs).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from skillsim.cells import cells_of
from skillsim.encoder import Encoder, vectors_of
from skillsim.variants import form
from training.made_pairs import made_pairs
from training.splits.held_out import Concepts, is_held_out

Floats = npt.NDArray[np.float32]

SEED = "skillsim variants 1"
FLOOR = 0.5  # of the cosine of pairs that are looked at; pairs whose letters are alike may have less
_CONCEPTS = 1_500
_LARGEST_CELL = 200  # texts: of more alike in two letters nothing is learnt
_BLOCK = 512
# How much a pair counts that is one skill, and one that is not: judged ones are few, labels many and loose
# (training/LOG.md).
WEIGHTS = {"judged": (4.0, 1.0), "labels": (0.04, 0.12), "made": (1.0, 1.0)}


@dataclass(frozen=True)
class Skills:
    """What pairs are made of. `judged`: rows of training.judged that may be learnt from."""

    concepts: Concepts
    judged: pd.DataFrame
    traps: pd.DataFrame

    def pairs(self, encoder: Encoder) -> pd.DataFrame:
        """a, b, same (bool), source, cosine, weight."""
        skills = self.judged[(self.judged["kind"] == "skill") & (self.judged["status"] != "disputed")]
        skills = skills.drop_duplicates("text_key")
        uris = [uri for uri in self.concepts.labels if not is_held_out(uri)]
        chosen = sorted(uris, key=lambda uri: hashlib.sha256(f"{SEED} {uri}".encode()).hexdigest())[:_CONCEPTS]
        in_traps = {*self.traps["a"], *self.traps["b"]}
        changed = {*skills["text"], *(self.concepts.labels[uri][0] for uri in chosen)} - in_traps
        parts = {
            "judged": _judged(skills, encoder),
            "labels": _labels({uri: self.concepts.labels[uri] for uri in chosen}, encoder),
            "made": _made(sorted(changed), encoder),
        }
        found = pd.concat([part.assign(source=name) for name, part in parts.items()], ignore_index=True)
        known = {frozenset(pair) for pair in zip(self.traps["a"], self.traps["b"], strict=True)}
        trap = np.array([frozenset(pair) in known for pair in zip(found["a"], found["b"], strict=True)])
        same, other = (found["source"].map({name: of[side] for name, of in WEIGHTS.items()}) for side in (0, 1))
        return found.assign(weight=np.where(found["same"], same, other))[~trap].reset_index(drop=True)


def near_pairs(texts: Sequence[str], vectors: Floats, floor: float = FLOOR) -> tuple[npt.NDArray[np.int64], Floats]:
    """((pairs, 2) rows, cosines) of texts with this cosine, or in one cell of letters; each pair once."""
    found = []
    for start in range(0, len(texts), _BLOCK):
        near = np.argwhere(vectors[start : start + _BLOCK] @ vectors.T >= floor) + [start, 0]
        found.append(near[near[:, 0] < near[:, 1]])
    cells: dict[int, list[int]] = {}
    for row, text in enumerate(texts):
        for cell in cells_of(text, ()):
            cells.setdefault(cell, []).append(row)
    alike = [pair for rows in cells.values() if len(rows) <= _LARGEST_CELL for pair in combinations(rows, 2)]
    rows = np.unique(np.concatenate([*found, np.array(alike, dtype=np.int64).reshape(-1, 2)]), axis=0)
    return rows, np.einsum("ij,ij->i", vectors[rows[:, 0]], vectors[rows[:, 1]])


def _judged(skills: pd.DataFrame, encoder: Encoder) -> pd.DataFrame:
    texts, exact, accepted = (skills[name].tolist() for name in ("text", "exact", "accepted"))
    rows, cosines = near_pairs(texts, vectors_of(encoder, texts))
    same = pd.Series([_same(exact, accepted, a, b) for a, b in rows], dtype="boolean")
    table = _table(texts, rows, cosines).assign(same=same)
    version = [len({form(a).numbers, form(b).numbers}) > 1 for a, b in zip(table["a"], table["b"], strict=True)]
    table = table[~(table["same"].fillna(False) & np.array(version))].dropna(subset="same")
    return table.astype({"same": bool})


def _same(exact: list[tuple[str, ...]], accepted: list[tuple[str, ...]], a: int, b: int) -> bool | None:
    """None where the judgements do not say."""
    if exact[a] and exact[b]:
        return not set(exact[a]).isdisjoint(exact[b])
    one, other = (a, b) if exact[a] else (b, a)
    return False if exact[one] and set(exact[one]).isdisjoint(accepted[other]) else None


def _labels(labels: dict[str, list[str]], encoder: Encoder) -> pd.DataFrame:
    holders: dict[str, set[str]] = {}
    for uri, of_one in labels.items():
        for text in of_one:
            holders.setdefault(text, set()).add(uri)
    texts = sorted(holders)
    rows, cosines = near_pairs(texts, vectors_of(encoder, texts))
    same = [not holders[texts[a]].isdisjoint(holders[texts[b]]) for a, b in rows]
    return _table(texts, rows, cosines).assign(same=same)


def _made(texts: Sequence[str], encoder: Encoder) -> pd.DataFrame:
    pairs = made_pairs(texts, SEED)
    every = sorted({text for a, b, _ in pairs for text in (a, b)})
    place = {text: row for row, text in enumerate(every)}
    rows = np.array([(place[a], place[b]) for a, b, _ in pairs])
    vectors = vectors_of(encoder, every)
    cosines = np.einsum("ij,ij->i", vectors[rows[:, 0]], vectors[rows[:, 1]])
    return _table(every, rows, cosines).assign(same=[same for *_, same in pairs])


def _table(texts: Sequence[str], rows: npt.NDArray[np.int64], cosines: Floats) -> pd.DataFrame:
    names = np.array(texts, dtype=object)
    return pd.DataFrame({"a": names[rows[:, 0]], "b": names[rows[:, 1]], "cosine": cosines})
