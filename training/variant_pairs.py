"""Pairs of texts to fit skillsim.variants on: none is a trap, and no text is of V or of a held-out concept.

- judged: judged strings near each other, of one concept (exactly) or of two; versions of a product are left out, as one
  concept may stand for them all.
- labels: labels near each other, of some concepts.
- real: pairs of a real feed's texts, each read and judged (training.judged_pairs).
- made: judged skills and preferred labels, changed (training.made_pairs).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from skillsim.cells import Texts, cells_of, is_single, padded, pairs_in_cell
from skillsim.encoder import Encoder, vectors_of
from skillsim.pairing import form
from training.made_pairs import made_pairs
from training.pairs import Material
from training.splits.held_out import Concepts

Floats = npt.NDArray[np.float32]

SEED = "skillsim variants 1"
FLOOR = 0.6  # of the cosine of pairs that a job looks at; pairs whose letters are alike may have less
LEARNT_FROM = 0.5  # and of those that are learnt from: what they differ in holds above too
_CONCEPTS = 1_500
_BLOCK = 512


@dataclass(frozen=True)
class Skills:
    """What pairs are made of. `judged`: rows of training.judged that may be learnt from; `real`: a, b and same, as of
    training.judged_pairs; `kept_apart`: more pairs that may not be learnt from, as those of a gold."""

    concepts: Concepts
    judged: pd.DataFrame
    traps: pd.DataFrame
    real: pd.DataFrame
    kept_apart: frozenset[frozenset[str]] = frozenset()

    @cached_property
    def _may(self) -> Material:
        return Material(self.concepts, self.judged)

    @cached_property
    def _in_traps(self) -> set[str]:
        return {*self.traps["a"], *self.traps["b"]}

    @cached_property
    def _in_order(self) -> list[str]:
        """The concepts that may be learnt from, by hash."""
        return sorted(self._may.labels, key=lambda uri: hashlib.sha256(f"{SEED} {uri}".encode()).hexdigest())

    @cached_property
    def other_labels(self) -> dict[str, list[str]]:
        """By concept, of those that no pair is of; without texts of traps."""
        every, in_traps = self._may.labels, self._in_traps
        return {uri: [text for text in every[uri] if text not in in_traps] for uri in self._in_order[_CONCEPTS:]}

    def pairs(self, encoder: Encoder) -> pd.DataFrame:
        """a, b, same (bool), source, cosine."""
        may = self._may
        skills = self.judged[self.judged["kind"] == "skill"].drop_duplicates("text_key")
        skills = skills[[self._allows(may, *row) for row in zip(skills["text"], skills["accepted"], strict=True)]]
        chosen = self._in_order[:_CONCEPTS]
        changed = {*skills["text"], *(may.labels[uri][0] for uri in chosen)} - self._in_traps
        parts = {
            "judged": _judged(skills, encoder),
            "labels": _labels({uri: may.labels[uri] for uri in chosen}, encoder),
            "real": self._real(encoder),
            "made": _of_pairs(made_pairs(sorted(changed), SEED), encoder),
        }
        found = pd.concat([part.assign(source=name) for name, part in parts.items()], ignore_index=True)
        known = {frozenset(pair) for pair in zip(self.traps["a"], self.traps["b"], strict=True)} | self.kept_apart
        kept = np.array([frozenset(pair) not in known for pair in zip(found["a"], found["b"], strict=True)])
        return found[kept].reset_index(drop=True)

    def _real(self, encoder: Encoder) -> pd.DataFrame:
        kept_back = self._may.kept_back | self._in_traps
        rows = zip(self.real["a"], self.real["b"], self.real["same"], strict=True)
        return _of_pairs([row for row in rows if kept_back.isdisjoint(row[:2])], encoder)

    def _allows(self, may: Material, text: str, accepted: Sequence[str]) -> bool:
        """Whether neither a text nor a concept that it is accepted for is a held-out concept's."""
        return text not in may.kept_back and all(may.allows(uri) for uri in accepted)


def near_pairs(texts: Sequence[str], vectors: Floats, floor: float = FLOOR) -> tuple[npt.NDArray[np.int64], Floats]:
    """((pairs, 2) rows, cosines) of texts with this cosine, or in one cell of letters or initials; each pair once."""
    found: list[npt.NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    for start in range(0, len(texts), _BLOCK):
        near = np.argwhere(vectors[start : start + _BLOCK] @ vectors.T >= floor) + np.array([start, 0])
        found.append(near[near[:, 0] < near[:, 1]])
    cells = [[cell for cell in cells_of(text, ()) if cell < 0] for text in texts]
    members: dict[int, list[int]] = {}
    for row, of_one in enumerate(cells):
        for cell in of_one:
            members.setdefault(cell, []).append(row)
    single = np.array([is_single(text) for text in texts])
    new, mentions = np.ones(len(texts), bool), np.ones(len(texts), np.int64)
    every = Texts(padded(pa.array(cells, pa.list_(pa.int64()))), vectors, new, single, mentions)
    for cell, of_cell in members.items():
        if len(of_cell) > 1:
            place = np.array(of_cell, dtype=np.int64)
            for left, right, _ in pairs_in_cell(cell, every.take(place), floor, most=(len(texts), len(texts))):
                found.append(np.sort(np.column_stack([place[left], place[right]]), axis=1))
    rows = np.unique(np.concatenate(found), axis=0)
    return rows, np.einsum("ij,ij->i", vectors[rows[:, 0]], vectors[rows[:, 1]])


def _judged(skills: pd.DataFrame, encoder: Encoder) -> pd.DataFrame:
    texts, exact, accepted = (skills[name].tolist() for name in ("text", "exact", "accepted"))
    rows, cosines = near_pairs(texts, vectors_of(encoder, texts), LEARNT_FROM)
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
    rows, cosines = near_pairs(texts, vectors_of(encoder, texts), LEARNT_FROM)
    same = [not holders[texts[a]].isdisjoint(holders[texts[b]]) for a, b in rows]
    return _table(texts, rows, cosines).assign(same=same)


def _of_pairs(pairs: Sequence[tuple[str, str, bool]], encoder: Encoder) -> pd.DataFrame:
    every = sorted({text for a, b, _ in pairs for text in (a, b)})
    place = {text: row for row, text in enumerate(every)}
    rows = np.array([(place[a], place[b]) for a, b, _ in pairs], dtype=np.int64).reshape(-1, 2)
    vectors = vectors_of(encoder, every)
    cosines = np.einsum("ij,ij->i", vectors[rows[:, 0]], vectors[rows[:, 1]])
    return _table(every, rows, cosines).assign(same=[same for *_, same in pairs])


def _table(texts: Sequence[str], rows: npt.NDArray[np.int64], cosines: Floats) -> pd.DataFrame:
    names = np.array(texts, dtype=object)
    return pd.DataFrame({"a": names[rows[:, 0]], "b": names[rows[:, 1]], "cosine": cosines})
