"""Folds of the judged strings: who may be fitted on what.

Two strings are in one group when their texts are near-duplicates or their first concepts are the same, and what
follows from that; a group is in one fold. So a decision is never scored on a concept it was fitted on. Memory is
another matter: a string's memory leaves out its near-duplicates alone (`near_duplicates`), since unseen strings of
known concepts are what memory is for.

V, the validation part, are the strings of the measured strata in the first half of the folds: errors are read there,
choices made there. `judged.csv` beside this file is the split as it was committed before anything was fitted;
`python -m training.splits` makes it again.
"""

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from rapidfuzz import process
from rapidfuzz.distance import Indel
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from skillsim.errors import JudgedError
from training.judged import MEASURED

FILE = Path(__file__).parent / "judged.csv"
FOLDS = 10
VALIDATION_FOLDS = 5
NEAR = 0.9  # Indel similarity of the sorted words
_BLOCK = 1_000


def near_duplicates(texts: list[str]) -> sparse.csr_matrix:
    """(n, n) of True where two texts differ by word order and at most a tenth of their letters; the diagonal too."""
    spelled = [" ".join(sorted(text.split())) for text in texts]
    rows, columns = [], []
    for start in range(0, len(spelled), _BLOCK):
        block = process.cdist(
            spelled[start : start + _BLOCK], spelled, scorer=Indel.normalized_similarity, score_cutoff=NEAR, workers=-1
        )
        found = np.nonzero(block)
        rows.append(found[0] + start)
        columns.append(found[1])
    where = (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix((np.ones(len(where[0]), dtype=bool), where), shape=(len(texts), len(texts)))


def groups(judged: pd.DataFrame) -> npt.NDArray[np.int32]:
    """The group of each string: connected by near-duplicate text or a shared first concept."""
    linked = judged["concept"] != ""
    concepts = pd.factorize(judged.loc[linked, "concept"])[0]
    rows = np.flatnonzero(linked)
    shared = sparse.csr_matrix(
        (np.ones(len(rows)), (rows, concepts)), shape=(len(judged), concepts.max(initial=-1) + 1)
    )
    _, group = connected_components(near_duplicates(judged["text"].tolist()) + shared @ shared.T, directed=False)
    return np.asarray(group, dtype=np.int32)


def split(judged: pd.DataFrame) -> pd.DataFrame:
    """text_key, group, fold, validation of each distinct text.

    A group's fold follows from a hash of its smallest key: strings added later leave the others where they are, unless
    they join two groups.
    """
    frame = pd.DataFrame({"text_key": judged["text_key"], "group": groups(judged)})
    first = frame.groupby("group")["text_key"].transform("min")
    frame["group"] = first.str[:12]
    frame["fold"] = [int(hashlib.sha256(key.encode()).hexdigest(), 16) % FOLDS for key in first]
    frame["validation"] = judged["stratum"].isin(MEASURED) & (frame["fold"] < VALIDATION_FOLDS)
    by_text = frame.groupby("text_key", as_index=False)
    return by_text.agg({"group": "first", "fold": "first", "validation": "max"}).sort_values("text_key")


def with_folds(judged: pd.DataFrame, splits: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a distinct text, with group, fold and validation of the committed split.

    Raises JudgedError for texts that the split does not know.
    """
    known = read_splits() if splits is None else splits
    rows = judged.drop_duplicates("text_key").join(known, on="text_key").reset_index(drop=True)
    new = rows.loc[rows["fold"].isna(), "text"]
    if len(new):
        raise JudgedError(
            f"{len(new)} judged strings, as {new.iloc[0]!r}, are not in the split: write it anew "
            "(python -m training.splits judged FOLDER)."
        )
    return rows.astype({"validation": bool})


def read_splits() -> pd.DataFrame:
    """The committed split, by text_key."""
    return pd.read_csv(FILE, dtype={"text_key": str, "group": str}).set_index("text_key")
