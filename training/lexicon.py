"""How well the lexicon's judgements stand a second, blind one: `python -m training.lexicon FOLDER_OF_JUDGED_STRINGS`.

`rejudged.csv` holds the second judgement of the 300 most frequent strings and of 150 drawn at random from the others:
by the same rules, from an alphabetical list of near concepts and a search of all of ESCO, without sight of the first.
What differed was left out of the lexicon, or stands there as ambiguous.
"""

import sys
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from training.judged import read_judged

FILE = Path(__file__).parent / "rejudged.csv"


def read_rejudged(judged: pd.DataFrame) -> pd.DataFrame:
    """The twice judged texts: part, kind, accepted (URIs, best first) of the second judgement, and `first_*`."""
    second = pd.read_csv(FILE, keep_default_na=False, dtype=str)
    both = (second["exact_uris"] + " " + second["broad_uris"]).str.split().map(tuple)
    first = judged.drop_duplicates("text_key").set_index("text_key").loc[second["text_key"]]
    return second[["text_key", "part", "kind"]].assign(
        accepted=both, first_kind=first["kind"].to_numpy(), first_accepted=first["accepted"].to_numpy()
    )


def agreement(pairs: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """By question: how many of how many."""
    linked, first_linked = pairs["accepted"].map(bool), pairs["first_accepted"].map(bool)
    both = pairs[linked & first_linked]
    overlap = [bool(set(a) & set(b)) for a, b in zip(both["accepted"], both["first_accepted"], strict=True)]
    top = [b[0] in a for a, b in zip(both["accepted"], both["first_accepted"], strict=True)]
    return {
        "both or neither linked": (int((linked == first_linked).sum()), len(pairs)),
        "same kind": (int((pairs["kind"] == pairs["first_kind"]).sum()), len(pairs)),
        "linked, and the second links it": (int((linked & first_linked).sum()), int(first_linked.sum())),
        "linked, and the second accepts its first concept": (sum(top), int(first_linked.sum())),
        "both linked, and they share a concept": (sum(overlap), len(both)),
        "no concept, and the second finds none": (int((~linked & ~first_linked).sum()), int((~first_linked).sum())),
    }


def main(folder: Path) -> None:
    pairs = read_rejudged(read_judged(folder))
    table = Table("", *(parts := list(pairs["part"].unique())))
    by_part = {part: agreement(rows) for part, rows in pairs.groupby("part")}
    for question in next(iter(by_part.values())):
        table.add_row(question, *(_share(*by_part[part][question]) for part in parts))
    Console().print(table)


def _share(hits: int, of: int) -> str:
    interval = binomtest(hits, of).proportion_ci(method="wilson")
    return f"{hits} of {of} = {hits / of:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
