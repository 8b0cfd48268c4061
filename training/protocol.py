"""The protocol an encoder is scored by: held-out concepts and occupations only, over the full target space.

- spearman, auc, sibling auc: is a pair of labels of one concept closer than labels of two
  (training.splits.held_out.evaluation_pairs)? "sibling": against siblings alone.
- definitely related from: the cosine from which 95% of those pairs are of one concept; "found": the share of
  the pairs of one concept that it finds.
- synonym mrr, map, recall@10: a label that is not preferred: where is its concept among the preferred labels of all?
  "all labels indexed": the same where every other label of every concept is in the index too.
- job to skills map: an occupation's title: its skills among all, by preferred label; "cold start" on the seed's card.
- skill to jobs map: a concept's preferred label: the occupations that use it, by title.

"noisy", and the kinds of noise: the query, or the first of the pair, with noise of training.noise, cleaned as the job
cleans what it embeds; what cleaning undoes is no query. Units, concepts or occupations, are drawn together in the
bootstrap. A score that has no query in a taxonomy is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from skillsim.encoder import Encoder, vectors_of
from skillsim.metrics import Counts, Score, cut_at_precision
from skillsim.text import parse_mention
from training.noise import KINDS, Noise, noisy
from training.splits.held_out import SEED, Concepts, evaluation_pairs, is_held_out

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
_BLOCK = 512
DEFINITE = 0.95
CUT = "definitely related from"


@dataclass(frozen=True)
class Queries:
    """`right`: rows of the targets that answer each; `unit`: what each belongs to."""

    texts: list[str]
    right: list[list[int]]
    unit: list[str]

    def take(self, rows: Sequence[int]) -> "Queries":
        return Queries([self.texts[r] for r in rows], [self.right[r] for r in rows], [self.unit[r] for r in rows])

    def noised(self, noise: Noise) -> "Queries":
        """The queries on which the noise acts, each with it."""
        changed = [spelled(noise, text) for text in self.texts]
        rows = [row for row, (old, new) in enumerate(zip(self.texts, changed, strict=True)) if old != new]
        return replace(self.take(rows), texts=[changed[row] for row in rows])


@dataclass(frozen=True)
class Protocol:
    """What is asked, of one taxonomy. `per_kind`: queries of each kind of noise, at most."""

    concepts: Concepts
    per_kind: int = 2_000

    @cached_property
    def uris(self) -> list[str]:
        return sorted(self.concepts.labels)

    @cached_property
    def preferred(self) -> list[str]:
        return [self.concepts.labels[uri][0] for uri in self.uris]

    @cached_property
    def pairs(self) -> pd.DataFrame:
        return evaluation_pairs(self.concepts)

    @cached_property
    def synonyms(self) -> Queries:
        """Labels of held-out concepts that are not preferred; one that several concepts have is one query for each."""
        rows = {uri: row for row, uri in enumerate(self.uris)}
        holders: dict[str, list[int]] = {}
        for uri, labels in self.concepts.labels.items():
            for text in labels[1:]:
                holders.setdefault(text, []).append(rows[uri])
        asked = [(text, uri) for uri in self.uris if is_held_out(uri) for text in self.concepts.labels[uri][1:]]
        return Queries([t for t, _ in asked], [sorted(holders[t]) for t, _ in asked], [uri for _, uri in asked])

    @cached_property
    def occupations(self) -> tuple[list[str], list[str]]:
        """(URIs, preferred titles), sorted."""
        uris = sorted(self.concepts.titles)
        return uris, [self.concepts.titles[uri][0].casefold() for uri in uris]

    @cached_property
    def jobs(self) -> Queries:
        rows = {uri: row for row, uri in enumerate(self.uris)}
        right = {u: [rows[s] for s in self.concepts.skills.get(u, ()) if s in rows] for u in self.occupations[0]}
        asked = [(title, u) for u, title in zip(*self.occupations, strict=True) if is_held_out(u) and right[u]]
        return Queries([title for title, _ in asked], [right[u] for _, u in asked], [u for _, u in asked])

    @cached_property
    def skills(self) -> Queries:
        used: dict[str, list[int]] = {}
        for row, uri in enumerate(self.occupations[0]):
            for skill in self.concepts.skills.get(uri, ()):
                used.setdefault(skill, []).append(row)
        asked = [uri for uri in self.uris if is_held_out(uri) and uri in used]
        return Queries([self.concepts.labels[uri][0] for uri in asked], [used[uri] for uri in asked], asked)


@dataclass(frozen=True)
class Means:
    """A value for each query; the score is their mean."""

    value: Floats
    unit: list[str]

    def score(self, weights: Floats) -> float:
        """`weights`: (queries,) how often each one's unit was drawn."""
        return float(self.value @ weights / weights.sum())


@dataclass(frozen=True)
class Paired:
    """A cosine for each pair; the score is a statistic of it and `right`."""

    cosine: Floats
    right: npt.NDArray[np.bool_]
    unit: list[str]
    statistic: str

    def score(self, weights: Floats) -> float:
        if self.statistic == "spearman":
            drawn = np.repeat(np.arange(len(weights)), weights.astype(int))
            return float(spearmanr(self.cosine[drawn], self.right[drawn]).statistic)
        if self.statistic in ("threshold", "recall"):
            counts = weights.astype(np.int64)[None]
            cut = cut_at_precision(self.cosine, self.right, self.right, DEFINITE, counts)
            return float(getattr(cut, self.statistic)[0]) if np.isfinite(cut.threshold[0]) else np.nan
        return float(roc_auc_score(self.right, self.cosine, sample_weight=weights))


Measured = dict[str, Means | Paired]


def measure(protocol: Protocol, encoder: Encoder) -> Measured:
    """Every score's values, by its name; what two encoders give lies in the same order."""
    found = _of_pairs(protocol, encoder)
    preferred = vectors_of(encoder, protocol.preferred)
    asked = protocol.synonyms
    few = asked.take(sorted(Random(SEED).sample(range(len(asked.texts)), min(protocol.per_kind, len(asked.texts)))))
    ranked = {"": asked, ", noisy": asked.noised(noisy)} | {f", {kind}": few.noised(of) for kind, of in KINDS.items()}
    for suffix, queries in ranked.items():
        ranks = first_ranks(vectors_of(encoder, queries.texts), preferred, queries.right)
        found[f"synonym mrr{suffix}"] = Means(1 / ranks, queries.unit)
        found[f"synonym recall@10{suffix}"] = Means((ranks <= 10).astype(np.float64), queries.unit)
    titles = vectors_of(encoder, protocol.occupations[1])
    for name, queries, targets in (
        ("synonym map", asked, preferred),
        ("job to skills map", protocol.jobs, preferred),
        ("job to skills map, noisy", protocol.jobs.noised(noisy), preferred),
        ("skill to jobs map", protocol.skills, titles),
    ):
        value = average_precisions(vectors_of(encoder, queries.texts), targets, queries.right)
        found[name] = Means(value, queries.unit)
    return {name: one for name, one in found.items() if one.unit}


def _of_pairs(protocol: Protocol, encoder: Encoder) -> Measured:
    pairs = protocol.pairs
    right, unit = pairs["right"].to_numpy(bool), pairs["concept"].tolist()
    against_siblings = (pairs["kind"] != "random").to_numpy()
    b = vectors_of(encoder, pairs["b"].tolist())
    found: Measured = {}
    for suffix, noise in (("", None), (", noisy", noisy)):
        texts = pairs["a"].tolist() if noise is None else [spelled(noise, a) for a in pairs["a"]]
        cosine = (vectors_of(encoder, texts) * b).sum(axis=1).astype(np.float64)
        found[f"spearman{suffix}"] = Paired(cosine, right, unit, "spearman")
        found[f"auc{suffix}"] = Paired(cosine, right, unit, "auc")
        siblings = [u for u, one in zip(unit, against_siblings, strict=True) if one]
        found[f"sibling auc{suffix}"] = Paired(cosine[against_siblings], right[against_siblings], siblings, "auc")
        if noise is None:
            found[CUT] = Paired(cosine, right, unit, "threshold")
            found[f"{CUT}, found"] = Paired(cosine, right, unit, "recall")
    return found


@dataclass(frozen=True)
class AllLabels:
    """Every label of every concept, embedded: the score of a concept is its best label's."""

    protocol: Protocol
    vectors: npt.NDArray[np.float32]

    @staticmethod
    def of(protocol: Protocol, encoder: Encoder) -> "AllLabels":
        return AllLabels(protocol, vectors_of(encoder, AllLabels._texts(protocol)))

    @staticmethod
    def _texts(protocol: Protocol) -> list[str]:
        return [text for uri in protocol.uris for text in protocol.concepts.labels[uri]]

    @cached_property
    def starts(self) -> Rows:
        """First label of each concept."""
        counts = [len(self.protocol.concepts.labels[uri]) for uri in self.protocol.uris]
        return np.concatenate([[0], np.cumsum(counts)[:-1]])

    def synonyms(self) -> Means:
        """MRR of held-out concepts' labels where all labels but the query's own text are the index."""
        asked = self.protocol.synonyms
        places: dict[str, list[int]] = {}
        for place, text in enumerate(self._texts(self.protocol)):
            places.setdefault(text, []).append(place)
        value = np.zeros(len(asked.texts))
        for start in range(0, len(asked.texts), _BLOCK):
            block = asked.take(range(start, min(start + _BLOCK, len(asked.texts))))
            of_label = np.stack([self.vectors[places[text][0]] for text in block.texts]) @ self.vectors.T
            for row, text in enumerate(block.texts):
                of_label[row, places[text]] = -2
            of_concept = np.maximum.reduceat(of_label, self.starts, axis=1)
            value[start : start + len(block.texts)] = 1 / _rank_of_best(of_concept, block.right)
        return Means(value, asked.unit)

    def judged(self, encoder: Encoder, judged: pd.DataFrame) -> Measured:
        """acc@1 and candidates@12 of the linked among judged strings (`text`, `accepted`), by cosine alone."""
        rows = {uri: row for row, uri in enumerate(self.protocol.uris)}
        right = [[rows[uri] for uri in uris if uri in rows] for uris in judged["accepted"]]
        linked = [row for row, known in enumerate(right) if known]
        texts = [judged["text"].iloc[row] for row in linked]
        vectors = vectors_of(encoder, texts)
        ranks = [
            _rank_of_best(
                np.maximum.reduceat(vectors[start : start + _BLOCK] @ self.vectors.T, self.starts, axis=1),
                [right[row] for row in linked[start : start + _BLOCK]],
            )
            for start in range(0, len(linked), _BLOCK)
        ]
        if not linked:
            return {}
        rank = np.concatenate(ranks)
        return {
            "acc@1": Means((rank == 1).astype(np.float64), texts),
            "candidates@12": Means((rank <= 12).astype(np.float64), texts),
        }


def spelled(noise: Noise, text: str) -> str:
    """With noise, the same for one text, and cleaned."""
    return parse_mention(noise(Random(f"{SEED} {text}"), text)).text or text


def first_ranks(queries: npt.NDArray[np.float32], targets: npt.NDArray[np.float32], right: list[list[int]]) -> Floats:
    """Rank of the best right target of each query, from 1; one that ties with a wrong one comes after it."""
    blocks = [
        _rank_of_best(queries[start : start + _BLOCK] @ targets.T, right[start : start + _BLOCK])
        for start in range(0, len(queries), _BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.zeros(0)


def _rank_of_best(scores: npt.NDArray[np.float32], right: list[list[int]]) -> Floats:
    best = np.array([scores[row, rows].max() for row, rows in enumerate(right)])
    own = np.array([(scores[row, rows] >= best[row]).sum() for row, rows in enumerate(right)])
    return ((scores >= best[:, None]).sum(axis=1) - own + 1).astype(np.float64)


def average_precisions(
    queries: npt.NDArray[np.float32], targets: npt.NDArray[np.float32], right: list[list[int]]
) -> Floats:
    """Average precision of each query over all targets; ties in the targets' order."""
    value = np.zeros(len(queries))
    for start in range(0, len(queries), _BLOCK):
        order = np.argsort(-(queries[start : start + _BLOCK] @ targets.T), axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(1, order.shape[1] + 1)[None, :], axis=1)
        for row, rows in enumerate(right[start : start + _BLOCK]):
            ranks = np.sort(rank[row, rows])
            value[start + row] = np.mean(np.arange(1, len(ranks) + 1) / ranks)
    return value


def unit_weights(unit: list[str], draws: int, seed: int = 0) -> Counts:
    """(1 + draws, n): ones, then how often each row's unit was drawn, the units with replacement."""
    names, of = np.unique(unit, return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return np.concatenate([np.ones((1, len(of)), dtype=np.int64), drawn[:, of].astype(np.int64)])


def scores_of(measured: Measured, draws: int) -> dict[str, tuple[Floats, int]]:
    """By name: (the score, then its bootstrap draws; number of units)."""
    found = {}
    for name, one in measured.items():
        weights = unit_weights(one.unit, draws).astype(np.float64)
        found[name] = np.array([one.score(row) for row in weights]), len(set(one.unit))
    return found


def gains(ours: dict[str, tuple[Floats, int]], theirs: dict[str, tuple[Floats, int]]) -> dict[str, Score]:
    """Ours minus theirs, drawn together."""
    return {name: Score.of(values - theirs[name][0], n) for name, (values, n) in ours.items() if name in theirs}
