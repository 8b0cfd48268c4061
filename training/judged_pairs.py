"""Pairs of texts of a real feed, each read and judged to be one skill or not: to learn from, and to measure on.

`judged_pairs.csv` knows the texts by `text_key` alone, as skill2vec's strings are not ours. Its pairs were drawn by a
hash from those that a job would look at (skillsim.cells; all 52,763 texts of skill2vec_50K), so many of each class of
cosine and of score by the decision of 2026-12-01; `weight` is how many pairs of its class one stands for. No text of
those to measure on is among those to learn from.

Language models read them, without sight of cosines and scores, by `judged_pairs.md`. Answers: y, one skill; r, but for
a word of role, level or filler; v, but for a version or number; n, two skills; u, it cannot be told. Those to measure
on were read twice (`readings`), and where the readings differ a third, which saw both, decided; those to learn from
were read once, by the rules as sharpened by what the two readings had differed in.
"""

import gzip
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score, cohen_kappa_score

from skillsim.errors import TrainingError
from skillsim.text import parse_mention, text_key

FILE = Path(__file__).with_name("judged_pairs.csv")
FEED = "skill2vec_50K.csv.gz"

Floats = npt.NDArray[np.float64]


def real_texts(feed: Path) -> list[str]:
    """Of a gzipped feed with an id and skills in each line: distinct, cleaned, and in the order of their keys.

    Raises TrainingError for a file that is none.
    """
    try:
        lines = gzip.decompress(feed.read_bytes()).decode("utf-8").splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise TrainingError(f"{feed} cannot be read ({error}): judged pairs are of its texts.") from error
    cells = (cell for line in lines for cell in line.split(",")[1:])
    return sorted({text for cell in cells if (text := parse_mention(cell).text)}, key=text_key)


def read_judged_pairs(noisy: Path, part: Literal["learn", "measure"]) -> pd.DataFrame:
    """a, b, same (bool), weight: the pairs that are one skill (y) or two (n), by the texts of the feed in a folder.

    Raises TrainingError where the feed lacks one of them.
    """
    pairs = _told(part)
    text = {text_key(text): text for text in real_texts(noisy / FEED)}
    sides = {side: pairs[f"{name}_key"].map(text) for side, name in (("a", "left"), ("b", "right"))}
    missing = sum(int(of.isna().sum()) for of in sides.values())
    if missing:
        raise TrainingError(
            f"{noisy / FEED} lacks {missing} texts of {FILE.name}: it is another, or text rules changed."
        )
    found = pairs.assign(**sides, same=pairs["answer"] == "y")
    return found.loc[pairs["answer"].isin(["y", "n"]), ["a", "b", "same", "weight"]].reset_index(drop=True)


def _told(part: str) -> pd.DataFrame:
    pairs = pd.read_csv(FILE)
    return pairs[pairs["part"] == part].reset_index(drop=True)


def agreement() -> tuple[float, float]:
    """Of two readings: the share that agree, and Cohen's kappa."""
    first, second = _told("measure")["readings"].str[0], _told("measure")["readings"].str[1]
    return float((first == second).mean()), float(cohen_kappa_score(first, second))


def average_precision(same: npt.NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """Of scores, for each row of (draws, pairs) weights."""
    return np.array([average_precision_score(same, scores, sample_weight=row) for row in weights])


def joined(same: npt.NDArray[np.bool_], hit: npt.NDArray[np.bool_], weights: Floats) -> dict[str, Floats]:
    """precision and recall of the pairs that are hit, for each row of (draws, pairs) weights."""
    right = weights @ (same & hit)
    return {"precision": right / np.maximum(weights @ hit, 1e-9), "recall": right / np.maximum(weights @ same, 1e-9)}
