"""Pairs of texts to fit skillsim.variants on: none is a trap or of V; but for labels none is of a held-out concept.

- judged: judged strings near each other, of one concept (exactly) or of two; versions of a product are left out, as one
  concept may stand for them all.
- labels: labels near each other, of the first half of the held-out concepts (training.duplicates): an encoder that
  learnt ESCO has not learnt these, so that its cosines of them are what they are of texts that it does not know. No
  text of a trap or of the second half, and no pair of two concepts that a trap is of.
- real: pairs of a real feed's texts, each read and judged (training.judged_pairs).
- made: judged skills and preferred labels, changed (training.made_pairs).

A decision for labels (training.label_variants) also learns from preferred labels near each other, which ESCO means
apart: neighbours are nearer in a whole taxonomy than among the held-out concepts.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from skillsim.cells import Texts, cells_of, is_single, padded, pairs_in_cell
from skillsim.encoder import Encoder, vectors_of
from skillsim.pairing import form
from training import duplicates
from training.judged import read_judged
from training.judged_pairs import read_judged_pairs
from training.made_pairs import made_pairs
from training.pairs import Material
from training.splits import with_folds
from training.splits.held_out import Concepts, read_checked
from training.splits.traps import traps
from training.train import learnable

Floats = npt.NDArray[np.float32]

SEED = "skillsim variants 1"
FLOOR = 0.6  # of the cosine of pairs that a job looks at; pairs whose letters are alike may have less
LEARNT_FROM = 0.5  # and of those that are learnt from: what they differ in holds above too
FOLDS = 5
_EVERY = -1  # fold of pairs that no score is chosen by
_CONCEPTS = 1_500  # whose preferred labels are changed
_BLOCK = 512


@dataclass(frozen=True)
class Skills:
    """What pairs are made of. `judged`: rows of training.judged that may be learnt from; `traps`: a and b; `real`: a,
    b, same and weight, as of training.judged_pairs; `kept_apart`: more pairs not to learn from, as of a gold."""

    concepts: Concepts
    judged: pd.DataFrame
    traps: pd.DataFrame
    real: pd.DataFrame
    kept_apart: frozenset[frozenset[str]] = frozenset()

    @staticmethod
    def read(
        judged: Path,
        taxonomy: Path,
        noisy: Path,
        version: str | None,
        language: str,
        kept_apart: frozenset[frozenset[str]] = frozenset(),
    ) -> "Skills":
        """From the folders of judged strings, of the taxonomy and of the feed. Raises a TrainingError for others."""
        concepts = read_checked(taxonomy, language, version)
        strings, real = learnable(with_folds(read_judged(judged))), read_judged_pairs(noisy, "learn")
        return Skills(concepts, strings, traps(concepts), real, kept_apart)

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
        """By concept, of those that are not held out; without texts of traps."""
        every, in_traps = self._may.labels, self._in_traps
        return {uri: [text for text in every[uri] if text not in in_traps] for uri in self._in_order}

    def pairs(self, encoder: Encoder) -> pd.DataFrame:
        """a, b, same (bool), source, cosine; of real pairs weight, else 1; of these and of labels fold, else -1."""
        may = self._may
        skills = self.judged[self.judged["kind"] == "skill"].drop_duplicates("text_key")
        skills = skills[[self._allows(may, *row) for row in zip(skills["text"], skills["accepted"], strict=True)]]
        changed = {*skills["text"], *(may.labels[uri][0] for uri in self._in_order[:_CONCEPTS])} - self._in_traps
        parts = {
            "judged": _judged(skills, encoder),
            "labels": self._labels(encoder),
            "real": self._real(encoder),
            "made": _of_pairs(made_pairs(sorted(changed), SEED), encoder),
        }
        found = pd.concat([part.assign(source=name) for name, part in parts.items()], ignore_index=True)
        found = found.fillna({"weight": 1.0, "fold": _EVERY}).astype({"fold": int})
        known = {frozenset(pair) for pair in zip(self.traps["a"], self.traps["b"], strict=True)} | self.kept_apart
        kept = np.array([frozenset(pair) not in known for pair in zip(found["a"], found["b"], strict=True)])
        return found[kept].reset_index(drop=True)

    def _real(self, encoder: Encoder) -> pd.DataFrame:
        kept_back = self._may.kept_back | self._in_traps
        may = [kept_back.isdisjoint(pair) for pair in zip(self.real["a"], self.real["b"], strict=True)]
        allowed = self.real[may]
        pairs = list(zip(allowed["a"], allowed["b"], allowed["same"], strict=True))
        fold = [fold_of(min(a, b)) for a, b, _ in pairs]
        return _of_pairs(pairs, encoder).assign(weight=allowed["weight"].to_numpy(), fold=fold)

    def _labels(self, encoder: Encoder) -> pd.DataFrame:
        halves = [duplicates.half(duplicates.esco(self.concepts), which) for which in (0, 1)]
        texts = sorted({*halves[0].texts} - {*halves[1].texts} - self._in_traps)
        rows, cosines = near_pairs(texts, vectors_of(encoder, texts), LEARNT_FROM)
        holders = self._holders
        sides = zip(self.traps["a"], self.traps["b"], strict=True)
        apart = {pair for a, b in sides for pair in product(holders.get(a, ()), holders.get(b, ()))}
        names = [(holders[texts[a]], holders[texts[b]]) for a, b in rows]
        may = [apart.isdisjoint([*product(one, other), *product(other, one)]) for one, other in names]
        same = [not one.isdisjoint(other) for one, other in names]
        fold = [self.fold(texts[a]) for a, _ in rows]
        table = _table(texts, rows, cosines).assign(same=same, fold=fold)[may]
        version = [duplicates.differ_in_version(a, b) for a, b in zip(table["a"], table["b"], strict=True)]
        return table[~np.array(version, dtype=bool)]

    def preferred(self, encoder: Encoder) -> pd.DataFrame:
        """As `pairs`: preferred labels near each other, of two concepts; none of the second half, nor of a trap."""
        second = duplicates.half(duplicates.esco(self.concepts), 1)
        every = {labels[0] for uri, labels in self.concepts.labels.items() if uri not in second.sets}
        texts = sorted(every - {*second.texts} - self._in_traps)
        rows, cosines = near_pairs(texts, vectors_of(encoder, texts))
        holders = self._holders
        apart = [holders[texts[a]].isdisjoint(holders[texts[b]]) for a, b in rows]
        table = _table(texts, rows, cosines)[apart]
        version = [duplicates.differ_in_version(a, b) for a, b in zip(table["a"], table["b"], strict=True)]
        fold = [self.fold(text) for text in table["a"]]
        return table.assign(same=False, source="preferred", weight=1.0, fold=fold)[~np.array(version, dtype=bool)]

    def fold(self, label: str) -> int:
        """Of the first concept that has it."""
        return fold_of(min(self._holders[label]))

    @cached_property
    def _holders(self) -> dict[str, set[str]]:
        """Concepts by label."""
        return duplicates.holders(self.concepts.labels)

    def _allows(self, may: Material, text: str, accepted: Sequence[str]) -> bool:
        """Whether neither a text nor a concept that it is accepted for is a held-out concept's."""
        return text not in may.kept_back and all(may.allows(uri) for uri in accepted)


def fold_of(name: str) -> int:
    """Of a concept or text: which fit it is kept out of."""
    return int(hashlib.sha256(f"{SEED} fold {name}".encode()).hexdigest(), 16) % FOLDS


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
