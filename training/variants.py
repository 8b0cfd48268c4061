"""Fit the decision whether two texts are variants of one skill, and say what it is worth:

    python -m training.variants JUDGED_FOLDER TAXONOMY --extra FOLDER --noisy FOLDER --version 1.1.1 \
        [--encoder MODEL] [--out FILE]

Its threshold is the lowest with a precision of .95 on the first half of ESCO's labels (training.duplicates), and with
at most 5% of the pairs to be kept apart joined (training.splits.traps); GitHub's first half is shown beside, and the
second halves are for tests/benchmarks/duplicates.py. What is learnt from: training.variant_pairs.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table
from safetensors.numpy import save_file
from sklearn.ensemble import HistGradientBoostingClassifier

from skillsim.clusters import ranks, settled, stars
from skillsim.config import LEAST_SCORE
from skillsim.encoder import Encoder, load_encoder, vectors_of
from skillsim.errors import TrainingError
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.pair_features import FEATURES, Words, features, left_over
from skillsim.pairing import Pairing, form, initials_side
from skillsim.variants import METADATA, SHIPPED, Variants
from training import duplicates
from training.command import one_line_errors
from training.duplicates import Duplicates
from training.fitting import tree_arrays
from training.judged import read_judged
from training.judged_pairs import read_judged_pairs
from training.splits import with_folds
from training.splits.held_out import read_checked
from training.splits.traps import traps
from training.train import learnable
from training.variant_pairs import FLOOR, Skills, near_pairs
from training.words import first_words, left_over_weights, replaced

TREES = {
    "max_iter": 200,
    "learning_rate": 0.08,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 40,
    "l2_regularization": 2.0,
    "max_features": 0.5,
}
# How much a pair of names counts that is one skill, and one that is not; and a pair of phrases. Judged and real ones
# are few, labels many, and loose where they are names.
WEIGHTS = {
    "judged": ((4.0, 1.0), (4.0, 1.0)),
    "labels": ((0.04, 0.12), (1.0, 1.0)),
    "real": ((4.0, 4.0), (4.0, 4.0)),
    "made": ((1.0, 1.0), (2.0, 3.0)),
}
PRECISION = 0.95
MOST_TRAPS = 0.05
_FOLDS = 5
_THRESHOLDS = np.round(np.arange(0.30, 1.0, 0.02), 2)

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def fit(pairs: pd.DataFrame, usual: Mapping[str, float]) -> tuple[dict[str, npt.NDArray[Any]], Words]:
    """(trees' arrays, words) of training.variant_pairs' rows and replacements. Made pairs say nothing of words.

    A pair's own words are weighed by what the pairs of other folds say of them, as they will be of pairs unseen.
    """
    names = [left_over(*Pairing.of(form(a), form(b)).words()) for a, b in _sides(pairs)]
    same = pairs["same"].to_numpy(bool)
    told = (pairs["source"] != "made").to_numpy()
    fold = np.array([int(hashlib.sha256(a.encode()).hexdigest(), 16) % _FOLDS for a, _ in _sides(pairs)])
    of_source = (pairs.loc[pairs["source"] == source, ["a", "b"]].to_numpy().ravel() for source in ("labels", "judged"))
    first = first_words(*of_source)
    rows = zip(pairs["a"], pairs["b"], pairs["source"], same, strict=True)
    weight = np.array([WEIGHTS[source][is_phrase(a, b, first)][not one] for a, b, source, one in rows])

    def words_of(rows: npt.NDArray[np.bool_]) -> Words:
        chosen = np.flatnonzero(rows)
        weights = left_over_weights([names[row] for row in chosen], same[chosen], weight[chosen])
        return Words(weights, usual, first)

    table = np.empty((len(pairs), len(FEATURES)), np.float32)
    for one in range(_FOLDS):
        own = np.flatnonzero(fold == one)
        of_fold = pairs.iloc[own]
        sides = of_fold["a"].tolist(), of_fold["b"].tolist()
        table[own] = features(*sides, of_fold["cosine"].to_numpy(), words_of(told & (fold != one)))
    trees = HistGradientBoostingClassifier(**TREES, early_stopping=False, random_state=0)
    trees.fit(table, same, sample_weight=weight)
    return tree_arrays(trees), words_of(told)


def is_phrase(a: str, b: str, first: Mapping[str, float]) -> bool:
    """Whether both have three words at least, or two and begin as phrases do."""
    words = [form(text).stems for text in (a, b)]
    begins = all(of and first.get(of[0], 0.0) > 0 for of in words)
    return min(map(len, words)) >= (2 if begins else 3)


def _sides(pairs: pd.DataFrame) -> Iterable[tuple[str, str]]:
    return ((min(a, b), max(a, b)) for a, b in zip(pairs["a"], pairs["b"], strict=True))


@dataclass(frozen=True)
class ScoredPairs:
    """Of n texts: `rows`: (pairs, 2); `scores`: (pairs,); `acronym`: (pairs,) as skillsim.clusters.settled takes it."""

    n: int
    rows: Rows
    scores: Floats
    acronym: Rows

    @staticmethod
    def of(gold: Duplicates, encoder: Encoder, variants: Variants) -> "ScoredPairs":
        rows, cosines = near_pairs(gold.texts, vectors_of(encoder, gold.texts), variants.floor)
        left, right = ([gold.texts[row] for row in side] for side in rows.T)
        sides = [initials_side(form(a), form(b)) for a, b in zip(left, right, strict=True)]
        acronym = np.array([-1 if side is None else pair[side] for side, pair in zip(sides, rows, strict=True)])
        return ScoredPairs(len(gold.texts), rows, variants.score(left, right, cosines), acronym)

    def partition(self, threshold: float) -> Rows:
        """Stars of the pairs from a threshold on; texts are counted by their pairs, for want of mentions."""
        near = self.scores >= threshold
        counts = np.bincount(self.rows[near].ravel(), minlength=self.n)
        rank = ranks(counts, np.array([f"{row:09d}" for row in range(self.n)]))
        left, right = self.rows[near].T
        near[near] = settled(left, right, self.acronym[near], counts, rank)
        left, right = self.rows[near].T
        return stars(left, right, self.scores[near].astype(np.float32), rank)


def curve(gold: Duplicates, pairs: ScoredPairs) -> pd.DataFrame:
    """precision, recall and f1 at each of the thresholds."""
    ones = np.ones((1, len(gold.pairs)))
    told = [gold.found(pairs.partition(at).tolist()).scores(ones) for at in _THRESHOLDS]
    return pd.DataFrame([{name: of[0] for name, of in one.items()} for one in told], index=_THRESHOLDS)


def scores_of(pairs: pd.DataFrame, encoder: Encoder, variants: Variants) -> Floats:
    """Of rows with a and b."""
    left, right = (vectors_of(encoder, pairs[side].tolist()) for side in "ab")
    return variants.score(pairs["a"].tolist(), pairs["b"].tolist(), np.einsum("ij,ij->i", left, right))


def choose(one: pd.DataFrame, apart: Floats) -> float:
    """The lowest threshold at which a curve has the precision and traps are apart. Raises TrainingError for none.

    Precision is not monotone: a higher one may have less.
    """
    good = np.array([np.mean(apart >= at) <= MOST_TRAPS for at in _THRESHOLDS])
    good &= (one["precision"] >= PRECISION).to_numpy()
    if not good.any():
        raise TrainingError(f"no threshold has a precision of {PRECISION:g} and joins {MOST_TRAPS:.0%} of the traps.")
    return float(_THRESHOLDS[good][0])


def write(target: Path, variants: Variants) -> None:
    """For Variants.load."""
    told = {key: getattr(variants, key) for key in ("threshold", "floor", "model_id")}
    told |= {"words": asdict(variants.words), "features": FEATURES}
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(variants.parameters), target, metadata={METADATA: json.dumps(told)})


def main(
    judged: Path,
    taxonomy: Path,
    extra: Path = typer.Option(..., help="folder of GitHub's topic aliases"),
    noisy: Path = typer.Option(..., help="folder of the feed that judged pairs are of"),
    encoder: str = typer.Option(BUILTIN, help="encoder.model of the job"),
    out: Path = typer.Option(None, help="unset: the file that is shipped for this encoder"),
    version: str = typer.Option(None, help="of the taxonomy, where the folder holds several"),
    language: str = typer.Option("en", help="of its labels"),
) -> None:
    """Fit, choose, write."""
    console = Console(width=130)
    with one_line_errors(console):
        target = out or SHIPPED.get(encoder)
        if target is None:
            raise TrainingError(f"a decision for encoder.model {encoder}: say with --out where it goes.")
        concepts = read_checked(taxonomy, language, version)
        listed = traps(concepts)
        golds = {"github": duplicates.github(extra), "esco": duplicates.esco(concepts)}
        real = read_judged_pairs(noisy, "learn")
        strings = learnable(with_folds(read_judged(judged)))
        model = load_encoder(resolve_model(encoder))
    to_measure = duplicates.half(golds["github"], 1).sets.values()
    apart = frozenset(frozenset(pair) for texts in to_measure for pair in combinations(texts, 2))
    skills = Skills(concepts, strings, listed, real, apart)
    pairs = skills.pairs(model)
    parameters, words = fit(pairs, replaced(skills.other_labels))
    variants = Variants(parameters, words, 1.0, LEAST_SCORE, FLOOR, model.model_id)
    curves = {}
    for name, sets in golds.items():
        gold = duplicates.half(sets, 0)
        curves[name] = curve(gold, ScoredPairs.of(gold, model, variants))
    scores, same = scores_of(listed, model, variants), listed["same"].to_numpy(bool)
    with one_line_errors(console):
        threshold = choose(curves["esco"], scores[~same])
    table = Table("threshold", *(f"{name} {one}" for name in curves for one in ("P", "R", "F1")), "traps", "variants")
    for at in sorted({*_THRESHOLDS[::5].tolist(), threshold}):
        cells = [f"{curves[name].loc[at, one]:.3f}" for name in curves for one in ("precision", "recall", "f1")]
        table.add_row(f"{at:.2f}", *cells, f"{(scores[~same] >= at).mean():.3f}", f"{(scores[same] >= at).mean():.3f}")
    console.print(pairs.groupby(["source", "same"]).size().to_string())
    console.print(table)
    write(target, replace(variants, threshold=threshold))
    console.print(f"{target}: threshold {threshold}, {target.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
