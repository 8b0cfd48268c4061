"""Pairs of texts that clusters must keep apart, and pairs that they must join, fixed before pairs had a score.

`traps.csv` beside this file are written by hand (a, b, same, kind). As many are drawn by a hash, so that nobody chose
them: from labels of held-out concepts (training.splits.held_out) siblings that share words, labels with one word turned
into its opposite, with a typo, or run together; from the skill lexicon strings that differ in a number alone, or in
spaces and punctuation alone. `traps.json` has count and SHA-256 of what is drawn, for the taxonomy that it names.
Versions of a product are kept apart, though one concept may stand for them all.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

from skillsim.lexicon import builtin_lexicon
from skillsim.sample import typo
from skillsim.text import parse_mention
from training.splits import committed
from training.splits.committed import digest
from training.splits.held_out import Concepts, is_held_out

WRITTEN = Path(__file__).with_name("traps.csv")
FILE = Path(__file__).with_name("traps.json")
SEED = "skillsim traps 1"
_OPPOSITES = (
    ("internal", "external"),
    ("manual", "automated"),
    ("indoor", "outdoor"),
    ("import", "export"),
    ("hot", "cold"),
    ("public", "private"),
    ("organic", "inorganic"),
    ("domestic", "foreign"),
    ("verbal", "non-verbal"),
    ("online", "offline"),
    ("primary", "secondary"),
    ("hardware", "software"),
    ("children", "adults"),
    ("physical", "mental"),
    ("purchase", "sell"),
    ("load", "unload"),
    ("written", "oral"),
    ("raw", "finished"),
    ("urban", "rural"),
    ("dry", "wet"),
)
# kind -> (whether its pairs belong together, how many are drawn)
DRAWN = {
    "sibling": (False, 50),
    "antonym": (False, 30),
    "version": (False, 10),
    "punctuation": (True, 50),
    "typo": (True, 30),
    "run together": (True, 30),
}
_LETTERS = 5  # of a string, so that "b e" and "be" are left out
_LONG = 12  # letters of a label that stays legible with a typo, or without its space
_OF_A_FORM = 3  # pairs: nine standards that begin with "iso" are no thirty traps

Pair = tuple[str, str]


def traps(concepts: Concepts) -> pd.DataFrame:
    """a, b, same (bool), kind, origin (written, drawn); no pair stands twice."""
    return pd.concat([_written().assign(origin="written"), drawn(concepts).assign(origin="drawn")], ignore_index=True)


def _written() -> pd.DataFrame:
    written = pd.read_csv(WRITTEN, dtype=str)
    return written.assign(same=written["same"] == "yes")


def drawn(concepts: Concepts) -> pd.DataFrame:
    """a, b, same, kind; fewer of a kind where taxonomy or lexicon has no more. Written pairs are not drawn again."""
    taken = {_ordered(pair) for pair in zip(*(_written()[side] for side in "ab"), strict=True)}
    preferred = {uri: labels[0] for uri, labels in concepts.labels.items() if is_held_out(uri)}
    rows = []
    for kind, (same, count) in DRAWN.items():
        found = {_ordered(pair) for pair in _KINDS[kind](concepts, preferred) if pair[0] != pair[1]}
        rows += [(a, b, same, kind) for a, b in sorted(found - taken, key=_by_hash)[:count]]
    return pd.DataFrame(rows, columns=["a", "b", "same", "kind"])


def _ordered(pair: Pair) -> Pair:
    return min(pair), max(pair)


def _by_hash(pair: Pair) -> str:
    return hashlib.sha256("\t".join((SEED, *pair)).encode()).hexdigest()


def _siblings(concepts: Concepts, preferred: dict[str, str]) -> Iterator[Pair]:
    """Of which half of the longer one's words are shared."""
    for uri, label in preferred.items():
        for other in (concepts.labels[sibling][0] for sibling in concepts.siblings[uri]):
            own, others = set(label.split()), set(other.split())
            if 2 * len(own & others) >= max(len(own), len(others)):
                yield label, other


def _antonyms(concepts: Concepts, preferred: dict[str, str]) -> Iterator[Pair]:
    turned = dict(_OPPOSITES) | {second: first for first, second in _OPPOSITES}
    for label in preferred.values():
        words = label.split()
        places = [place for place, word in enumerate(words) if word in turned]
        if len(places) == 1 and len(words) > 1:
            (place,) = places
            yield label, " ".join([*words[:place], turned[words[place]], *words[place + 1 :]])


def _typos(concepts: Concepts, preferred: dict[str, str]) -> Iterator[Pair]:
    for label in preferred.values():
        if len(label) >= _LONG:
            yield label, parse_mention(typo(Random(f"{SEED} {label}"), label)).text or label


def _run_together(concepts: Concepts, preferred: dict[str, str]) -> Iterator[Pair]:
    for label in preferred.values():
        if len(label.split()) == 2 and len(label) >= _LONG:
            yield label, label.replace(" ", "")


def _versions(concepts: Concepts, preferred: dict[str, str]) -> Iterator[Pair]:
    return _alike(lambda text: re.sub(r"\d+(\.\d+)*", "#", text) if re.search("[0-9]", text) else "")


def _punctuation(concepts: Concepts, preferred: dict[str, str]) -> Iterator[Pair]:
    return _alike(lambda text: re.sub(r"[\s./&'_-]", "", text))


def _alike(of: Callable[[str], str]) -> Iterator[Pair]:
    """Skills of the lexicon that are one when `of` is taken of them."""
    by_form: dict[str, list[str]] = {}
    for text in sorted(entry.text for entry in builtin_lexicon("en").entries.values() if entry.kind == "skill"):
        by_form.setdefault(of(text), []).append(text)
    for form, texts in by_form.items():
        if len(form) >= _LETTERS:
            yield from sorted(combinations(texts, 2), key=_by_hash)[:_OF_A_FORM]


_KINDS: dict[str, Callable[[Concepts, dict[str, str]], Iterator[Pair]]] = {
    "sibling": _siblings,
    "antonym": _antonyms,
    "version": _versions,
    "punctuation": _punctuation,
    "typo": _typos,
    "run together": _run_together,
}


def manifest(concepts: Concepts) -> dict[str, Any]:
    """Of a taxonomy, count and SHA-256 of the pairs of each kind."""
    lists = {
        str(kind): ["\t".join(pair) for pair in zip(of["a"], of["b"], strict=True)]
        for kind, of in drawn(concepts).groupby("kind", sort=False)
    }
    return {"taxonomy": concepts.name, "seed": SEED, **{kind: digest(pairs) for kind, pairs in lists.items()}}


def check(concepts: Concepts) -> None:
    """Raise TrainingError where what is drawn from the committed taxonomy is not what was committed."""
    committed.check(FILE, manifest(concepts))
