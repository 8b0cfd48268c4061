"""Fit the decision whether two texts are variants of one skill, and say what it is worth:

    python -m training.variants JUDGED_FOLDER TAXONOMY --extra FOLDER --noisy FOLDER --version 1.1.1 \
        [--encoder MODEL] [--out FILE]

Names and phrases (skillsim.pair_features.are_phrases) have a decision each, and one threshold: that of names is the
lowest at which judged pairs of a real feed (training.judged_pairs, those to learn from) have a precision of .9; that
of phrases, put on the same scale, the lowest at which both together have one of .95 on the first half of ESCO's labels
(training.duplicates), and at which at most 5% of the pairs to be kept apart are joined (training.splits.traps). All
are pairs that a decision is also fitted on, so that each is scored by a fit without its fold. GitHub's first half is
shown beside, and the second halves are for tests/benchmarks/duplicates.py. What is learnt from: training.variant_pairs.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain, combinations
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
from skillsim.pair_features import FEATURES, Words, are_phrases, features, left_over
from skillsim.pairing import Pairing, form, initials_side
from skillsim.text import text_key
from skillsim.variants import METADATA, NAMES, PHRASES, SHIPPED_FOR, Variants
from training import duplicates
from training.command import one_line_errors
from training.duplicates import Duplicates
from training.fitting import tree_arrays
from training.judged_pairs import joined
from training.variant_pairs import FLOOR, FOLDS, Skills, fold_of, near_pairs
from training.words import first_words, left_over_weights, replaced

TREES = {
    "max_iter": 200,
    "learning_rate": 0.08,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 40,
    "l2_regularization": 2.0,
    "max_features": 0.5,
}
# How much a pair counts in the decision for names: a pair of names that is one skill, and one that is not; and a pair
# of phrases. Judged and real ones are few, labels many, and loose where they are names. That for phrases is of labels.
WEIGHTS = {
    "judged": ((4.0, 1.0), (4.0, 1.0)),
    "labels": ((0.04, 0.12), (1.0, 1.0)),
    "real": ((4.0, 4.0), (4.0, 4.0)),
    "made": ((1.0, 1.0), (2.0, 3.0)),
}
PRECISION, REAL_PRECISION = 0.95, 0.9
MOST_TRAPS = 0.05
_THRESHOLDS = np.round(np.arange(0.30, 1.0, 0.02), 2)
_LIFTS = np.round(np.arange(2.5, -3.1, -0.25), 2)

Floats = npt.NDArray[np.float64]
Cosines = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Fit = Callable[[pd.DataFrame, Words], tuple[dict[str, npt.NDArray[Any]], Words]]
Score = Callable[[Sequence[str], Sequence[str], Cosines], Floats]


def fit(pairs: pd.DataFrame, words: Words) -> tuple[dict[str, npt.NDArray[Any]], Words]:
    """(parameters, words with what is left over) of training.variant_pairs' rows. Made pairs say nothing of words.

    A pair's own words are weighed by what the pairs of other folds say of them, as they will be of pairs unseen.
    """
    left, right = ([pair[side] for pair in _sides(pairs)] for side in (0, 1))
    phrases = are_phrases(features(left, right, pairs["cosine"].to_numpy(np.float32), words))
    rows = zip(pairs["source"], phrases, pairs["same"], strict=True)
    weight = np.array([WEIGHTS[source][int(phrase)][int(not one)] for source, phrase, one in rows])
    labels = np.where(pairs["source"] == "labels", 1.0, 0.0)
    return fit_trees(pairs, words, {NAMES: weight, PHRASES: labels})


def fit_trees(
    pairs: pd.DataFrame, words: Words, weights: Mapping[str, Floats]
) -> tuple[dict[str, npt.NDArray[Any]], Words]:
    """As `fit`. `weights`: how much each pair counts, by what trees are for; the first ones are also those of words."""
    sides = list(_sides(pairs))
    left, right = ([pair[side] for pair in sides] for side in (0, 1))
    cosine = pairs["cosine"].to_numpy(np.float32)
    over = [left_over(*Pairing.of(form(a), form(b)).words()) for a, b in sides]
    same = pairs["same"].to_numpy(bool)
    told = (pairs["source"] != "made").to_numpy()
    weight = next(iter(weights.values()))

    def weighed(rows: npt.NDArray[np.bool_]) -> Words:
        chosen = np.flatnonzero(rows)
        return replace(words, left_over=left_over_weights([over[row] for row in chosen], same[chosen], weight[chosen]))

    fold = np.array([fold_of(a) for a, _ in sides])
    table = np.empty((len(pairs), len(FEATURES)), np.float32)
    for one in range(FOLDS):
        own = np.flatnonzero(fold == one)
        one_side, other = ([of[row] for row in own.tolist()] for of in (left, right))
        table[own] = features(one_side, other, cosine[own], weighed(told & (fold != one)))
    parameters: dict[str, npt.NDArray[Any]] = {}
    for name, of in weights.items():
        counted = of > 0
        trees = HistGradientBoostingClassifier(**TREES, early_stopping=False, random_state=0)
        trees.fit(table[counted], same[counted], sample_weight=of[counted])
        parameters |= {f"{name}/{key}": array for key, array in tree_arrays(trees).items()}
    return parameters, weighed(told)


def _sides(pairs: pd.DataFrame) -> Iterable[tuple[str, str]]:
    return ((min(a, b), max(a, b)) for a, b in zip(pairs["a"], pairs["b"], strict=True))


@dataclass(frozen=True)
class NearPairs:
    """Of texts: `rows`: (pairs, 2); `cosines`: (pairs,); `acronym`: (pairs,) as skillsim.clusters.settled takes it."""

    texts: Sequence[str]
    rows: Rows
    cosines: Cosines
    acronym: Rows

    @staticmethod
    def of(texts: Sequence[str], encoder: Encoder) -> "NearPairs":
        rows, cosines = near_pairs(texts, vectors_of(encoder, texts))
        sides = [initials_side(*(form(texts[row]) for row in pair)) for pair in rows.tolist()]
        acronym = np.array([-1 if side is None else pair[side] for side, pair in zip(sides, rows, strict=True)])
        return NearPairs(texts, rows, cosines, acronym)

    def scores(self, score: Score) -> Floats:
        left, right = ([self.texts[row] for row in side.tolist()] for side in self.rows.T)
        return score(left, right, self.cosines)

    def partition(self, scores: Floats, threshold: float) -> Rows:
        """Stars of the pairs from a threshold on, as in a list that holds each text once."""
        n, near = len(self.texts), scores >= threshold
        once, keys = np.ones(n, dtype=np.int64), np.array([text_key(text) for text in self.texts])
        left, right = self.rows[near].T
        near[near] = settled(left, right, self.acronym[near], once, ranks(once, once, keys))
        left, right = self.rows[near].T
        rank = ranks(once, np.bincount(self.rows[near].ravel(), minlength=n), keys)
        return stars(left, right, scores[near].astype(np.float32), rank)


@dataclass(frozen=True)
class Fits:
    """A decision fitted on all pairs, and by fold those fitted on the pairs of other folds."""

    whole: Variants
    without: Mapping[int, Variants]

    @staticmethod
    def of(pairs: pd.DataFrame, words: Words, model_id: str, fit: Fit = fit) -> "Fits":
        def fitted(rows: pd.DataFrame) -> Variants:
            return Variants(*fit(rows, words), 1.0, LEAST_SCORE, FLOOR, model_id)

        return Fits(fitted(pairs), {one: fitted(pairs[pairs["fold"] != one]) for one in range(FOLDS)})

    def lifted(self, by: float) -> "Fits":
        return Fits(lifted(self.whole, by), {fold: lifted(one, by) for fold, one in self.without.items()})

    def score(self, left: Sequence[str], right: Sequence[str], cosine: Cosines, fold: Rows) -> Floats:
        """(pairs,): each by the fit without its fold."""
        scores = np.empty(len(left))
        for one, variants in self.without.items():
            own = np.flatnonzero(fold == one)
            one_side, other = ([of[row] for row in own.tolist()] for of in (left, right))
            scores[own] = variants.score(one_side, other, cosine[own])
        return scores


def lifted(variants: Variants, by: float) -> Variants:
    """Phrases have so much more of log-odds."""
    baseline = f"{PHRASES}/baseline"
    return replace(variants, parameters={**variants.parameters, baseline: np.array(variants.parameters[baseline] + by)})


def precision_and_recall(gold: Duplicates, partition: Rows) -> dict[str, float]:
    """And f1."""
    found = gold.found(partition.tolist()).scores(np.ones((1, len(gold.pairs))))
    return {name: float(of[0]) for name, of in found.items()}


def scores_of(pairs: pd.DataFrame, encoder: Encoder, variants: Variants) -> Floats:
    """Of rows with a and b."""
    left, right = (vectors_of(encoder, pairs[side].tolist()) for side in "ab")
    return variants.score(pairs["a"].tolist(), pairs["b"].tolist(), np.einsum("ij,ij->i", left, right))


def choose_names(real: pd.DataFrame, scores: Floats) -> float:
    """The lowest threshold at which judged pairs have the precision. Raises TrainingError for none."""
    same, weights = real["same"].to_numpy(bool), real[["weight"]].to_numpy(float).T
    for at in _THRESHOLDS:
        if joined(same, scores >= at, weights)["precision"][0] >= REAL_PRECISION:
            return float(at)
    raise TrainingError(f"no threshold has a precision of {REAL_PRECISION:g} on judged pairs of a feed.")


def choose_lift(told: pd.DataFrame) -> float:
    """Of rows by lift, the highest first, with precision and traps: the first that both allow; else a TrainingError.

    Precision is not monotone: a lower lift may have less.
    """
    good = (told["precision"] >= PRECISION) & (told["traps"] <= MOST_TRAPS)
    if not good.any():
        raise TrainingError(f"no threshold has a precision of {PRECISION:g} and joins {MOST_TRAPS:.0%} of the traps.")
    return float(told.index[good][0])


def write(target: Path, variants: Variants) -> None:
    """For Variants.load."""
    keys = ("threshold", "floor", "model_id") if variants.rate is None else ("threshold", "floor", "model_id", "rate")
    told = {key: getattr(variants, key) for key in keys}
    told |= {"words": asdict(variants.words), "features": FEATURES}
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(variants.parameters), target, metadata={METADATA: json.dumps(told)})


def destination(out: Path | None, texts: str, encoder: str) -> Path:
    """Where a fit goes. Raises TrainingError where nobody said and none is shipped."""
    target = out or SHIPPED_FOR[texts].get(encoder)
    if target is None:
        raise TrainingError(f"a decision for encoder.model {encoder}: say with --out where it goes.")
    return target


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
        target = destination(out, "mentions", encoder)
        topics = duplicates.github(extra)
        to_measure = duplicates.half(topics, 1).sets.values()
        apart = frozenset(frozenset(pair) for texts in to_measure for pair in combinations(texts, 2))
        skills = Skills.read(judged, taxonomy, noisy, version, language, apart)
        model = load_encoder(resolve_model(encoder))
    pairs = skills.pairs(model)
    console.print(pairs.groupby(["source", "same"]).size().to_string())
    fits = Fits.of(pairs, known_words(skills, pairs), model.model_id)
    of_feed = pairs[pairs["source"] == "real"]
    with one_line_errors(console):
        threshold = choose_names(of_feed, score_apart(fits, of_feed))
    told = by_lift(fits, threshold, skills, model)
    with one_line_errors(console):
        lift = choose_lift(told)
    github = duplicates.half(topics, 0)
    best = fits.lifted(lift)
    near = NearPairs.of(github.texts, model)
    of_github = precision_and_recall(github, near.partition(near.scores(best.whole.score), threshold))
    hit = score_apart(best, of_feed) >= threshold
    of_real = joined(of_feed["same"].to_numpy(bool), hit, of_feed[["weight"]].to_numpy(float).T)
    table = Table("phrases lifted by", *told.columns)
    for at, row in told.iterrows():
        table.add_row(f"{at:.2f}{' chosen' if at == lift else ''}", *(f"{value:.3f}" for value in row))
    console.print(table)
    console.print("GitHub, " + ", ".join(f"{name} {value:.3f}" for name, value in of_github.items()))
    console.print("judged pairs to learn from, " + ", ".join(f"{name} {of[0]:.3f}" for name, of in of_real.items()))
    write(target, replace(best.whole, threshold=threshold))
    console.print(f"{target}: threshold {threshold}, {target.stat().st_size / 1024:.0f} kB")


def known_words(skills: Skills, pairs: pd.DataFrame) -> Words:
    """What labels that no pair is of say of words, and how they begin beside names of judged strings and real texts."""
    names = pairs.loc[pairs["source"].isin(["judged", "real"]), ["a", "b"]].to_numpy().ravel()
    labels = skills.other_labels
    return Words({}, replaced(labels), first_words(chain.from_iterable(labels.values()), names))


def score_apart(fits: Fits, pairs: pd.DataFrame) -> Floats:
    """Of rows with a fold, by the fits without it."""
    left, right = (pairs[side].tolist() for side in "ab")
    return fits.score(left, right, pairs["cosine"].to_numpy(np.float32), pairs["fold"].to_numpy())


def by_lift(fits: Fits, threshold: float, skills: Skills, encoder: Encoder) -> pd.DataFrame:
    """precision, recall, f1 of ESCO's first half, and shares of traps and variants that are joined, by lift."""
    gold = duplicates.half(duplicates.esco(skills.concepts), 0)
    near = NearPairs.of(gold.texts, encoder)
    fold = np.array([skills.fold(gold.texts[row]) for row in near.rows[:, 0].tolist()])
    same = skills.traps["same"].to_numpy(bool)
    rows = []
    for lift in _LIFTS.tolist():
        one = fits.lifted(lift)
        found = precision_and_recall(gold, near.partition(near.scores(partial(one.score, fold=fold)), threshold))
        hit = scores_of(skills.traps, encoder, one.whole) >= threshold
        rows.append(found | {"traps": hit[~same].mean(), "variants": hit[same].mean()})
    return pd.DataFrame(rows, index=_LIFTS)


if __name__ == "__main__":
    typer.run(main)
