"""Pairs of texts that clusters must keep apart, and pairs that they must join, fixed before pairs had a score.

`traps.csv` beside this file are written by hand (a, b, same, kind). As many are drawn by a seed, so that nobody chose
them: from the taxonomy siblings that share a word, labels with one word turned into its opposite, and labels with a
typo or run together; from the skill lexicon strings that differ in a number alone, and strings that differ in spaces
and punctuation alone. `traps.json` has count and SHA-256 of what is drawn, for the taxonomy that it names.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

from skillsim.errors import TrainingError
from skillsim.lexicon import builtin_lexicon
from skillsim.sample import typo
from skillsim.text import parse_mention
from training.noise import separators
from training.splits.held_out import Concepts

WRITTEN = Path(__file__).with_name("traps.csv")
FILE = Path(__file__).with_name("traps.json")
SEED = "skillsim traps 1"
OPPOSITES = (
    ("internal", "external"),
    ("manual", "automated"),
    ("indoor", "outdoor"),
    ("import", "export"),
    ("hot", "cold"),
    ("public", "private"),
    ("direct", "indirect"),
    ("organic", "inorganic"),
    ("domestic", "foreign"),
    ("verbal", "non-verbal"),
    ("online", "offline"),
    ("primary", "secondary"),
    ("hardware", "software"),
    ("children", "adults"),
    ("physical", "mental"),
    ("purchase", "sell"),
    ("clients", "suppliers"),
    ("customers", "employees"),
)
# kind -> (whether its pairs belong together, how many are drawn)
DRAWN = {
    "siblings": (False, 50),
    "opposites": (False, 30),
    "numbers": (False, 10),
    "spellings": (True, 50),
    "typos": (True, 30),
    "run together": (True, 30),
}
_LETTERS = 5  # of a string, so that "b e" and "be" are left out
_OF_A_FORM = 3  # pairs: nine standards that begin with "iso" are no thirty traps

Pair = tuple[str, str]


def traps(concepts: Concepts) -> pd.DataFrame:
    """a, b, same (bool), kind: written ones first, then those drawn from a taxonomy and the lexicon."""
    written = pd.read_csv(WRITTEN, dtype=str)
    written["same"] = written["same"] == "yes"
    return pd.concat([written, drawn(concepts)], ignore_index=True)


def drawn(concepts: Concepts) -> pd.DataFrame:
    """As `traps`, without those written by hand; fewer of a kind where taxonomy or lexicon has no more."""
    rows = []
    for kind, (same, count) in DRAWN.items():
        found = sorted({(min(pair), max(pair)) for pair in _KINDS[kind](concepts) if pair[0] != pair[1]})
        rows += [(a, b, same, kind) for a, b in sorted(found, key=_by_hash)[:count]]
    return pd.DataFrame(rows, columns=["a", "b", "same", "kind"])


def _by_hash(pair: Pair) -> str:
    return hashlib.sha256("\t".join((SEED, *pair)).encode()).hexdigest()


def _preferred(concepts: Concepts) -> dict[str, str]:
    return {uri: labels[0] for uri, labels in concepts.labels.items()}


def _siblings(concepts: Concepts) -> Iterator[Pair]:
    """Of which half of the longer one's words are shared."""
    preferred = _preferred(concepts)
    words = {uri: set(label.split()) for uri, label in preferred.items()}
    for uri, own in words.items():
        for other in concepts.siblings[uri]:
            if 2 * len(own & words[other]) >= max(len(own), len(words[other])):
                yield preferred[uri], preferred[other]


def _opposites(concepts: Concepts) -> Iterator[Pair]:
    turned = dict(OPPOSITES) | {second: first for first, second in OPPOSITES}
    for label in _preferred(concepts).values():
        words = label.split()
        for place, word in enumerate(words):
            if word in turned and len(words) > 1:
                yield label, " ".join([*words[:place], turned[word], *words[place + 1 :]])


def _typos(concepts: Concepts) -> Iterator[Pair]:
    for label in _preferred(concepts).values():
        if len(label) >= 12:
            yield label, parse_mention(typo(Random(f"{SEED} {label}"), label)).text or label


def _run_together(concepts: Concepts) -> Iterator[Pair]:
    for label in _preferred(concepts).values():
        if len(label.split()) == 2 and len(label) >= 12:
            yield label, parse_mention(separators(Random(f"{SEED} {label}"), label)).text or label


def _alike(of: Callable[[str], str]) -> Iterator[Pair]:
    """Strings of the lexicon that are one when `of` is taken of them."""
    by_form: dict[str, list[str]] = {}
    for text in sorted(entry.text for entry in builtin_lexicon("en").entries.values()):
        by_form.setdefault(of(text), []).append(text)
    for form, texts in by_form.items():
        if len(form) >= _LETTERS:
            yield from sorted(combinations(texts, 2), key=_by_hash)[:_OF_A_FORM]


def _numbers(concepts: Concepts) -> Iterator[Pair]:
    del concepts
    return _alike(lambda text: re.sub(r"\d+(\.\d+)*", "#", text) if re.search("[0-9]", text) else "")


def _spellings(concepts: Concepts) -> Iterator[Pair]:
    del concepts
    return _alike(lambda text: re.sub(r"[\s./&'_-]", "", text))


_KINDS: dict[str, Callable[[Concepts], Iterator[Pair]]] = {
    "siblings": _siblings,
    "opposites": _opposites,
    "numbers": _numbers,
    "spellings": _spellings,
    "typos": _typos,
    "run together": _run_together,
}


def manifest(concepts: Concepts) -> dict[str, Any]:
    """Of a taxonomy, how many of each kind are drawn, and the SHA-256 of them all."""
    found = drawn(concepts)
    rows = ["\t".join(map(str, row)) for row in found.itertuples(index=False)]
    return {
        "taxonomy": f"{concepts.taxonomy.version} {concepts.taxonomy.language}",
        "seed": SEED,
        "drawn": found["kind"].value_counts(sort=False).to_dict(),
        "sha256": hashlib.sha256("\n".join(rows).encode()).hexdigest(),
    }


def check(concepts: Concepts) -> None:
    """Raise TrainingError where what is drawn from the committed taxonomy is not what was committed."""
    committed, found = json.loads(FILE.read_text(encoding="utf-8")), manifest(concepts)
    if committed["taxonomy"] == found["taxonomy"] and committed != found:
        raise TrainingError(
            f"{FILE.name}: the pairs drawn from ESCO {found['taxonomy']} are not those that were committed. Use the "
            "bundle as downloaded, or, where the lexicon has changed, write it anew: python -m training.splits traps."
        )
