"""The judged strings (GOLD.md beside them): what is fitted and validated on. The dev gold is not among them."""

from pathlib import Path

import pandas as pd

from skillsim.errors import JudgedError
from skillsim.text import parse_mention, text_key

FILES = ("skill2vec_train.csv", "skill2vec_head.csv", "allfields_head.csv")
# Drawn from all texts of skill2vec_50K: uniformly, and in proportion to mentions. The others are heads of lists.
MEASURED = ("uniform", "frequency")


def read_judged(folder: Path) -> pd.DataFrame:
    """Every judged string of a folder's FILES, in their order.

    Columns: raw, stratum, mentions, kind, status, meaning, file; `exact` and `accepted`, tuples of URIs, exact ones
    first; `concept`, the first of them or ""; `text`, cleaned, or the case-folded string where the text rules reject
    it; `text_key`. Strings whose texts are equal stand one below the other with equal keys.
    """
    parts = []
    for name in FILES:
        try:
            part = pd.read_csv(folder / name, keep_default_na=False, dtype=str)
        except (OSError, ValueError) as error:
            raise JudgedError(
                f"{folder / name} cannot be read ({error}): name the folder of {', '.join(FILES)}."
            ) from error
        parts.append(part.assign(file=name, meaning=part.get("meaning", "")))
    judged = pd.concat(parts, ignore_index=True)
    judged["mentions"] = judged["mentions"].astype(int)
    judged["exact"] = [tuple(uris.split()) for uris in judged["exact_uris"]]
    judged["accepted"] = [
        tuple(f"{e} {b}".split()) for e, b in zip(judged["exact_uris"], judged["broad_uris"], strict=True)
    ]
    judged["concept"] = [uris[0] if uris else "" for uris in judged["accepted"]]
    judged["text"] = [parse_mention(raw).text or raw.casefold() for raw in judged["raw"]]
    judged["text_key"] = [text_key(text) for text in judged["text"]]
    return judged.drop(columns=["exact_uris", "broad_uris"])
