"""Whether two texts are variants of one skill: what a pair looks like, and a decision that was fitted on it. No Spark.

The cosine of two texts says that they speak of one thing, and says so of "day shifts" and "night shifts" too. So a
pair is also compared word by word (skillsim.pairing): what is left over on one side or on both tells variants from
neighbours, and so does whether words that differ replace one another elsewhere.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA, JaroWinkler
from safetensors import SafetensorError, safe_open
from scipy.special import expit

from skillsim.config import LEAST_SCORE, Config
from skillsim.errors import DeciderError
from skillsim.model_files import BUILTIN
from skillsim.pairing import Form, Pairing, form, initials_side, stem
from skillsim.trees import Trees

SHIPPED = {BUILTIN: Path(str(files("skillsim") / "data" / "variants" / f"{BUILTIN}.safetensors"))}  # by encoder.model
METADATA = "variants"
FIT = "by `python -m training.variants`"

Floats = npt.NDArray[np.float32]

_AGENT = re.compile(r"(?:or|er|ist|ian)s?$")
_PREFIXES = frozenset(
    ("anti", "bi", "de", "dis", "down", "hyper", "im", "in", "inter", "intra", "macro", "micro", "mono", "multi", "no")
    + ("non", "out", "over", "post", "pre", "re", "sub", "trans", "un", "under", "up")
)
_NO_TYPO = 30.0  # letters: longer than any word with one
_UNSEEN = -3.0  # weight of a word that no fitted pair left over
_NOTHING = 9.0  # weight where no word is left over, or replaced

FEATURES = (
    "cosine",
    "same letters",
    "edit similarity",
    "jaro-winkler",
    "letters of the shorter",
    "letters one adds at its end",
    "words of the shorter",
    "words of the longer",
    "words paired",
    "typos",
    "letters of the shortest with a typo",
    "short forms",
    "left over, the fewer",
    "left over, the more",
    "left over, share of letters",
    "left over on one side, weight",
    "left over on both sides, weight",
    "not replaced, the fewer",
    "not replaced, of both",
    "replaced, the least usual",
    "phrase, the less",
    "phrase, the more",
    "numbers differ",
    "number on one side",
    "initials",
    "prefix",
    "order differs",
    "person or deed",
)


@dataclass(frozen=True)
class Words:
    """What fitted pairs say of stems.

    `left_over`: log-odds that a pair is one skill which leaves this over, named as by `left_over`; `replaced`: of
    "one other", in alphabetical order, how usual it is that they stand for each other, a logarithm; `first`: log-odds
    that a text which begins with it is a phrase of a taxonomy and not a name.
    """

    left_over: Mapping[str, float] = field(default_factory=dict)
    replaced: Mapping[str, float] = field(default_factory=dict)
    first: Mapping[str, float] = field(default_factory=dict)


def features(left: Sequence[str], right: Sequence[str], cosine: Floats, words: Words) -> Floats:
    """(pairs, FEATURES) of texts and their cosines."""
    rows = [_row(form(a), form(b), float(similar), words) for a, b, similar in zip(left, right, cosine, strict=True)]
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(FEATURES))


def left_over(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Names of the words left over of two texts: "1 word" where the other side has none, "2 word" where it has."""
    sides = 2 if one and other else 1
    return [f"{sides} {word}" for word in (*one, *other)]


def _row(a: Form, b: Form, cosine: float, words: Words) -> list[float]:
    pairing = Pairing.of(a, b)
    one, other = pairing.words()
    short, long = sorted((a.compact, b.compact), key=len)
    weight = min((words.left_over.get(name, _UNSEEN) for name in left_over(one, other)), default=_NOTHING)
    both = bool(one and other)
    usual = replacements(one, other, words.replaced)
    phrase = sorted(words.first.get(of.stems[0], 0.0) if of.stems else 0.0 for of in (a, b))
    shared = set(a.stems) & set(b.stems)
    return [
        cosine,
        a.compact == b.compact,
        1 - OSA.distance(short, long) / max(len(long), 1),
        JaroWinkler.similarity(short, long),
        len(short),
        len(long) - len(short) if long.startswith(short) else 0,
        min(len(a.stems), len(b.stems)),
        max(len(a.stems), len(b.stems)),
        len(a.stems) - len(one),
        len(pairing.typos),
        min(pairing.typos, default=_NO_TYPO),
        pairing.short_forms,
        min(len(one), len(other)),
        max(len(one), len(other)),
        sum(map(len, (*one, *other))) / max(len(a.compact) + len(b.compact), 1),
        _NOTHING if both else weight,
        weight if both else _NOTHING,
        min(len(one), len(other)) - len(usual),
        len(one) + len(other) - 2 * len(usual),
        min(usual, default=_NOTHING),
        *phrase,
        bool(a.numbers and b.numbers and a.numbers != b.numbers),
        bool(a.numbers) != bool(b.numbers),
        initials_side(a, b) is not None,
        any(_prefixed(x, y) or _prefixed(y, x) for x in a.words for y in b.words),
        [s for s in a.stems if s in shared] != [s for s in b.stems if s in shared],
        sum(_differ_in_agent(x, y) for x in a.words for y in b.words if stem(x) == stem(y)),
    ]


def replacements(one: Sequence[str], other: Sequence[str], usual: Mapping[str, float]) -> list[float]:
    """How usual each is of the words of one side that stand for one of the other; each word once, the most usual first.

    `usual`: as Words.replaced.
    """
    known = (
        (found, x, y)
        for x, left in enumerate(one)
        for y, right in enumerate(other)
        if (found := usual.get(f"{min(left, right)} {max(left, right)}")) is not None
    )
    told: list[float] = []
    left_done, right_done = set[int](), set[int]()
    for found, x, y in sorted(known, key=lambda row: (-row[0], row[1:])):
        if x not in left_done and y not in right_done:
            told.append(found)
            left_done.add(x)
            right_done.add(y)
    return told


def _prefixed(word: str, other: str) -> bool:
    """Whether a word is another with a prefix that turns its meaning."""
    return len(word) > len(other) and word.endswith(other) and word[: -len(other)] in _PREFIXES


def _differ_in_agent(word: str, other: str) -> bool:
    """ "auditor" and "auditing" have one stem."""
    return bool(_AGENT.search(word)) != bool(_AGENT.search(other))


@dataclass(frozen=True)
class Variants:
    """A fitted decision.

    `threshold`: the score from which two texts are one skill; `keep`: pairs with less are not kept; `floor`: the cosine
    below which a pair is not looked at unless its letters are alike; `variants_id`: of all but the threshold.
    """

    parameters: Mapping[str, npt.NDArray[Any]]
    words: Words
    threshold: float
    keep: float
    floor: float
    model_id: str  # whose cosines it was fitted on
    variants_id: str = "not saved"

    @staticmethod
    def load(path: Path) -> "Variants":
        """What training.variants wrote. Raises DeciderError for another file, and for one of other features."""
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            with safe_open(str(path), framework="numpy") as file:
                told = json.loads((file.metadata() or {})[METADATA])
                parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if tuple(told["features"]) != FEATURES:
                raise ValueError("it was fitted on other features")
            threshold, floor, model_id = (told[name] for name in ("threshold", "floor", "model_id"))
            words = Words(**told["words"])
            return Variants(parameters, words, threshold, LEAST_SCORE, floor, model_id, digest[:12])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DeciderError(f"{path} is no fitted decision on variants ({error}): fit one, {FIT}.") from error

    @cached_property
    def _trees(self) -> Trees:
        return Trees(self.parameters)

    def score(self, left: Sequence[str], right: Sequence[str], cosine: Floats) -> npt.NDArray[np.float64]:
        """(pairs,): how sure it is that two texts are variants of one skill, 0..1."""
        return np.asarray(expit(self._trees.log_odds(features(left, right, cosine, self.words))))


def choose_variants(config: Config, model_id: str) -> tuple[Variants | None, str]:
    """The decision on variants of a run; or none, and why where none was not asked for.

    Raises DeciderError for a file of the user's own that does not hold for the run's encoder.
    """
    wanted = config.clusters
    if wanted.decision == "none":
        return None, ""
    auto = wanted.decision == "auto"
    path = SHIPPED.get(config.encoder.model) if auto else Path(wanted.decision)
    found = Variants.load(path) if path else None
    if found is None or found.model_id != model_id:
        if not auto:
            raise DeciderError(f"clusters.decision {path} was not fitted on vectors of {model_id}: fit one, {FIT}.")
        return None, f"no decision on variants is fitted for vectors of {model_id}: fit one, {FIT}"
    return replace(found, threshold=found.threshold if wanted.threshold is None else wanted.threshold), ""
