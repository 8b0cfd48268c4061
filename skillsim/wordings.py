"""Whether one skill is linked alike however a region spells it, or a wording marks gender. No Spark.

`skillsim/data/wordings.csv` has pairs (kind, one, other) written for this; a file of one's own has the same columns.
"""

from importlib.resources import files
from pathlib import Path

import pandas as pd
from scipy.stats import binomtest

from skillsim.errors import AuditError
from skillsim.metrics import Score
from skillsim.normaliser import Normaliser

COLUMNS = ("kind", "one", "other")
OURS = Path(str(files("skillsim") / "data" / "wordings.csv"))


def read_wordings(path: Path = OURS) -> pd.DataFrame:
    """COLUMNS. Raises AuditError that names the file and the row or column."""
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise AuditError(f"{path} cannot be read as CSV ({error}).") from error
    if missing := [name for name in COLUMNS if name not in rows]:
        raise AuditError(f"{path} has no column {missing[0]}: the header is {','.join(COLUMNS)}.")
    rows = rows[list(COLUMNS)]
    empty = (rows.apply(lambda column: column.str.strip()) == "").any(axis=1)
    if empty.any():
        raise AuditError(f"{path}, row {empty.idxmax() + 2}: give kind, one and other.")
    return rows


def compare_wordings(normaliser: Normaliser, wordings: pd.DataFrame) -> pd.DataFrame:
    """`wordings`, with the outcome of each side (the concept it is matched with, else its status), whether either is
    linked, and whether both are alike."""
    links = {side: normaliser.link(wordings[side].tolist()) for side in ("one", "other")}
    matched = {side: of["status"] == "matched" for side, of in links.items()}
    uris = {side: of["concept_uri"].where(matched[side], "") for side, of in links.items()}
    shown = {f"{side}_outcome": of["concept_label"].where(matched[side], of["status"]) for side, of in links.items()}
    linked = matched["one"] | matched["other"]
    return wordings.assign(**shown, linked=linked, alike=uris["one"] == uris["other"])


def share_alike(found: pd.DataFrame) -> dict[str, Score]:
    """Of the pairs of which either side is linked, by kind, with Wilson's interval."""
    shares = {}
    for kind, alike in found[found["linked"]].groupby("kind")["alike"]:
        told = binomtest(int(alike.sum()), len(alike))
        interval = told.proportion_ci(0.95, "wilson")
        shares[str(kind)] = Score(float(told.statistic), float(interval.low), float(interval.high), len(alike))
    return shares
