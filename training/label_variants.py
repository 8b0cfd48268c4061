"""Fit the decision whether two labels of a list, each meant to be one skill, are duplicates, and say what it is worth:

    python -m training.label_variants JUDGED_FOLDER TAXONOMY --noisy FOLDER --version 1.1.1 [--encoder MODEL] [--out F]

Beside that of training.variants, as people who write a taxonomy phrase a skill in other words, and people who fill in a
field do not. It learns from labels of the first half of the held-out concepts, from preferred labels near each other of
all but the second half's, which are apart, and from made pairs. The threshold is the lowest at which the first half has
a precision of .95 (training.duplicates), each pair scored by a fit without its fold; a job moves it where duplicates
are rarer (skillsim.variants).
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console

from skillsim.config import LEAST_SCORE
from skillsim.encoder import load_encoder
from skillsim.errors import TrainingError
from skillsim.model_files import BUILTIN, resolve_model
from skillsim.pair_features import Words
from skillsim.variants import PHRASES
from training import duplicates
from training.command import one_line_errors
from training.variant_pairs import Skills
from training.variants import (
    PRECISION,
    Fits,
    NearPairs,
    destination,
    fit_trees,
    known_words,
    precision_and_recall,
    score_apart,
    scores_of,
    write,
)

WEIGHTS = {"labels": 1.0, "preferred": 0.5, "made": 0.2}
_THRESHOLDS = np.round(np.arange(LEAST_SCORE, 1.0, 0.02), 2)

Floats = npt.NDArray[np.float64]


def fit(pairs: pd.DataFrame, words: Words) -> tuple[dict[str, npt.NDArray[Any]], Words]:
    """As training.variants.fit, all pairs being phrases."""
    return fit_trees(pairs, words, {PHRASES: np.array([WEIGHTS[source] for source in pairs["source"]])})


def kept_rate(pairs: pd.DataFrame, scores: Floats) -> float:
    """Of the pairs that a job would keep, the share that is one skill, each counting as in the fit."""
    kept = scores >= LEAST_SCORE
    return float(np.average(pairs["same"].to_numpy(float)[kept], weights=pairs["source"].map(WEIGHTS)[kept]))


def choose(gold: duplicates.Duplicates, near: NearPairs, scores: Floats) -> float:
    """The lowest threshold with the precision; else a TrainingError."""
    for at in _THRESHOLDS.tolist():
        if precision_and_recall(gold, near.partition(scores, at))["precision"] >= PRECISION:
            return float(at)
    raise TrainingError(f"no threshold has a precision of {PRECISION:g} on held-out labels.")


def main(
    judged: Path,
    taxonomy: Path,
    noisy: Path = typer.Option(..., help="folder of the feed that judged pairs are of"),
    encoder: str = typer.Option(BUILTIN, help="encoder.model of the job"),
    out: Path = typer.Option(None, help="unset: the file that is shipped for this encoder"),
    version: str = typer.Option(None, help="of the taxonomy, where the folder holds several"),
    language: str = typer.Option("en", help="of its labels"),
) -> None:
    """Fit, choose, write."""
    console = Console(width=130)
    with one_line_errors(console):
        target = destination(out, "labels", encoder)
        skills = Skills.read(judged, taxonomy, noisy, version, language)
        model = load_encoder(resolve_model(encoder))
    every = skills.pairs(model)
    words = known_words(skills, every)
    pairs = pd.concat([every[every["source"].isin(WEIGHTS)], skills.preferred(model)], ignore_index=True)
    console.print(pairs.groupby(["source", "same"]).size().to_string())
    fits = Fits.of(pairs, words, model.model_id, fit)
    folded = pairs[pairs["source"] != "made"]
    rate = kept_rate(folded, score_apart(fits, folded))
    gold = duplicates.half(duplicates.esco(skills.concepts), 0)
    near = NearPairs.of(gold.texts, model)
    fold = np.array([skills.fold(gold.texts[row]) for row in near.rows[:, 0].tolist()])
    scores = near.scores(partial(fits.score, fold=fold))
    with one_line_errors(console):
        threshold = choose(gold, near, scores)
    found = precision_and_recall(gold, near.partition(scores, threshold))
    same, hit = skills.traps["same"].to_numpy(bool), scores_of(skills.traps, model, fits.whole) >= threshold
    console.print("first half, " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    console.print(f"traps {hit[~same].mean():.3f}, variants {hit[same].mean():.3f}")
    write(target, replace(fits.whole, threshold=threshold, rate=rate))
    console.print(f"{target}: threshold {threshold}, rate {rate:.3f}, {target.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
